import type { TokenEndpointResponse } from 'oauth4webapi';
import { EhrRefusal } from './ehr-refusal.ts';

/** Tokens of an EHR for one patient, which never leave this server but to that EHR. */
export interface EhrTokens {
  access: string;
  refresh?: string;
  /** Seconds since the epoch: when a new one is to be had, and when this one ends. */
  renewAt: number;
  expires: number;
}

/** The tokens of a token answer that nobody has judged yet. */
export interface UnjudgedTokens {
  access?: string;
  refresh?: string;
}

/** A token is not used in its last minute, or last half where it lives less: it has to arrive while it is good. */
const MARGIN_SECONDS = 60;
/** SMART App Launch 2.2 §4.1.6 wants `expires_in`; an EHR that leaves it out is believed this long. */
const UNKNOWN_LIFETIME_SECONDS = 300;
/** No EHR is believed for longer without being asked again. */
const LONGEST_LIFETIME_SECONDS = 3600;

/** Reads what a body holds of tokens, whatever else is wrong with it. */
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

/** Each token once, those that renew first. */
export function listOf(...tokens: readonly UnjudgedTokens[]): string[] {
  const all = tokens.flatMap(({ refresh, access }) => [refresh, access]);
  return [...new Set(all)].filter((token) => token !== undefined);
}

/**
 * Reads `expires_in` (RFC 6749 §5.1): whole seconds, as a number or its digits.
 * @returns at most an hour
 * @throws EhrRefusal for anything else: how long the token may be used cannot be told
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
 * The tokens of a token answer.
 * @param lifetime seconds
 * @param now seconds since the epoch
 * @param before the refresh token that goes on where the answer has no new one (RFC 6749 §6)
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
    ...(refresh !== undefined && { refresh }),
    renewAt: now + Math.max(lifetime - MARGIN_SECONDS, lifetime / 2),
    expires: now + lifetime,
  };
}
