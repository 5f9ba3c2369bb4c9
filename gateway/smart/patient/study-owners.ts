import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { RefusalDelay } from '../../../schema/process/refusal-delay.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { patientRecord, type PatientRecord } from '../../identity/patient-record.ts';
import type { ExternalConfig } from '../discovery/smart-configuration.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { call, type UpstreamDeps } from '../token/upstream.ts';

/** Time for which any answer of the EHR about a study is remembered. */
const OWNER_SECONDS = 10;
const MOST_OWNERS = 5;

/** Returns the PatientID that a study states; undefined when there is no such study. It must not reach the caller. */
export type StudyOwner = (tenant: Tenant, studyUid: string) => Promise<string | undefined>;

/**
 * Returns the logical id of the patient whom an ImagingStudy of the record names; undefined when there is no such study, or
 * the record does not give it for this token. It must not reach the caller.
 */
export type StudySubject = (tenant: Tenant, access: Access, id: string) => Promise<string | undefined>;

/** Who says whose a study is. */
export interface StudyOwners {
  /** By Study Instance UID; undefined where no images are asked. */
  ofImages?: StudyOwner | undefined;
  /** By logical id; undefined where no record is asked. */
  ofRecord?: StudySubject | undefined;
}

interface Caller {
  tenant: Tenant;
  config: ExternalConfig;
  access: Access;
}

type Resolve = (tenant: Tenant, config: ExternalConfig, record: PatientRecord) => Promise<PatientIdentity>;

/**
 * Returns a function that finds the patients whom the EHR shows to the caller's token as owners of a study. For a study that
 * does not exist the EHR is asked too, for a patient who does not exist, and every answer is remembered equally long:
 * neither the question nor the time reveals whether the study exists (IA-7).
 */
export function ownersOfStudies(
  outside: UpstreamDeps,
  resolve: Resolve,
  { ofImages, ofRecord }: StudyOwners,
) {
  const owners = expiringCache<{ patients: PatientGrant[] }>(10_000, outside.now);
  const refusalDelay = new RefusalDelay();
  return async ({ tenant, config, access }: Caller, study: string): Promise<PatientGrant[]> => {
    const { clinicalToken: token = '' } = access;
    const question = isDottedUid(study)
      ? ofImages && (() => byImages(ofImages, tenant, study))
      : ofRecord && (() => byRecord(ofRecord, { tenant, access }, study));
    if (!question) return [];
    const key = createHash('sha256').update(`${tenant.cacheKey}\0${study}\0${token}`).digest('base64url');
    const asked = async () => {
      const { path, found } = await question();
      const headers = { authorization: `Bearer ${token}` };
      const { status, json } = await call(outside, tenant, `${config.fhirBaseUrl}/${path}`, { headers });
      const records = status === 200 ? [found(json)].flat() : [];
      const patients = await Promise.all(
        records.map(async (one) => ({ id: one.id, identity: await resolve(tenant, config, one) })),
      );
      return { value: { patients }, seconds: OWNER_SECONDS };
    };
    const nobody = ({ value }: Awaited<ReturnType<typeof asked>>) => value.patients.length === 0;
    const { patients } = await owners.get(key, () => refusalDelay.run(asked, nobody));
    return patients;
  };
}

/** Returns the search for the patient whose identifier a study states, and the patients of an answer. */
async function byImages(ask: StudyOwner, tenant: Tenant, studyUid: string) {
  const mrn = await ask(tenant, studyUid);
  // R4 §3.1.1.5: these characters are escaped by a backslash.
  const identifier = encodeURIComponent((mrn ?? studyUid).replace(/[\\,|$]/g, '\\$&'));
  const found = (json: Record<string, unknown>) => (mrn ? recordsIn(json) : []);
  return { path: `Patient?identifier=${identifier}`, found };
}

/** Returns the read of the subject of a study of the record, and the patients of an answer. */
async function byRecord(
  ask: StudySubject,
  { tenant, access }: Pick<Caller, 'tenant' | 'access'>,
  id: string,
) {
  const patientId = await ask(tenant, access, id);
  const found = (json: Record<string, unknown>) =>
    (patientId === undefined ? undefined : patientRecord(json, patientId)) ?? [];
  return { path: `Patient/${patientId ?? id}`, found };
}

/** Returns the Patients of a searchset. Two persons may have the same number. */
function recordsIn(bundle: Record<string, unknown>): PatientRecord[] {
  const entries = Array.isArray(bundle['entry']) ? (bundle['entry'] as { resource?: unknown }[]) : [];
  return entries
    .flatMap(({ resource }) => {
      const { id, ...rest } = (resource ?? {}) as Record<string, unknown>;
      const record =
        typeof id === 'string' && FHIR_ID.test(id) ? patientRecord({ id, ...rest }, id) : undefined;
      return record ? [record] : [];
    })
    .slice(0, MOST_OWNERS);
}
