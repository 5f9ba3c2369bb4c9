import { tagOf } from '../../../schema/dicom/dictionary.ts';
import { Tag, UID } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import { MAX_VALUES } from '../../../schema/http/request-bounds.ts';
import type { Level } from '../facts/target.ts';
import type { StudyQuery } from '../study/study-records.ts';

/** The kind of an attribute: whether its value is a list, and which values are valid. */
type Kind = 'uid' | 'date' | 'time' | 'code' | 'text' | 'number';

/** Attributes that can be matched, per level (PS3.18 §10.6.1.2, tables of the required keys). */
const KEYS: Record<Level, Record<string, Kind>> = {
  study: {
    StudyDate: 'date',
    StudyTime: 'time',
    AccessionNumber: 'text',
    ModalitiesInStudy: 'code',
    ReferringPhysicianName: 'text',
    PatientName: 'text',
    PatientID: 'text',
    StudyInstanceUID: 'uid',
    StudyID: 'text',
    StudyDescription: 'text',
  },
  series: {
    Modality: 'code',
    SeriesInstanceUID: 'uid',
    SeriesNumber: 'number',
    SeriesDescription: 'text',
    PerformedProcedureStepStartDate: 'date',
    PerformedProcedureStepStartTime: 'time',
    'RequestAttributesSequence.ScheduledProcedureStepID': 'text',
    'RequestAttributesSequence.RequestedProcedureID': 'text',
  },
  instance: {
    SOPClassUID: 'uid',
    SOPInstanceUID: 'uid',
    InstanceNumber: 'number',
    Rows: 'number',
    Columns: 'number',
  },
};

/** Keys that are not matched below their own level, where rows do not have them. */
const OWN_LEVEL_ONLY = /^ModalitiesInStudy$|\./;

const LEVELS: readonly Level[] = ['study', 'series', 'instance'];
/** Maximum UIDs of a key: viewers ask by UID for what they list. */
export const MAX_UIDS = 500;

