/**
 * OpenID Connect drops `offline_access` without `prompt=consent`; consent is asked for here in any case, so it is said
 * in the app's name.
 * @param path of the authorization endpoint, with its query
 */
export function askingForConsent(path: string): string {
  const [endpoint, query = ''] = path.split('?', 2) as [string, string?];
  const parameters = new URLSearchParams(query);
  const offline = parameters.get('scope')?.split(' ').includes('offline_access');
  return offline && !parameters.has('prompt') ? `${endpoint}?${query}&prompt=consent` : path;
}
