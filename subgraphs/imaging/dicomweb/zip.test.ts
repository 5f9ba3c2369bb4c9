import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import { writeZip, type ZipEntry } from './zip-writer.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zip-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Reads a zip with Python, which checks every offset and checksum. */
async function read(body: Readable): Promise<{ names: number; last: string; bad: string | null }> {
  const file = join(directory, 'a.zip');
  await pipeline(body, createWriteStream(file));
  const script =
    'import sys,json,zipfile; z=zipfile.ZipFile(sys.argv[1]); n=z.namelist(); ' +
    'print(json.dumps({"names": len(set(n)), "last": n[-1] if n else "", "bad": z.testzip()}))';
  const { stdout } = await promisify(execFile)('python3', ['-c', script, file]);
  return JSON.parse(stdout) as never;
}

const entry = (name: string, content: string | Buffer): ZipEntry => ({
  name,
  body: Readable.from([Buffer.from(content)]),
});

testEach([0, 1, 65_535, 65_536], (count) => count < 65_535)(
  'DW-5 writes a zip of %i entries',
  async (count) => {
    const entries = (async function* () {
      for (let i = 0; i < count; i++) yield entry(`${i}.dcm`, 'x');
    })();
    const last = count === 0 ? '' : `${count - 1}.dcm`;
    expect(await read(writeZip(entries))).toEqual({ names: count, last, bad: null });
  },
);

it('DW-5 a zip beyond 4 GiB has the offset of its last entry in 64 bits', async () => {
  const block = Buffer.alloc(64 * 1024 * 1024, 7);
  const each = 1024 * 1024 * 1024;
  const entries = (async function* () {
    for (let i = 0; i < 4; i++)
      yield { name: `${i}.dcm`, body: Readable.from(Array(each / block.length).fill(block)) };
    yield entry('last.dcm', 'the last');
  })();
  let size = 0;
  let tail = Buffer.alloc(0);
  for await (const chunk of writeZip(entries) as AsyncIterable<Buffer>) {
    size += chunk.length;
    tail = chunk.length > 4096 ? Buffer.alloc(0) : Buffer.concat([tail, chunk]).subarray(-4096);
  }
  const start = size - tail.length;
  const end = tail.subarray(-22);
  expect([end.readUInt32LE(0), end.readUInt32LE(16)]).toEqual([0x06054b50, 0xffff_ffff]);
  const locator = tail.subarray(-42, -22);
  expect(locator.readUInt32LE(0)).toBe(0x07064b50);
  const record = tail.subarray(Number(locator.readBigUInt64LE(8)) - start);
  expect([record.readUInt32LE(0), record.readBigUInt64LE(32)]).toEqual([0x06064b50, 5n]);
  const directoryAt = Number(record.readBigUInt64LE(48)) - start;
  // The last entry of the directory: its offset is in the extra field of ZIP64.
  const extra = tail.subarray(directoryAt + Number(record.readBigUInt64LE(40)) - 12);
  expect([extra.readUInt16LE(0), extra.readUInt16LE(2)]).toEqual([1, 8]);
  const local = tail.subarray(Number(extra.readBigUInt64LE(4)) - start);
  expect(local.readUInt32LE(0)).toBe(0x04034b50);
  expect(local.subarray(30, 38).toString()).toBe('last.dcm');
  expect(local.subarray(38, 46).toString()).toBe('the last');
}, 30_000);

it('DW-13 an entry that fails makes the zip fail', async () => {
  const entries = (async function* () {
    yield entry('1.dcm', 'x');
    yield {
      name: '2.dcm',
      body: new Readable({
        read() {
          this.push('half');
          this.destroy(new Error('cut'));
        },
      }),
    };
  })();
  await expect(read(writeZip(entries))).rejects.toThrow('cut');
});
