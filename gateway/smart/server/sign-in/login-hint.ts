import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { ALGORITHMS } from '../../token/issuer-keys.ts';
import { isIdToken } from '../../token/token-kinds.ts';
import { CLOCK_TOLERANCE_SECONDS } from '../../token/token-rules.ts';

/** The user who is signed in at the EHR, by the app. It is only a hint: the EHR's answer counts. */
export interface LoginHint {
  idToken: string;
  subject: string;
  /** The patient, whom some EHRs name in an id_token. */
  patient?: string;
}

/** The EHR that must have issued the hint, an id_token. */
export interface HintIssuer {
  issuer: string;
  /** Its token endpoint and its clinical base: tokens for these are not id_tokens. */
  servers: readonly string[];
  /** Verifies a token with the EHR's keys. */
  verify: (token: string, options: JWTVerifyOptions) => Promise<JWTPayload | undefined>;
}

/**
 * Reads a `login_hint` that is an id_token of the EHR. No other token is passed on to the EHR. An expired one still shows who
 * was signed in (OpenID Connect Core §3.1.2.2). Its audience is the app, not us.
 * @param now milliseconds since the epoch
 * @returns undefined for anything else
 */
export async function loginHint(
  text: string,
  { issuer, servers, verify }: HintIssuer,
  now: number,
): Promise<LoginHint | undefined> {
  let issued: number | undefined;
  try {
    const unverified = decodeJwt(text);
    if (!isIdToken(decodeProtectedHeader(text).typ, unverified, servers)) return undefined;
    issued = unverified.iat;
  } catch {
    return undefined;
  }
  const claims = await verify(text, {
    issuer,
    algorithms: ALGORITHMS,
    requiredClaims: ['sub', 'aud', 'exp', 'iat'],
    currentDate: new Date(typeof issued === 'number' ? Math.min(issued * 1000, now) : now),
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  });
  if (!claims?.sub) return undefined;
  const { patient } = claims;
  return { idToken: text, subject: claims.sub, ...(typeof patient === 'string' && { patient }) };
}
