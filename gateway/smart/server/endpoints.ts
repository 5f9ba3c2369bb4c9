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
