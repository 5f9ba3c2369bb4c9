import type { TokenEndpointResponse } from 'oauth4webapi';
import { EhrRefusal } from './ehr-refusal.ts';

/** Tokens of an EHR for one patient. They are sent only to that EHR. */
export interface EhrTokens {
  access: string;
  refresh?: string;
  /** Times of the renewal and of the end, in seconds since the epoch. */
  renewAt: number;
  expires: number;
}

/** The tokens of a token answer that was not checked yet. */
export interface UnjudgedTokens {
  access?: string;
  refresh?: string;
}

/** A token is renewed in its last minute, or in the last half of a shorter life, so that it is valid when it arrives. */
const MARGIN_SECONDS = 60;
/** Lifetime of a token without `expires_in`, which SMART App Launch 2.2 §4.1.6 requires. */
const UNKNOWN_LIFETIME_SECONDS = 300;
/** Longest time for which a token is used without a renewal. */
const LONGEST_LIFETIME_SECONDS = 3600;

/** Reads the tokens in a body, even if the rest is invalid. */
export function tokensIn(body: string): UnjudgedTokens {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return {};
  }
  const { access_token: access, refresh_token: refresh } = (json ?? {}) as Record<string, unknown>;
  return { ...(isToken(access) && { access }), ...(isToken(refresh) && { refresh }) };
}

const isToken = (value: unknown): value is string => typeof value === 'string' && value !== '';

/** Lists each token once, refresh tokens first. */
export function listOf(...tokens: readonly UnjudgedTokens[]): string[] {
  const all = tokens.flatMap(({ refresh, access }) => [refresh, access]);
  return [...new Set(all)].filter((token) => token !== undefined);
}

/**
 * Reads `expires_in` (RFC 6749 §5.1): whole seconds, as a number or its digits.
 * @returns at most an hour
 * @throws EhrRefusal for anything else
 */
export function lifetimeOf(expiresIn: unknown): number {
  if (expiresIn === undefined) return UNKNOWN_LIFETIME_SECONDS;
  const digits = typeof expiresIn === 'string' && /^\d+$/.test(expiresIn);
  const lifetime = Math.floor(digits ? Number(expiresIn) : (expiresIn as number));
  if ((!digits && typeof expiresIn !== 'number') || !(lifetime >= 1)) {
    throw new EhrRefusal('the lifetime of the token (expires_in) is no number of seconds');
  }
  return Math.min(lifetime, LONGEST_LIFETIME_SECONDS);
}

/**
 * Returns the tokens of a token answer.
 * @param lifetime seconds
 * @param now seconds since the epoch
 * @param before the refresh token that stays valid when the answer has no new one (RFC 6749 §6)
 */
export function tokensOf(
  answer: TokenEndpointResponse,
  lifetime: number,
  now: number,
  before?: string,
): EhrTokens {
  const refresh = answer.refresh_token ?? before;
  return {
    access: answer.access_token,
    refresh,
    renewAt: now + Math.max(lifetime - MARGIN_SECONDS, lifetime / 2),
    expires: now + lifetime,
  };
}
