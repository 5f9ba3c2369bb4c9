import { EventEmitter } from 'node:events';
import { spawn } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { refusal, startAsking, type Asking } from '../test/reach.ts';
import { SENTENCES } from './finding.ts';

/** A system that cannot start a process for a query. */

vi.mock('node:child_process', async (load) => {
  const all = await load<typeof import('node:child_process')>();
  return { ...all, spawn: vi.fn(all.spawn) };
});

let asking: Asking;
afterEach(() => asking.close());

const UNSTARTED = { code: 'unavailable', status: 503, message: SENTENCES.start };

/** A process as Node gives it without files left: no pipes, and an error that comes later. */
function unstarted(): ReturnType<typeof spawn> {
  const child = Object.assign(new EventEmitter(), { stdio: undefined, kill: () => false });
  process.nextTick(() => child.emit('error', Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' })));
  return child as unknown as ReturnType<typeof spawn>;
}

test.each<[what: string, fails: () => void, mends: () => void]>([
  [
    'no room for its folder',
    () => renameSync(asking.folder, `${asking.folder}-away`),
    () => renameSync(`${asking.folder}-away`, asking.folder),
  ],
  ['no files left', () => vi.mocked(spawn).mockImplementation(unstarted), () => vi.mocked(spawn).mockReset()],
  [
    'an error of the system',
    () =>
      vi.mocked(spawn).mockImplementation(() => {
        throw new Error('spawn ENOMEM');
      }),
    () => vi.mocked(spawn).mockReset(),
  ],
])('%s: 503, and no turn is lost', async (_what, fails, mends) => {
  asking = await startAsking();
  fails();
  for (let time = 0; time < 5; time++) expect(await refusal(asking.ask('SELECT 1'))).toEqual(UNSTARTED);
  mends();
  expect(readdirSync(asking.folder)).toEqual(['reach.duckdb']);
  expect(await asking.read('SELECT 1 AS x')).toBe('{"x":1}\n');
});

test('an error that comes later is 503 too', async () => {
  asking = await startAsking();
  vi.mocked(spawn).mockImplementationOnce((...args) => {
    const child = spawn(...args);
    process.nextTick(() => child.emit('error', new Error('spawn EAGAIN')));
    return child;
  });
  expect(await refusal(asking.ask('SELECT 1'))).toEqual(UNSTARTED);
  expect(await asking.read('SELECT 1 AS x')).toBe('{"x":1}\n');
});
