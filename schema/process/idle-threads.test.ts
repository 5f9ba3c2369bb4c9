import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { IdleThreads, type IdleThreadsOptions } from './idle-threads.ts';

/** `run` counts its calls in this thread; it waits, spins or fails when the task says so. */
const MODULE = `
  import { setTimeout as sleep } from 'node:timers/promises';
  let calls = 0;
  export async function run({ wait = 0, spin, fail }) {
    await sleep(wait);
    while (spin);
    if (fail) throw new Error('secret detail');
    return ++calls;
  }`;

interface Task {
  wait?: number;
  spin?: boolean;
  fail?: boolean;
}

let directory: string;
let threads: IdleThreads<Task, number>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'idle-threads-'));
  await writeFile(join(directory, 'task.mjs'), MODULE);
});
afterEach(() => threads.close());
afterAll(() => rm(directory, { recursive: true }));

function started(options: Partial<IdleThreadsOptions> = {}): IdleThreads<Task, number> {
  threads = new IdleThreads({
    module: pathToFileURL(join(directory, 'task.mjs')),
    name: 'run',
    threads: 1,
    heap: 32,
    idle: 20_000,
    queue: 10,
    timeout: 20_000,
    service: 'clinical',
    messages: { tooMany: 'too many', tooLong: 'too long', failed: 'failed' },
    ...options,
  });
  return threads;
}

const refusalOf = async (answer: Promise<unknown>) => {
  const { code, message, details } = (await answer.catch((error: unknown) => error)) as Record<
    string,
    unknown
  >;
  return { code, message, ...(details as object) };
};

test('a thread answers one task after another', async () => {
  started();
  expect(await threads.run({})).toBe(1);
  expect(await threads.run({})).toBe(2);
});

test('an idle thread ends, and the next task starts a new one', async () => {
  started({ idle: 50 });
  expect(await threads.run({})).toBe(1);
  await sleep(1000);
  expect(await threads.run({})).toBe(1);
});

test('more tasks than may wait are refused, and the others are answered', async () => {
  started({ queue: 2 });
  const answers = Array.from({ length: 5 }, () => threads.run({ wait: 20 }));
  const settled = await Promise.allSettled(answers);
  const refused = settled.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(settled.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(2);
  expect(await refusalOf(answers.at(-1)!)).toEqual({
    code: 'unavailable',
    message: 'too many',
    retryAfter: 2,
    service: 'clinical',
  });
});

test('a task that takes too long is ended, and the next one is answered', async () => {
  started({ timeout: 2_000 });
  expect(await refusalOf(threads.run({ spin: true }))).toMatchObject({
    code: 'too_large',
    message: 'too long',
  });
  expect(await threads.run({})).toBe(1);
});

test('a task whose caller has left is ended, and the next one is answered', async () => {
  started();
  const caller = new AbortController();
  const answer = threads.run({ spin: true }, caller.signal);
  await threads.run({ wait: 0 }, AbortSignal.abort('left before')).catch((reason: unknown) => {
    expect(reason).toBe('left before');
  });
  caller.abort('left');
  await expect(answer).rejects.toBe('left');
  expect(await threads.run({})).toBe(1);
});

test('a short task whose caller has left keeps its thread', async () => {
  started();
  const caller = new AbortController();
  const answer = threads.run({ wait: 100 }, caller.signal);
  caller.abort();
  expect(await answer).toBe(1);
  expect(await threads.run({})).toBe(2);
});

test('a task that fails says nothing of its error', async () => {
  started();
  expect(await refusalOf(threads.run({ fail: true }))).toMatchObject({ code: 'internal', message: 'failed' });
  expect(await threads.run({})).toBe(1);
});

test('closed threads refuse running and further tasks', async () => {
  started();
  const running = refusalOf(threads.run({ wait: 10_000 }));
  await threads.close();
  expect(await running).toMatchObject({ code: 'unavailable' });
  expect(await refusalOf(threads.run({}))).toMatchObject({ code: 'unavailable' });
});
