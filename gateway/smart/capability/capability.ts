import { createHash, hkdfSync, timingSafeEqual } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';

/**
 * Capability URLs (IA-25, IA-26): the right to one study, as a path segment that only this server can make and read. The
 * functions are pure over keys and clock; `capability-admission.ts` has the checks at each use.
 */
export interface Capability {
  /** Key of the tenant. */
  tenant: string;
  studyUid: string;
  /** Logical id of the patient; undefined when the clinical base did not give the study's patient. */
  patient?: string;
  client?: string;
  user?: string;
  /** FHIR interactions on the study, a subset of the token's: `r` to retrieve, `s` to search its series and instances. */
  operations: 'r' | 'rs';
  /** SHA-256 of the caller's token, if requests have to carry the same token (IA-25). */
  tokenHash?: string;
  /**
   * The token itself, if requests carry none (IA-26, IA-33). It is checked at every use as if it had been sent, so that a
   * revoked token serves nothing. Undefined in a mock tenant.
   */
  token?: string;
  /** The only path below the capability that may be requested, once (IA-33). */
  link?: { id: string; path: string };
  /** Seconds since the epoch. */
  expires: number;
}

/** A capability as JWT claims, with short names for short URLs. */
interface Claims {
  sub: string;
  exp: number;
  ops: 'r' | 'rs';
  pat?: string;
  cid?: string;
  usr?: string;
  th?: string;
  tok?: string;
  jti?: string;
  path: string;
}

const ISSUER = 'capability';

/** Derives the key from a configured secret; it differs from the key that seals an Access (HKDF-SHA-256, RFC 5869). */
export function capabilityKey(secret: string): Uint8Array {
  if (secret.length < 32) throw new Error('SEALING_KEY must have 32 characters or more.');
  return new Uint8Array(hkdfSync('sha256', secret, '', 'smart-imaging-gateway capability', 32));
}

/** Returns the hash by which a capability knows a token. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** Returns true when the hash is that of the token. */
export function isTokenOf(hash: string, token: string): boolean {
  const [a, b] = [Buffer.from(hash), Buffer.from(tokenHash(token))];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Returns when a capability that is made now expires: never after the token (IA-26).
 * @param ttl seconds
 * @param now seconds since the epoch
 */
export function capabilityExpiry(access: Access, ttl: number, now: number): number {
  return Math.floor(Math.min(now + ttl, access.tokenExpires ?? Infinity));
}

/** Seals a capability as an encrypted JWT. @param keys the first one seals */
export function sealCapability(capability: Capability, keys: readonly Uint8Array[]): Promise<string> {
  const { tenant, studyUid, expires, patient, client, user, operations, tokenHash, token, link } = capability;
  return new EncryptJWT({
    ops: operations,
    pat: patient,
    cid: client,
    usr: user,
    th: tokenHash,
    tok: token,
    ...(link && { jti: link.id, path: link.path }),
  })
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setIssuer(ISSUER)
    .setAudience(tenant)
    .setSubject(studyUid)
    .setExpirationTime(expires)
    .encrypt(keys[0]!);
}

/**
 * Opens the result of `sealCapability` with any of the keys.
 * @param now seconds since the epoch
 * @throws Fault `forbidden` when it was changed, has expired, or has another tenant or key (IA-25)
 */
export async function openCapability(
  sealed: string,
  tenant: string,
  keys: readonly Uint8Array[],
  now: number,
): Promise<Capability> {
  for (const key of keys) {
    const opened = await jwtDecrypt<Claims>(sealed, key, {
      issuer: ISSUER,
      audience: tenant,
      currentDate: new Date(now * 1000),
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      requiredClaims: ['exp', 'sub', 'ops'],
    }).catch(() => undefined);
    if (!opened) continue;
    // Only this server can have written it.
    const { sub, exp, jti, ops, pat, cid, usr, th, tok, path } = opened.payload;
    return {
      tenant,
      studyUid: sub,
      operations: ops,
      expires: exp,
      patient: pat,
      client: cid,
      user: usr,
      tokenHash: th,
      token: tok,
      link: jti === undefined ? undefined : { id: jti, path },
    };
  }
  throw noLongerValid();
}

/** Returns the same fault for expired, revoked, foreign and invented capabilities (IA-25). */
export function noLongerValid(): Fault {
  return new Fault(
    'forbidden',
    'This address is expired, used, revoked, or not for this caller. Get a new one: a link by POST /{tenant}/wado/links, any other address by a search of the study.',
  );
}

/**
 * Narrows the Access of the token to the patient, study and operations of the capability.
 * @throws Fault `forbidden` when nothing is left
 */
export function narrowed(access: Access, { patient, studyUid, operations }: Capability): Access {
  const patients =
    access.patients === 'all'
      ? access.patients
      : access.patients
          .filter(({ id, studies }) => id === (patient ?? id) && (studies ?? [studyUid]).includes(studyUid))
          .map((grant) => ({ ...grant, studies: [studyUid] }));
  const permissions = access.permissions
    .filter(({ type }) => type === '*' || type === 'ImagingStudy')
    .map((permission) => ({
      ...permission,
      type: 'ImagingStudy',
      interactions: [...permission.interactions].filter((letter) => operations.includes(letter)).join(''),
    }))
    .filter(({ interactions }) => interactions !== '');
  if (patients.length === 0 || permissions.length === 0) throw noLongerValid();
  // The clinical base is asked for labels with `clinicalToken` (IA-31). Without `token`, no new capability can be made.
  const { token: _token, ...rest } = access;
  return { ...rest, patients, permissions };
}
