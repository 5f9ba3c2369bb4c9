import type { JWTPayload } from 'jose';
import { CLOCK_TOLERANCE_SECONDS } from '../../token/token-rules.ts';

/** Claims that are the same in every id_token of one sign-in (OpenID Connect Core §12.2). */
export type SignInClaims = Pick<JWTPayload, 'iss' | 'sub' | 'aud' | 'iat'> & {
  auth_time?: unknown;
  azp?: unknown;
  nonce?: unknown;
};

/** Returns the claims of the first id_token with which later ones are compared. */
export function signInClaims({ iss, sub, aud, iat, auth_time, azp, nonce }: JWTPayload): SignInClaims {
  return JSON.parse(JSON.stringify({ iss, sub, aud, iat, auth_time, azp, nonce })) as SignInClaims;
}

/**
 * Compares the id_token of a refresh with that of the sign-in (OpenID Connect Core §12.2).
 * @param now seconds since the epoch
 * @returns the name of a claim that differs; undefined when all are correct
 */
export function contradiction(refreshed: JWTPayload, first: SignInClaims, now: number): string | undefined {
  const audience = [refreshed.aud].flat();
  const { iat, auth_time: authTime, nonce } = refreshed;
  if (refreshed.iss !== first.iss) return 'iss';
  if (refreshed.sub === undefined || refreshed.sub !== first.sub) return 'sub';
  if (![first.aud].flat().every((one) => audience.includes(one))) return 'aud';
  // It must be a new token.
  const oldest = (first.iat ?? 0) - CLOCK_TOLERANCE_SECONDS;
  if (typeof iat !== 'number' || iat > now + CLOCK_TOLERANCE_SECONDS || iat < oldest) return 'iat';
  if (refreshed['azp'] !== first.azp) return 'azp';
  if (nonce !== undefined && nonce !== first.nonce) return 'nonce';
  // Time of the sign-in itself, which was before the first token.
  if (authTime === undefined) return undefined;
  const known =
    first.auth_time === undefined ? Number(authTime) <= (first.iat ?? 0) : authTime === first.auth_time;
  return known ? undefined : 'auth_time';
}
