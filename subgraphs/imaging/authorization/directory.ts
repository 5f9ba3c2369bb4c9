import type { Access, PatientIdentity } from '../../../schema/access/access.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** An order as its images know it. */
export interface Order {
  /** Logical id of its subject, where that is a patient. */
  patientId?: string;
  accessionNumbers: readonly string[];
}

/**
 * What imaging asks of the clinical base, within the caller's own rights there: patients for tenants whose Access
 * reaches all of them and so carries no identities, and orders by id. The composition root supplies it.
 */
export interface Directory {
  /** Who the patient is; undefined where there is none of that id. */
  read(tenant: Tenant, access: Access, patientId: string): Promise<PatientIdentity | undefined>;
  /**
   * Logical id of the patient whose identifiers hold this value, in the system where one is named; undefined where none
   * or several do.
   */
  find(tenant: Tenant, access: Access, mrn: string, system?: string): Promise<string | undefined>;
  /**
   * The order of this id.
   * @throws Fault `not_found`, or `insufficient_scope` where the caller may not read orders
   */
  order(tenant: Tenant, access: Access, id: string): Promise<Order>;
  /**
   * Accession numbers of a patient's orders, reports and studies, as far as the record tells (DW-19).
   * @throws Fault where it tells of none of them, or fails
   */
  accessionNumbers(tenant: Tenant, access: Access, patientId: string): Promise<readonly string[]>;
  /**
   * `meta.security` of the record's own ImagingStudies, as `system|code`, by Study Instance UID; nothing for a study
   * that the record does not have, or does not show this caller.
   * @throws Fault where the record cannot be asked
   */
  labels(
    tenant: Tenant,
    access: Access,
    studyUids: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>>;
}
