import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAsking, writeReach, type Asking } from '../test/reach.ts';
import { faultOf, SENTENCES } from './finding.ts';

let asking: Asking;
beforeAll(async () => {
  asking = await startAsking();
});
afterAll(() => asking.close());

/** A query that runs for as long as it may. */
const ENDLESS = 'SELECT sum(a.range * b.range % 7) FROM range(10000000) a, range(10000000) b';
/** The processes of queries that there are. */
const processes = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.startsWith('query-'));

describe('the process of queries', () => {
  test('is kept for the next question, and ends when none comes', async () => {
    const other = await startAsking({ idle: 300 });
    await other.read('SELECT 1');
    const [first] = processes(other.folder);
    await other.read('SELECT 1');
    expect(processes(other.folder)).toEqual([first]);
    await expect.poll(() => processes(other.folder)).toEqual([]);
    expect(await other.read('SELECT 1 AS x')).toBe('{"x":1}\n');
    await other.close();
  });

  test('makes room for another reach', async () => {
    const other = await startAsking({ all: 2 });
    for (const name of ['a', 'b', 'c']) {
      const reach = join(other.folder, `${name}.duckdb`);
      await writeReach(reach);
      await other.read('SELECT id FROM patient', { reach });
    }
    await expect.poll(() => processes(other.folder)).toHaveLength(2);
    await other.close();
  });

  test('tells an error of the rows to who reads them later', async () => {
    // Parquet has no such number: known with the first rows, after the head of the answer.
    const { body, ended } = await asking.ask(`SELECT ${2n ** 126n} AS x`, { format: 'parquet' });
    expect((await ended).fault?.message).toBe(SENTENCES.parquet);
    await expect(text(body)).rejects.toMatchObject({ message: SENTENCES.parquet });
  });

  test('gives up for who has left after the first rows, and has read none', async () => {
    const leaving = new AbortController();
    const { body, ended } = await asking.ask('SELECT i FROM range(1000000) t(i)', {}, leaving.signal);
    leaving.abort();
    expect((await ended).fault?.code).toBe('unavailable');
    await expect(text(body)).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('has no environment, and only the files of its reach', async () => {
    await asking.read('SELECT 1');
    const [pid] = readdirSync('/proc').filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(asking.reach);
      } catch {
        return false;
      }
    });
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toBe('');
    // The nineteenth field of all threads: the priority is the lowest.
    const nice = readdirSync(`/proc/${pid}/task`).map(
      (thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ')[16],
    );
    expect(new Set(nice)).toEqual(new Set(['19']));
  });

  test('is forgotten with its reach', async () => {
    const other = await startAsking();
    const asked = refusal(other.ask(ENDLESS));
    await sleep(1000);
    other.queries.forget(other.reach);
    expect(await asked).toMatchObject({ code: 'unavailable' });
    await expect.poll(() => processes(other.folder)).toEqual([]);
    await other.close();
  });

  test.each([
    ['is not there', (file: string) => rmSync(file)],
    ['is damaged', (file: string) => writeFileSync(file, 'damaged'.repeat(10_000))],
  ])('answers 503 when the reach %s, and later again', async (_what, damage) => {
    const other = await startAsking();
    damage(other.reach);
    expect(await refusal(other.ask('SELECT 1'))).toEqual({
      code: 'unavailable',
      status: 503,
      message: SENTENCES.tables,
    });
    rmSync(other.reach, { force: true });
    await writeReach(other.reach);
    expect(await other.read('SELECT 1 AS x')).toBe('{"x":1}\n');
    await other.close();
  });

  test('answers 501 without an engine', () => {
    expect(faultOf({ kind: 'engine', message: SENTENCES.engine })).toMatchObject({
      status: 501,
      message: expect.stringContaining('@duckdb/node-api'),
    });
  });

  test('is gone when the queries are closed', async () => {
    const other = await startAsking();
    const asked = refusal(other.ask(ENDLESS));
    await sleep(500);
    await other.queries.close();
    expect(await asked).toMatchObject({ code: 'unavailable' });
    expect(processes(other.folder)).toEqual([]);
    expect(await refusal(other.ask('SELECT 1'))).toMatchObject({ code: 'unavailable' });
    await other.close();
    expect(existsSync(other.folder)).toBe(false);
  });
});

describe('at once', () => {
  test('a client has two queries, and all have four', async () => {
    const other = await startAsking();
    const leaving = new AbortController();
    const running = ['a', 'a', 'b', 'b'].map((client) =>
      refusal(other.ask(ENDLESS, { client }, leaving.signal)),
    );
    expect(await refusal(other.ask('SELECT 1', { client: 'a' }))).toMatchObject({
      status: 429,
      message: expect.stringContaining('A client'),
    });
    expect(await refusal(other.ask('SELECT 1', { client: 'c' }))).toMatchObject({
      status: 429,
      message: expect.stringContaining('Too many'),
    });
    await sleep(1500);
    leaving.abort();
    expect((await Promise.all(running)).map(({ code }) => code)).toEqual(Array(4).fill('unavailable'));
    await expect.poll(() => other.read('SELECT 1 AS x', { client: 'a' }).catch(() => '')).toBe('{"x":1}\n');
    await other.close();
  });

  test('a query that was refused, failed or read counts no more', async () => {
    for (let time = 0; time < 3; time++) {
      await refusal(asking.ask('SELECT nothing'));
      await refusal(asking.ask('SELEC'));
      await asking.read('SELECT 1');
    }
    expect(await asking.read('SELECT 1 AS x')).toBe('{"x":1}\n');
  });
});

describe('time', () => {
  test('ends before the first row, and the process answers the next question', async () => {
    const other = await startAsking({ first: 2000 });
    expect(await refusal(other.ask(ENDLESS))).toEqual({
      code: 'unprocessable',
      status: 422,
      message: SENTENCES.time,
    });
    await expect.poll(() => other.read('SELECT 1 AS x').catch(() => '')).toBe('{"x":1}\n');
    await other.close();
  });

  test('ends after the first row: the answer is broken off', async () => {
    const other = await startAsking({ whole: 8000 });
    // The start of the process counts too, which takes long on a busy machine.
    await other.read('SELECT 1 AS x');
    const { body, ended } = await other.ask('SELECT i FROM range(1000000000000) t(i)');
    const failed = new Promise((resolve) => body.on('error', resolve));
    body.resume();
    expect(await failed).toMatchObject({ code: 'unprocessable', message: SENTENCES.time });
    expect(await ended).toMatchObject({ fault: { code: 'unprocessable' } });
    await other.close();
  });

  test('an answer that nobody reads on is given up', async () => {
    const { body, ended } = await asking.ask('SELECT i FROM range(1000000000000) t(i)');
    body.destroy();
    expect(await ended).toMatchObject({ fault: { code: 'unavailable' } });
    expect(await asking.read('SELECT 1 AS x')).toBe('{"x":1}\n');
  });

  test('a row that fails late breaks the answer off', async () => {
    const { body, ended } = await asking.ask(
      "SELECT CASE WHEN i = 900000 THEN ('x' || i)::INTEGER ELSE i END AS x FROM range(1000000) t(i)",
    );
    const failed = new Promise((resolve) => body.on('error', resolve));
    body.resume();
    expect(await failed).toMatchObject({ code: 'unprocessable', message: SENTENCES.late });
    expect(await ended).toMatchObject({ fault: { message: SENTENCES.late } });
  });
});
