import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ParsingThreads } from '../../threads/parsing-threads.ts';
import { Holding, RetrievalCache } from './cache.ts';
import { Refusals } from './refusals.ts';
import { Retrieval } from './shared-retrieval.ts';
import type { SpooledInstance } from './spool.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'retrieval-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const patient = { id: 'OWN', issuer: '' };
async function arrived(path: string, sopInstanceUid: string, size: number): Promise<SpooledInstance> {
  await writeFile(path, Buffer.alloc(size));
  return {
    path,
    size,
    mtime: (await stat(path)).mtimeMs,
    transferSyntax: '1.2.840.10008.1.2.1',
    sopInstanceUid,
    studyUid: '1.2',
    seriesUid: '1.2.1',
    patient,
    seriesNumber: 1,
    instanceNumber: 1,
  };
}

test('DW-16 keeps other retrievals when an object arrives while its retrieval is aborted', async () => {
  const threads = new ParsingThreads();
  const cache = new RetrievalCache(directory, 1500);
  const holding = await cache.begin();
  holding.instances.push(await arrived(join(holding.directory, '1.dcm'), '1.2.1.1', 1000));
  await cache.keep('other', { holding, count: 1, identity: '' });
  const instances = new Map([['1.2.1.1', '']]);
  const plan = { patient, instances, count: 1, identity: '', study: undefined };
  for (let n = 0; n < 20; n++) {
    let fail = (): void => undefined;
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const retrieval = new Retrieval('key', { studyUid: '1.2' }, cache, {
      plan: () => Promise.resolve(plan),
      fetch: () =>
        new Promise((_, reject) => {
          fail = () => reject(new Error('given up'));
          begun();
        }),
      incoming: { directory: cache.incoming, threads },
      refusals: new Refusals({ warn: () => undefined }),
    });
    await hasBegun;
    const instance = await arrived(join(cache.incoming, `${n}.part`), '1.2.1.1', 100);
    const taking = retrieval.take(instance).catch(() => false);
    fail();
    await expect(retrieval.done).rejects.toThrow('given up');
    await taking;
  }
  expect(cache.get('other')?.count).toBe(1);
  await threads.close();
});

test('does not end the process when a directory cannot be deleted', async () => {
  const file = join(directory, 'file');
  await writeFile(file, '');
  const failed: unknown[] = [];
  const note = (reason: unknown): void => void failed.push(reason);
  process.on('unhandledRejection', note);
  new Holding(join(file, 'below')).discard();
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.off('unhandledRejection', note);
  expect(failed).toEqual([]);
});
