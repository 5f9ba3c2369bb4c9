import type { Identifier, ImagingStudy } from 'fhir/r4.js';
import type { Access } from '../../../../schema/access/access.ts';
import { isDottedUid, UID } from '../../../../schema/dicom/dicom.ts';
import { ACCESSION_TYPES } from '../../../../schema/fhir/accession-types.ts';
import { DICOM_UID_SYSTEM, hasIdentifierType, uidFromToken } from '../../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';

/**
 * Questions of imaging to the clinical record about its ImagingStudies, within the caller's rights there. The composition
 * root supplies it. A record that has none, or gives none to this caller, answers with an empty list.
 */
export interface RecordStudies {
  /** Returns false for a record that is known to have none: it need not be asked. */
  mayHave(tenant: Tenant): boolean;
  /** Returns the studies of these patients; of all in reach when no patients are given. */
  ofPatients(tenant: Tenant, access: Access, patientIds?: readonly string[]): Promise<ImagingStudy[]>;
  /** Returns the studies that have one of these ids, as Study Instance UID or as logical id. */
  named(tenant: Tenant, access: Access, ids: readonly string[]): Promise<ImagingStudy[]>;
}

/** A study as the clinical record has it: the record's half of a study (IA-34). */
export interface RecordStudy {
  /** The id under which it is shown: its Study Instance UID if it has one, otherwise the record's logical id. */
  id: string;
  /** Logical id in the record. */
  recordId: string;
  /** Study Instance UID. */
  uid?: string;
  /** Logical id of its patient. */
  patientId: string;
  /** Its own accession numbers (type ACSN). */
  accessions: readonly Identifier[];
  /** The resource as the record has it. Never changed. */
  resource: ImagingStudy;
}

/** Identifier system of any URI; some records write a study's UID in it. */
const URI_SYSTEM = 'urn:ietf:rfc:3986';

/** Reads a study of the record; undefined for one that does not name a patient of this record as its subject. */
export function recordStudy(resource: ImagingStudy): RecordStudy | undefined {
  const { id: recordId, subject, identifier = [] } = resource;
  // Absolute references to this record were made relative when it was read; others name patients of other servers.
  const [, patientId] =
    /^Patient\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[^/]+)?$/.exec(subject?.reference ?? '') ?? [];
  if (recordId === undefined || patientId === undefined) return undefined;
  const uid =
    identifier.map(uidIn).find((one) => one !== undefined) ?? (isDottedUid(recordId) ? recordId : undefined);
  const accessions = identifier.filter(
    (one) => one.value && ACCESSION_TYPES.some((type) => hasIdentifierType(one, type)),
  );
  return { id: uid ?? recordId, recordId, uid, patientId, accessions, resource };
}

/** Returns the UID that an identifier of a study states. */
export function uidIn({ system, value = '' }: Identifier): string | undefined {
  const states = system === DICOM_UID_SYSTEM || (system === URI_SYSTEM && value.startsWith('urn:oid:'));
  const uid = uidFromToken(value);
  return states && UID.test(uid) ? uid : undefined;
}

/** Orders the record's resources of one study: the first one is shown. */
export function compareBest({ resource: a }: RecordStudy, { resource: b }: RecordStudy): number {
  const isError = ({ status }: ImagingStudy) => Number(status === 'entered-in-error');
  const time = ({ meta }: ImagingStudy) => Date.parse(meta?.lastUpdated ?? '') || 0;
  return isError(a) - isError(b) || time(b) - time(a) || (a.id! < b.id! ? -1 : 1);
}
