import type { Coding, Identifier, ImagingStudySeries, ImagingStudySeriesInstance } from 'fhir/r4.js';
import { items, Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { fhirDateTime, startedOf } from '../../dicom/dicom-date.ts';
import { personNames, string, strings, uid, unsignedInt } from '../../dicom/dicom-text.ts';
import { mapInTurns } from '../../../../schema/process/event-loop.ts';
import { deepFreeze } from '../../../../schema/process/deep-freeze.ts';
import { omitEmpty } from '../../dicom/omit-empty.ts';
import type { StudyRecord } from '../study-records.ts';
import { WeakCache } from '../../facts/weak-cache.ts';
import { grouped, isSameRows } from '../../facts/study-rows.ts';
import { bodySiteCoding, lateralityCoding, modalityCoding } from './terminology.ts';
import { V2_IDENTIFIER_TYPE } from '../../../../schema/fhir/fhir.ts';

type Rows = Pick<StudyRecord, 'study' | 'series' | 'instances'>;

/**
 * The rows of a study as elements of FHIR R4 ImagingStudy (IA-15, IA-16): everything that does not depend on the
 * caller, the URL or the time. Deeply frozen, and shared by all callers.
 */
export interface StudyDocument {
  readonly uid: string;
  /** Accession numbers, as identifiers of type ACSN. */
  readonly accessions: readonly Identifier[];
  /** The same as plain strings, for matching reports and orders (FG-9). */
  readonly accessionNumbers: readonly string[];
  readonly modality: readonly Coding[];
  readonly started: string | undefined;
  /** Name of the referring physician, for display. */
  readonly referrer: string | undefined;
  readonly description: string | undefined;
  readonly numberOfSeries: number | undefined;
  readonly numberOfInstances: number | undefined;
  /** Sorted by number; with instances if the rows have them. */
  readonly series: readonly ImagingStudySeries[];
}

interface Derived {
  series: readonly DicomJson[];
  instances: readonly DicomJson[] | undefined;
  document: StudyDocument;
}

/** Keyed by the row of the study, so that a document is freed with its rows. */
const withoutInstances = new WeakMap<DicomJson, Derived>();
const withInstances = new WeakCache<DicomJson, Derived>();

/** Returns the document of a study; the same object for the same rows. */
export function studyDocument(rows: Rows): StudyDocument {
  const { study, series, instances } = rows;
  const documents = instances ? withInstances : withoutInstances;
  const known = documents.get(study);
  if (known && isSameRows(known.series, series) && isSameRows(known.instances, instances))
    return known.document;
  const document = deepFreeze(derived(rows));
  documents.set(study, { series, instances, document }, instances?.length ?? 0);
  return document;
}

function derived(rows: Rows): StudyDocument {
  const { study, series, instances } = rows;
  const offset = [study, ...series].map((row) => string(row, Tag.TimezoneOffsetFromUTC)).find(Boolean);
  const groups = instances && grouped(instances, (row) => uid(row, Tag.SeriesInstanceUID));
  const mapped = series
    .filter((row) => uid(row, Tag.SeriesInstanceUID))
    .map((row) =>
      imagingStudySeries(row, groups && (groups.get(uid(row, Tag.SeriesInstanceUID)!) ?? []), offset),
    )
    .sort(byNumber);
  const accessions = accessionIdentifiers(rows);
  return {
    uid: uid(study, Tag.StudyInstanceUID)!,
    accessions,
    accessionNumbers: accessions.map(({ value }) => value!),
    modality: modalitiesOf(study, series),
    started: startedOf(study, offset),
    referrer: personNames(study, Tag.ReferringPhysicianName)[0],
    description: string(study, Tag.StudyDescription),
    numberOfSeries: unsignedInt(study, Tag.NumberOfStudyRelatedSeries) ?? (mapped.length || undefined),
    numberOfInstances: unsignedInt(study, Tag.NumberOfStudyRelatedInstances) ?? total(mapped),
    series: mapped,
  };
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
  return omitEmpty({
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

/** Returns whether an instance row can be an element of the resource. */
export function isInstance(row: DicomJson): boolean {
  return uid(row, Tag.SOPInstanceUID) !== undefined;
}

const instanceElements = new WeakMap<DicomJson, ImagingStudySeriesInstance>();

/** Maps the instances of studies, many of them in several turns of the event loop: `imagingStudyInstance` then has them. */
export function prepareInstances(records: readonly Pick<StudyRecord, 'instances'>[]) {
  if (!records.some(({ instances }) => instances)) return undefined;
  const rows = records.flatMap(({ instances = [] }) => instances.filter((row) => !instanceElements.has(row)));
  return mapInTurns(rows, (row) => isInstance(row) && imagingStudyInstance(row));
}

/** Maps an instance row to an element of a series; frozen, and the same object for the same row. */
export function imagingStudyInstance(row: DicomJson): ImagingStudySeriesInstance {
  const known = instanceElements.get(row);
  if (known) return known;
  const element = deepFreeze(instanceElement(row));
  instanceElements.set(row, element);
  return element;
}

function instanceElement(row: DicomJson): ImagingStudySeriesInstance {
  const sopClass = uid(row, Tag.SOPClassUID);
  return omitEmpty({
    uid: uid(row, Tag.SOPInstanceUID)!,
    number: unsignedInt(row, Tag.InstanceNumber),
    sopClass: sopClass
      ? { system: 'urn:ietf:rfc:3986', code: `urn:oid:${sopClass}` }
      : { extension: [{ url: DATA_ABSENT_REASON, valueCode: 'unknown' }] },
    title: title(row),
  });
}

/** Returns the first attribute that is present of those in FHIR's DICOM mapping of `title`. */
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

/** Returns the modalities of a study: those that its row names, and those of its series. */
export function modalitiesOf(study: DicomJson, series: readonly DicomJson[] = []): Coding[] {
  const codes = [
    ...strings(study, Tag.ModalitiesInStudy),
    ...series.flatMap((row) => strings(row, Tag.Modality)),
  ];
  return (codes.length > 0 ? [...new Set(codes)] : [undefined]).map(modalityCoding);
}

function total(series: readonly ImagingStudySeries[]): number | undefined {
  const counts = series.map(({ numberOfInstances }) => numberOfInstances);
  return counts.length > 0 && counts.every((count) => count !== undefined)
    ? counts.reduce((sum, count) => sum + count, 0)
    : undefined;
}

/** Compares by number, then by UID; elements without a number come last. */
export function byNumber(a: { number?: number; uid: string }, b: { number?: number; uid: string }): number {
  return (
    (a.number ?? Infinity) - (b.number ?? Infinity) || a.uid.localeCompare(b.uid, 'en', { numeric: true })
  );
}

const ISSUER_OF_ACCESSION_NUMBER_SEQUENCE = '00080051';
const LOCAL_NAMESPACE_ENTITY_ID = '00400031';
const UNIVERSAL_ENTITY_ID = '00400032';
const UNIVERSAL_ENTITY_ID_TYPE = '00400033';

/**
 * Returns the accession numbers of a study as identifiers of type ACSN: first its own, then those of the requests of
 * its series.
 */
function accessionIdentifiers({ study, series }: Rows): Identifier[] {
  const holders = [study, ...series.flatMap((row) => items(row, Tag.RequestAttributesSequence))];
  const identifiers = new Map<string, Identifier>();
  for (const holder of holders) {
    const value = string(holder, Tag.AccessionNumber);
    if (value && !identifiers.has(value)) identifiers.set(value, accessionIdentifier(holder, value));
  }
  return [...identifiers.values()];
}

function accessionIdentifier(holder: DicomJson, value: string): Identifier {
  const issuer = items(holder, ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)[0] ?? {};
  const name = string(issuer, LOCAL_NAMESPACE_ENTITY_ID);
  return omitEmpty({
    type: { coding: [{ system: V2_IDENTIFIER_TYPE, code: 'ACSN', display: 'Accession ID' }] },
    system: universalSystem(string(issuer, UNIVERSAL_ENTITY_ID), string(issuer, UNIVERSAL_ENTITY_ID_TYPE)),
    value,
    assigner: name ? { display: name } : undefined,
  });
}

/** Converts a universal entity ID (PS3.3 §10.14) to an identifier system; undefined for a type that has no URI form. */
function universalSystem(id: string | undefined, type: string | undefined): string | undefined {
  if (!id || /\s/.test(id)) return undefined;
  if (type === 'ISO') return `urn:oid:${id}`;
  if (type === 'UUID') return `urn:uuid:${id.toLowerCase()}`;
  return type === 'URI' ? id : undefined;
}
