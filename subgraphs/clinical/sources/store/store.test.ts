/** Order, pages, totals and reach of the store, beside a naive search of the same resources. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInTurn, testEach } from '../../../../gateway/test/setup/usual-run.ts';
import type { SourceSearch } from '../source.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

/** More than are collected without a walk. */
const COUNT = 6_000;
const threads = new QueryThreads();
let directory: string;
let store: Store;

interface Observation {
  id: string;
  status: string;
  patient: string;
  /** Values of `date`; none for some. */
  date: number | undefined;
  codes: string[];
}

/** Numbers that look random, the same in each run. */
const mixed = (at: number, of: number): number => (Math.imul(at + 1, 0x9e3779b1) >>> 8) % of;

const observations: Observation[] = Array.from({ length: COUNT }, (_, at) => ({
  id: `o${at}`,
  status: mixed(at, 10) === 0 ? 'amended' : 'final',
  patient: `p${mixed(at, 40)}`,
  date: mixed(at, 7) === 0 ? undefined : Date.UTC(2020, 0, 1 + mixed(at, 900)),
  // Some have several codes, some none.
  codes: Array.from({ length: mixed(at, 4) }, (__, nth) => `c${mixed(at * 5 + nth, 60)}`),
}));

const resourceOf = ({ id, status, patient, date, codes }: Observation) => ({
  resourceType: 'Observation',
  id,
  status,
  subject: { reference: `Patient/${patient}` },
  ...(date !== undefined && { effectiveDateTime: new Date(date).toISOString().slice(0, 10) }),
  code: { text: 'x', coding: codes.map((code) => ({ code })) },
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-pages-'));
  const path = join(directory, 'data.ndjson');
  const patients = Array.from({ length: 40 }, (_, at) => ({ resourceType: 'Patient', id: `p${at}` }));
  const all = [...patients, ...observations.map(resourceOf)];
  await writeFile(path, all.map((each) => JSON.stringify(each)).join('\n'));
  const file = join(directory, 'store.sqlite');
  loadStore(path, file);
  store = (await Store.open(threads, file))!;
});
afterAll(async () => {
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

/** Returns the ids of all pages. */
async function allPages(search: SourceSearch): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.search('Observation', { ...search, ...(cursor !== undefined && { cursor }) });
    expect(page.offset).toBe(ids.length);
    ids.push(...page.resources.map(({ id }) => id!));
    cursor = page.next;
  } while (cursor !== undefined);
  return ids;
}

type Keep = (observation: Observation) => boolean;
type Value = (observation: Observation, descending: boolean) => string | number | undefined;

const VALUES: Record<string, Value> = {
  date: ({ date }) => date,
  _id: ({ id }) => id,
  status: ({ status }) => status,
  code: ({ codes }, descending) => codes.toSorted().at(descending ? -1 : 0),
};

/** Sorts as the store says: without a value last, equal ones in the order of the first key. */
function naive(sort: string, keep: Keep): string[] {
  const keys = sort.split(',').filter(Boolean);
  const rows = observations.map((observation, row) => ({ observation, row }));
  return rows
    .filter(({ observation }) => keep(observation))
    .sort((a, b) => {
      for (const key of keys) {
        const descending = key.startsWith('-');
        const value = VALUES[key.replace('-', '')]!;
        const [x, y] = [value(a.observation, descending), value(b.observation, descending)];
        if (x === y) continue;
        if (x === undefined || y === undefined) return x === undefined ? 1 : -1;
        return x < y === descending ? 1 : -1;
      }
      return keys[0]?.startsWith('-') ? b.row - a.row : a.row - b.row;
    })
    .map(({ observation }) => observation.id);
}

