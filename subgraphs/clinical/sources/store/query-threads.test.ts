/** Questions that are put together to a thread: each has its own answer, refusal and caller. */
import type { Procedure } from 'fhir/r4.js';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { IdleThreads } from '../../../../schema/process/idle-threads.ts';
import { loadStore } from './load.ts';
import type { Question } from './question.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

const PATIENTS = 30;
/** More than a short search looks at. */
const OBSERVATIONS = 1_500;

const threads = new QueryThreads();
let run: MockInstance<IdleThreads<unknown, unknown>['run']>;
let directory: string;
let file: string;
let store: Store;

/** The Narrative of every twentieth is long. */
const resources = [
  ...Array.from({ length: PATIENTS }, (_, at) => ({ resourceType: 'Patient', id: `p${at}` })),
  ...Array.from({ length: OBSERVATIONS }, (_, at) => ({
    resourceType: 'Observation',
    id: `o${at}`,
    status: 'final',
    code: { text: 'x' },
    subject: { reference: `Patient/p${at % PATIENTS}` },
    ...(at % 20 === 0 && { text: { status: 'generated', div: `<div>${'x'.repeat(40_000)}</div>` } }),
  })),
  ...['p0', 'p1', 'p2'].flatMap((patient) =>
    Array.from({ length: patient === 'p2' ? 6 : 12 }, (_, at) => ({
      resourceType: 'Procedure',
      id: `${patient}-${at + 1}`,
      status: 'completed',
      subject: { reference: `Patient/${patient}` },
      performedDateTime: `2020-${String(at + 1).padStart(2, '0')}`,
    })),
  ),
];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'query-threads-'));
  const path = join(directory, 'data.ndjson');
  await writeFile(path, resources.map((each) => JSON.stringify(each)).join('\n'));
  file = join(directory, 'store.sqlite');
  loadStore(path, file);
});
beforeEach(async () => {
  // A store keeps what it was asked lately.
  store = (await Store.open(threads, file))!;
  run = vi.spyOn(IdleThreads.prototype, 'run');
});
afterAll(async () => {
  await threads.close();
  await rm(directory, { recursive: true, force: true });
});

const ofPatient = (at: number, signal?: AbortSignal) =>
  store.search('Observation', { params: [['patient', `p${at}`]], count: 2 }, signal);
const ofAll = (cursor?: string) =>
  store.search('Observation', { params: [['status', 'final']], count: 2, ...(cursor && { cursor }) });

/** Returns the numbers of questions in the messages, in order. */
const messages = (): number[] => run.mock.calls.map(([questions]) => (questions as Question[]).length);
const codeOf = (search: Promise<unknown>) => search.then(String, (error: { code: string }) => error.code);

describe('FG-6 questions to the threads of stores', () => {
  it('are put together while all threads are busy, at most 8', async () => {
    const pages = await Promise.all(Array.from({ length: PATIENTS }, (_, at) => ofPatient(at)));
    expect(pages.map(({ resources }) => resources.map(({ id }) => id))).toEqual(
      Array.from({ length: PATIENTS }, (_, at) => [`o${at}`, `o${at + PATIENTS}`]),
    );
    const put = messages();
    expect(Math.max(...put)).toBe(8);
    // Long pages are put again.
    expect(put.reduce((sum, length) => sum + length)).toBeGreaterThanOrEqual(PATIENTS);
    expect(put.length).toBeLessThan(PATIENTS);
  });

  it('are put alone when they look at many resources', async () => {
    const [, , page] = await Promise.all([ofPatient(0), ofPatient(1), ofAll(), ofPatient(2)]);
    expect(page.resources.map(({ id }) => id)).toEqual(['o0', 'o1']);
    expect(messages()).toEqual([1, 1, 2, 1]);
  });

  it('are put alone when their conditions are chains or have modifiers', async () => {
    const chained = store.search('Observation', { params: [['patient._id', 'p1']], count: 1 });
    const modified = store.search('Observation', { params: [['status:not', 'final']], count: 1 });
    const both = await Promise.all([ofPatient(0), ofPatient(1), chained, modified]);
    expect(both.map(({ resources }) => resources.length)).toEqual([2, 2, 1, 0]);
    expect(messages()).toEqual([1, 1, 1, 1]);
  });

  it('of one page of a timeline are put together, and a shortened list goes on with its cursor', async () => {
    const ofPage = (patient: string, page: string, counts = true) =>
      store.search('Procedure', {
        params: [['patient', patient]],
        sort: '-date',
        count: 6,
        newestOf: { page, size: 4, counts, margin: 0 },
      });
    const lists = await vi.waitFor(async () => {
      run.mockClear();
      const page = randomUUID();
      const counted = ['p0', 'p1', 'p2'].map((patient) => ofPage(patient, page));
      const found = await Promise.all([...counted, ofPage('p1', page, false)]);
      // On a busy machine they may take too long for one message: they are put alone then, and are whole.
      expect(messages()).toEqual([4]);
      return found;
    }, 20_000);
    // Of each patient one a month, and nothing of p2 in the second half of the year.
    expect(lists.map(({ resources }) => resources.map(({ id }) => id))).toEqual([
      ['p0-12', 'p0-11'],
      ['p1-12', 'p1-11'],
      [],
      ['p1-12', 'p1-11'],
    ]);
    const [last] = lists[1]!.resources.slice(-1);
    expect(lists.map(({ completeAfter }) => completeAfter)).toEqual(
      Array(4).fill(Date.parse((last as Procedure).performedDateTime!) - 1),
    );
    const next = { params: [['patient', 'p0']] as const, sort: '-date', count: 3, cursor: lists[0]!.next! };
    const rest = await store.search('Procedure', next);
    expect(rest.resources.map(({ id }) => id)).toEqual(['p0-10', 'p0-9', 'p0-8']);
    expect(rest.offset).toBe(2);
  });

  it('are refused, each for itself', async () => {
    const { next } = await ofAll();
    const foreign = store.search('Observation', { params: [['status', 'amended']], count: 2, cursor: next! });
    const all = [ofPatient(0), ofPatient(1), ofPatient(2), foreign, ofPatient(3)].map(codeOf);
    expect(await Promise.all(all)).toEqual([
      ...Array(3).fill('[object Object]'),
      'invalid_request',
      '[object Object]',
    ]);
  });

  it('fail, each for itself', async () => {
    let question: Question | undefined;
    run.mockImplementationOnce(async (questions) => {
      [question] = questions as Question[];
      return [{ texts: [], rids: [] }];
    });
    await ofPatient(0);
    const broken = structuredClone(question) as Extract<Question, { ask: 'search' }>;
    broken.plan.collect[0]!.size.sql = 'SELECT nothing';
    const failing = threads.ask({ short: () => broken, whole: () => broken });
    const all = [ofPatient(0), ofPatient(1), failing, ofPatient(2)].map(codeOf);
    expect((await Promise.all(all)).map((code) => code === 'internal')).toEqual([false, false, true, false]);
  });

  it('are given up by their own caller', async () => {
    const leaving = new AbortController();
    const all = [ofPatient(0), ofPatient(1), ofPatient(2, leaving.signal), ofPatient(3)];
    const left = all[2]!.catch((error: Error) => error.name);
    leaving.abort();
    expect(await left).toBe('AbortError');
    expect((await Promise.all(all.toSpliced(2, 1))).every(({ resources }) => resources.length === 2)).toBe(
      true,
    );
  });
});
