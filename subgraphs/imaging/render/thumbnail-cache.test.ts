import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ThumbnailCache } from './thumbnail-cache.ts';

let parent: string;
let directory: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'thumbnails-'));
  directory = join(parent, 'kept');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const of = (size: number) => Buffer.alloc(size, 7);

test('DW-9 keeps a thumbnail, also after a restart; no other user can read it', async () => {
  const cache = new ThumbnailCache({ directory });
  expect(await cache.get(['a', 1])).toBeUndefined();
  await cache.put(['a', 1], of(10));
  expect(await cache.get(['a', 1])).toEqual(of(10));
  expect(await cache.get(['a', 2])).toBeUndefined();
  expect(await new ThumbnailCache({ directory }).get(['a', 1])).toEqual(of(10));
  const [name] = await readdir(directory);
  expect((await stat(join(directory, name!))).mode & 0o077).toBe(0);
  expect((await stat(directory)).mode & 0o077).toBe(0);
});

test('DW-9 keeps at most the maximum on disk, and drops the least recently used', async () => {
  const cache = new ThumbnailCache({ directory, maxBytes: 100 });
  for (const name of ['a', 'b', 'c']) await cache.put([name], of(30));
  await cache.get(['a']);
  await cache.put(['d'], of(30));
  expect(await cache.get(['b'])).toBeUndefined();
  expect(await cache.get(['a'])).toEqual(of(30));
  await expect.poll(() => readdir(directory)).toHaveLength(3);
  const restarted = new ThumbnailCache({ directory, maxBytes: 60 });
  await restarted.put(['e'], of(30));
  await expect.poll(() => readdir(directory)).toHaveLength(2);
});

test('DW-9 removes a file that a crash has left half written', async () => {
  await new ThumbnailCache({ directory }).put(['a'], of(10));
  await writeFile(join(directory, `${'0'.repeat(64)}.half`), of(5));
  expect(await new ThumbnailCache({ directory }).get(['a'])).toEqual(of(10));
  expect(await readdir(directory)).toHaveLength(1);
});

test('DW-9 a file that is gone can be stored again', async () => {
  const cache = new ThumbnailCache({ directory });
  await cache.put(['a'], of(10));
  await rm(join(directory, (await readdir(directory))[0]!));
  expect(await cache.get(['a'])).toBeUndefined();
  await cache.put(['a'], of(11));
  expect(await cache.get(['a'])).toEqual(of(11));
});

// A file in place of the directory fails for every user, root included, like a full disk.
test('DW-9 a disk that cannot be written gives one warning, and no error', async () => {
  await writeFile(directory, '');
  const failures: unknown[] = [];
  const cache = new ThumbnailCache({ directory, onFailure: (error) => failures.push(error) });
  await cache.put(['a'], of(10));
  await cache.put(['b'], of(10));
  expect(await cache.get(['a'])).toBeUndefined();
  expect(failures).toHaveLength(1);
  await rm(directory);
  await cache.put(['a'], of(10));
  expect(await cache.get(['a'])).toEqual(of(10));
});
