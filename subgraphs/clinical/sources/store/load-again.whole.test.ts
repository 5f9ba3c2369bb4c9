/** Loads that are killed, that run twice, and that replace a store which is being read. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadStore, type LoadProgress } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';
import { ROW_TABLES } from './tables.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

const RESOURCES = 10_000;
const child = join(import.meta.dirname, '../../test/load.child.ts');
const threads = new QueryThreads();
let directory: string;
let input: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'load-again-'));
  input = join(directory, 'many.ndjson');
  await writeFile(
    input,
    lines(RESOURCES, (at) => [{ system: 'urn:mrn', value: `M${at % 7}` }]),
  );
});
afterAll(async () => {
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

/** Every id is there twice: the second version stays. */
function lines(count: number, identifier: (at: number) => object[]): string {
  return Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      resourceType: 'Patient',
      id: `p${at % (count - 10)}`,
      identifier: identifier(at),
      birthDate: `19${String(at % 90).padStart(2, '0')}-01-01`,
      generalPractitioner: [{ reference: `Patient?identifier=urn:mrn%7CM${at % 3}` }],
    }),
  ).join('\n');
}

/** Milliseconds until the end of a load that is killed before. */
const FOR_EVER = 60_000;

/** Starts a load in another process, and returns when it has stopped at a place for some milliseconds. */
async function loadElsewhere(
  file: string,
  place: { step: string; resources?: number; milliseconds: number },
) {
  const { step, resources = 0, milliseconds } = place;
  const stop = [step, resources, milliseconds].map(String);
  const started = spawn(process.execPath, ['--import', 'tsx', child, input, file, ...stop], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => started.once('exit', () => resolve()));
  await once(started.stdout, 'data');
  return { started, exited };
}

function load(file: string, path = input): LoadProgress[] {
  const reported: LoadProgress[] = [];
  loadStore(path, file, (progress) => reported.push(progress));
  return reported;
}

function contentOf(file: string): string {
  const db = new Database(file, { readonly: true });
  const hash = createHash('sha256');
  for (const table of ['param', ...ROW_TABLES]) {
    for (const row of db.prepare(`SELECT * FROM ${table}`).raw().iterate()) hash.update(JSON.stringify(row));
  }
  db.close();
  return hash.digest('hex');
}

it.each([
  ['while it reads', { step: 'loading', resources: RESOURCES / 2 }],
  ['while it creates indexes', { step: 'indexing' }],
])('a load that is killed %s goes on where it was, with the same result', async (when, place) => {
  const file = join(directory, `killed ${when}.sqlite`);
  const { started, exited } = await loadElsewhere(file, { ...place, milliseconds: FOR_EVER });
  started.kill('SIGKILL');
  await exited;
  expect(existsSync(file)).toBe(false);
  const first = load(file).find(({ step }) => step === 'loading' || step === 'indexing')!;
  expect(first.resources).toBeGreaterThan(RESOURCES / 2);
  const whole = join(directory, `whole ${when}.sqlite`);
  load(whole);
  expect(contentOf(file)).toBe(contentOf(whole));
  expect(readdirSync(directory).filter((name) => name.includes('building'))).toEqual([]);
});

it('a load that is killed begins again when the data have changed', async () => {
  const file = join(directory, 'changed.sqlite');
  const { started, exited } = await loadElsewhere(file, { step: 'loading', milliseconds: FOR_EVER });
  started.kill('SIGKILL');
  await exited;
  const other = join(directory, 'other.ndjson');
  await writeFile(
    other,
    lines(100, () => []),
  );
  load(file, other);
  const store = (await Store.open(threads, file))!;
  expect(store.counts()).toEqual({ Patient: 90 });
});

it('of two processes that load the same data one builds, and the other waits for it', async () => {
  const file = join(directory, 'twice.sqlite');
  const { exited } = await loadElsewhere(file, { step: 'loading', milliseconds: 2_000 });
  const steps = new Set(load(file).map(({ step }) => step));
  await exited;
  expect([...steps]).toEqual(['waiting']);
  expect((await Store.open(threads, file))!.counts()).toEqual({ Patient: RESOURCES - 10 });
});

it('conditional references lead to the resource that has the identifier', async () => {
  const file = join(directory, 'conditional.sqlite');
  load(file);
  const store = (await Store.open(threads, file))!;
  const { resources } = await store.search('Patient', { params: [['_id', 'p50']], count: 1 });
  expect(JSON.stringify(resources)).toMatch(/"reference":"Patient\/p\d+"/);
});

it('a store that is replaced while it is read answers from the new one; its old cursors are refused', async () => {
  const path = join(directory, 'replaced.ndjson');
  const file = join(directory, 'replaced.sqlite');
  const search = { params: [], sort: 'birthdate', count: 5 };
  await writeFile(
    path,
    lines(100, () => []),
  );
  load(file, path);
  const [store, another] = [(await Store.open(threads, file))!, (await Store.open(threads, file))!];
  const { next } = await store.search('Patient', search);
  await writeFile(
    path,
    lines(200, () => []),
  );
  load(file, path);
  // Another view of the same file has opened the new database in the threads.
  await Store.open(threads, file);
  await Store.open(threads, file);
  const all = await Promise.all(
    Array.from({ length: 20 }, () => another.search('Patient', { params: [], count: 500 })),
  );
  for (const { resources } of all) expect(resources).toHaveLength(190);
  expect(another.counts()).toEqual({ Patient: 190 });
  const continued = store.search('Patient', { ...search, cursor: next! });
  await expect(continued).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('Begin the search again'),
  });
});
