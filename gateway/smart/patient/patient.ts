import type { Identifier } from 'fhir/r4.js';
import { createHash } from 'node:crypto';
import type { PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { BackendTokens } from '../token/backend-token.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { quirksOf } from '../token/quirks.ts';
import type { EhrConfig, SmartConfiguration } from '../discovery/smart-configuration.ts';
import type { Answer, Outside } from '../token/upstream.ts';
import { call } from '../token/upstream.ts';
import { LRUCache } from 'lru-cache';

/** Whether this tenant finds images by who the patient is, so that the EHR has to be asked. */
export function needsIdentity(tenant: Tenant): boolean {
  return tenant.images.some(({ lookup, matchBirthDate }) => lookup === 'studies-by-mrn' || matchBirthDate);
}

const FRESH_SECONDS = 300;
/** A patient who is absent or refused is asked for again soon; an EHR that is down even sooner (SM-9). */
const REFUSED_SECONDS = 3;
const DOWN_SECONDS = 1;
/** Identifiers hardly change, and images should stay in reach while the EHR is down (SM-9). */
const OUTAGE_MILLISECONDS = 24 * 3600 * 1000;

export type PatientIdentities = (
  tenant: Tenant,
  config: EhrConfig,
  document: () => Promise<SmartConfiguration>,
  id: string,
  callerToken: string | undefined,
) => Promise<PatientIdentity | Unidentified | undefined>;

type Token = () => Promise<string>;

/**
 * The EHR says that there is no such patient; answers without them: 401, 403, another patient, a page; or is away for now.
 */
export type Unidentified = 'absent' | 'refused' | 'away';

/** The grant with what the EHR says of its patient; none where there is no such patient. */
export function identified(
  grant: PatientGrant,
  identity: PatientIdentity | Unidentified | undefined,
): PatientGrant[] {
  if (identity === 'absent') return [];
  if (identity === 'away') return [{ ...grant, identityAway: true }];
  return [identity && identity !== 'refused' ? { ...grant, identity } : grant];
}

/**
 * Reads who a patient is, with our own credentials (IA-11: it is asked only for patients already in reach, and tells
 * only identifiers and birth date), or with the caller's token where the tenant has none of its own, or its kind wants it.
 * `away` where the EHR does not answer, and undefined where it cannot be asked, and nobody knows who they were in the last
 * day. Images that are found by MRN are refused without an identity, not guessed.
 */
export function patientIdentities(outside: Outside, tokens: BackendTokens): PatientIdentities {
  const recent = expiringCache<{ identity?: PatientIdentity | Unidentified }>(10_000, outside.now);
  const lastKnown = new LRUCache<string, PatientIdentity>({
    max: 10_000,
    ttl: OUTAGE_MILLISECONDS,
    perf: { now: outside.now },
  });
  return async (tenant, config, document, id, callerToken) => {
    /** @param asker whose answer it is: what the EHR says to one is not what it says to another */
    const ask = async (asker: string, token: Token, renewed?: Token) => {
      const key = `${tenant.key} ${id} ${asker}`;
      const { identity } = await recent.get(key, async () => {
        try {
          const identity = await read(tenant, config, id, token, renewed);
          if (typeof identity === 'string') {
            lastKnown.delete(key);
            return { value: { identity }, seconds: REFUSED_SECONDS };
          }
          lastKnown.set(key, identity);
          return { value: { identity }, seconds: FRESH_SECONDS };
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          const identity = lastKnown.get(key) ?? (error.code === 'unavailable' ? 'away' : undefined);
          return { value: identity ? { identity } : {}, seconds: DOWN_SECONDS };
        }
      });
      return identity;
    };
    const { client } = config;
    const ours = callerToken === undefined || quirksOf(config).patientReadWith === 'own';
    const own = ours && (client?.jwkPrivate ?? client?.client_secret) ? client : undefined;
    const get: Token = async () => tokens.get(tenant, own!, config, await document());
    const renew: Token = () => {
      tokens.drop(tenant);
      return get();
    };
    const found = own && (await ask('own', get, renew));
    // An EHR may hide from our client whom it shows to the caller.
    const hidden = found === 'absent' || found === 'refused';
    if (callerToken === undefined || (own && !hidden)) return found;
    const asker = createHash('sha256').update(callerToken).digest('base64url');
    const shown = await ask(asker, async () => callerToken);
    return typeof shown === 'object' ? shown : (found ?? shown);
  };

  /** @param renewed gives another token, where the EHR does not take the first */
  async function read(tenant: Tenant, config: EhrConfig, id: string, token: Token, renewed?: Token) {
    const readWith = (bearer: string): Promise<Answer> =>
      call(outside, tenant, `${config.fhirBaseUrl}/Patient/${id}`, {
        headers: { authorization: `Bearer ${bearer}` },
      }).catch((error: unknown) => {
        // A page instead of a resource names no patient.
        if (error instanceof Fault && error.code === 'bad_gateway') return { status: 200, json: {} };
        throw error;
      });
    let answer = await readWith(await token());
    if (answer.status === 401 && renewed) answer = await readWith(await renewed());
    if (answer.status === 404 || answer.status === 410) return 'absent';
    return (answer.status === 200 && identityOf(answer.json, id)) || 'refused';
  }
}

/** The identity in a Patient resource; undefined for any other patient or resource than the one asked for. */
export function identityOf(json: Record<string, unknown>, id: string): PatientIdentity | undefined {
  if (json['resourceType'] !== 'Patient' || json['id'] !== id) return undefined;
  const { identifier, birthDate } = json;
  return Object.freeze({
    id,
    identifier: Array.isArray(identifier) ? identifier.filter(isObject) : [],
    ...(typeof birthDate === 'string' && { birthDate }),
  });
}

const isObject = (value: unknown): value is Identifier => typeof value === 'object' && value !== null;
