import type { Access, PatientIdentity } from '../../../schema/access/access.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/**
 * Questions of imaging to the clinical base, within the caller's rights there. Patients are asked for when the Access
 * reaches all of them, and so carries no identities. The composition root supplies it.
 */
export interface PatientDirectory {
  /** Reads the identity of a patient; undefined when there is no patient with that id. */
  read(tenant: Tenant, access: Access, patientId: string): Promise<PatientIdentity | undefined>;
  /**
   * Finds the logical id of the patient who has an identifier with this value, and with this system when one is given.
   * Undefined when there is none, or more than one.
   */
  find(tenant: Tenant, access: Access, mrn: string, system?: string): Promise<string | undefined>;
  /**
   * Returns accession numbers of a patient's orders, reports and studies, as far as the record gives them (DW-19).
   * @throws Fault when it gives none of these resources, or fails
   */
  accessionNumbers(tenant: Tenant, access: Access, patientId: string): Promise<readonly string[]>;
  /**
   * Returns `meta.security` of the record's ImagingStudies as `system|code`, by Study Instance UID. A study that the
   * record does not have, or does not show to this caller, has no entry.
   * @throws Fault when the record cannot be asked
   */
  labels(
    tenant: Tenant,
    access: Access,
    studyUids: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>>;
}
