import type { Identifier } from 'fhir/r4.js';
import type { PatientIdentity } from '../../schema/access.ts';
import { Fault } from '../../schema/fault.ts';
import type { Tenant } from '../../schema/tenant.ts';
import type { BackendTokens } from './backend-token.ts';
import { expiringCache } from './expiring-cache.ts';
import { quirksOf } from './quirks.ts';
import type { EhrConfig, SmartConfiguration } from './smart-configuration.ts';
import type { Answer, Outside } from './upstream.ts';
import { call } from './upstream.ts';
import { LRUCache } from 'lru-cache';

/** Whether this tenant finds images by who the patient is, so that the EHR has to be asked. */
export function needsIdentity(tenant: Tenant): boolean {
  return tenant.images.some(({ lookup, matchBirthDate }) => lookup === 'studies-by-mrn' || matchBirthDate);
}

const FRESH_SECONDS = 300;
/** An absent patient is asked for again soon; an EHR that is down even sooner (SM-9). */
const ABSENT_SECONDS = 3;
const DOWN_SECONDS = 1;
/** Identifiers hardly change, and images should stay in reach while the EHR is down (SM-9). */
const OUTAGE_MILLISECONDS = 24 * 3600 * 1000;

export type PatientIdentities = (
  tenant: Tenant,
  config: EhrConfig,
  document: () => Promise<SmartConfiguration>,
  id: string,
  callerToken: string | undefined,
) => Promise<PatientIdentity | 'absent' | undefined>;

/**
 * Reads who a patient is, with our own credentials (IA-11: it is asked only for patients already in reach, and tells
 * only identifiers and birth date), or with the caller's token where the tenant has none of its own, or its kind wants it.
 * `absent` where the EHR says that there is no such patient; undefined where it cannot say: images that are found by MRN
 * are then refused, not guessed.
 */
export function patientIdentities(outside: Outside, tokens: BackendTokens): PatientIdentities {
  const recent = expiringCache<{ identity?: PatientIdentity | 'absent' }>(10_000, outside.now);
  const lastKnown = new LRUCache<string, PatientIdentity>({
    max: 10_000,
    ttl: OUTAGE_MILLISECONDS,
    perf: { now: outside.now },
  });
  return async (tenant, config, document, id, callerToken) => {
    const key = `${tenant.key} ${id}`;
    const readWith = (token: string): Promise<Answer> =>
      call(outside, tenant, `${config.fhirBaseUrl}/Patient/${id}`, {
        headers: { authorization: `Bearer ${token}` },
      });
    const { client } = config;
    const ours = callerToken === undefined || quirksOf(config).patientReadWith === 'own';
    const own = ours && (client?.jwkPrivate ?? client?.client_secret) ? client : undefined;
    if (!own && callerToken === undefined) return undefined;
    const read = async (): Promise<Answer> =>
      readWith(own ? await tokens.get(tenant, own, config, await document()) : callerToken!);
    const { identity } = await recent.get(key, async () => {
      try {
        let answer = await read();
        if (answer.status === 401) {
          tokens.drop(tenant);
          answer = await read();
        }
        const absent = answer.status === 404 || answer.status === 410;
        // An EHR may hide from our client whom it shows to the caller.
        if (absent && own && callerToken !== undefined) answer = await readWith(callerToken);
        if (absent && answer.status !== 200) {
          lastKnown.delete(key);
          return { value: { identity: 'absent' }, seconds: ABSENT_SECONDS };
        }
        const identity = answer.status === 200 ? identityOf(answer.json, id) : undefined;
        if (!identity) return { value: {}, seconds: ABSENT_SECONDS };
        lastKnown.set(key, identity);
        return { value: { identity }, seconds: FRESH_SECONDS };
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        const identity = lastKnown.get(key);
        return { value: identity ? { identity } : {}, seconds: DOWN_SECONDS };
      }
    });
    return identity;
  };
}

/** The identity in a Patient resource; undefined for any other patient or resource than the one asked for. */
export function identityOf(json: Record<string, unknown>, id: string): PatientIdentity | undefined {
  if (json['resourceType'] !== 'Patient' || json['id'] !== id) return undefined;
  const { identifier, birthDate } = json;
  return {
    id,
    identifier: Array.isArray(identifier) ? (identifier as Identifier[]) : [],
    ...(typeof birthDate === 'string' && { birthDate }),
  };
}
