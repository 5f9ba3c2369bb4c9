/** Values counted by their lists, beside those counted row by row, and those of the resources that the search finds (FG-30). */
import type Sqlite from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../../../gateway/test/setup/random.ts';
import { testEach } from '../../../../gateway/test/setup/usual-run.ts';
import { parseCriteria } from '../../search/criteria.ts';
import { planFacets } from '../../search/facet-plan.ts';
import type { SearchParams } from '../../search/search-params.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { PlanRunner } from './run-plan.ts';
import { Store } from './store.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

const ALL = 1_000_000;
/** Usual conditions of these have more matches than are counted row by row. */
const OBSERVATIONS = 4_000;
const patients = Array.from({ length: 40 }, (_, at) => `p${at}`);
const threads = new QueryThreads();
let directory: string;
let store: Store;
let db: Sqlite.Database;

const made = new Random(30);
const some = (random: Random, codes: string, most: number) =>
  Array.from({ length: random.below(most + 1) }, () => ({
    ...(random.chance(0.8) && { system: random.of(['urn:a', 'urn:b']) }),
    code: random.of([...codes]),
  }));
const ofPatient = () => ({ reference: `Patient/${made.of(patients)}` });
const observation = (id: string) => ({
  resourceType: 'Observation',
  id,
  status: made.of(['final', 'final', 'final', 'amended']),
  category: some(made, 'uvw', 2).map((coding) => ({ coding: [coding] })),
  code: { text: made.of(['x ray', 'y']), coding: some(made, 'abcdefgh', 3) },
  subject: ofPatient(),
  ...(made.chance(0.9) && { effectiveDateTime: `20${10 + made.below(10)}-05-01` }),
  ...(made.chance(0.5) && { valueQuantity: { value: made.below(10) } }),
});
/** May belong to two patients. */
const appointment = (id: string) => ({
  resourceType: 'Appointment',
  id,
  status: made.of(['booked', 'fulfilled']),
  specialty: some(made, 'klm', 2).map((coding) => ({ coding: [coding] })),
  participant: [ofPatient(), ofPatient()].map((actor) => ({ actor, status: 'accepted' })),
});
const record = [
  ...patients.map((id, at) => ({ resourceType: 'Patient', id, gender: at % 3 ? 'female' : 'male' })),
  ...Array.from({ length: OBSERVATIONS }, (_, at) =>
    at % 4 ? observation(`o${at}`) : appointment(`o${at}`),
  ),
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-facets-'));
  const [path, file] = [join(directory, 'data.ndjson'), join(directory, 'store.sqlite')];
  await writeFile(path, record.map((each) => JSON.stringify(each)).join('\n'));
  loadStore(path, file);
  store = (await Store.open(threads, file))!;
  db = new Database(file, { readonly: true });
});
afterAll(async () => {
  db.close();
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

const CODES = { Observation: ['category', 'code', 'status'], Appointment: ['specialty', 'status'] };
const PARAMS: Record<keyof typeof CODES, SearchParams> = {
  Observation: [
    ...([
      ['category', 'u'],
      ['category', 'urn:a|v,w'],
      ['category', '|w'],
      ['category', 'urn:a|'],
    ] as const),
    ...([
      ['category:not', 'u,v'],
      ['category:missing', 'true'],
      ['code', 'urn:b|a'],
      ['code', 'none'],
    ] as const),
    ...([
      ['code:not', 'b'],
      ['code:text', 'x'],
      ['date', 'ge2015'],
      ['date', 'lt2013'],
      ['status', 'final'],
    ] as const),
    ...([
      ['_id', 'o1,o2,o3,o4,o5'],
      ['_id:not', 'o1'],
      ['_filter', 'code ne c'],
      ['value-quantity', 'gt5'],
    ] as const),
    ...([
      ['patient', 'p1,p2,p3'],
      ['patient', 'p4'],
      ['patient.gender', 'male'],
    ] as const),
  ] as [string, string][],
  Appointment: [
    ...([
      ['status', 'booked'],
      ['status:not', 'booked'],
      ['specialty', 'k'],
      ['patient', 'p1,p2'],
    ] as const),
  ] as [string, string][],
};

/** Returns a search with up to three conditions, for all patients or some of them. */
function randomSearch(seed: number) {
  const random = new Random(seed);
  const type = random.of(['Observation', 'Observation', 'Appointment'] as const);
  const params = Array.from({ length: random.below(4) }, () => random.of(PARAMS[type]));
  const share = random.next();
  const reach = random.chance(0.3) ? undefined : patients.filter(() => random.chance(share));
  return { type, code: random.of(CODES[type]), search: { params, ...(reach && { patients: reach }) } };
}

/** Counts the values of the resources that a search finds: `urn:a|u 3`. */
async function countedInResources({
  type,
  code,
  search,
}: ReturnType<typeof randomSearch>): Promise<string[]> {
  const { resources } = await store.search(type, { ...search, count: OBSERVATIONS });
  const counts = new Map<string, number>();
  for (const value of resources.flatMap((resource) => [...new Set(valuesOf(resource, code))])) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].map(([value, count]) => `${value} ${count}`).toSorted();
}

interface Coded {
  coding?: { system?: string; code: string }[];
}

function valuesOf(resource: Resource, element: string): string[] {
  const value = (resource as unknown as Record<string, string | Coded | Coded[]>)[element] ?? [];
  if (typeof value === 'string') return [`|${value}`];
  return [value]
    .flat()
    .flatMap(({ coding = [] }) => coding.map(({ system = '', code }) => `${system}|${code}`));
}

const seeds = Array.from({ length: 300 }, (_, seed) => seed);
testEach(seeds, (seed) => seed < 150)(
  'FG-30 values of random search %i are the same by each way',
  async (seed) => {
    const found = randomSearch(seed);
    const { type, code, search } = found;
    const { params, patients: reach } = search;
    const number = db
      .prepare<[string, string], number>('SELECT param FROM param WHERE type = ? AND code = ?')
      .pluck();
    const context = { param: (of: string, name: string) => number.get(of, name), now: 0 };
    const criteria = parseCriteria(type, params);
    const plan = planFacets({ type, criteria, code }, { ...context, ...(reach && { patients: reach }) });
    const runner = new PlanRunner(db);
    const byLists = runner.facets({ ...plan, collect: [] }, ALL);
    for (const { counts } of plan.collect) {
      expect(runner.facets({ ...plan, collect: [{ counts }] }, ALL)).toEqual(byLists);
    }
    const facets = await store.facets(type, { ...search, code, limit: ALL });
    const shown = facets.map(({ system = '', value, count }) => `${system}|${value} ${count}`);
    expect(shown.toSorted()).toEqual(await countedInResources(found));
  },
);

test('FG-30 the random searches find few resources, many and none', async () => {
  const counts: number[] = [];
  for (const { type, search } of seeds.slice(0, 150).map(randomSearch)) {
    counts.push((await store.search(type, { ...search, count: 1, total: 'accurate' })).total!);
  }
  expect(counts.filter((count) => count === 0).length).toBeGreaterThan(5);
  expect(counts.filter((count) => count > 0 && count < 500).length).toBeGreaterThan(30);
  expect(counts.filter((count) => count > 1_000).length).toBeGreaterThan(15);
});
