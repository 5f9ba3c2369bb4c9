/** Frames with many fragments are found or refused only once (DW-7, DW-12). */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { imageObject, SMALL } from '../../../../gateway/test/setup/image-object.ts';
import { inMemory } from '../../multipart/frame-bytes.ts';
import { testParsing } from '../../test/parsing.ts';
import { InstanceReader } from './instance-reader.ts';
import { FrameTables } from './frame-tables.ts';
import { processorTime } from '../../../../gateway/test/setup/processor-time.ts';

const reader = new InstanceReader(testParsing());
const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';
const directory = mkdtempSync(join(tmpdir(), 'fragments-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Writes a file with fragments of two bytes, which contain their index. */
function fileOf(fragments: number, numberOfFrames: number) {
  const whole = imageObject('1.2.3', JPEG_BASELINE, { ...SMALL, numberOfFrames }, [Buffer.alloc(0)]);
  const items = Buffer.alloc(fragments * 10);
  for (let n = 0; n < fragments; n++) {
    items.writeUInt32LE(0xe000fffe, n * 10);
    items.writeUInt32LE(2, n * 10 + 4);
    items.writeUInt16LE(n & 0xffff, n * 10 + 8);
  }
  const path = join(directory, `${fragments}-${numberOfFrames}.dcm`);
  writeFileSync(path, Buffer.concat([whole.subarray(0, -8), items, whole.subarray(-8)]));
  const { size, mtimeMs: mtime } = statSync(path);
  return { path, size, mtime, sopInstanceUid: '1.2.3.1.1', transferSyntax: JPEG_BASELINE };
}

const first = async (tables: FrameTables, file: ReturnType<typeof fileOf>) => {
  let frames!: Awaited<ReturnType<FrameTables['frames']>>['frames'];
  const took = await processorTime(async () => ({ frames } = await tables.frames(file.path, file, [1])));
  for await (const frame of frames) return { took, frame: await inMemory(frame) };
  throw new Error('There is no frame.');
};

test('joins all 70,000 fragments of a frame', async () => {
  const { frame } = await first(new FrameTables(reader), fileOf(70_000, 1));
  expect(frame).toHaveLength(140_000);
  const numbers = Buffer.from(frame);
  for (const n of [0, 1, 65_535, 65_536, 69_999]) expect(numbers.readUInt16LE(n * 2)).toBe(n & 0xffff);
});

test.each([
  ['a frame of a million fragments', 1_000_000, 1],
  ['a million frames', 1_000_000, 1_000_000],
])('searches %s once', async (_, fragments, frames) => {
  const [tables, file] = [new FrameTables(reader), fileOf(fragments, frames)];
  const { took } = await first(tables, file);
  const again = await first(tables, file);
  expect(again.took).toBeLessThan(Math.max(5, took / 10));
});

test.each([
  ['more than a million fragments', 1_000_001, 1, /more than 1000000 fragments/i],
  ['more than 100,000 fragments without an offset table', 100_001, 2, /more than 100000 fragments/i],
])('refuses %s, the second time at once', async (_, fragments, frames, cause) => {
  const [tables, file] = [new FrameTables(reader), fileOf(fragments, frames)];
  const refusal = () => tables.frames(file.path, file, [1]).catch((error: unknown) => error);
  const refused = await refusal();
  expect(refused).toMatchObject({ code: 'bad_gateway', message: expect.stringMatching(cause) });
  expect(await refusal()).toBe(refused);
});
