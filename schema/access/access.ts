import type { Identifier } from 'fhir/r4.js';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { hkdfSync } from 'node:crypto';
import { Fault } from '../fault/fault.ts';
import { patientOutOfReach } from '../fault/refusals.ts';
import type { Permission } from './scopes.ts';
import type { RecordCall } from './source-calls.ts';

/** Identity of a patient outside FHIR, to find their studies and to verify that a study is theirs (DW-19, DW-21). */
export interface PatientIdentity {
  /** Logical id in the clinical base. */
  id: string;
  /** The Patient's identifiers; the tenant's `mrn` paths choose among them. */
  identifier: readonly Identifier[];
  /** FHIR date. */
  birthDate?: string;
  /** The identifiers of each record that was merged with this one, and so is the same person's. */
  merged?: readonly (readonly Identifier[])[];
  /** Values of these identifiers that find no images and no patient, because it is not clear whose they are. */
  withheld?: readonly string[];
}

/** A patient whom the caller may see. */
export interface PatientGrant {
  id: string;
  /** Undefined when the EHR could not be asked: images that are found by MRN are then refused. */
  identity?: PatientIdentity;
  /** True when the EHR did not answer for the identity: a later request may succeed. */
  identityAway?: boolean;
  /** Studies that the grant is limited to (IA-8); undefined: all studies of the patient. */
  studies?: readonly string[];
}

/**
 * The access of the caller. Authorization makes this value once per request, and everything after it works only from this
 * value. It is immutable, holds no credential but the caller's own tokens, and is sealed when it leaves the process.
 */
export interface Access {
  tenant: string;
  /** The tenant's `recordKey` when the caller was authorized; only for other processes, which compare it with theirs. */
  record?: string;
  /** OAuth client id; undefined when the authorization server did not give it. */
  client?: string;
  /** `fhirUser` or `sub`. */
  user?: string;
  /** The patients in reach; `all` only for mock and system tenants with that setting. An empty list reaches nothing. */
  patients: readonly PatientGrant[] | 'all';
  permissions: readonly Permission[];
  /** Seconds since the epoch after which this value is invalid. */
  expires: number;
  /** The token for calls to the clinical source on the caller's behalf (SM-17). */
  clinicalToken?: string;
  /** The bearer token of the request: a capability is bound to it or checked with it (IA-25, IA-26). */
  token?: string;
  /** Seconds since the epoch; undefined when the authorization server did not give the end of the token. */
  tokenExpires?: number;
  /** Records the calls to sources of a request that wants an explanation (FG-28). */
  calls?: RecordCall;
}

/** Returns the caller's grant for a patient; undefined when the patient is out of reach. */
export function grantFor(access: Access, patientId: string): PatientGrant | undefined {
  return access.patients === 'all'
    ? { id: patientId }
    : access.patients.find((patient) => patient.id === patientId);
}

/**
 * Returns the caller's grant for a patient whom the request names.
 * @throws Fault `forbidden` for a patient out of reach (IA-7: 403, never an empty Bundle)
 */
export function requirePatient(access: Access, patientId: string): PatientGrant {
  const grant = grantFor(access, patientId);
  if (!grant) throw patientOutOfReach();
  return grant;
}

const SEAL_LIFETIME_SECONDS = 60;
/**
 * Names the form of an Access, and of what is asked with it. Append a number to it when they change so that a process of
 * another version would misread them: it then refuses, and the request is answered with 503.
 */
const SEAL_ISSUER = 'gateway';
/** Difference of the clocks of two processes. */
const CLOCK_DIFFERENCE_SECONDS = 5;

/** Derives a key from a configured secret of 32 characters or more (HKDF-SHA-256, RFC 5869). */
export function sealingKey(secret: string): Uint8Array {
  if (secret.length < 32) throw new Error('SEALING_KEY must have 32 characters or more.');
  return new Uint8Array(hkdfSync('sha256', secret, '', 'smart-imaging-gateway access', 32));
}

/**
 * Seals an Access for one subgraph: an encrypted JWT (RFC 7516, `dir` + A256GCM) that is valid for at most a minute.
 * @param keys the first one seals
 * @param audience name of the subgraph that may open it
 * @param now seconds since the epoch
 */
export function seal(
  access: Access,
  keys: readonly Uint8Array[],
  audience: string,
  now: number,
): Promise<string> {
  // It is told in this process.
  const { calls: _, ...sealed } = access;
  return new EncryptJWT({ access: sealed })
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .setIssuer(SEAL_ISSUER)
    .setAudience(audience)
    .setIssuedAt(now)
    .setExpirationTime(Math.min(now + SEAL_LIFETIME_SECONDS, Math.floor(access.expires)))
    .encrypt(keys[0]!);
}

/**
 * Opens the result of `seal` with any of the keys.
 * @returns the Access, and until when its seal is valid, in seconds since the epoch
 * @throws Fault `unauthenticated` when it was changed, has expired, or has another audience or key
 */
export async function open(
  sealed: string,
  keys: readonly Uint8Array[],
  audience: string,
  now: number,
): Promise<{ access: Access; until: number }> {
  for (const key of keys) {
    const opened = await jwtDecrypt(sealed, key, {
      issuer: SEAL_ISSUER,
      audience,
      currentDate: new Date(now * 1000),
      clockTolerance: CLOCK_DIFFERENCE_SECONDS,
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      requiredClaims: ['exp', 'access'],
    }).catch(() => undefined);
    if (opened) return { access: opened.payload['access'] as Access, until: opened.payload.exp! };
  }
  throw new Fault('unauthenticated', 'This service answers the gateway only.');
}
