import { Tag, text, type DicomJson } from '../../../../schema/dicom.ts';
import { Fault } from '../../../../schema/fault.ts';
import { askable, unpadded } from '../../ownership.ts';
import { isOfPatients } from '../of-patients.ts';
import type { Level, SourceQuery, Target } from '../source.ts';
import type { DimseClient, Find } from './client.ts';
import { identifyingKeys, LEVELS, levelKeys, UNIQUE } from './keys.ts';

/** Rows beyond which a search is refused: a whole archive is not held in memory. */
const MAX_ROWS = 100_000;

/** Of the answer to us, not of the object: the archive's own name among them (DW-4). */
const NOT_OF_THE_OBJECT: readonly string[] = ['00080052', '00080054'];

/**
 * QIDO-RS rows by C-FIND (PS3.4 §C.4.1), study root, from the study down to the level searched: an archive need not
 * know the attributes of the levels above. The search ends with the last row wanted.
 * @throws Fault `too_large` for a search that matches too much to be answered
 */
export async function searchArchive(
  client: DimseClient,
  query: SourceQuery,
  signal?: AbortSignal,
): Promise<DicomJson[]> {
  const { patientIds, studyUid, seriesUid, limit = Infinity, offset = 0 } = query;
  const asked = patientIds ? askable(patientIds.map(({ value }) => unpadded(value))) : [undefined];
  if (asked.length === 0 || limit === 0) return [];
  const search: Search = { query, rows: [], wanted: Math.min(offset + limit, MAX_ROWS + 1) };
  const known = new Map<string, string>();
  if (studyUid !== undefined) known.set(Tag.StudyInstanceUID, studyUid);
  if (seriesUid !== undefined) known.set(Tag.SeriesInstanceUID, seriesUid);
  await client.finding(async (find) => {
    for (const patientId of asked) {
      const patient = new Map(patientId === undefined ? [] : [[Tag.PatientID as string, patientId]]);
      await descend(search, find, 'study', {}, new Map([...known, ...patient]));
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
 * Objects of a level within a target, by what tells them apart and these attributes alone.
 * @param tags of that level
 */
export async function findWithin(
  client: DimseClient,
  target: Target,
  level: Level,
  tags: readonly string[],
  signal?: AbortSignal,
): Promise<DicomJson[]> {
  const { keys, unique } = identifyingKeys(level, target, tags);
  const rows: DicomJson[] = [];
  await client.finding(
    (find) =>
      find(keys, (row) => {
        if ([...unique].every(([tag, uid]) => (text(row, tag) ?? uid) === uid)) rows.push(row);
        return true;
      }),
    signal,
  );
  return rows;
}

interface Search {
  query: SourceQuery;
  rows: DicomJson[];
  /** Rows after which there are enough. */
  wanted: number;
}

/**
 * Finds what there is at a level below an object, and goes on below that until the level searched.
 * @param above what is known of the object
 * @param known UIDs of it and of what is searched, and the patient's ID for studies
 */
async function descend(
  search: Search,
  find: Find,
  level: Level,
  above: DicomJson,
  known: ReadonlyMap<string, string>,
): Promise<void> {
  const { query, rows, wanted } = search;
  const last = level === query.level;
  const found = await rowsOf(find, level, query, known, last ? wanted - rows.length : MAX_ROWS);
  const next = LEVELS[LEVELS.indexOf(level) + 1];
  for (const row of found) {
    if (rows.length >= wanted) return;
    // What was judged to be the patient's stays, whatever the levels below say.
    const merged = { ...row, ...above };
    if (last || !next) rows.push(merged);
    else
      await descend(
        search,
        find,
        next,
        merged,
        new Map([...known, [UNIQUE[level], text(row, UNIQUE[level])!]]),
      );
  }
}

/** Rows of one level, each judged again (DW-21). */
async function rowsOf(
  find: Find,
  level: Level,
  query: SourceQuery,
  known: ReadonlyMap<string, string>,
  wanted: number,
): Promise<DicomJson[]> {
  const { keys, meets, unique } = levelKeys(level, query, known);
  const rows: DicomJson[] = [];
  if (wanted <= 0) return rows;
  await find(keys, (row) => {
    // An answer need not repeat the UIDs of the levels above; one that names others is not believed.
    for (const [tag, value] of unique) row[tag] ??= { vr: 'UI', Value: [value] };
    for (const tag of NOT_OF_THE_OBJECT) delete row[tag];
    const ours =
      text(row, UNIQUE[level]) !== undefined &&
      [...unique].every(([tag, value]) => text(row, tag) === value) &&
      (level !== 'study' || isOfPatients(row, query.patientIds));
    if (ours && meets(row)) rows.push(row);
    return rows.length < wanted;
  });
  return rows;
}
