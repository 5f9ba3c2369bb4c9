/** Returns true when a public base is this machine: nobody else can reach it, and a demonstration may allow more. */
export function isLoopback(baseUrl: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(baseUrl).hostname);
}

/**
 * Returns true when a client has registered the redirect URI. It is compared exactly, except for the port of a loopback
 * address, which an app on the user's machine gets only when it starts (RFC 8252 §7.3). `localhost` does not count: a name
 * may resolve to another address (§8.3).
 */
export function isRegistered(redirectUri: string, registered: readonly string[]): boolean {
  const asked = withoutLoopbackPort(redirectUri);
  return URL.canParse(redirectUri) && registered.some((uri) => withoutLoopbackPort(uri) === asked);
}

function withoutLoopbackPort(uri: string): string {
  return uri.replace(/^(http:\/\/(?:127\.0\.0\.1|\[::1\])):\d{1,5}(?=[/?#]|$)/, '$1');
}

/** Returns the client type: web clients have http(s) URLs, native apps a custom scheme (OpenID Connect Registration §2). */
export function applicationType(redirectUris: readonly string[]): 'web' | 'native' {
  return redirectUris.every((uri) => /^https?:\/\//.test(uri)) ? 'web' : 'native';
}
