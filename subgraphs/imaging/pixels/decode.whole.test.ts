import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { decodeFrame } from './codecs/frame.ts';
import type { DecodedFrame } from './codecs/decoded-frame.ts';
import { decodeJpeg2000 } from './codecs/jpeg-2000.ts';
import { fileFrames, fingerprints } from './test/file-frames.ts';

/** Another decoder for files of a transfer syntax, and the permitted mean and largest difference to it. */
interface Judge {
  command: readonly string[];
  mean?: number;
  largest?: number;
}

const DCMDJPEG = ['dcmdjpeg'];
// Two libjpegs round differently, by one grey level here and there.
const lossy = { command: DCMDJPEG, mean: 0.05, largest: 1 };

const JUDGES: Record<string, Judge> = {
  '1.2.840.10008.1.2.4.50': lossy,
  '1.2.840.10008.1.2.4.51': lossy,
  '1.2.840.10008.1.2.4.55': lossy,
  '1.2.840.10008.1.2.4.57': { command: DCMDJPEG },
  '1.2.840.10008.1.2.4.70': { command: DCMDJPEG },
  '1.2.840.10008.1.2.4.80': { command: ['dcmdjpls'] },
  '1.2.840.10008.1.2.4.90': { command: ['gdcmconv', '--raw'] },
  '1.2.840.10008.1.2.5': { command: ['dcmdrle'] },
  '1.2.840.10008.1.2': { command: ['dcmconv', '+te'] },
  '1.2.840.10008.1.2.2': { command: ['dcmconv', '+te'] },
  '1.2.840.10008.1.2.1.99': { command: ['dcmconv', '+te'] },
};

/**
 * Files with the same segmentation in another transfer syntax: neither DCMTK nor GDCM of Debian reads single bits in
 * RLE, or deflated frames.
 */
const TWINS: Record<string, string> = {
  'seg/liver_deflate.dcm': 'seg/liver_j2k.dcm',
  'seg/liver_rle.dcm': 'seg/liver_j2k.dcm',
  'seg/liver_nonbyte_aligned_deflate.dcm': 'seg/liver_nonbyte_aligned.dcm',
  'seg/liver_nonbyte_aligned_rle.dcm': 'seg/liver_nonbyte_aligned.dcm',
};

/**
 * HTJ2K is compared with the JPEG 2000 decoder: OpenJPEG reads HTJ2K blocks since 2.5, while the gateway uses OpenJPH.
 */
const HTJ2K = /^1\.2\.840\.10008\.1\.2\.4\.20[123]$/;

async function decodedFile(path: string): Promise<DecodedFrame[]> {
  const file = await fileFrames(path);
  const frames: DecodedFrame[] = [];
  for (const frame of file!.frames) frames.push(await decodeFrame(frame, file!.transferSyntax, file!.pixels));
  return frames;
}

function differences(ours: DecodedFrame[], theirs: DecodedFrame[]): { mean: number; largest: number } {
  let [sum, count, largest] = [0, 0, 0];
  expect(theirs.map(({ samples }) => samples.length)).toEqual(ours.map(({ samples }) => samples.length));
  ours.forEach(({ samples }, n) =>
    samples.forEach((sample: number, i: number) => {
      const difference = Math.abs(sample - theirs[n]!.samples[i]!);
      if (difference > largest) largest = difference;
      sum += difference;
      count++;
    }),
  );
  return { mean: sum / count, largest };
}

describeWithSharedData('images of the shared data', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'decode-'));
  afterAll(() => rmSync(scratch, { recursive: true }));
  const files = sharedDicomFiles().filter(({ rows, file }) => rows && !file.includes('chrKoreanMulti'));
  const compared = files.filter(({ transferSyntax }) => transferSyntax !== '1.2.840.10008.1.2.1');
  // A few images of a large series in one transfer syntax. The others are only decoded, below.
  const judged = compared.filter(({ file }, i) => !file.startsWith('mr-t1-forrest/') || i % 12 === 0);

  test.each(judged.map(({ file, transferSyntax }) => [file, transferSyntax] as const))(
    '%s (%s) decodes as with another decoder',
    async (file, transferSyntax) => {
      const path = sharedDataPath('dicom', file);
      const ours = await decodedFile(path);
      const twin = TWINS[file];
      if (twin) {
        expect(fingerprints(ours)).toEqual(fingerprints(await decodedFile(sharedDataPath('dicom', twin))));
      } else if (HTJ2K.test(transferSyntax)) {
        const { frames, pixels } = (await fileFrames(path))!;
        const { data } = await decodeJpeg2000(frames[0]!, pixels);
        const other = { ...ours[0]!, samples: data };
        const reversible = transferSyntax.endsWith('201');
        const found = differences(ours, [other]);
        expect(found.mean).toBeLessThanOrEqual(reversible ? 0 : 0.01);
        expect(found.largest).toBeLessThanOrEqual(reversible ? 0 : 1);
      } else {
        const { command, mean = 0, largest = 0 } = JUDGES[transferSyntax]!;
        const raw = join(scratch, 'raw.dcm');
        execFileSync(command[0]!, [...command.slice(1), path, raw], { stdio: 'pipe' });
        const theirs = await decodedFile(raw);
        expect(ours[0]!.photometricInterpretation).toBe(theirs[0]!.photometricInterpretation);
        const found = differences(ours, theirs);
        expect(found.mean).toBeLessThanOrEqual(mean);
        expect(found.largest).toBeLessThanOrEqual(largest);
      }
    },
    60_000,
  );

  test('without another decoder decode to the described number of samples', async () => {
    for (const { file } of files.filter((file) => !judged.includes(file))) {
      const { frames, transferSyntax, pixels } = (await fileFrames(sharedDataPath('dicom', file)))!;
      for (const frame of frames) {
        const { samples } = await decodeFrame(frame, transferSyntax, pixels);
        expect(samples).toHaveLength(pixels.rows * pixels.columns * pixels.samplesPerPixel);
      }
    }
  }, 60_000);
});

