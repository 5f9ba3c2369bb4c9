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
