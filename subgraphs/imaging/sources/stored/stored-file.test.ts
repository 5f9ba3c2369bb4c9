import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { IndexedInstance } from '../folder/search.ts';
import { StoredFile, streamRange } from './stored-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'stored-file-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const path = join(scratch, 'file');
writeFileSync(path, 'hello');
const { size, mtimeMs: mtime } = statSync(path);
const indexed = { path, size, mtime } as IndexedInstance;

/** Open files of this process that are the file. */
const open = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    const found = statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false });
    return found?.ino === statSync(path).ino;
  });

test('a file that is closed while it is read is closed once the bytes are there', async () => {
  const stored = new StoredFile(path, indexed);
  const buffer = Buffer.alloc(size);
  const reading = stored.read(buffer, 0);
  stored.close();
  expect(open()).toHaveLength(1);
  await reading;
  expect(buffer.toString()).toBe('hello');
  expect(open()).toHaveLength(0);
});

test('a file that was closed is neither read nor asked about, nor is another closed that has its number by now', async () => {
  const stored = new StoredFile(path, indexed);
  stored.close();
  stored.close();
  const other = openSync(path, 'r');
  expect(other).toBe(stored.fd);
  await expect(stored.read(Buffer.alloc(size), 0)).rejects.toThrow('closed');
  expect(() => stored.throwIfChanged()).toThrow('closed');
  expect(fstatSync(other).size).toBe(size);
  closeSync(other);
});

test('a file that ends before what is wanted of it is damaged; where the file system fails it is 503', async () => {
  const stored = new StoredFile(path, indexed);
  await expect(stored.read(Buffer.alloc(2), size - 1)).rejects.toBeInstanceOf(DamagedFile);
  stored.close();
  const { size: bytes, mtimeMs } = statSync(scratch);
  const directory = new StoredFile(scratch, { ...indexed, size: bytes, mtime: mtimeMs });
  await expect(directory.read(Buffer.alloc(2), 0)).rejects.toMatchObject({
    ...{ code: 'unavailable', cause: { code: 'EISDIR' } },
  });
  directory.close();
});

test('DW-13 a file that is overwritten between opening and reading is 503 where nothing was given of it yet', async () => {
  const other = join(scratch, 'overwritten');
  writeFileSync(other, 'hello');
  const { mtimeMs } = statSync(other);
  const stored = new StoredFile(other, { ...indexed, mtime: mtimeMs });
  utimesSync(other, 1, 1);
  await expect(streamRange(stored, 0, size - 1).toArray()).rejects.toMatchObject({
    code: 'unavailable',
    details: { retryAfter: 2 },
  });
});

test('what a file system says of closing a file that was only read is no failure of reading', () => {
  const stored = new StoredFile(path, indexed);
  // Network file systems have errors of their own; this is one that any has.
  closeSync(stored.fd);
  expect(() => stored.close()).not.toThrow();
});

test.each([
  ['another size', { ...indexed, size: 4 }, 'has changed'],
  ['another time', { ...indexed, mtime: 1 }, 'has changed'],
  [
    'no answer',
    Object.defineProperty({ ...indexed }, 'size', {
      get: () => {
        throw new Error('stale');
      },
    }),
    'stale',
  ],
])('a file that is refused for %s is not left open', (_, wanted, message) => {
  expect(() => new StoredFile(path, wanted)).toThrow(message);
  expect(open()).toHaveLength(0);
});

test('a pipe in the place of a file holds nothing up', () => {
  const pipe = join(scratch, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Without it, opening would wait for ever, and everything else with it.
  const writer = spawn('sh', ['-c', 'sleep 3; : > "$0"', pipe]);
  const start = Date.now();
  expect(() => new StoredFile(pipe, indexed)).toThrow('has changed');
  expect(Date.now() - start).toBeLessThan(2000);
  writer.kill();
});
