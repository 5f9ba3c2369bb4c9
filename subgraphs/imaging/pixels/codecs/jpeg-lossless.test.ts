/** Lossless JPEG, compared with DCMTK and with streams that the test writes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { fileFrames } from '../test/file-frames.ts';
import { decodeFrame } from './frame.ts';
import { readFrameHeader } from './jpeg-header.ts';
import { decodeLossless } from './jpeg-lossless.ts';

describeWithSharedData('files that DCMTK compresses', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'lossless-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  async function firstFrame(path: string) {
    const { frames, transferSyntax, pixels } = (await fileFrames(path))!;
    return (await decodeFrame(frames[0]!, transferSyntax, pixels)).samples;
  }

  const PREDICTORS = [1, 2, 3, 4, 5, 6, 7];
  test.each(
    ['ct-head-ge/01.dcm', 'us-still/color-pl.dcm'].flatMap((file) =>
      PREDICTORS.flatMap((predictor) => [0, 1].map((shift) => [file, predictor, shift] as const)),
    ),
  )('%s with predictor %i and point transform %i', async (file, predictor, shift) => {
    const [compressed, plain] = [join(scratch, 'compressed.dcm'), join(scratch, 'plain.dcm')];
    const options = ['+el', '+sv', String(predictor), '+pt', String(shift)];
    execFileSync('dcmcjpeg', [...options, sharedDataPath('dicom', file), compressed], { stdio: 'ignore' });
    execFileSync('dcmdjpeg', [compressed, plain]);
    const [ours, theirs] = [await firstFrame(compressed), await firstFrame(plain)];
    expect(
      Buffer.from(ours.buffer, ours.byteOffset, ours.byteLength).equals(
        Buffer.from(theirs.buffer, theirs.byteOffset, theirs.byteLength),
      ),
    ).toBe(true);
  });
});

describe('a stream', () => {
  /** The code `0` is no difference; `10` and a bit is a difference of one. */
  const [SAME, MORE, LESS] = ['0', '101', '100'];
  const segment = (marker: number, ...body: number[]) =>
    Buffer.from([0xff, marker, 0, body.length + 2, ...body]);
  const TABLE = segment(0xc4, 0, 1, 1, ...Array<number>(14).fill(0), 0, 1);
  const frame = (rows: number, columns: number, components: number) =>
    segment(
      0xc3,
      8,
      0,
      rows,
      0,
      columns,
      components,
      ...Array.from({ length: components }, (_, i) => [i + 1, 0x11, 0]).flat(),
    );
  const scan = (...components: number[]) =>
    segment(0xda, components.length, ...components.flatMap((id) => [id, 0]), 1, 0, 0);
  /** Fills the last byte with ones, and puts 00 after FF. */
  const coded = (...codes: string[]) => {
    const bits = codes.join('');
    const bytes = (bits.padEnd(Math.ceil(bits.length / 8) * 8, '1').match(/.{8}/g) ?? []).map((one) =>
      parseInt(one, 2),
    );
    return Buffer.from(bytes.flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte])));
  };
  const [START, END] = [Buffer.from([0xff, 0xd8]), Buffer.from([0xff, 0xd9])];
  const decoded = (...parts: Buffer[]) => {
    const stream = new Uint8Array(Buffer.concat([START, ...parts]));
    return [...decodeLossless(stream, readFrameHeader(stream))];
  };

  test('with restart markers begins each time anew', () => {
    const rows = [coded(SAME, MORE), Buffer.from([0xff, 0xd0]), coded(LESS, LESS)];
    expect(decoded(TABLE, frame(2, 2, 1), segment(0xdd, 0, 2), scan(1), ...rows, END)).toEqual([
      128, 129, 127, 126,
    ]);
  });

  test('with a scan for each component has its colours by pixel', () => {
    const parts = [scan(1), coded(SAME, MORE), scan(2), coded(LESS, LESS)];
    expect(decoded(TABLE, frame(1, 2, 2), ...parts, END)).toEqual([128, 127, 129, 126]);
  });

  test.each<[string, Buffer[]]>([
    ['is cut', [TABLE, frame(9, 9, 1), scan(1), coded(SAME, MORE)]],
    ['has no scan', [TABLE, frame(2, 2, 1), END]],
    ['has no table', [frame(2, 2, 1), scan(1), coded(SAME), END]],
    ['has a code that is none', [TABLE, frame(2, 2, 1), scan(1), coded('1111111111'), END]],
    ['has a component twice', [TABLE, frame(1, 1, 2), scan(1), coded(SAME), scan(1), coded(SAME), END]],
    ['names another component', [TABLE, frame(1, 1, 1), scan(7), coded(SAME), END]],
    [
      'lacks a restart marker',
      [TABLE, frame(2, 2, 1), segment(0xdd, 0, 2), scan(1), coded(SAME, SAME, SAME, SAME), END],
    ],
    ['restarts within a row', [TABLE, frame(2, 2, 1), segment(0xdd, 0, 1), scan(1), coded(SAME), END]],
    ['lacks a component', [TABLE, frame(1, 1, 2), scan(1), coded(SAME), END]],
  ])('that %s is damaged', (_what, parts) => {
    expect(() => decoded(...parts)).toThrow(/JPEG|Huffman/);
  });
});
