/** Totals beside the lists of which they are totals, by each way to count: by lists of resources, and one by one (FG-20). */
import type Sqlite from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../../../gateway/test/setup/random.ts';
import { testEach } from '../../../../gateway/test/setup/usual-run.ts';
import { dateCriterion, dateRange, meetsDate } from '../../../../schema/fhir/date-range.ts';
import { Database } from '../../../../schema/process/sqlite.ts';
import { parseCriteria } from '../../search/criteria.ts';
import { planSearch } from '../../search/plan.ts';
import { periodSpan } from '../../search/range.ts';
import type { SearchParams } from '../source.ts';
import { countInSets } from './facet-lists.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

/** More than are counted one by one. */
const EACH = 6_000;
const NOW = Date.parse('2020-06-15T12:00:00Z');
const patients = Array.from({ length: 30 }, (_, at) => `p${at}`);
const threads = new QueryThreads();
const made = new Random(44);
let [directory, path, file] = ['', '', ''];
let store: Store;
let db: Sqlite.Database;

/** A date of any precision, often at the end of a year, a month or a day. */
function date(random: Random): string {
  const year = String(1960 + random.below(70));
  const month = random.of(['01', '02', '06', '12', '12']);
  const day = random.of(['01', '15', '28']);
  const time = random.of(['00:00:00Z', '23:59:59.999Z', '12:30:00+05:00', '00:00:00-11:00']);
  return random.of([year, `${year}-${month}`, `${year}-${month}-${day}`, `${year}-${month}-${day}T${time}`]);
}

function period(): object {
  const [one, other] = [date(made), date(made)].toSorted();
  return made.of([{ start: one }, { end: other }, { start: one, end: other }, { start: one, end: one }, {}]);
}

