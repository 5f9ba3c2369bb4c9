import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { RefusalDelay } from '../../../schema/process/refusal-delay.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { patientRecord, type PatientRecord } from '../../identity/patient-record.ts';
import { escaped } from '../../joins/record-lookup.ts';
import type { ExternalConfig } from '../discovery/ehr-configuration.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { call, type Answer, type UpstreamDeps } from '../token/upstream.ts';
import { resourcesIn } from './patient-reads.ts';

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

/** The sources that name the patient of a study: images and record. */
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
 * Returns a function that finds the patients whom the EHR lets the caller's token read as owners of a study. A search only
 * says whom to read: an EHR may find a patient whom it refuses to read (IA-9). For a study that does not exist the EHR is
 * asked the same, for a patient who does not exist, and every answer is remembered equally long: neither the questions nor
 * the time reveal whether the study exists (IA-7).
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
    const ask: Ask = (path) =>
      call(outside, tenant, `${config.fhirBaseUrl}/${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
    const question = isDottedUid(study)
      ? ofImages && (async () => named(ask, study, await ofImages(tenant, study)))
      : ofRecord && (async () => [await ofRecord(tenant, access, study)].filter((id) => id !== undefined));
    if (!question) return [];
    const key = createHash('sha256').update(`${tenant.cacheKey}\0${study}\0${token}`).digest('base64url');
    const read = async (id: string): Promise<PatientGrant[]> => {
      const { status, json } = await ask(`Patient/${id}`);
      const record = status === 200 ? patientRecord(json, id) : undefined;
      return record ? [{ id, identity: await resolve(tenant, config, record) }] : [];
    };
    const asked = async () => {
      const ids = await question();
      const shown = (await Promise.all((ids.length > 0 ? ids : [study]).map(read))).flat();
      // A patient who has the id of a study is not its owner.
      const patients = shown.filter(({ id }) => ids.includes(id));
      return { value: { patients }, seconds: OWNER_SECONDS };
    };
    const isRefused = ({ value }: Awaited<ReturnType<typeof asked>>) => value.patients.length === 0;
    const { patients } = await owners.get(key, () => refusalDelay.run(asked, isRefused));
    return patients;
  };
}

type Ask = (path: string) => Promise<Answer>;

/**
 * Returns the ids of the patients whom the EHR finds by the identifier that a study states. Two persons may have the same
 * number.
 * @param mrn undefined when there is no such study
 */
async function named(ask: Ask, studyUid: string, mrn: string | undefined): Promise<string[]> {
  const { status, json } = await ask(`Patient?identifier=${encodeURIComponent(escaped(mrn ?? studyUid))}`);
  if (mrn === undefined || status !== 200) return [];
  const ids = resourcesIn(json).flatMap(({ resourceType, id }) => (resourceType === 'Patient' ? [id] : []));
  return ids.filter((id): id is string => typeof id === 'string' && FHIR_ID.test(id)).slice(0, MOST_OWNERS);
}
