/** A page of the studies of all patients is the same as that part of the whole list. */
import type { Bundle } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import { NO_RECORD, testAccess, testSubgraph, testTenant, type TestSubgraph } from '../test/subgraph.ts';

const STUDIES = 7;
/** All but the first. */
const WITH_CT = STUDIES - 1;
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
      const modality = series === 1 || study === 0 ? 'MR' : 'CT';
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
    // All studies but one have a series of them, and none has.
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
  ['', STUDIES],
  ['_sort=-started', STUDIES],
  ['_sort=started', STUDIES],
  ['_sort=-_id', STUDIES],
  ['_sort=_lastUpdated', STUDIES],
  ['_summary=true', STUDIES],
  ['_include=ImagingStudy:endpoint', STUDIES],
  ['modality=ct', WITH_CT],
  ['modality=US,CT&modality=MR&_sort=_id', WITH_CT],
  ['modality:not=CT', STUDIES - WITH_CT],
  ['modality=US', 0],
])('pages with %j are parts of the whole list', async (more, total) => {
  const whole = await entriesOf(`?${more}`);
  const own = whole.filter(({ search }) => search?.mode === 'match');
  expect(own).toHaveLength(total);
  for (let offset = 0; offset < STUDIES; offset += PAGE) {
    const page = await bundleOf(`?${more}&_count=${PAGE}&_offset=${offset}&_total=accurate`);
    const matches = (page.entry ?? []).filter(({ search }) => search?.mode === 'match');
    expect(matches).toEqual(own.slice(offset, offset + PAGE));
    expect(page.entry?.length ?? 0).toBe(matches.length + whole.length - own.length);
    expect(page.total).toBe(total);
    expect(page.link?.some(({ relation }) => relation === 'next')).toBe(offset + PAGE < total);
  }
});

test.each([
  ['ct', WITH_CT],
  ['us', 0],
])('a page of a token for the modality %s has a total of %i', async (token, total) => {
  const page = await bundleOf(`?_count=${PAGE}&_total=accurate`, token);
  expect([page.total, page.entry?.length ?? 0]).toEqual([total, Math.min(total, PAGE)]);
});

test.each(['', 'modality=CT&'])('the record is asked for the patients of the page only: %j', async (more) => {
  asked.length = 0;
  const [entry] = await entriesOf(`?${more}_count=1&_sort=-_id`);
  expect(entry?.resource).toMatchObject({ subject: { reference: `Patient/p-MRN-${(STUDIES - 1) % 2}` } });
  expect(asked).toEqual([`MRN-${(STUDIES - 1) % 2}`]);
});
