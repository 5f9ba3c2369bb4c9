import { number, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { vrOf } from '../../../../schema/dicom/dictionary.ts';
import { hasWildcard, wildcards } from '../../dicom/wildcards.ts';
import { rowTags, timeFrom, timeTo } from '../../facts/attributes.ts';
import type { Level, SourceQuery, Target } from '../source.ts';
import type { IdentifierKeys } from './identifier.ts';

/**
 * Keys of a search for a PACS, PS3.4 §C.2.2.2, one level at a time (§C.4.1.2.1). They match all objects of the search,
 * or more: a PACS may ignore optional keys, and treats case and accents in its own way. So every row is checked again
 * by its values. A conformant PACS returns the attributes that it was asked to match.
 */
export interface LevelKeys {
  keys: IdentifierKeys;
  /** Requested UIDs, which every answer must have. */
  unique: ReadonlyMap<string, string>;
  meets: Judge;
}

type Judge = (row: DicomJson) => boolean;

export const LEVELS: readonly Level[] = ['study', 'series', 'instance'];
const QUERY_LEVEL: Record<Level, string> = { study: 'STUDY', series: 'SERIES', instance: 'IMAGE' };
const QUERY_RETRIEVE_LEVEL = '00080052';

const COUNTS: Record<Level, readonly string[]> = {
  study: [Tag.ModalitiesInStudy, Tag.NumberOfStudyRelatedSeries, Tag.NumberOfStudyRelatedInstances],
  series: [Tag.NumberOfSeriesRelatedInstances],
  instance: [],
};

/** Attributes requested at each level: those of the rows of every source. */
const WANTED: Record<Level, readonly string[]> = {
  study: [...rowTags('study'), ...COUNTS.study],
  series: [...rowTags('series'), ...COUNTS.series],
  instance: rowTags('instance'),
};

/** The UID that identifies objects of a level, PS3.4 §C.6.2.1. */
export const UNIQUE: Record<Level, string> = {
  study: Tag.StudyInstanceUID,
  series: Tag.SeriesInstanceUID,
  instance: Tag.SOPInstanceUID,
};

/**
 * Returns the keys for one level of a search.
 * @param known UIDs of this and higher levels, and the PatientID, if known
 * @throws Fault `unsupported_parameter` for a key of a level below the one searched
 */
export function levelKeys(level: Level, query: SourceQuery, known: ReadonlyMap<string, string>): LevelKeys {
  const keys = new Map<string, string>([
    // Character set of the keys. Archives that answer in the same one then lose no character.
    [Tag.SpecificCharacterSet, 'ISO_IR 192'],
    [QUERY_RETRIEVE_LEVEL, QUERY_LEVEL[level]],
    ...WANTED[level].filter((tag) => tag !== Tag.SpecificCharacterSet).map((tag) => [tag, ''] as const),
  ]);
  if (level === query.level && query.includeField !== 'all') {
    for (const tag of query.includeField) if (isAskable(tag) && !keys.has(tag)) keys.set(tag, '');
  }
  const judges: Judge[] = [];
  for (const [tag, values] of query.match) {
    if (levelOf(tag, query.level) !== level) continue;
    judges.push(judge(tag, values));
    // Sequences are requested as a whole, because few archives match their items.
    if (!tag.includes('.')) keys.set(tag, askedValue(tag, values));
  }
  const unique = new Map<string, string>();
  for (const upper of LEVELS.slice(0, LEVELS.indexOf(level) + 1)) {
    const uid = known.get(UNIQUE[upper]);
    if (uid !== undefined) unique.set(UNIQUE[upper], uid);
  }
  for (const [tag, uid] of unique) keys.set(tag, uid);
  const patientId = known.get(Tag.PatientID);
  if (level === 'study' && patientId !== undefined) keys.set(Tag.PatientID, patientId);
  return { keys, unique, meets: (row) => judges.every((meets) => meets(row)) };
}

/** Returns the level of a target. */
export function targetLevel({ seriesUid, instanceUid }: Target): Level {
  return instanceUid !== undefined ? 'instance' : seriesUid !== undefined ? 'series' : 'study';
}

/**
 * Returns the identifier of a C-GET or C-MOVE (PS3.4 §C.4.2.1.4), or of a C-FIND within a target.
 * @param tags other requested attributes
 */
export function identifyingKeys(
  level: Level,
  { studyUid, seriesUid, instanceUid }: Target,
  tags: readonly string[] = [],
): Pick<LevelKeys, 'keys' | 'unique'> {
  const unique = new Map([[UNIQUE.study, studyUid]]);
  if (seriesUid !== undefined) unique.set(UNIQUE.series, seriesUid);
  if (instanceUid !== undefined) unique.set(UNIQUE.instance, instanceUid);
  const asked = tags.map((tag) => [tag, ''] as const);
  return { keys: new Map([[QUERY_RETRIEVE_LEVEL, QUERY_LEVEL[level]], ...asked, ...unique]), unique };
}

/** Returns the level of a key. A key of no known level belongs to the searched one. */
function levelOf(tag: string, searched: Level): Level {
  const [outermost = tag] = tag.split('.');
  const level = LEVELS.find((level) => WANTED[level].includes(outermost)) ?? searched;
  if (LEVELS.indexOf(level) <= LEVELS.indexOf(searched)) return level;
  throw new Fault('unsupported_parameter', `${tag} is not a key of a search for ${searched} objects here.`);
}

/** Tells whether an identifier may request an attribute: text, numbers and dates of PS3.6. */
function isAskable(tag: string): boolean {
  const vr = vrOf(tag);
  return vr !== undefined && !/^(OB|OD|OF|OL|OV|OW|UN)$/.test(vr) && tag > '00080005';
}

function askedValue(tag: string, values: readonly string[]): string {
  const vr = vrOf(tag);
  if (vr === 'UI') return values.join('\\');
  // PACS differ too much in matching binary numbers, padded numbers, and lists of other values than UIDs.
  if (values.length > 1 || vr === 'IS' || vr === 'US' || vr === 'UL') return '';
  const [value = ''] = values;
  // A range without a start would also match objects without a date.
  if (vr === 'DA') return value.replace(/^-/, '00010101-');
  if (vr === 'TM') {
    // Some PACS compare times as text: 12 would end before 12:30.
    const [from = '', to = from] = value.split('-');
    return `${from || '00'}-${to && timeTo(to)}`;
  }
  return askedText(value);
}

/** Returns a text that matches at least the same as the value, with characters that every PACS has. */
function askedText(value: string): string {
  const plain = value.replace(/[^\x20-\x7e]+/g, '*');
  // Some PACS interpret other characters beside wildcards as a regular expression.
  return hasWildcard(plain) ? plain.replace(/[^\w *?-]/g, '?') : plain;
}

function judge(path: string, values: readonly string[]): Judge {
  const [tag = path, inner] = path.split('.');
  if (inner !== undefined) {
    const meets = judge(inner, values);
    return (row) => (row[tag]?.Value ?? []).some((item) => meets((item ?? {}) as DicomJson));
  }
  const vr = vrOf(tag);
  if (vr === 'UI') return (row) => values.includes(text(row, tag) ?? '');
  if (vr === 'DA') return inRange(tag, values, withoutDots, withoutDots);
  if (vr === 'TM') return inRange(tag, values, timeFrom, timeTo);
  if (vr === 'IS' || vr === 'US' || vr === 'UL') {
    return (row) => values.some((value) => number(row, tag) === Number(value));
  }
  // PS3.4 §C.2.2.2.1 leaves case to the archive.
  const pattern = wildcards(values.map(comparable), 'i');
  return (row) => shownTexts(row, tag).some((value) => pattern.test(value));
}

/** Converts old dates such as 2004.01.31 (ACR-NEMA). */
function withoutDots(date: string): string {
  return date.replaceAll('.', '');
}

/** Matches ranges with both ends, PS3.4 §C.2.2.2.5. */
function inRange(
  tag: string,
  values: readonly string[],
  from: (value: string) => string,
  to: (value: string) => string,
): Judge {
  const ranges = values.map((value) => {
    const [start = '', end = start] = value.split('-');
    return { start: start && from(start), end: end && to(end) };
  });
  return (row) => {
    const shown = text(row, tag)
      ?.replaceAll(/[.:](?=\d\d)(?!\d{3})/g, '')
      .trim();
    if (!shown) return false;
    const value = from(shown);
    return ranges.some(({ start, end }) => (!start || value >= start) && (!end || value <= end));
  };
}

/** Returns all values of an attribute in a row, for names each of their groups. */
function shownTexts(row: DicomJson, tag: string): string[] {
  const values = row[tag]?.Value ?? [];
  const groups = values.flatMap((value) => (typeof value === 'object' ? Object.values(value ?? {}) : value));
  return groups.map((group) => comparable(String(group)));
}

/** Normalizes text for comparison: `^` at the end of a name and the composition of accents have no meaning. */
function comparable(text: string): string {
  return text.replace(/\^+$/, '').normalize('NFC').trim();
}
