/** The measurements of a study beside the record's Observations (FG-18), page by page, without sources. */
import type { Observation } from 'fhir/r4.js';
import { expect, test } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Search, SearchResult } from '../record/search.ts';
import { observationPage } from './study-measurements.ts';

const BASE = 'http://localhost/t/fhir';
const observation = (id: string): Observation => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: {},
});
const measurements = ['sr-1', 'sr-2', 'sr-3'].map(observation);

/** A record that answers each search with `answer`, and the archive's measurements of any study. */
function record(answer: (search: Search) => Partial<SearchResult>, failed: readonly Fault[] = []): Clinical {
  return {
    images: () => ({ measurements: async () => ({ observations: measurements, failed }) }),
    permitted: (_type: string, make: () => Promise<unknown>) => make(),
    matching: async (_type: string, resources: unknown) => resources,
    search: async (_type: string, search: Search) => ({
      resources: [],
      applied: search.params,
      ignored: [],
      ...answer(search),
    }),
  } as unknown as Clinical;
}
const params = [['derived-from', 'ImagingStudy/1.2.3']] as const;
const ids = (resources: readonly { id?: string }[]) => resources.map(({ id }) => id);

test('IA-38 a record that cannot search by derived-from gives none of its own, and says so', async () => {
  const clinical = record(() => ({
    resources: ['of', 'other', 'studies'].map(observation),
    applied: [],
    total: 3,
    ignored: [new Fault('unsupported_parameter', 'Observation has no search parameter "derived-from" here.')],
  }));
  const { page } = await observationPage(clinical, { params, total: 'accurate' }, BASE);
  expect([ids(page.resources), page.count]).toEqual([['sr-1', 'sr-2', 'sr-3'], 3]);
  expect(page.applied).toEqual(params);
  expect(page.ignored.map(({ message }) => message)).toEqual([
    expect.stringMatching(/only measurements of structured reports/),
  ]);
});

test('FG-18 measurements fill the last page of the record, and the pages after it', async () => {
  const clinical = record(({ cursor, total }) => ({
    ...(cursor === undefined
      ? { resources: [observation('r1'), observation('r2')], next: '/2' }
      : { resources: [observation('r3')] }),
    ...(total && { total: 3 }),
  }));
  const found: (string | undefined)[][] = [];
  const counts = new Set<number | undefined>();
  let cursor: string | undefined;
  do {
    const search = { params, count: 2, total: 'accurate' as const, ...(cursor !== undefined && { cursor }) };
    const { page, made } = await observationPage(clinical, search, BASE);
    found.push(ids(page.resources));
    counts.add(page.count);
    for (const one of page.resources) expect(made.has(one)).toBe(one.id!.startsWith('sr-'));
    cursor = page.next;
  } while (cursor !== undefined);
  expect(found).toEqual([
    ['r1', 'r2'],
    ['r3', 'sr-1'],
    ['sr-2', 'sr-3'],
  ]);
  expect([...counts]).toEqual([6]);
});

test('DW-18 what could not be read is said beside the rest', async () => {
  const away = new Fault('unavailable', 'Away.', { service: 'imaging' });
  const { page } = await observationPage(
    record(() => ({}), [away]),
    { params },
    BASE,
  );
  expect([page.resources.length, page.ignored]).toEqual([3, [away]]);
});

test.each([
  [['derived-from', 'DocumentReference/1.2.3']],
  [['derived-from', 'ImagingStudy/of-the-record']],
  [['derived-from', '1.2.3']],
  [['patient', 'p1']],
] as const)('FG-18 the search %j is of the record alone', async (param) => {
  const { page } = await observationPage(
    record(() => ({ resources: [observation('r1')] })),
    { params: [param] },
    BASE,
  );
  expect(ids(page.resources)).toEqual(['r1']);
});
