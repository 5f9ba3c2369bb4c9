import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { exactlyQueryable, unpadded } from '../../facts/identifiers.ts';
import { distinctRows } from '../distinct-rows.ts';
import { isOfPatients } from '../../facts/stated-patient.ts';
import type { Level, SourceQuery, Target } from '../source.ts';
import type { DimseClient, Find } from './dimse-client.ts';
import { identifyingKeys, LEVELS, levelKeys, UNIQUE } from './keys.ts';

/** Most rows of a search. A whole archive is not held in memory. */
const MAX_ROWS = 100_000;

/** Attributes of the answer and not of the object, such as the archive's AE title (DW-4). */
const NOT_OF_THE_OBJECT: readonly string[] = ['00080052', '00080054'];

/**
 * Searches QIDO-RS rows by C-FIND (PS3.4 §C.4.1) with Study Root, from the study down to the searched level, because an
 * archive need not return attributes of higher levels. The search ends with the last needed row.
 * @throws Fault `too_large` for a search with too many matches
 */
export async function searchArchive(
  client: DimseClient,
  query: SourceQuery,
  signal?: AbortSignal,
): Promise<DicomJson[]> {
  const { patientIds, studyUid, seriesUid, limit = Infinity, offset = 0 } = query;
  const asked = patientIds ? exactlyQueryable(patientIds.map(({ value }) => unpadded(value))) : [undefined];
  if (asked.length === 0 || limit === 0) return [];
  const wanted = Math.min(offset + limit, MAX_ROWS + 1);
  const search: Omit<Search, 'find'> = { query, rows: [], isNewStudy: distinctRows('study'), wanted };
  const known = new Map<string, string>();
  if (studyUid !== undefined) known.set(Tag.StudyInstanceUID, studyUid);
  if (seriesUid !== undefined) known.set(Tag.SeriesInstanceUID, seriesUid);
  await client.finding(async (find) => {
    for (const patientId of asked) {
      const patient = new Map(patientId === undefined ? [] : [[Tag.PatientID as string, patientId]]);
      await descend({ ...search, find }, 'study', {}, new Map([...known, ...patient]));
    }
  }, signal);
  if (search.rows.length > MAX_ROWS) {
    throw new Fault(
      'too_large',
      `The search matches more than ${MAX_ROWS} objects; narrow it or page through it.`,
    );
  }
  return search.rows.slice(offset);
}

/**
 * Finds objects of a level within a target, with only their UIDs and these attributes.
 * @param tags of that level
 */
export async function findWithin(
  find: Find,
  target: Target,
  level: Level,
  tags: readonly string[],
): Promise<DicomJson[]> {
  const { keys, unique } = identifyingKeys(level, target, tags);
  const counts = distinctRows(level);
  const rows: DicomJson[] = [];
  await find(keys, (row) => {
    if (isOf(row, unique) && counts(row)) rows.push(row);
    return rows.length < MAX_ROWS;
  });
  return rows;
}

/** Tells whether a row has these UIDs. Adds missing ones, because an answer need not repeat those of higher levels. */
function isOf(row: DicomJson, unique: ReadonlyMap<string, string>): boolean {
  for (const [tag, value] of unique) row[tag] ??= { vr: 'UI', Value: [value] };
  return [...unique].every(([tag, value]) => text(row, tag) === value);
}

interface Search {
  find: Find;
  query: SourceQuery;
  rows: DicomJson[];
  /** Tells whether a study was not found before by another PatientID. */
  isNewStudy: (row: DicomJson) => boolean;
  /** Number of rows after which the search ends. */
  wanted: number;
}

/**
 * Finds objects of a level within an object, and continues below them down to the searched level.
 * @param above attributes of the object
 * @param known UIDs of the object and the search, and the PatientID for studies
 */
async function descend(
  search: Search,
  level: Level,
  above: DicomJson,
  known: ReadonlyMap<string, string>,
): Promise<void> {
  const { find, query, rows, wanted } = search;
  const last = level === query.level;
  const counts = level === 'study' ? search.isNewStudy : distinctRows(level);
  const found = await rowsOf({ find, query }, level, known, {
    counts,
    wanted: last ? wanted - rows.length : MAX_ROWS,
  });
  const next = LEVELS[LEVELS.indexOf(level) + 1];
  if (level === 'study' && next && !last) await askOfMissing({ find, query }, next, found, known);
  for (const row of found) {
    if (rows.length >= wanted) return;
    // Attributes of higher levels, by which the patient was checked, are not overwritten by lower levels.
    const merged = { ...row, ...above };
    if (last || !next) rows.push(merged);
    else await descend(search, next, merged, new Map([...known, [UNIQUE[level], text(row, UNIQUE[level])!]]));
  }
}

/** Number of studies of one search whose lower levels are searched although they were not found. */
const MOST_MISSING = 50;

/**
 * Searches below studies that are named by UID and were not found, and ignores the answers. So an absent study costs
 * the same questions as one that must not be shown (IA-7).
 */
async function askOfMissing(
  { find, query }: Pick<Search, 'find' | 'query'>,
  level: Level,
  found: readonly DicomJson[],
  known: ReadonlyMap<string, string>,
): Promise<void> {
  const { studyUid, match } = query;
  const named = studyUid === undefined ? (match.get(Tag.StudyInstanceUID) ?? []) : [studyUid];
  const missing = named.filter((uid) => !found.some((row) => text(row, Tag.StudyInstanceUID) === uid));
  for (const uid of missing.slice(0, MOST_MISSING)) {
    const { keys } = levelKeys(level, query, new Map([...known, [Tag.StudyInstanceUID, uid]]));
    await find(keys, () => true);
  }
}

/** Finds rows of one level, and checks each again (DW-21). @param counts filter as of `distinctRows` */
async function rowsOf(
  { find, query }: Pick<Search, 'find' | 'query'>,
  level: Level,
  known: ReadonlyMap<string, string>,
  { counts, wanted }: { counts: (row: DicomJson) => boolean; wanted: number },
): Promise<DicomJson[]> {
  const { keys, meets, unique } = levelKeys(level, query, known);
  const rows: DicomJson[] = [];
  if (wanted <= 0) return rows;
  await find(keys, (row) => {
    for (const tag of NOT_OF_THE_OBJECT) delete row[tag];
    const ours = isOf(row, unique) && (level !== 'study' || isOfPatients(row, query.patientIds));
    if (ours && meets(row) && counts(row)) rows.push(row);
    return rows.length < wanted;
  });
  return rows;
}