const several = <T>(most: number, make: () => T): T[] => Array.from({ length: made.below(most + 1) }, make);
const coded = () => ({ coding: [{ system: 'urn:a', code: made.of(['a', 'b', 'c', 'd']) }] });
const ofPatient = () => ({ reference: `Patient/${made.of(patients)}` });
const record = [
  ...patients.map((id) => ({ resourceType: 'Patient', id })),
  ...Array.from({ length: EACH }, (_, at) => ({
    resourceType: 'Observation',
    // Some ids are there twice: the second version stays.
    id: `o${made.chance(0.1) ? made.below(at + 1) : at}`,
    status: made.of(['final', 'amended']),
    code: coded(),
    category: several(2, coded),
    subject: ofPatient(),
    ...made.of([
      { effectiveDateTime: date(made) },
      { effectivePeriod: period() },
      { effectiveDateTime: date(made) },
      {},
    ]),
    ...(made.chance(0.5) && { valueQuantity: { value: made.below(10) } }),
  })),
  // Each may have several dates of one parameter.
  ...Array.from({ length: EACH }, (_, at) => ({
    resourceType: 'CarePlan',
    id: `c${at}`,
    status: 'active',
    subject: ofPatient(),
    category: several(2, coded),
    period: period(),
    activity: several(3, () => ({
      detail: made.of([{ scheduledPeriod: period() }, { scheduledTiming: { event: [date(made)] } }]),
    })),
  })),
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-counts-'));
  [path, file] = [join(directory, 'data.ndjson'), join(directory, 'store.sqlite')];
  await writeFile(path, record.map((each) => JSON.stringify(each)).join('\n'));
  loadStore(path, file);
  store = (await Store.open(threads, file, () => NOW))!;
  db = new Database(file, { readonly: true });
}, 60_000);
afterAll(async () => {
  db.close();
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

const PREFIXES = ['', 'ge', 'gt', 'le', 'lt', 'eq', 'ne', 'sa', 'eb', 'ap'];
const DATES = { Observation: ['date'], CarePlan: ['date', 'activity-date'] };
const OTHERS: Record<keyof typeof DATES, [string, string][]> = {
  Observation: [
    ['code', 'a,b'],
    ['code:not', 'urn:a|c'],
    ['category', 'd'],
    ['category:not', 'a'],
    ['status', 'final'],
    ['patient', 'p1,p2,p2'],
    ['subject', 'Patient/p3'],
    ['value-quantity', 'gt3'],
    ['date:missing', 'false'],
    ['_id:not', 'o1'],
  ],
  CarePlan: [
    ['category', 'a,b'],
    ['category:not', 'c'],
    ['patient', 'p1,p2,p3,p4'],
    ['status', 'active'],
  ],
};

/** Returns a search by dates, most often with other conditions, for all patients or some of them. */
function randomSearch(seed: number) {
  const random = new Random(seed);
  const type = random.of(['Observation', 'CarePlan'] as const);
  const value = () => `${random.of(PREFIXES)}${date(random)}`;
  const dates = Array.from({ length: random.below(3) }, (): [string, string] => [
    random.of(DATES[type]),
    random.chance(0.2) ? `${value()},${value()}` : value(),
  ]);
  const params: SearchParams = [
    ...dates,
    ...Array.from({ length: random.below(3) }, () => random.of(OTHERS[type])),
  ];
  const reach = random.chance(0.6) ? undefined : patients.filter(() => random.chance(0.5));
  return { type, search: { params, ...(reach && { patients: reach }) } };
}

/** Returns each number of matches that a way of counting gives. */
function counted({ type, search: { params, patients: reach } }: ReturnType<typeof randomSearch>): number[] {
  const number = db
    .prepare<[string, string], number>('SELECT param FROM param WHERE type = ? AND code = ?')
    .pluck();
  const count = (of: string) => store.counts()[of] ?? 0;
  const context = {
    param: (of: string, code: string) => number.get(of, code),
    isComplete: () => false,
    count,
    now: NOW,
  };
  const searched = {
    type,
    criteria: parseCriteria(type, params),
    sort: undefined,
    after: false,
    onlyShort: false,
  };
  const plan = planSearch(searched, { ...context, ...(reach && { patients: reach }) });
  const oneByOne = [...plan.collect, plan].map(
    ({ count: { sql, binds } }) =>
      db
        .prepare(sql)
        .pluck()
        .get(...binds) as number,
  );
  return plan.sets ? [...oneByOne, countInSets(plan.sets, plan.ofType, (sql) => db.prepare(sql))] : oneByOne;
}

const seeds = Array.from({ length: 300 }, (_, seed) => seed);
testEach(seeds, (seed) => seed < 150)(
  'FG-20 the total of random search %i is the length of its list',
  async (seed) => {
    const found = randomSearch(seed);
    const { resources, next } = await store.search(found.type, { ...found.search, count: EACH });
    expect(next).toBeUndefined();
    const { total } = await store.search(found.type, { ...found.search, count: 1, total: 'accurate' });
    expect(total).toBe(resources.length);
    for (const number of counted(found)) expect(number).toBe(total);
  },
);

/** The dates of care of a resource, as ranges. */
function spanOf(resource: Resource) {
  const { effectiveDateTime, effectivePeriod } = resource as {
    effectiveDateTime?: string;
    effectivePeriod?: object;
  };
  return effectiveDateTime === undefined
    ? effectivePeriod && periodSpan(effectivePeriod)
    : dateRange(effectiveDateTime);
}

testEach(seeds, (seed) => seed < 100)(
  'FG-20 a date of search %i finds what its definition says',
  async (seed) => {
    const random = new Random(1_000 + seed);
    const value = `${random.of(PREFIXES)}${date(random)}`;
    const criterion = dateCriterion('date', value);
    const all = new Map(
      record.filter(({ resourceType }) => resourceType === 'Observation').map((one) => [one.id, one]),
    );
    const expected = [...all.values()].filter((one) => {
      const span = spanOf(one as unknown as Resource);
      return span !== undefined && meetsDate(criterion, span, NOW);
    });
    const search = { params: [['date', value]] as SearchParams, count: EACH, total: 'accurate' as const };
    const { resources, total } = await store.search('Observation', search);
    expect(resources.map(({ id }) => id).toSorted()).toEqual(expected.map(({ id }) => id).toSorted());
    expect(total).toBe(expected.length);
  },
);

test('the random searches find few resources, many and all', async () => {
  const all = await Promise.all(
    seeds.slice(0, 150).map(async (seed) => {
      const { type, search } = randomSearch(seed);
      return (
        (await store.search(type, { ...search, count: 1, total: 'accurate' })).total! / store.counts()[type]!
      );
    }),
  );
  expect(all.filter((share) => share < 0.02).length).toBeGreaterThan(10);
  expect(all.filter((share) => share > 0.1 && share < 0.9).length).toBeGreaterThan(20);
  expect(all.filter((share) => share > 0.9).length).toBeGreaterThan(5);
});

test('a store of an older version, which has no lists of dates, is built again', async () => {
  const older = join(directory, 'older.sqlite');
  loadStore(path, older);
  const changed = new Database(older);
  changed.exec("DROP TABLE date_list; UPDATE fingerprint SET value = 'older' WHERE name <> 'counts'");
  changed.close();
  expect(await Store.open(threads, older)).toBeUndefined();
  loadStore(path, older);
  const search = { params: [['date', 'ge1990']] as SearchParams, count: 1, total: 'accurate' as const };
  const again = await (await Store.open(threads, older))!.search('Observation', search);
  expect(again.total).toBe((await store.search('Observation', search)).total);
});
