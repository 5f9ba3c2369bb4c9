import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { grantFor } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Permission } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { RecordLookup } from '../../identity/merged-records.ts';
import { patientRecord, type PatientRecord } from '../../identity/patient-record.ts';
import { resolveIdentity, type UnclearReason } from '../../identity/resolve-identity.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { quirksOf } from '../token/quirks.ts';
import type { ExternalConfig } from '../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import { call } from '../token/upstream.ts';
import { rowsOfUser } from '../../../schema/access/policy-rows.ts';
import { ownersOfStudies, type StudyOwners } from './study-owners.ts';

const READABLE_SECONDS = 60;
const UNREADABLE_SECONDS = 3;

/** Patients and studies that a request names. */
export interface Named {
  patients: readonly string[];
  /** UIDs, and logical ids of ImagingStudies that are read. */
  studies: readonly string[];
  /** False for a request that reads nothing: its GraphQL document is not known or has errors, or it is a batch. */
  runs: boolean;
}

export type AskedPatients = (
  tenant: Tenant,
  config: ExternalConfig,
  access: Access,
  /** Is called only when it is needed. */
  named: () => Named,
) => Promise<Access> | undefined;

/** Returns the lookup of records with our own credentials, if the tenant has such. */
export type LookupOf = (tenant: Tenant, config: ExternalConfig) => RecordLookup | undefined;

/**
 * Lets a `user/` token reach the patients that a request names, if the EHR lets the caller read `Patient/{id}` with that
 * token. The patient in the token's context stays in reach with all its scopes; for other patients only the `user/` scopes
 * count (IA-9). The same applies to servers that name no patient for their tokens (SM-11).
 *
 * For a study that is named only by its UID, the EHR is asked with that token for the patient whose identifier the study
 * states; for one that is named by its logical id in the record, for the patient who is its subject there (IA-34). The imaging
 * core then decides, as for any caller, whether it is that patient's study.
 *
 * The returned function gives the Access for this request, and undefined where it stays as it is. It has no patient when only
 * studies are named and the EHR shows none of their patients: these studies then count as absent (IA-7).
 * @throws Fault of the returned function: `forbidden` when no patient is in reach, `unavailable` without an answer of the EHR
 */
export function askedPatients(
  outside: UpstreamDeps,
  lookupOf: LookupOf,
  studyOwners: StudyOwners = {},
): AskedPatients {
  const readable = expiringCache<{ identity?: PatientIdentity }>(10_000, outside.now);

  const resolve = resolver(outside, lookupOf);

  const read = async (
    tenant: Tenant,
    config: ExternalConfig,
    id: string,
    token: string,
  ): Promise<PatientGrant[]> => {
    const key = createHash('sha256').update(`${tenant.cacheKey}\0${id}\0${token}`).digest('base64url');
    const { identity } = await readable.get(key, async () => {
      const headers = { authorization: `Bearer ${token}` };
      const { status, json } = await call(outside, tenant, `${config.fhirBaseUrl}/Patient/${id}`, {
        headers,
      });
      const record = status === 200 ? patientRecord(json, id) : undefined;
      return record
        ? { value: { identity: await resolve(tenant, config, record) }, seconds: READABLE_SECONDS }
        : { value: {}, seconds: UNREADABLE_SECONDS };
    });
    return identity ? [{ id, identity }] : [];
  };

  const ownersOf = ownersOfStudies(outside, resolve, studyOwners);

  /** @param open the scopes that count for other patients than that of the token's context */
  const extended = async (
    { tenant, config, access, patients, token }: Extended,
    asked: Named,
    open: readonly Permission[],
  ): Promise<Access> => {
    // The patient in the token's context stays in reach while the EHR does not answer.
    const unlessDown = (error: unknown) => {
      if (patients.length > 0 && error instanceof Fault) return [];
      throw error;
    };
    const ofStudies = await Promise.all(
      asked.studies.map((study) => ownersOf({ tenant, config, access }, study).catch(unlessDown)),
    );
    const others = asked.patients.filter((id) => !grantFor(access, id));
    const found = await Promise.all(others.map((id) => read(tenant, config, id, token).catch(unlessDown)));
    const once = new Map([...found.flat(), ...ofStudies.flat()].map((patient) => [patient.id, patient]));
    const more = [...once.values()].filter(({ id }) => !grantFor(access, id));
    if (more.length > 0) return { ...access, permissions: open, patients: [...patients, ...more] };
    if (patients.length > 0) return access;
    // In a GraphQL document a study may be in the place of a patient id. Reading it as a study reveals no more (IA-7).
    const patientsAlone = asked.patients.filter((id) => !asked.studies.includes(id));
    if (asked.studies.length > 0 && patientsAlone.length === 0) return { ...access, permissions: open };
    throw new Fault(
      'forbidden',
      asked.patients.length > 0
        ? 'The EHR does not let this token read the patient that was asked for.'
        : 'The token names no patient. Name one in the request, for example with `patient=`.',
    );
  };

  return (tenant, config, access, named) => {
    const { permissions, patients, clinicalToken: token } = access;
    const open =
      quirksOf(config).patientFrom === 'request'
        ? permissions.filter(({ level }) => level !== 'system')
        : permissions.filter(({ level }) => level === 'user');
    if (open.length === 0 || patients === 'all' || token === undefined) return undefined;
    // The policy alone decides for its users (IA-9).
    if (rowsOfUser(config.policy, access.user, access.client).length > 0) return undefined;
    const asked = named();
    return asked.runs ? extended({ tenant, config, access, patients, token }, asked, open) : undefined;
  };
}

/** A caller whose Access is extended. */
interface Extended {
  tenant: Tenant;
  config: ExternalConfig;
  access: Access;
  patients: readonly PatientGrant[];
  token: string;
}

/** The caller's token shows the patient; whose numbers these are is asked with our own credentials. */
function resolver(outside: UpstreamDeps, lookupOf: LookupOf) {
  return (tenant: Tenant, config: ExternalConfig, record: PatientRecord): Promise<PatientIdentity> => {
    const onUnclear = (reason: UnclearReason) => outside.onUnclear?.(tenant, reason);
    return resolveIdentity(record, { lookup: lookupOf(tenant, config), onUnclear, now: outside.now() });
  };
}
