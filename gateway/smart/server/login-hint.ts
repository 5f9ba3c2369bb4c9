import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { decodeJwt } from 'jose';
import { ALGORITHMS } from '../issuer-keys.ts';

/** Whom an app says the EHR has signed in. It is a hint: what counts is the EHR's own answer. */
export interface LoginHint {
  idToken: string;
  subject: string;
  /** The patient that some EHRs name in an id_token. */
  patient?: string;
}

/**
 * Reads a `login_hint` that is the EHR's id_token. Nobody else's token is passed on to the EHR. One that has expired
 * still tells who was signed in (OpenID Connect Core §3.1.2.2), and its audience is the app, not us.
 * @param verify by the EHR's keys
 * @param now milliseconds since the epoch
 * @returns undefined for anything else
 */
export async function loginHint(
  text: string,
  issuer: string,
  now: number,
  verify: (token: string, options: JWTVerifyOptions) => Promise<JWTPayload | undefined>,
): Promise<LoginHint | undefined> {
  let issued: number | undefined;
  try {
    issued = decodeJwt(text).iat;
  } catch {
    return undefined;
  }
  const claims = await verify(text, {
    issuer,
    algorithms: ALGORITHMS,
    requiredClaims: ['sub', 'aud', 'exp', 'iat'],
    currentDate: new Date(typeof issued === 'number' ? Math.min(issued * 1000, now) : now),
    clockTolerance: 5,
  });
  if (!claims?.sub) return undefined;
  const { patient } = claims;
  return { idToken: text, subject: claims.sub, ...(typeof patient === 'string' && { patient }) };
}
