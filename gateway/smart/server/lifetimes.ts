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
