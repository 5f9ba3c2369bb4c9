/** A store that is asked the same again. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi, type MockInstance } from 'vitest';
import { IdleThreads } from '../../../../schema/process/idle-threads.ts';
import type { SourceSearch } from '../source.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

const threads = new QueryThreads();
let directory: string;
let file: string;
let store: Store;
let run: MockInstance<IdleThreads<unknown, unknown>['run']>;

const record = (status: string) => [
  ...['ana', 'bob'].map((id) => ({ resourceType: 'Patient', id, name: [{ family: id }] })),
  ...['ana', 'bob', 'ana'].map((id, at) => ({
    resourceType: 'Observation',
    id: `o${at}`,
    status,
    code: { text: 'x' },
    subject: { reference: `Patient/${id}` },
    contained: [{ resourceType: 'Device', id: 'd' }],
    device: { reference: '#d' },
  })),
];

async function load(status: string): Promise<void> {
  const path = join(directory, 'data.ndjson');
  await writeFile(
    path,
    record(status)
      .map((each) => JSON.stringify(each))
      .join('\n'),
  );
  loadStore(path, file);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kept-answers-'));
  file = join(directory, 'store.sqlite');
});
beforeEach(async () => {
  await load('final');
  store = (await Store.open(threads, file))!;
  run = vi.spyOn(IdleThreads.prototype, 'run');
});
afterAll(async () => {
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

const SEARCH: SourceSearch = { params: [['status', 'final']], count: 10, patients: ['ana'] };
const idsOf = async (search: SourceSearch) =>
  (await store.search('Observation', search)).resources.map(({ id }) => id);

test('no thread is asked again, and nobody can change what others get', async () => {
  const first = await store.search('Observation', SEARCH);
  const asked = run.mock.calls.length;
  const second = await store.search('Observation', { ...SEARCH, patients: ['ana'] });
  expect(second).toEqual(first);
  expect(run.mock.calls.length).toBe(asked);
  expect(() => second.resources.push(second.resources[0]!)).toThrow(TypeError);
  expect(() => Object.assign(second.resources[0]!, { id: 'other' })).toThrow(TypeError);
});

test('other patients in reach are another question', async () => {
  expect(await idsOf(SEARCH)).toEqual(['o0', 'o2']);
  expect(await idsOf({ ...SEARCH, patients: ['bob'] })).toEqual(['o1']);
  expect(await idsOf({ ...SEARCH, patients: [] })).toEqual([]);
  expect(await idsOf({ ...SEARCH, patients: ['ana', 'bob'] })).toEqual(['o0', 'o1', 'o2']);
  const { patients: _, ...all } = SEARCH;
  expect(await idsOf(all)).toEqual(['o0', 'o1', 'o2']);
  expect(await idsOf(SEARCH)).toEqual(['o0', 'o2']);
});

test.each<[string, Partial<SourceSearch>]>([
  ['size', { count: 1 }],
  ['parameters', { params: [['status', 'amended']] }],
  ['order', { sort: '-_id' }],
  ['total', { total: 'accurate' }],
  ['offset', { offset: 1 }],
])('another %s is another question', async (_, change) => {
  const first = await store.search('Observation', SEARCH);
  expect(await store.search('Observation', { ...SEARCH, ...change })).not.toEqual(first);
});

type Patients = NonNullable<Parameters<Store['read']>[2]>['patients'];

/** Reads a resource, and returns how often a thread was asked for it. */
async function askedFor(type: string, id: string, patients: Patients): Promise<number> {
  run.mockClear();
  const found = await store.read(type, [id], { patients });
  expect(found.map((one) => one.id)).toEqual(id === 'none' ? [] : [id]);
  return run.mock.calls.length;
}

test.each<[what: string, type: string, id: string]>([
  ['a resource', 'Observation', 'o0'],
  ['that there is no resource', 'Observation', 'none'],
])('%s is kept for callers with the same patients in reach', async (_what, type, id) => {
  const callers: Patients[] = [['ana'], ['bob'], 'all'];
  for (const patients of callers) expect(await askedFor(type, id, patients)).toBe(1);
  for (const patients of callers) {
    expect(await askedFor(type, id, patients)).toBe(0);
    expect(store.atHand(type, id, patients)).toBeDefined();
  }
});

test.each<[string, Patients]>([
  ['several patients', ['ana', 'bob']],
  ['no patient', []],
  ['patients who are not known', undefined],
])('for a caller with %s, no resource by its id is kept', async (_what, patients) => {
  for (let time = 0; time < 2; time++) expect(await askedFor('Observation', 'o0', patients)).toBe(1);
  expect(store.atHand('Observation', 'o0', patients)).toBeUndefined();
});

test('a patient is kept for all callers', async () => {
  expect(await askedFor('Patient', 'ana', ['ana'])).toBe(1);
  for (const patients of [['ana', 'bob'], 'all'] as const)
    expect(await askedFor('Patient', 'ana', patients)).toBe(0);
});

test('of several resources only those are asked for that are not kept', async () => {
  await store.read('Observation', ['o0'], { patients: ['ana'] });
  const found = await store.read('Observation', ['o2', 'o0', 'none'], { patients: ['ana'] });
  expect(found.map(({ id }) => id).sort()).toEqual(['o0', 'o2']);
  expect(() => Object.assign(found[0]!, { id: 'other' })).toThrow(TypeError);
});
