import type { ImagingStudy, ImagingStudySeries, ImagingStudySeriesInstance, Reference } from 'fhir/r4.js';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { DICOM_UID_SYSTEM } from '../../../schema/fhir/fhir.ts';
import { accessionIdentifiers } from './accession.ts';
import { fhirDateTime } from '../dicom/dicom-date.ts';
import { items, personNames, string, strings, uid, unsignedInt } from '../dicom/dicom-text.ts';
import { endpointElements, type EndpointStyle } from './endpoint.ts';
import { present } from '../dicom/present.ts';
import type { StudyRecord } from '../study/studies.ts';
import { grouped } from '../facts/study-rows.ts';
import { bodySiteCoding, lateralityCoding, modalityCoding } from './terminology.ts';

export interface ImagingStudyContext {
  /** Public base of the tenant. */
  base: string;
  endpointStyle: EndpointStyle;
  /** FHIR instant (IA-13); left out where nothing is remembered. */
  lastUpdated?: string;
}

/**
 * DICOM rows → FHIR R4 ImagingStudy (IA-15, IA-16; the DICOM mapping of FHIR R4 ImagingStudy).
 * Pure: every call makes a fresh resource and leaves the rows as they are.
 */
export function imagingStudy(record: StudyRecord, context: ImagingStudyContext): ImagingStudy {
  const { study, series, instances } = record;
  const studyUid = uid(study, Tag.StudyInstanceUID)!;
  const accessions = accessionIdentifiers(record);
  const referrer = personNames(study, Tag.ReferringPhysicianName)[0];
  const { contained, endpoint } = endpointElements(context.base, context.endpointStyle, studyUid);
  const offset = [study, ...series].map((row) => string(row, Tag.TimezoneOffsetFromUTC)).find(Boolean);
  const groups = instances && grouped(instances, (row) => uid(row, Tag.SeriesInstanceUID));
  const mapped = series
    .filter((row) => uid(row, Tag.SeriesInstanceUID))
    .map((row) =>
      imagingStudySeries(row, groups && (groups.get(uid(row, Tag.SeriesInstanceUID)!) ?? []), offset),
    )
    .sort(byNumber);
  return present({
    resourceType: 'ImagingStudy',
    id: studyUid,
    meta: context.lastUpdated ? { lastUpdated: context.lastUpdated } : undefined,
    contained,
    identifier: [{ system: DICOM_UID_SYSTEM, value: `urn:oid:${studyUid}` }, ...accessions],
    status: 'available',
    modality: modalities(study, series).map(modalityCoding),
    subject: subject(record),
    started: fhirDateTime(string(study, Tag.StudyDate), string(study, Tag.StudyTime), offset),
    basedOn: accessions.map((identifier): Reference => ({ type: 'ServiceRequest', identifier })),
    referrer: referrer ? { display: referrer } : undefined,
    endpoint,
    numberOfSeries: unsignedInt(study, Tag.NumberOfStudyRelatedSeries) ?? (mapped.length || undefined),
    numberOfInstances: unsignedInt(study, Tag.NumberOfStudyRelatedInstances) ?? total(mapped),
    description: string(study, Tag.StudyDescription),
    series: mapped,
  });
}

function imagingStudySeries(
  row: DicomJson,
  instances: readonly DicomJson[] | undefined,
  offset: string | undefined,
): ImagingStudySeries {
  const bodyPart = string(row, Tag.BodyPartExamined);
  const [date, time] = string(row, Tag.SeriesDate)
    ? ([Tag.SeriesDate, Tag.SeriesTime] as const)
    : ([Tag.PerformedProcedureStepStartDate, Tag.PerformedProcedureStepStartTime] as const);
  return present({
    uid: uid(row, Tag.SeriesInstanceUID)!,
    number: unsignedInt(row, Tag.SeriesNumber),
    modality: modalityCoding(strings(row, Tag.Modality)[0]),
    description: string(row, Tag.SeriesDescription),
    numberOfInstances: unsignedInt(row, Tag.NumberOfSeriesRelatedInstances) ?? instances?.length,
    bodySite: bodyPart ? bodySiteCoding(bodyPart) : undefined,
    laterality: lateralityCoding(string(row, Tag.Laterality)),
    started: fhirDateTime(string(row, date), string(row, time), offset),
    performer: personNames(row, Tag.PerformingPhysicianName).map((display) => ({ actor: { display } })),
    instance: instances?.filter(isInstance).map(imagingStudyInstance).sort(byNumber),
  });
}

/** Whether an instance row can be an element of the resource. */
export function isInstance(row: DicomJson): boolean {
  return uid(row, Tag.SOPInstanceUID) !== undefined;
}

/** One instance row as an element of a series; in the order of `byNumber`. */
export function imagingStudyInstance(row: DicomJson): ImagingStudySeriesInstance {
  const sopClass = uid(row, Tag.SOPClassUID);
  return present({
    uid: uid(row, Tag.SOPInstanceUID)!,
    number: unsignedInt(row, Tag.InstanceNumber),
    sopClass: sopClass
      ? { system: 'urn:ietf:rfc:3986', code: `urn:oid:${sopClass}` }
      : { extension: [{ url: DATA_ABSENT_REASON, valueCode: 'unknown' }] },
    title: title(row),
  });
}

/** The first of the attributes that FHIR's DICOM mapping of `title` names. */
function title(row: DicomJson): string | undefined {
  const concept = items(row, CONCEPT_NAME_CODE_SEQUENCE)[0];
  return (
    string(row, CONTENT_LABEL) ??
    (concept && string(concept, CODE_MEANING)) ??
    string(row, DOCUMENT_TITLE) ??
    (strings(row, Tag.ImageType).join('\\') || undefined)
  );
}

const DATA_ABSENT_REASON = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason';
const CONTENT_LABEL = '00700080';
const CONCEPT_NAME_CODE_SEQUENCE = '0040A043';
const CODE_MEANING = '00080104';
const DOCUMENT_TITLE = '00420010';

function subject({ patientId, study }: StudyRecord): Reference {
  if (patientId) return { reference: `Patient/${patientId}`, type: 'Patient' };
  const value = string(study, Tag.PatientID);
  const display = personNames(study, Tag.PatientName)[0];
  if (!value) return { type: 'Patient', display: display ?? 'Unknown patient' };
  const issuer = string(study, Tag.IssuerOfPatientID);
  return present({
    type: 'Patient',
    identifier: present({ value, assigner: issuer ? { display: issuer } : undefined }),
    display,
  });
}

function modalities(study: DicomJson, series: readonly DicomJson[]): (string | undefined)[] {
  const codes = [
    ...strings(study, Tag.ModalitiesInStudy),
    ...series.flatMap((row) => strings(row, Tag.Modality)),
  ];
  return codes.length > 0 ? [...new Set(codes)] : [undefined];
}

function total(series: readonly ImagingStudySeries[]): number | undefined {
  const counts = series.map(({ numberOfInstances }) => numberOfInstances);
  return counts.length > 0 && counts.every((count) => count !== undefined)
    ? counts.reduce((sum, count) => sum + count, 0)
    : undefined;
}

/** By number, those without one last, then by UID. */
export function byNumber(a: { number?: number; uid: string }, b: { number?: number; uid: string }): number {
  return (
    (a.number ?? Infinity) - (b.number ?? Infinity) || a.uid.localeCompare(b.uid, 'en', { numeric: true })
  );
}
