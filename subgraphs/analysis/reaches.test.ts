import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import { Reaches } from './reaches.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'reaches-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Reaches that are made one at a time, when they are let. */
function making() {
  const threads = new Semaphore(1);
  const made: string[] = [];
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const reaches = new Reaches(join(root, 'reaches'), () => undefined);
  const take = (key: string, signal?: AbortSignal) =>
    reaches.take(
      key,
      async (file, left) => {
        const done = await threads.acquire(left);
        made.push(key);
        await gate;
        writeFileSync(file, key);
        done();
      },
      signal,
    );
  return { take, made, go, reaches };
}

test('one that waits is dropped when nobody waits for it any more', async () => {
  const { take, made, go } = making();
  const [all, one] = [new AbortController(), new AbortController()];
  const first = take('first');
  await vi.waitUntil(() => made.length === 1);
  const left = [take('left', all.signal), take('left', all.signal)];
  const shared = [take('shared', one.signal), take('shared')];
  all.abort(new Error('left'));
  one.abort(new Error('left'));
  await Promise.all([...left, shared[0]].map((asked) => expect(asked).rejects.toThrow('left')));
  const again = take('left');
  go();
  for (const lease of await Promise.all([first, shared[1]!, again])) {
    expect(existsSync(lease.file)).toBe(true);
    lease.release();
  }
  expect(made).toEqual(['first', 'shared', 'left']);
});

test('one that is being made is made', async () => {
  const { take, made, go, reaches } = making();
  const [leaving, other] = [new AbortController(), new AbortController()];
  const running = take('running', leaving.signal);
  await vi.waitUntil(() => made.length === 1);
  const waiting = take('waiting', other.signal);
  leaving.abort(new Error('left'));
  other.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  await expect(running).rejects.toThrow('left');
  go();
  const { file, release } = await take('running');
  release();
  expect(made).toEqual(['running']);
  reaches.clear();
  await vi.waitUntil(() => !existsSync(file));
});

test('a folder that cannot be made is tried again', async () => {
  writeFileSync(join(root, 'file'), '');
  const reaches = new Reaches(join(root, 'file', 'reaches'), () => undefined);
  const make = async (file: string) => writeFileSync(file, '');
  const refused = { code: 'unavailable', details: { retryAfter: 5 } };
  await expect(reaches.take('one', make)).rejects.toMatchObject(refused);
  await expect(reaches.take('one', make)).rejects.toMatchObject(refused);
  rmSync(join(root, 'file'));
  expect(existsSync((await reaches.take('one', make)).file)).toBe(true);
});
