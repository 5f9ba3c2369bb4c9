/**
 * Adds `prompt=consent` to a request for `offline_access`, which OpenID Connect drops without it. Consent is requested here
 * in any case.
 * @param path of the authorization endpoint, with its query
 */
export function askingForConsent(path: string): string {
  const [endpoint, query = ''] = path.split('?', 2) as [string, string?];
  const parameters = new URLSearchParams(query);
  const offline = parameters.get('scope')?.split(' ').includes('offline_access');
  return offline && !parameters.has('prompt') ? `${endpoint}?${query}&prompt=consent` : path;
}
