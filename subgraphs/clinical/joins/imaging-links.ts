import type { DiagnosticReport, Identifier, ImagingStudy, Reference, ServiceRequest } from 'fhir/r4.js';
import { UID } from '../../../schema/dicom/dicom.ts';
import { ACCESSION_TYPES, accessionNumbers } from '../../../schema/fhir/accession-types.ts';
import { DICOM_UID_SYSTEM, parseReference, refersTo, uidFromToken } from '../../../schema/fhir/fhir.ts';
import type { Clinical } from '../record/clinical.ts';
import { readIfAllowed } from '../record/read-if-allowed.ts';

/**
 * Joins of reports, orders and images (FG-9): by Study Instance UID, by reference to the study, or by accession number,
 * whichever exists. The imaging subgraph finds the studies by them in `graphql/linked-studies.ts`.
 */

/** Returns the Study Instance UIDs among identifiers. */
function uidsOf(identifiers: readonly Identifier[] | undefined): string[] {
  return (identifiers ?? [])
    .filter(({ system, value }) => system === DICOM_UID_SYSTEM && value !== undefined)
    .map(({ value }) => uidFromToken(value!));
}

/** Returns the logical id of the subject, when it is a patient of this record. */
export async function patientIdOf(
  clinical: Clinical,
  { subject }: { subject?: Reference },
): Promise<string | undefined> {
  const target = await clinical.target(subject?.reference);
  return target?.type === 'Patient' ? target.id : undefined;
}

/** Returns the accession numbers of an order, by the identifier types of the tenant. */
export function orderAccessionNumbers(clinical: Clinical, { identifier = [] }: ServiceRequest): string[] {
  return unique(accessionNumbers(identifier, clinical.accessionTypes));
}

/** Returns the accession numbers of a report: its own, and those of its orders that the caller may see. */
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

/** Returns the Study Instance UIDs that a report names, in `identifier` and `imagingStudy`. */
export async function reportStudyUids(
  clinical: Clinical,
  { identifier, imagingStudy }: DiagnosticReport,
): Promise<string[]> {
  const named = await Promise.all(
    (imagingStudy ?? []).map((reference) => studyUidOfReference(clinical, reference)),
  );
  return unique([...uidsOf(identifier), ...named.filter((uid) => uid !== undefined)]);
}

/** Returns the Study Instance UIDs that an order names, in `identifier` and `supportingInfo`. */
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
 * Returns the Study Instance UID of a reference to an ImagingStudy: from its identifier, from an id that is a UID, or from
 * the `urn:dicom:uid` of an ImagingStudy in the record (IA-15). Undefined for other references.
 */
export async function studyUidOfReference(
  clinical: Clinical,
  { reference, identifier }: Reference,
): Promise<string | undefined> {
  const [named] = uidsOf(identifier && [identifier]);
  if (named !== undefined) return named;
  if (reference?.startsWith('urn:oid:')) return uidFromToken(reference);
  // An absolute reference may name the study at another server; if its id is the UID, it is the same study.
  const absolute = parseReference(reference);
  if (absolute?.type === 'ImagingStudy' && isStudyUid(absolute.id)) return absolute.id;
  const target = await clinical.target(reference);
  if (target?.type !== 'ImagingStudy') return undefined;
  const study = (await readIfAllowed(clinical.read('ImagingStudy', target.id))) as ImagingStudy | undefined;
  return uidsOf(study?.identifier)[0];
}

/** A UID has dots (PS3.5 §9.1); an id with only digits may be that of any server. */
function isStudyUid(id: string): boolean {
  return UID.test(id) && id.includes('.');
}

/** Keys of an ImagingStudy that the imaging subgraph gives. */
export interface StudyKeys {
  /** Study Instance UID. */
  id: string;
  _patientId?: string | null;
  _accessionNumbers?: readonly string[] | null;
}

/** Returns true when the report is about the study. */
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

/** Returns true when the study was made for the order. */
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
