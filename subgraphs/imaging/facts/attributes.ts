import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Level } from './target.ts';

/** The kind of matching for values of a key, PS3.4 §C.2.2.2. */
export type Matching = 'uid' | 'text' | 'name' | 'date' | 'time' | 'number';

/** A key that the index can match: the level whose table has its column, named by the DICOM keyword. */
export interface Key {
  level: Level;
  matching: Matching;
}

const key = (level: Level, matching: Matching): Key => ({ level, matching });

/** Keys by keyword (DW-2): those that PS3.18 §10.6 requires at each level, and those that sort and identify rows. */
export const KEYS: Partial<Record<keyof typeof Tag, Key>> = {
  StudyInstanceUID: key('study', 'uid'),
  StudyDate: key('study', 'date'),
  StudyTime: key('study', 'time'),
  AccessionNumber: key('study', 'text'),
  ReferringPhysicianName: key('study', 'name'),
  StudyDescription: key('study', 'text'),
  StudyID: key('study', 'text'),
  PatientName: key('study', 'name'),
  PatientID: key('study', 'text'),
  IssuerOfPatientID: key('study', 'text'),
  PatientBirthDate: key('study', 'date'),
  PatientSex: key('study', 'text'),
  SeriesInstanceUID: key('series', 'uid'),
  Modality: key('series', 'text'),
  SeriesNumber: key('series', 'number'),
  SeriesDescription: key('series', 'text'),
  SeriesDate: key('series', 'date'),
  SeriesTime: key('series', 'time'),
  BodyPartExamined: key('series', 'text'),
  Laterality: key('series', 'text'),
  PerformingPhysicianName: key('series', 'name'),
  PerformedProcedureStepStartDate: key('series', 'date'),
  PerformedProcedureStepStartTime: key('series', 'time'),
  ScheduledProcedureStepID: key('series', 'text'),
  RequestedProcedureID: key('series', 'text'),
  SOPInstanceUID: key('instance', 'uid'),
  SOPClassUID: key('instance', 'uid'),
  InstanceNumber: key('instance', 'number'),
  Rows: key('instance', 'number'),
  Columns: key('instance', 'number'),
  BitsAllocated: key('instance', 'number'),
  NumberOfFrames: key('instance', 'number'),
  AvailableTransferSyntaxUID: key('instance', 'uid'),
};

/** Returns the keywords of a level's columns, in their order. */
export function columns(level: Level): (keyof typeof Tag)[] {
  return (Object.keys(KEYS) as (keyof typeof Tag)[]).filter((keyword) => KEYS[keyword]!.level === level);
}

/** Attributes that rows carry besides their keys. */
const MORE: Record<Level, readonly string[]> = {
  // Procedure codes and anatomic regions tell which studies are comparable (FG-18).
  study: [Tag.SpecificCharacterSet, Tag.TimezoneOffsetFromUTC, '00080051', '00081032'],
  series: [
    Tag.RequestAttributesSequence,
    '00082218',
    Tag.ConfidentialityCode,
    Tag.ConfidentialityConstraintOnPatientDataDescription,
  ],
  // Titles come from the concept name of a report, the title of a document, the label of a presentation state.
  instance: [Tag.ImageType, '0040A043', '00420010', '00700080'],
};

/** Keys that are only in an item of Request Attributes Sequence. */
const REQUEST_KEYS: readonly string[] = [Tag.ScheduledProcedureStepID, Tag.RequestedProcedureID];

/** Returns the tags of a level's rows. */
export function rowTags(level: Level): string[] {
  const own = columns(level)
    .map((keyword) => Tag[keyword])
    .filter((tag) => !REQUEST_KEYS.includes(tag));
  return [...own, ...MORE[level]];
}

/** Tags that the index reads from a file's header. */
export const HEADER_TAGS: ReadonlySet<string> = new Set([
  ...rowTags('study'),
  ...rowTags('series'),
  ...rowTags('instance'),
]);

/** Returns the part of a header that belongs to one level. */
export function rowOf(level: Level, header: DicomJson): DicomJson {
  const row: DicomJson = {};
  for (const tag of rowTags(level)) if (header[tag]) row[tag] = header[tag];
  return row;
}

/** Returns the values of a level's columns, normalized for comparison. */
export function columnValues(level: Level, header: DicomJson): (string | number | null)[] {
  const request = (header[Tag.RequestAttributesSequence]?.Value?.[0] ?? {}) as DicomJson;
  return columns(level).map((keyword) => {
    const tag = Tag[keyword];
    if (KEYS[keyword]!.matching === 'name') return nameKey(header, tag);
    const value = text(REQUEST_KEYS.includes(tag) ? request : header, tag);
    if (value === undefined) return keyword === 'PatientID' ? '' : null;
    return normal(KEYS[keyword]!.matching, value);
  });
}

/** Normalizes a value for storage and comparison: dates without dots, times to the microsecond. */
export function normal(matching: Matching, value: string): string | number | null {
  if (matching === 'date') return value.replaceAll('.', '');
  if (matching === 'time') return timeFrom(value);
  if (matching === 'number') return Number.isFinite(Number(value)) ? Number(value) : null;
  return value;
}

/** Returns the earliest moment that a time of less precision means: `10` is 100000.000000. */
export function timeFrom(value: string): string {
  return fillTime(value, '000000.000000');
}

/** Returns the latest moment that it means: `10` is 105959.999999. */
export function timeTo(value: string): string {
  return fillTime(value, '235959.999999');
}

function fillTime(value: string, rest: string): string {
  const digits = value.replaceAll(':', '').trim();
  return digits + rest.slice(digits.length);
}

/** Returns the groups of a name in lower case: PS3.4 §C.2.2.2.1 lets a server match names without case. */
function nameKey(header: DicomJson, tag: string): string | null {
  const name = header[tag]?.Value?.[0] as Record<string, string> | undefined;
  if (!name) return null;
  return foldName(
    [name['Alphabetic'], name['Ideographic'], name['Phonetic']].map((group) => group ?? '').join('='),
  );
}

/** Converts to lower case and composed characters (NFC). */
export function foldName(value: string): string {
  return value.normalize('NFC').toLowerCase();
}
