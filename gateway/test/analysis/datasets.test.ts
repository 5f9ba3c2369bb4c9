/** Datasets of a tenant over time: built in a thread, replaced, given up, left behind. */
import { DuckDBInstance } from '@duckdb/node-api';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { ORDER_ACCESSION_TYPES } from '../../../schema/fhir/accession-types.ts';
import { Analysis, type AnalysisSettings } from '../../../subgraphs/analysis/analysis.ts';
import type { AnalysisSources, FoundStudy } from '../../../subgraphs/analysis/sources.ts';
import { AnalysisThreads } from '../../../subgraphs/analysis/threads.ts';
import { loadStore } from '../../../subgraphs/clinical/sources/store/load.ts';

vi.setConfig({ testTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'analysis-datasets-'));
const threads = new AnalysisThreads(new URL('../../analysis/build-thread.ts', import.meta.url));

/** Loads a record. @returns its database */
function loaded(name: string, resources: readonly object[]): string {
  const [lines, file] = [join(root, `${name}.ndjson`), join(root, `${name}.sqlite`)];
  writeFileSync(lines, resources.map((one) => JSON.stringify(one)).join('\n'));
  loadStore(lines, file);
  return file;
}

const store = loaded('record', [
  { resourceType: 'Patient', id: 'ana', gender: 'female' },
  { resourceType: 'Condition', id: '1', subject: { reference: 'Patient/ana' } },
]);

const opened: Analysis[] = [];
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));
afterAll(async () => {
  await threads.close();
  rmSync(root, { recursive: true });
});

const access: Access = {
  tenant: 't',
  patients: 'all',
  permissions: parseScopes('system/*.rs'),
  expires: Infinity,
};
const study: FoundStudy = {
  json: JSON.stringify({
    resourceType: 'ImagingStudy',
    id: '1.2',
    status: 'available',
    subject: { reference: 'Patient/ana' },
  }),
  keys: { id: '1.2', _patientId: 'ana', _accessionNumbers: [] },
};

/** A gate through which a feed of studies goes. */
function gate() {
  let open = (): void => undefined;
  const opening = new Promise<void>((resolve) => (open = resolve));
  return { opening, open };
}

let count = 0;
/** Opens the tables of a tenant, whose studies come when `studies` gives them. */
function tables(
  studies: () => AsyncIterable<readonly FoundStudy[]>,
  more: Partial<AnalysisSettings & Pick<AnalysisSources, 'version' | 'studyIds'>> & { file?: string } = {},
) {
  const warnings: object[] = [];
  const sources: AnalysisSources = {
    version: more.version ?? (async () => 'one'),
    record: async () => ({
      file: more.file ?? store,
      joins: { accessionTypes: ORDER_ACCESSION_TYPES, requisition: true },
    }),
    indexes: async () => [],
    studies,
    async *instances() {},
    reachOf: async () => ({}),
    studyIds: more.studyIds ?? (async () => ['1.2']),
  };
  const folder = more.folder ?? join(root, `tenant-${++count}`);
  const analysis = new Analysis({
    folder,
    views: [],
    refreshMinutes: 15,
    sources,
    threads,
    log: { info: () => undefined, warn: (details) => warnings.push(details) },
    ...more,
  });
  opened.push(analysis);
  return { analysis, folder, warnings };
}

async function* one() {
  yield [study];
}

/** Returns the fault of a refusal. */
const refusal = (asked: Promise<unknown>): Promise<Fault> =>
  asked.then(
    () => expect.fail('It was answered.'),
    (error: unknown) => error as Fault,
  );

test('before there are tables, it says how far they are', async () => {
  const { opening, open } = gate();
  const waiting = async function* () {
    await opening;
    yield [study];
  };
  const { analysis, folder } = tables(waiting, { wait: 1 });
  let early = await refusal(analysis.reach(access));
  for (let tries = 0; tries < 600 && !early.message.includes('so far'); tries++)
    early = await refusal(analysis.reach(access).finally(() => new Promise((done) => setTimeout(done, 50))));
  expect(early).toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
  expect(early.message).toMatch(/being made: \d+ resources and images so far/);
  open();
  await analysis.refresh();
  const reach = await analysis.reach(access);
  expect(reach.tables).toContain('imaging_study');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  reach.release();
});

test('the last tables answer while new ones are made, and nothing is made of the same', async () => {
  let [version, asked] = ['one', 0];
  let { opening, open } = gate();
  open();
  const counted = async function* () {
    asked++;
    await opening;
    yield [study];
  };
  let now = Date.parse('2026-01-01T00:00:00Z');
  const { analysis } = tables(counted, { version: async () => version, now: () => (now += 1000) });
  await analysis.refresh();
  const first = await analysis.reach(access);
  await analysis.refresh();
  expect(asked).toBe(1);

  version = 'two';
  ({ opening, open } = gate());
  const refreshing = analysis.refresh();
  await vi.waitUntil(() => asked === 2, { timeout: 30_000 });
  const meanwhile = await analysis.reach(access);
  expect(meanwhile).toMatchObject({ file: first.file, time: first.time });
  open();
  await refreshing;
  const second = await analysis.reach(access);
  expect(second.time.getTime()).toBeGreaterThan(first.time.getTime());
  expect(existsSync(first.file)).toBe(true);
  first.release();
  expect(existsSync(first.file)).toBe(true);
  meanwhile.release();
  await vi.waitUntil(() => !existsSync(first.file));
  second.release();
});

