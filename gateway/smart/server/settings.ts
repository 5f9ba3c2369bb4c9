/** Lifetimes in seconds. Access tokens are short-lived, and refresh tokens are rotated (RFC 9700 §4.14). */
export const LIFETIMES = {
  AccessToken: 3600,
  /** Backend Services, SMART App Launch 2.2 §5.3: at most five minutes. */
  ClientCredentials: 300,
  AuthorizationCode: 60,
  IdToken: 3600,
  Interaction: 900,
  Session: 8 * 3600,
  RefreshToken: 30 * 86_400,
  Grant: 30 * 86_400,
} as const;

/** Paths of the endpoints, below the issuer. */
export const PATHS = {
  authorization: '/authorize',
  token: '/token',
  introspection: '/introspect',
  revocation: '/revoke',
  jwks: '/jwks',
  registration: '/register',
  userinfo: '/userinfo',
} as const;

/** Algorithms of client assertions, those of SMART App Launch 2.2; never HMAC. */
export const CLIENT_ALGORITHMS = ['ES384', 'RS384'] as const;

/** Algorithms of id_tokens, which a client may choose; RS256 by default (OpenID Connect Registration §2). */
export const ID_TOKEN_ALGORITHMS = ['RS256', 'RS384', 'ES384'] as const;
