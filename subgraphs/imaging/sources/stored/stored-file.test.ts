import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
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
import { setTimeout as delay } from 'node:timers/promises';
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

/** Returns the descriptors with which this process has the file open. */
const open = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    const found = statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false });
    return found?.ino === statSync(path).ino;
  });

test('closes a file only after a running read', async () => {
  const stored = new StoredFile(path, indexed);
  const buffer = Buffer.alloc(size);
  const reading = stored.read(buffer, 0);
  stored.close();
  expect(open()).toHaveLength(1);
  await reading;
  expect(buffer.toString()).toBe('hello');
  expect(open()).toHaveLength(0);
});

test('does not read a closed file, or close another file that has its descriptor', async () => {
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

test('refuses a file that is too short as damaged, and answers 503 when the file system fails', async () => {
  const stored = new StoredFile(path, indexed);
  await expect(stored.read(Buffer.alloc(2), size - 1)).rejects.toBeInstanceOf(DamagedFile);
  stored.close();
  const { size: bytes, mtimeMs } = statSync(scratch);
  const directory = new StoredFile(scratch, { ...indexed, size: bytes, mtime: mtimeMs });
  await expect(directory.read(Buffer.alloc(2), 0)).rejects.toMatchObject({
    code: 'unavailable',
    cause: { code: 'EISDIR' },
  });
  directory.close();
});

test('DW-13 answers 503 when a file is overwritten between opening and reading', async () => {
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

test('ignores an error of closing a file', () => {
  const stored = new StoredFile(path, indexed);
  // Stands for errors of network file systems.
  closeSync(stored.fd);
  expect(() => stored.close()).not.toThrow();
});

test.each([
  ['another size', { ...indexed, size: 4 }, 'has changed'],
  ['another time', { ...indexed, mtime: 1 }, 'has changed'],
  [
    'an error',
    Object.defineProperty({ ...indexed }, 'size', {
      get: () => {
        throw new Error('stale');
      },
    }),
    'stale',
  ],
])('closes a file that is refused for %s', (_, wanted, message) => {
  expect(() => new StoredFile(path, wanted)).toThrow(message);
  expect(open()).toHaveLength(0);
});

test('refuses a pipe in place of a file without waiting', async () => {
  const pipe = join(scratch, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Without a writer, a failing test would wait forever. The writer ends only if there is a reader.
  const writer = spawn('sh', ['-c', 'sleep 3; : > "$0"; : > "$0-written"', pipe]);
  expect(() => new StoredFile(pipe, indexed)).toThrow('has changed');
  await delay(200);
  expect(existsSync(`${pipe}-written`)).toBe(false);
  writer.kill();
});
