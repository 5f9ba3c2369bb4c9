/** Whether a public base is this very machine: then nobody else can come in, and a demonstration may be generous. */
export function isLoopback(baseUrl: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(baseUrl).hostname);
}

/**
 * Whether a redirect URI is one of those that a client has registered: to the letter, but for the port of a loopback
 * address, which an app on the user's machine learns only when it starts (RFC 8252 §7.3). `localhost` is a name, and
 * may lead elsewhere (§8.3).
 */
export function isRegistered(redirectUri: string, registered: readonly string[]): boolean {
  const asked = withoutLoopbackPort(redirectUri);
  return URL.canParse(redirectUri) && registered.some((uri) => withoutLoopbackPort(uri) === asked);
}

function withoutLoopbackPort(uri: string): string {
  return uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\])):\d{1,5}(?=[/?#]|$)/, '$1');
}

/** OpenID Connect Registration §2: web clients have web addresses, native apps a scheme of their own. */
export function applicationType(redirectUris: readonly string[]): 'web' | 'native' {
  return redirectUris.every((uri) => /^https?:\/\//.test(uri)) ? 'web' : 'native';
}