const WELL_FORMED: Record<Kind, RegExp> = {
  uid: UID,
  date: /^(?:\d{8}|\d{8}-|-\d{8}|\d{8}-\d{8})$/,
  time: /^(?:T|T-|-T|T-T)$/,
  code: /^[\w *?-]{1,16}$/,
  text: /^[^\\\p{Cc}]{1,324}$/u,
  number: /^[+-]?\d{1,12}$/,
};
const TIME = /(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?/g;

/** Returns true for a day that exists. @param text `YYYYMMDD` */
const isDay = (text: string): boolean => dateRange(text.replace(/(....)(..)(..)/, '$1-$2-$3')) !== undefined;

/**
 * Parses the query of a search (DW-2). Keywords and tags mean the same; UIDs and codes may be lists, by comma,
 * backslash or repetition. Unknown parameters are left out and named in `ignored`, so they never reach a source (DW-3).
 * @param scope level and UIDs of the path
 * @throws Fault `invalid_request` for a bad value of a known key
 */
export function parseQido(
  scope: { level: Level; studyUid?: string; seriesUid?: string },
  parameters: URLSearchParams,
): { query: StudyQuery; ignored: string[] } {
  const allowed = ALLOWED[scope.level];
  const match = new Map<string, string[]>();
  const fields: string[] = [];
  const ignored: string[] = [];
  const once = new Map<string, string>();
  let patientIds: string[] | undefined;

  for (const [name, value] of parameters) {
    if (name === 'includefield') {
      fields.push(...value.split(',').map((field) => field.trim()));
    } else if (name === 'limit' || name === 'offset' || name === 'fuzzymatching') {
      if (once.has(name)) throw bad(`${name} is given twice.`);
      once.set(name, value);
    } else if (name !== 'accept' && name !== 'charset') {
      const tag = attributePath(name);
      const kind = tag === undefined ? undefined : allowed.get(tag);
      if (tag === undefined || kind === undefined) ignored.push(name);
      // Every value is used, by whichever name: a source would pick one of them (DW-3).
      else if (tag === Tag.PatientID) patientIds = [...(patientIds ?? []), ...value.split(/[,\\]/)];
      else addValues(match, { tag, kind, name }, value);
    }
  }
  if (patientIds && patientIds.length > MAX_VALUES) throw tooMany('PatientID', MAX_VALUES);
  const wanted = includeFields(fields, ignored);
  if (flag(once.get('fuzzymatching'))) ignored.push('fuzzymatching');
  const limit = count('limit', once.get('limit'));
  const offset = count('offset', once.get('offset'));
  const query: StudyQuery = {
    match,
    includeField: wanted,
    ...scope,
    ...(patientIds && { patientIds }),
    limit,
    offset,
  };
  return { query, ignored };
}

/** Converts a keyword or tag to a tag, also in a path with dots into the items of a sequence (PS3.18 §8.3.4.1). */
function attributePath(name: string): string | undefined {
  const tags = name.split('.').map(tagOf);
  return tags.includes(undefined) ? undefined : tags.join('.');
}

/** Returns the tags that a search of this level may match: its own and those of the levels above. */
function keysOf(level: Level): Map<string, Kind> {
  const keys = new Map<string, Kind>();
  for (const above of LEVELS.slice(0, LEVELS.indexOf(level) + 1)) {
    for (const [keyword, kind] of Object.entries(KEYS[above])) {
      if (above === level || !OWN_LEVEL_ONLY.test(keyword)) keys.set(attributePath(keyword)!, kind);
    }
  }
  return keys;
}

const ALLOWED = { study: keysOf('study'), series: keysOf('series'), instance: keysOf('instance') };

/** Adds the values of a key. @param key `name` is the client's word for it */
function addValues(
  match: Map<string, string[]>,
  { tag, kind, name }: { tag: string; kind: Kind; name: string },
  value: string,
): void {
  const list = kind === 'uid' || kind === 'code' ? value.split(/[,\\]/) : [value];
  const values = list.map((item) => item.trim()).filter(Boolean);
  for (const item of values) {
    const shape = kind === 'time' ? item.replace(TIME, 'T') : item;
    const isRead = WELL_FORMED[kind].test(shape) && (kind !== 'date' || item.match(/\d{8}/g)!.every(isDay));
    if (!isRead) throw bad(`The value of ${name} is not valid.`);
  }
  // An empty value and a lone asterisk match everything, PS3.4 §C.2.2.2.3.
  if (values.length === 0 || (values.length === 1 && values[0] === '*')) return;
  const all = [...(match.get(tag) ?? []), ...values];
  const most = kind === 'uid' ? MAX_UIDS : MAX_VALUES;
  if (all.length > most) throw tooMany(name, most);
  if (all.length > 1 && kind !== 'uid' && kind !== 'code') throw bad(`${name} is given twice.`);
  match.set(tag, all);
}

function includeFields(fields: readonly string[], ignored: string[]): readonly string[] | 'all' {
  if (fields.includes('all')) return 'all';
  const tags = new Set<string>();
  for (const field of fields.filter(Boolean)) {
    // An attribute of a sequence's items comes with the sequence.
    const tag = attributePath(field)?.split('.')[0];
    if (tag) tags.add(tag);
    else ignored.push('includefield');
  }
  if (tags.size > MAX_VALUES) throw tooMany('includefield', MAX_VALUES);
  return [...tags];
}

function flag(value: string | undefined): boolean {
  if (value !== undefined && value !== 'true' && value !== 'false') {
    throw bad('fuzzymatching is true or false.');
  }
  return value === 'true';
}

function count(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw bad(`${name} is a whole number from 0.`);
  return Number(value);
}

function tooMany(name: string, most: number): Fault {
  return bad(`${name} takes at most ${most} values: ask for less at a time.`);
}

function bad(message: string): Fault {
  return new Fault('invalid_request', message);
}
