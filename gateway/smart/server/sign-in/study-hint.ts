import type { Access } from '../../../../schema/access/access.ts';
import { isDottedUid } from '../../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import type { OpenStudies } from '../../capability/wado-links.ts';
import { unlessFault } from '../../discovery/smart-configuration.ts';
import type { StudyOwner } from '../../patient/study-owners.ts';
import type { ActiveToken } from '../../token/introspect.ts';

/** The study that an app will show, and what its token would say, without the patient. */
export interface StudyHint {
  /** Study Instance UID. */
  study: string;
  token: Pick<ActiveToken, 'client_id' | 'sub' | 'fhirUser' | 'scope'>;
}

/** Returns the ids of patients for whom the token would open the study. They must not reach people who may not choose them. */
export type PatientsOfStudy = (tenant: Tenant, hint: StudyHint) => Promise<readonly string[]>;

export interface StudyHintDeps {
  /** Says what PatientID a study states, and opens the studies of a caller. */
  imaging: { studyOwner: StudyOwner; open: OpenStudies };
  /** Finds the patients who have a record number, by their ids. */
  record: { holders: (tenant: Tenant, number: string) => Promise<readonly string[]> };
  /** Returns the Access of a token. */
  accessOf: (tenant: Tenant, token: ActiveToken) => Promise<Access>;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** More patients with one number than a person can tell apart. */
const MOST_HOLDERS = 5;
/** Time for the one question that is asked with an Access. */
const SECONDS = 60;

/**
 * Finds the patients of a study that an app names when it asks for a sign-in (`study_hint`). Each is tried with the Access
 * that the token would have: what is withheld from it stays hidden here too.
 */
export function studyHints({ imaging, record, accessOf, now }: StudyHintDeps): PatientsOfStudy {
  const candidates = async (tenant: Tenant, { study }: StudyHint): Promise<readonly string[]> => {
    const number = isDottedUid(study) ? await imaging.studyOwner(tenant, study) : undefined;
    return number === undefined ? [] : record.holders(tenant, number);
  };
  const isShown = async (tenant: Tenant, { study, token }: StudyHint, patient: string): Promise<boolean> => {
    const exp = now() / 1000 + SECONDS;
    const access = await accessOf(tenant, { active: true, ...token, patient, exp });
    return (await imaging.open(tenant, access).find(study, { detail: 'study' })) !== undefined;
  };
  return async (tenant, hint) => {
    // A hint that cannot be followed does not stop a sign-in: the person chooses.
    const found = (await unlessFault(candidates(tenant, hint), [])).slice(0, MOST_HOLDERS);
    const shown = await Promise.all(found.map((id) => unlessFault(isShown(tenant, hint, id), false)));
    return found.filter((_, index) => shown[index]);
  };
}
