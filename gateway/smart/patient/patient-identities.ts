import { createHash } from 'node:crypto';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import type { PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { BackendTokens } from '../token/backend-token.ts';
import { standsAlone, type PatientRecord } from '../../identity/patient-record.ts';
import { resolveIdentity, type UnclearReason } from '../../identity/resolve-identity.ts';
import { expiringCache, type Remembered } from '../token/expiring-cache.ts';
import { quirksOf } from '../token/quirks.ts';
import type { EhrConfig, SmartConfiguration } from '../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import { ehrRecords, ownAsker } from './ehr-records.ts';
import { patientReads, type Asker, type PatientRead } from './patient-reads.ts';

/** Returns true when this tenant finds images by the patient's identity, so that the EHR has to be asked. */
export function needsIdentity(tenant: Tenant): boolean {
  return tenant.images.some(({ lookup, matchBirthDate }) => lookup === 'studies-by-mrn' || matchBirthDate);
}

const FRESH_SECONDS = 300;
/** The same for an identity that needs more than its own record: a merge may be undone at any time. */
const MERGED_SECONDS = 60;
/** Times after which an absent or refused patient, or an EHR that did not answer, is asked for again (SM-9). */
const REFUSED_SECONDS = 3;
const DOWN_SECONDS = 1;
/** Identifiers rarely change, and images should stay in reach while the EHR does not answer (SM-9). */
const OUTAGE_SECONDS = 24 * 3600;

export type PatientIdentities = (
  ehr: { tenant: Tenant; config: EhrConfig; document: () => Promise<SmartConfiguration> },
  id: string,
  callerToken: string | undefined,
) => Awaitable<PatientIdentity | Unidentified | undefined>;

interface Found {
  identity?: PatientIdentity | Unidentified;
}

/**
 * Reason for a missing identity. `absent`: the EHR has no such patient. `refused`: its answer is not the patient (401, 403,
 * another patient, an HTML page). `away`: it does not answer now.
 */
export type Unidentified = 'absent' | 'refused' | 'away';

/** Returns the grant with the identity of its patient; an empty list when there is no such patient. */
export function identified(
  grant: PatientGrant,
  identity: PatientIdentity | Unidentified | undefined,
): readonly PatientGrant[] {
  if (identity === 'absent') return [];
  if (identity === 'away') return [{ ...grant, identityAway: true }];
  if (!identity || identity === 'refused') return [grant];
  return grants.of(identity, [grant], () => [Object.freeze({ ...grant, identity })]);
}

/** The grant with its identity, the same until the EHR is asked again. */
const grants = new Derivation<PatientIdentity, readonly PatientGrant[]>();

/**
 * Reads the identity of patients. It uses our own credentials, only for patients already in reach and for records that
 * were merged with theirs, and returns only identifiers and birth date (IA-11). It uses the caller's token when the tenant
 * has no credentials, or its type requires that. When the EHR does not answer, the identity of the last day is used if it
 * needed no other record; without one, the result is `away`. It is undefined when the EHR cannot be asked. Without an
 * identity, images that are found by MRN are refused.
 */
export function patientIdentities(outside: UpstreamDeps, tokens: BackendTokens): PatientIdentities {
  const { now } = outside;
  const read = patientReads();
  const recent = expiringCache<Found>(10_000, now);
  const lastKnown = boundedCache<PatientIdentity>({ entries: 10_000, seconds: OUTAGE_SECONDS, now });
  const identify = async (
    key: string,
    record: Promise<PatientRead>,
    resolve: (record: PatientRecord) => Promise<PatientIdentity>,
  ): Promise<Remembered<Found>> => {
    try {
      const found = await record;
      if (typeof found === 'string') {
        lastKnown.delete(key);
        return { value: { identity: found }, seconds: REFUSED_SECONDS };
      }
      const isAlone = standsAlone(found, now());
      // An earlier identity must not stand in for one whose other records cannot be read now.
      if (!isAlone) lastKnown.delete(key);
      const identity = await resolve(found);
      if (isAlone) lastKnown.set(key, identity);
      return { value: { identity }, seconds: isAlone ? FRESH_SECONDS : MERGED_SECONDS };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const identity = lastKnown.get(key) ?? (error.code === 'unavailable' ? 'away' : undefined);
      return { value: identity ? { identity } : {}, seconds: DOWN_SECONDS };
    }
  };
  return (ehr, id, callerToken) => {
    const { tenant, config } = ehr;
    const { fhirBaseUrl } = config;
    const self = ownAsker({ outside, tokens }, ehr);
    const lookup = ehrRecords(self, config);
    const resolve = (record: PatientRecord) => {
      const onUnclear = (reason: UnclearReason) => outside.onUnclear?.(tenant, reason);
      return resolveIdentity(record, { lookup, onUnclear, now: now() });
    };
    /** @param name key of the token's owner: the EHR's answers to different callers are kept apart */
    const ask = (name: string, asker: Asker) => {
      const key = `${tenant.cacheKey} ${id} ${name}`;
      const found = recent.get(key, () =>
        identify(key, read(`${tenant.cacheKey} ${name}`, asker, id), resolve),
      );
      return andThen(found, ({ identity }) => identity);
    };
    const ours = callerToken === undefined || quirksOf(config).patientReadWith === 'own';
    const own = ours ? self : undefined;
    return andThen(own && ask('own', own), (found) => {
      // An EHR may hide a patient from our client and show the patient to the caller.
      const hidden = found === 'absent' || found === 'refused';
      if (callerToken === undefined || (own && !hidden)) return found;
      const caller = createHash('sha256').update(callerToken).digest('base64url');
      const asCaller = ask(caller, { outside, tenant, fhirBaseUrl, token: async () => callerToken });
      return andThen(asCaller, (shown) => (typeof shown === 'object' ? shown : (found ?? shown)));
    });
  };
}