describe('FG-2 pages by cursor', () => {
  const SORTS = [
    '',
    'date',
    '-date',
    '_id',
    '-_id',
    'code',
    '-code',
    '-date,code',
    'status,-date',
    '-code,_id',
  ];
  const SEARCHES: [query: string, keep: Keep][] = [
    ['', () => true],
    ['status=final', ({ status }) => status === 'final'],
    ['status:not=final', ({ status }) => status !== 'final'],
    ['patient=Patient/p7', ({ patient }) => patient === 'p7'],
    ['code=c5', ({ codes }) => codes.includes('c5')],
    ['code=c5&status=amended', ({ codes, status }) => codes.includes('c5') && status === 'amended'],
    ['date=ge2022', ({ date }) => date !== undefined && date >= Date.UTC(2022)],
    ['_id=o1,o2,o3000', ({ id }) => ['o1', 'o2', 'o3000'].includes(id)],
    ['status=final&_id:not=o1', ({ id, status }) => id !== 'o1' && status === 'final'],
    ['status=unknown', () => false],
  ];
  const cells = SORTS.flatMap((sort, row) =>
    SEARCHES.map(([query, keep], column) => ({ sort, query, keep, at: [row, column] as const })),
  );

  testEach(cells, ({ at }) => isInTurn(at, 4))(
    'sorted by "$sort", "$query": every match once, in order',
    async ({ sort, query, keep }) => {
      const params = [...new URLSearchParams(query)] as [string, string][];
      expect(await allPages({ params, sort, count: 700 })).toEqual(naive(sort, keep));
    },
  );

  it('with an offset', async () => {
    const { resources } = await store.search('Observation', {
      params: [],
      sort: '-date',
      count: 10,
      offset: COUNT - 30,
    });
    expect(resources.map(({ id }) => id)).toEqual(naive('-date', () => true).slice(COUNT - 30, COUNT - 20));
  });

  it('SM-16 a cursor of another search or an invented one is refused', async () => {
    const final = { params: [['status', 'final']] as [string, string][], count: 5 };
    const { next } = await store.search('Observation', final);
    const forged = [
      next!.replace(/\.\d+\.\d+$/, '.999999.5'),
      next!.replace(/\.\d+\.\d+$/, '.1.5'),
      `${next} OR 1`,
      '?zzz',
      '5',
    ];
    for (const cursor of forged) {
      const searched = store.search('Observation', { ...final, cursor });
      await expect(searched, cursor).rejects.toMatchObject({ code: 'invalid_request' });
    }
    const elsewhere = { params: [['status', 'amended']] as [string, string][], count: 5, cursor: next! };
    await expect(store.search('Observation', elsewhere)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('a cursor holds no value of the resource', async () => {
    const { next } = await store.search('Observation', { params: [], sort: '-date', count: 5 });
    expect(next).toMatch(/^\?[0-9a-f]{12}\.\d+\.5$/);
  });
});

describe('totals', () => {
  it.each<[query: string, total: SourceSearch['total'], expected: number | undefined]>([
    ['', 'accurate', COUNT],
    ['', 'if-cheap', COUNT],
    ['', undefined, undefined],
    ['status=final', 'accurate', observations.filter(({ status }) => status === 'final').length],
    ['status=final', 'if-cheap', undefined],
    ['status=amended', 'if-cheap', observations.filter(({ status }) => status === 'amended').length],
    ['status:not=final', 'accurate', observations.filter(({ status }) => status !== 'final').length],
    ['_id=o1', 'if-cheap', 1],
  ])('of "%s" when %s: %s', async (query, total, expected) => {
    const params = [...new URLSearchParams(query)] as [string, string][];
    const search = { params, count: 5, ...(total && { total }) };
    expect((await store.search('Observation', search)).total).toBe(expected);
  });
});

describe('SM-16 patients in reach', () => {
  const patients = ['p1', 'p2', 'p30'];
  const inReach: Keep = ({ patient }) => patients.includes(patient);

  it.each(['', '-date', 'code'])('sorted by "%s": only theirs', async (sort) => {
    expect(await allPages({ params: [], sort, count: 100, patients })).toEqual(naive(sort, inReach));
  });

  it.each([
    ['Patient', 3],
    ['Group', 0],
    ['Practitioner', 0],
  ])('of %s: %i', async (type, count) => {
    expect((await store.search(type, { params: [], count: 50, patients })).resources).toHaveLength(count);
  });

  it('a chain does not lead to others', async () => {
    const search = { params: [['patient:Patient._id', 'p5']] as [string, string][], count: 5 };
    expect((await store.search('Observation', search)).resources.length).toBeGreaterThan(0);
    expect((await store.search('Observation', { ...search, patients })).resources).toEqual([]);
  });
});
