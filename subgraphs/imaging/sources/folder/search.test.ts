import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { Level } from '../source.ts';
import { openDatabase } from './database.ts';
import { FolderIndex } from './folder-index.ts';
import { IndexSearch } from './search.ts';

const scratch = mkdtempSync(join(tmpdir(), 'search-'));
let database: Database.Database;
let index: FolderIndex;
let files = 0;

beforeEach(() => {
  database = openDatabase(join(scratch, `${++files}.sqlite`), scratch);
  index = new FolderIndex(database);
});
afterAll(() => rmSync(scratch, { recursive: true }));

const element = (vr: string, value: string | number) => ({ vr, Value: [value] });

/** Indexes a file. @param number of the instance, also the end of its UID */
function put(path: string, [study, series, number]: readonly number[], patient = 'A'): void {
  const attributes: DicomJson = {
    [Tag.StudyInstanceUID]: element('UI', `1.${study}`),
    [Tag.SeriesInstanceUID]: element('UI', `1.${study}.${series}`),
    [Tag.SOPInstanceUID]: element('UI', `1.${study}.${series}.${number}`),
    [Tag.SeriesNumber]: element('IS', series!),
    [Tag.InstanceNumber]: element('IS', number!),
    [Tag.PatientID]: element('LO', patient),
    [Tag.Modality]: element('CS', series! % 2 ? 'CT' : 'MR'),
  };
  const file = { path, size: 1, mtime: 1, ctime: 1 };
  index.transaction(() =>
    index.put(file, { kind: 'instance', transferSyntax: '1.2.840.10008.1.2.1', attributes }),
  );
}

const asked = (level: Level, more: object = {}) => ({
  level,
  match: new Map<string, string[]>(),
  includeField: [],
  ...more,
});
const uidsOf = (rows: readonly DicomJson[]) => rows.map((row) => row[Tag.SOPInstanceUID]?.Value?.[0]);

test('DW-2 the numbers of served files follow every change of the index', () => {
  const served = 'SELECT * FROM served ORDER BY 1, 2';
  const counted = `SELECT StudyInstanceUID, SeriesInstanceUID, count(*) AS instances FROM file
    WHERE state = 2 AND kept = 1 GROUP BY 1, 2 ORDER BY 1, 2`;
  const expectEqual = () => expect(database.prepare(served).all()).toEqual(database.prepare(counted).all());
  const gone = (...paths: string[]) => {
    index.markGone(paths.flatMap((path) => index.below(path)));
    index.forgetGone();
  };
  const changes: (() => void)[] = [
    () => put('a', [1, 1, 1]),
    () => put('b', [1, 1, 2]),
    () => put('c', [1, 2, 1]),
    // A copy, the file of another patient, and files that now have another instance.
    () => put('0', [1, 1, 1]),
    () => put('d', [1, 1, 3], 'B'),
    () => put('b', [2, 1, 1]),
    () => put('b', [2, 1, 1]),
    () => index.transaction(() => index.put({ path: 'c', size: 2, mtime: 2, ctime: 2 }, { kind: 'other' })),
    // As another process may write it.
    () => void database.exec("INSERT OR REPLACE INTO file SELECT * FROM file WHERE path = 'a'"),
    () => gone('0'),
    () => gone('a', 'd'),
    () => gone('b'),
  ];
  for (const change of changes) {
    change();
    expectEqual();
  }
  expect(database.prepare(served).all()).toEqual([]);
});

test('DW-2 a search for studies or series reads no row of a file', async () => {
  for (let number = 1; number <= 3; number++)
    for (const series of [1, 2]) put(`${series}-${number}`, [1, series, number]);
  const prepare = vi.spyOn(database, 'prepare');
  const search = new IndexSearch(database);
  const [study] = await search.rows(asked('study'));
  expect(study).toMatchObject({
    [Tag.ModalitiesInStudy]: { Value: ['CT', 'MR'] },
    [Tag.NumberOfStudyRelatedSeries]: { Value: [2] },
    [Tag.NumberOfStudyRelatedInstances]: { Value: [6] },
  });
  const series = await search.rows(asked('series'));
  expect(series.map((row) => row[Tag.NumberOfSeriesRelatedInstances]?.Value)).toEqual([[3], [3]]);
  expect(prepare.mock.calls.filter(([sql]) => /\bfile\b/.test(sql))).toEqual([]);
});

test('a long list of instances lets other work have its turns, in the order of series and numbers', async () => {
  const all: string[] = [];
  for (const series of [1, 2])
    for (let number = 1; number <= 500; number++) {
      put(`${series}-${number}`, [1, series, number]);
      all.push(`1.1.${series}.${number}`);
    }
  const search = new IndexSearch(database);
  // Each reading of the clock is a millisecond later: how many turns there are then depends on the rows alone.
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now++);
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const rows = await search.rows(asked('instance'));
  clearImmediate(next);
  expect(uidsOf(rows)).toEqual(all);
  expect(turns).toBeGreaterThan(100);
  for (const [offset, limit] of [
    [0, 3],
    [499, 2],
    [999, 5],
    [1000, 1],
    [0, 0],
  ] as const) {
    const page = await search.rows(asked('instance', { offset, limit }));
    expect(uidsOf(page)).toEqual(all.slice(offset, offset + limit));
  }
});

test.each([
  ['any issuer', undefined, 2],
  ['an issuer', 'http://hospital.example.org', 0],
  ['an empty issuer', '', 0],
])('thousands of patients, of %s, are one search', async (_whose, issuer, found) => {
  put('a', [1, 1, 1], 'P7');
  put('b', [2, 1, 1], 'P2999');
  put('c', [3, 1, 1], 'P3000');
  const patientIds = Array.from({ length: 3000 }, (_, number) => ({
    value: `P${number}`,
    ...(issuer !== undefined && { issuer }),
  }));
  const rows = await new IndexSearch(database).rows(asked('study', { patientIds }));
  expect(rows).toHaveLength(found);
  const withOne = [...patientIds, { value: 'P7' }];
  const more = await new IndexSearch(database).rows(asked('study', { patientIds: withOne }));
  expect(more).toHaveLength(Math.max(found, 1));
});
