/** How long things live, in seconds. RFC 9700 §4.14: access tokens are short-lived, a refresh token is rotated. */
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

/** Below the issuer. */
export const PATHS = {
  authorization: '/authorize',
  token: '/token',
  introspection: '/introspect',
  revocation: '/revoke',
  jwks: '/jwks',
  registration: '/register',
  userinfo: '/userinfo',
} as const;

/** With which clients sign their assertions, those of SMART App Launch 2.2; never an HMAC. */
export const CLIENT_ALGORITHMS = ['ES384', 'RS384'] as const;

/** With which we sign an id_token, as the client has registered; RS256 where it says nothing (OpenID Connect Registration §2). */
export const ID_TOKEN_ALGORITHMS = ['RS256', 'RS384', 'ES384'] as const;
