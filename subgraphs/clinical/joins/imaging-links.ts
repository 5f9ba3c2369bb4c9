import type { DiagnosticReport, Identifier, ImagingStudy, Reference, ServiceRequest } from 'fhir/r4.js';
import { UID } from '../../../schema/dicom/dicom.ts';
import { ACCESSION_TYPES, accessionNumbers } from '../../../schema/fhir/accession-types.ts';
import { DICOM_UID_SYSTEM, parseReference, refersTo, uidFromToken } from '../../../schema/fhir/fhir.ts';
import type { Clinical } from '../record/clinical.ts';
import { readIfAllowed } from '../record/read-if-allowed.ts';

/**
 * How report, order and images find each other (FG-9): by Study Instance UID, by reference to the study, or by
 * accession number, whichever exists.
 */

/** Study Instance UIDs among identifiers. */
function uidsOf(identifiers: readonly Identifier[] | undefined): string[] {
  return (identifiers ?? [])
    .filter(({ system, value }) => system === DICOM_UID_SYSTEM && value !== undefined)
    .map(({ value }) => uidFromToken(value!));
}

/** The logical id of the subject, where it is a patient of this record. */
export async function patientIdOf(
  clinical: Clinical,
  { subject }: { subject?: Reference },
): Promise<string | undefined> {
  const target = await clinical.target(subject?.reference);
  return target?.type === 'Patient' ? target.id : undefined;
}

/** Accession numbers of an order, by the types that count in this tenant. */
export function orderAccessionNumbers(clinical: Clinical, { identifier = [] }: ServiceRequest): string[] {
  return unique(accessionNumbers(identifier, clinical.accessionTypes));
}

/** Accession numbers of a report: its own and those of the orders it answers, as far as the caller may see them. */
export async function reportAccessionNumbers(
  clinical: Clinical,
  { identifier = [], basedOn = [] }: DiagnosticReport,
): Promise<string[]> {
  const orders = await Promise.all(basedOn.map((reference) => orderOf(clinical, reference)));
  const ofOrders = [
    ...basedOn.map((reference) => reference.identifier),
    ...orders.flatMap((order) => order?.identifier),
  ];
  return unique([
    ...accessionNumbers(identifier, ACCESSION_TYPES),
    ...accessionNumbers(ofOrders, clinical.accessionTypes),
  ]);
}

async function orderOf(clinical: Clinical, reference: Reference): Promise<ServiceRequest | undefined> {
  const target = await clinical.target(reference.reference);
  if (target?.type !== 'ServiceRequest') return undefined;
  return (await readIfAllowed(clinical.read('ServiceRequest', target.id))) as ServiceRequest | undefined;
}

/** The Study Instance UIDs that a report names: its own identifiers and its `imagingStudy`. */
export async function reportStudyUids(
  clinical: Clinical,
  { identifier, imagingStudy }: DiagnosticReport,
): Promise<string[]> {
  const named = await Promise.all(
    (imagingStudy ?? []).map((reference) => studyUidOfReference(clinical, reference)),
  );
  return unique([...uidsOf(identifier), ...named.filter((uid) => uid !== undefined)]);
}

/** The Study Instance UIDs that an order names: its own identifiers and studies among its supporting information. */
export async function orderStudyUids(
  clinical: Clinical,
  { identifier, supportingInfo }: ServiceRequest,
): Promise<string[]> {
  const named = await Promise.all(
    (supportingInfo ?? []).map((reference) => studyUidOfReference(clinical, reference)),
  );
  return unique([...uidsOf(identifier), ...named.filter((uid) => uid !== undefined)]);
}

/**
 * The Study Instance UID that a reference to an ImagingStudy stands for: by identifier, by an id that is one, or by
 * reading the record's own ImagingStudy, whose `urn:dicom:uid` it is (IA-15). Undefined for other references.
 */
export async function studyUidOfReference(
  clinical: Clinical,
  { reference, identifier }: Reference,
): Promise<string | undefined> {
  const [named] = uidsOf(identifier && [identifier]);
  if (named !== undefined) return named;
  if (reference?.startsWith('urn:oid:')) return uidFromToken(reference);
  // An absolute reference may name the study at another server; where its id is the UID, that is the same study.
  const absolute = parseReference(reference);
  if (absolute?.type === 'ImagingStudy' && isStudyUid(absolute.id)) return absolute.id;
  const target = await clinical.target(reference);
  if (target?.type !== 'ImagingStudy') return undefined;
  const study = (await readIfAllowed(clinical.read('ImagingStudy', target.id))) as ImagingStudy | undefined;
  return uidsOf(study?.identifier)[0];
}

/** An id of digits alone may be any server's; a UID has dots (PS3.5 §9.1). */
function isStudyUid(id: string): boolean {
  return UID.test(id) && id.includes('.');
}

/** What an ImagingStudy brings along from imaging. */
export interface StudyKeys {
  /** Study Instance UID. */
  id: string;
  _patientId?: string | null;
  _accessionNumbers?: readonly string[] | null;
}

/** Whether a report is about the study. */
export async function isReportOf(
  clinical: Clinical,
  report: DiagnosticReport,
  study: StudyKeys,
): Promise<boolean> {
  if (report.imagingStudy?.some((reference) => refersTo(reference, 'ImagingStudy', study.id))) return true;
  if ((await reportStudyUids(clinical, report)).includes(study.id)) return true;
  const accessions = study._accessionNumbers ?? [];
  if (accessions.length === 0) return false;
  return (await reportAccessionNumbers(clinical, report)).some((number) => accessions.includes(number));
}

/** Whether the study was made for the order. */
export async function isOrderOf(
  clinical: Clinical,
  order: ServiceRequest,
  study: StudyKeys,
): Promise<boolean> {
  const numbers = orderAccessionNumbers(clinical, order);
  if (numbers.some((number) => study._accessionNumbers?.includes(number))) return true;
  return (await orderStudyUids(clinical, order)).includes(study.id);
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