test('a build that fails leaves the last tables, and says why once', async () => {
  let [version, failing, asked] = ['one', false, 0];
  const studies = async function* () {
    if (failing) throw new Fault('unavailable', `The archive is away: ${++asked}`, { retryAfter: 10 });
    yield [study];
  };
  const { analysis, warnings, folder } = tables(studies, { version: async () => version });
  await analysis.refresh();
  const before = readdirSync(join(folder, 'datasets'));
  [version, failing] = ['two', true];
  await analysis.refresh();
  await analysis.refresh();
  // Without a stack: nothing is wrong with this server.
  expect(warnings).toEqual([{ code: 'unavailable', reason: 'The archive is away: 1' }]);
  expect(readdirSync(join(folder, 'datasets'))).toEqual(before);
  const reach = await analysis.reach(access);
  reach.release();
  // The first reach has begun a look of its own.
  await analysis.refresh();
  failing = false;
  await analysis.refresh();
  expect(readdirSync(join(folder, 'datasets'))).not.toEqual(before);
});

test.each<[what: string, fails: () => Promise<string>, refused: object]>([
  [
    'a record that is loaded',
    () => Promise.reject(new Fault('unavailable', 'The record is being loaded.', { retryAfter: 5 })),
    { code: 'unavailable', message: 'The record is being loaded.' },
  ],
  [
    'an error of the server, of which no caller reads more',
    () => Promise.reject(new Error('/secret/path: no such table')),
    { code: 'unavailable', message: 'The tables cannot be made. The operator finds the reason in the log.' },
  ],
])('without any tables, it says what stands in the way: %s', async (_, version, refused) => {
  const { analysis } = tables(one, { version, wait: 5_000 });
  const fault = await refusal(analysis.reach(access));
  expect(fault).toMatchObject(refused);
  expect(fault.details.retryAfter).toBeGreaterThan(0);
});

test('a stop ends a build, and leaves no half of it', async () => {
  let asked = 0;
  const endless = async function* () {
    for (;;) {
      asked++;
      yield Array.from({ length: 100 }, () => study);
    }
  };
  const { analysis, folder } = tables(endless);
  analysis.begin();
  await vi.waitUntil(() => asked > 10, { timeout: 30_000 });
  await analysis.close();
  expect(readdirSync(join(folder, 'datasets'))).toEqual([]);
});

test('what a killed process has left is removed', async () => {
  const folder = join(root, 'left');
  for (const path of ['datasets/building/patient', 'reaches'])
    mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'reaches', 'old.duckdb'), '');
  const { analysis } = tables(one, { folder });
  await analysis.refresh();
  const reach = await analysis.reach(access);
  expect(readdirSync(join(folder, 'reaches'))).toHaveLength(1);
  expect(readdirSync(join(folder, 'datasets'))).not.toContain('building');
  reach.release();
});

test('tables are there after a restart, and go with their tenant', async () => {
  const { analysis, folder } = tables(one);
  await analysis.refresh();
  await analysis.close();
  const { analysis: again } = tables(() => expect.fail('Nothing has to be built.'), { folder });
  (await again.reach(access)).release();
  await again.remove();
  expect(existsSync(folder)).toBe(false);
});

test('of nobody there are the same tables, without rows', async () => {
  const refused = () => Promise.reject(new Fault('forbidden', 'The token gives access to no patient.'));
  const { analysis } = tables(one, { studyIds: refused });
  await analysis.refresh();
  const reach = await analysis.reach({ ...access, patients: [] });
  const instance = await DuckDBInstance.create(reach.file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  for (const table of reach.tables) {
    const read = await connection.runAndReadAll(`SELECT * FROM ${table}`);
    expect([table, read.getRows()]).toEqual([table, []]);
  }
  connection.closeSync();
  instance.closeSync();
  expect(reach.tables).toEqual(
    expect.arrayContaining(['patient', 'condition', 'imaging_study', 'study_link']),
  );
  reach.release();
});

test('at most sixteen reaches are kept', async () => {
  const removed: string[] = [];
  const { analysis, folder } = tables(one, { onRemoved: (file) => removed.push(file) });
  await analysis.refresh();
  for (let at = 0; at < 18; at++)
    (await analysis.reach({ ...access, patients: [{ id: `p${at}` }] })).release();
  await vi.waitUntil(() => readdirSync(join(folder, 'reaches')).length === 16);
  expect(removed).toHaveLength(2);
});

test('damaged resources end no build: the log names the first one of each table, without its values', async () => {
  const subject = { reference: 'Patient/ana' };
  const file = loaded('damaged', [
    { resourceType: 'Patient', id: 'ana', gender: ['female', 'male'] },
    { resourceType: 'Condition', id: '1', subject: { reference: ['Patient/ana'] } },
    { resourceType: 'Observation', id: '1', subject, valueQuantity: { value: '5', unit: 'mg' } },
    {
      resourceType: 'Observation',
      id: '2',
      subject,
      encounter: [{ reference: 'Encounter/1' }, { reference: 'Encounter/2' }],
    },
    { resourceType: 'Encounter', id: '1', subject: 'Patient/ana' },
  ]);
  const json = JSON.stringify({ ...JSON.parse(study.json), numberOfSeries: 'many' });
  const odd = async function* () {
    yield [{ ...study, json }];
  };
  const { analysis, warnings } = tables(odd, { file });
  await analysis.refresh();
  const reach = await analysis.reach(access);
  expect(reach.tables).toContain('observation');
  reach.release();
  const at = expect.stringMatching(/^select\[0\]\.column\[\d+\]\.path$/);
  expect(warnings).toEqual([
    { table: 'patient', values: 1, first: 'Patient/ana', at },
    { table: 'observation', values: 2, first: 'Observation/1', at },
    { table: 'imaging_study', values: 1, first: 'ImagingStudy/1.2', at },
  ]);
});