const ONE = { rows: 1, planarConfiguration: 0, numberOfFrames: 1 } as const;
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG = '1.2.840.10008.1.2.2';
const RLE = '1.2.840.10008.1.2.5';
const grey = (
  columns: number,
  bitsAllocated: number,
  bitsStored: number,
  sign: 0 | 1,
  highBit = bitsStored - 1,
) => ({
  ...ONE,
  columns,
  samplesPerPixel: 1,
  bitsAllocated,
  bitsStored,
  highBit,
  pixelRepresentation: sign,
  photometricInterpretation: 'MONOCHROME2',
});
const colour = (columns: number, photometricInterpretation: string, planarConfiguration: 0 | 1 = 0) => ({
  ...grey(columns, 8, 8, 0),
  samplesPerPixel: 3,
  photometricInterpretation,
  planarConfiguration,
});

describe('native and RLE frames calculated by hand', () => {
  test.each([
    ['8 bits', EXPLICIT, grey(2, 8, 8, 0), '01ff', new Uint8Array([1, 255])],
    ['8 bits with sign', EXPLICIT, grey(2, 8, 8, 1), '01ff', new Int8Array([1, -1])],
    ['12 of 16 bits with sign', EXPLICIT, grey(2, 16, 12, 1), 'ff070008', new Int16Array([2047, -2048])],
    ['bits beside the stored ones', EXPLICIT, grey(2, 16, 12, 0), '01f0ffff', new Uint16Array([1, 4095])],
    ['stored bits at the high end', EXPLICIT, grey(2, 16, 12, 1, 15), '1f00f0ff', new Int16Array([1, -1])],
    ['32 bits', EXPLICIT, grey(1, 32, 32, 0), 'feffffff', new Uint32Array([0xfffffffe])],
    ['big endian', BIG, grey(2, 16, 16, 1), '0001fffe', new Int16Array([1, -2])],
    [
      'single bits, lowest first',
      EXPLICIT,
      grey(10, 1, 1, 0),
      '0502',
      new Uint8Array([1, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
    ],
    ['colour by plane', EXPLICIT, colour(2, 'RGB', 1), '010203040506', new Uint8Array([1, 3, 5, 2, 4, 6])],
    [
      'two pixels with shared chroma',
      EXPLICIT,
      colour(2, 'YBR_FULL_422'),
      '01020304',
      new Uint8Array([1, 3, 4, 2, 3, 4]),
    ],
    [
      'floats',
      EXPLICIT,
      { ...grey(1, 32, 32, 0), floating: 'float' as const },
      '0000c03f',
      new Float32Array([1.5]),
    ],
    [
      'RLE with a literal and a replicate run',
      RLE,
      grey(5, 8, 8, 0),
      rle('01 0102 fe 07'),
      new Uint8Array([1, 2, 7, 7, 7]),
    ],
    [
      'RLE with bytes of words, highest first',
      RLE,
      grey(2, 16, 16, 1),
      rle('ff ff', '01 fe01'),
      new Int16Array([-2, -255]),
    ],
    [
      'RLE with colours by plane',
      RLE,
      colour(2, 'RGB'),
      rle('ff 01', 'ff 02', '01 0304'),
      new Uint8Array([1, 2, 3, 1, 2, 4]),
    ],
  ])('%s', async (_, transferSyntax, pixels, hex, samples) => {
    const frame = await decodeFrame(Buffer.from(hex, 'hex'), transferSyntax, pixels);
    expect(frame.samples).toEqual(samples);
    expect(frame.photometricInterpretation).not.toContain('422');
  });
});

/** Returns an RLE frame of segments, PS3.5 §G.5. */
function rle(...segments: string[]): string {
  const bodies = segments.map((segment) => Buffer.from(segment.replaceAll(' ', ''), 'hex'));
  const header = Buffer.alloc(64);
  header.writeUInt32LE(bodies.length);
  bodies.reduce((offset, body, i) => {
    header.writeUInt32LE(offset, 4 + 4 * i);
    return offset + body.length;
  }, 64);
  return Buffer.concat([header, ...bodies]).toString('hex');
}
