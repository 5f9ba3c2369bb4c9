import type { ImagingStudy } from 'fhir/r4.js';
import type { Access } from '../../schema/access/access.ts';
import { Fault, type FaultCode } from '../../schema/fault/fault.ts';
import { UID } from '../../schema/dicom/dicom.ts';
import { FHIR_ID, parseReference } from '../../schema/fhir/fhir.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { allPages, type ClinicalRecord } from './record-lookup.ts';

/** The questions about studies to the clinical record, which keeps to the scopes and patients of the Access. */
export interface StudiesRecord extends ClinicalRecord {
  holds(type: string): Promise<boolean>;
}

type Params = readonly (readonly [string, string])[];

/** Patients, and ids, in one search: the length of a URL is limited. */
const MOST_NAMED = 50;

/** Errors of a record that does not give ImagingStudies to this caller, or to anyone. It is as a record without any. */
const GIVES_NONE: ReadonlySet<FaultCode> = new Set([
  ...(['unauthenticated', 'invalid_token', 'insufficient_scope', 'forbidden'] as const),
  ...(['not_found', 'invalid_request', 'unsupported_parameter', 'not_implemented'] as const),
]);

/**
 * Looks up ImagingStudies in the clinical record, within the caller's rights there (IA-34). A record that is known to have
 * none is not asked.
 */
export function recordStudies(
  open: (tenant: Tenant, access: Access) => StudiesRecord,
  mayHold: (tenant: Tenant, type: string) => boolean,
) {
  const ask = async (tenant: Tenant, access: Access, questions: readonly Params[]) => {
    try {
      const record = open(tenant, access);
      if (!(await record.holds('ImagingStudy'))) return [];
      return (await Promise.all(questions.map((params) => pagesOf(record, params)))).flat();
    } catch (error) {
      if (error instanceof Fault && GIVES_NONE.has(error.code)) return [];
      throw error;
    }
  };
  return {
    mayHave: (tenant: Tenant) => mayHold(tenant, 'ImagingStudy'),

    /** Returns the studies of these patients; of all in the caller's reach when no patients are given. */
    ofPatients: (tenant: Tenant, access: Access, patientIds?: readonly string[]) =>
      ask(
        tenant,
        access,
        patientIds
          ? chunks(patientIds).map((some) => [['patient', some.map((id) => `Patient/${id}`).join(',')]])
          : [[]],
      ),

    /** Returns the studies that have one of these ids: as Study Instance UID, or as logical id. */
    named(tenant: Tenant, access: Access, ids: readonly string[]) {
      const uids = ids.filter((id) => UID.test(id)).map((uid) => `urn:oid:${uid}`);
      return ask(tenant, access, [
        ...chunks(uids).map((some): Params => [['identifier', some.join(',')]]),
        ...chunks(ids.filter((id) => FHIR_ID.test(id))).map((some): Params => [['_id', some.join(',')]]),
      ]);
    },

    /**
     * Returns the logical id of the patient of a study by its logical id, for authorization: it must not reach the caller.
     * This read is the gateway's, for any patient, but with no more than the record gives for the caller's token.
     */
    async subject(tenant: Tenant, access: Access, id: string): Promise<string | undefined> {
      const [{ level = 'user' } = {}] = access.permissions;
      const reading = { level, type: 'ImagingStudy', interactions: 'r' };
      const asking: Access = { ...access, patients: 'all', permissions: [reading] };
      try {
        const record = open(tenant, asking);
        if (!(await record.holds('ImagingStudy'))) return undefined;
        const { subject } = (await record.read('ImagingStudy', id)) as ImagingStudy;
        // Absolute references to this record were made relative; others name patients of other servers.
        const isOwn = subject?.reference?.startsWith('Patient/');
        return isOwn ? parseReference(subject?.reference)?.id : undefined;
      } catch (error) {
        if (error instanceof Fault && GIVES_NONE.has(error.code)) return undefined;
        throw error;
      }
    },
  };
}

async function pagesOf(record: StudiesRecord, params: Params): Promise<ImagingStudy[]> {
  const found = await allPages(
    (page) => record.search('ImagingStudy', { params, ...page, strict: true }),
    'The clinical record has too many studies: name a patient.',
  );
  return found as ImagingStudy[];
}

function chunks(values: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(values.length / MOST_NAMED) }, (_, index) =>
    values.slice(index * MOST_NAMED, (index + 1) * MOST_NAMED),
  );
}
