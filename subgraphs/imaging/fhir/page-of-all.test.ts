/** A page of the studies of all patients is the same as that part of the whole list. */
import type { Bundle } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { NO_RECORD, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const STUDIES = 7;
const PAGE = 2;

let folder: string;
let served: TestSubgraph;
/** Numbers whose patients the record was asked for. */
const asked: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'page-of-all-'));
  for (let study = 0; study < STUDIES; study++)
    for (const series of [1, 2]) {
      const date = `2024010${1 + (study % 3)}`;
      const patientId = `MRN-${study % 2}`;
      const modality = series === 1 ? 'MR' : 'CT';
      const named = { studyUid: `1.2.${study}`, patientId, series, date, modality, instances: series };
      // Late in the evening there is the next day in UTC.
      const evening = { time: '230000', zone: '-0500' };
      for (const [index, bytes] of smallObjects({ ...named, ...(study % 2 === 0 && evening) }).entries())
        await writeFile(join(folder, `${study}-${series}-${index}.dcm`), bytes);
    }
  const find = async (...[, , mrn]: unknown[]) => {
    asked.push(String(mrn));
    return `p-${String(mrn)}`;
  };
  const directory = { ...NO_RECORD, find };
  const images = { type: 'folder', path: folder, lookup: 'studies-by-mrn' };
  const accesses = {
    all: testAccess('all', 'system/*.rs'),
    // Every study has a series of them, and none.
    ct: testAccess('all', 'system/ImagingStudy.rs?modality=CT'),
    us: testAccess('all', 'system/ImagingStudy.rs?modality=US'),
  };
  served = await testSubgraph([testTenant(images)], accesses, { directory });
  await vi.waitFor(async () => expect(await entriesOf('')).toHaveLength(STUDIES), { timeout: 10_000 });
});
afterAll(async () => {
  await served?.close();
  await rm(folder, { recursive: true, force: true });
});
const bundleOf = async (query: string, token = 'all') => {
  const headers = { authorization: `Bearer ${token}` };
  const { json } = await served.app.inject({ url: `/test/fhir/ImagingStudy${query}`, headers });
  return json<Bundle>();
};
const entriesOf = async (query: string) => (await bundleOf(query)).entry ?? [];

test.each([
  '',
  '_sort=-started',
  '_sort=started',
  '_sort=-_id',
  '_sort=_lastUpdated',
  '_summary=true',
  '_include=ImagingStudy:endpoint',
])('pages with %j are parts of the whole list', async (more) => {
  const whole = await entriesOf(`?${more}`);
  const own = whole.filter(({ search }) => search?.mode === 'match');
  for (let offset = 0; offset < STUDIES; offset += PAGE) {
    const page = await bundleOf(`?${more}&_count=${PAGE}&_offset=${offset}&_total=accurate`);
    const matches = page.entry!.filter(({ search }) => search?.mode === 'match');
    expect(matches).toEqual(own.slice(offset, offset + PAGE));
    expect(page.entry!.length - matches.length).toBe(whole.length - own.length);
    expect(page.total).toBe(STUDIES);
    expect(page.link?.some(({ relation }) => relation === 'next')).toBe(offset + PAGE < STUDIES);
  }
});

test.each([
  ['ct', STUDIES],
  ['us', 0],
])('a page of a token for the modality %s has a total of %i', async (token, total) => {
  const page = await bundleOf(`?_count=${PAGE}&_total=accurate`, token);
  expect([page.total, page.entry?.length ?? 0]).toEqual([total, Math.min(total, PAGE)]);
});

test('the record is asked for the patients of the page only', async () => {
  asked.length = 0;
  const [entry] = await entriesOf('?_count=1&_sort=-_id');
  expect(entry?.resource).toMatchObject({ subject: { reference: `Patient/p-MRN-${(STUDIES - 1) % 2}` } });
  expect(asked).toEqual([`MRN-${(STUDIES - 1) % 2}`]);
});
