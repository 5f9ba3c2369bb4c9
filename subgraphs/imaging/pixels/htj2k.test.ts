import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { LONG } from '../../../gateway/test/setup/long.ts';
import { Random } from '../../../gateway/test/setup/random.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { decodeFrame } from './codecs/frame.ts';
import { decodeJpeg2000 } from './codecs/jpeg-2000.ts';
import { canGive } from './plan-transcoding.ts';
import { encoderTakes, encoderTakesColours, transcodePixels } from './transcode-pixels.ts';

const { ExplicitVRLittleEndian: EXPLICIT, JPEG2000Lossless, HTJ2KLossless } = TransferSyntax;
const { HTJ2KLosslessRPCL: RPCL } = TransferSyntax;

/** Of Debian's libopenjp2-tools: the judge of `npm run test:long` where it is installed. Otherwise it is the OpenJPEG of the gateway. */
const OPJ = '/usr/bin/opj_decompress';
const scratch = mkdtempSync(join(tmpdir(), 'htj2k-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Changes = Partial<PixelDescription>;
const described = (columns: number, rows: number, bitsStored: number, changes: Changes = {}) => ({
  rows,
  columns,
  bitsStored,
  highBit: bitsStored - 1,
  bitsAllocated: bitsStored > 8 ? 16 : 8,
  samplesPerPixel: 1,
  pixelRepresentation: 0 as const,
  planarConfiguration: 0 as const,
  photometricInterpretation: 'MONOCHROME2',
  numberOfFrames: 1,
  ...changes,
});
const signed = { pixelRepresentation: 1 } as const;
const colour = (photometricInterpretation: string) => ({ samplesPerPixel: 3, photometricInterpretation });

/** Returns native pixels: waves with noise over the whole range of the stored bits, or only its two ends. */
function native(pixels: PixelDescription, pattern: 'waves' | 'extremes' | 'lowest' = 'waves'): Uint8Array {
  const random = new Random(pixels.rows * pixels.columns);
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, pixelRepresentation } = pixels;
  const most = 2 ** bitsStored - 1;
  const lowest = pixelRepresentation === 1 ? -(2 ** (bitsStored - 1)) : 0;
  const samples = Array.from({ length: rows * columns * samplesPerPixel }, (_, i) => {
    if (pattern !== 'waves') return lowest + (pattern === 'extremes' && random.chance(0.5) ? most : 0);
    return lowest + Math.floor((0.5 + 0.4 * Math.sin(i / 37) + 0.1 * random.next()) * most);
  });
  return bitsAllocated === 8
    ? Uint8Array.from(samples, (value) => value & 0xff)
    : new Uint8Array(Uint16Array.from(samples, (value) => value & 0xffff).buffer);
}

const encode = (pixels: PixelDescription, to: string, encoded = native(pixels)) =>
  transcodePixels({ encoded, transferSyntax: EXPLICIT, pixels, to });

const IMAGES: [name: string, pixels: PixelDescription, colours?: string][] = [
  ['16 bits', described(64, 48, 16)],
  ['16 bits with sign', described(64, 48, 16, signed)],
  ['12 of 16 bits', described(65, 33, 12)],
  ['12 of 16 bits with sign', described(33, 65, 12, signed)],
  ['8 bits', described(129, 67, 8)],
  ['8 bits with sign', described(31, 31, 8, signed)],
  ['6 bits with sign', described(30, 30, 6, signed)],
  ['2 bits', described(17, 5, 2)],
  ['one row', described(200, 1, 16)],
  ['one column', described(1, 200, 16)],
  ['one pixel', described(1, 1, 12)],
  ['many columns', described(900, 70, 10)],
  ['MONOCHROME1', described(40, 30, 12, { photometricInterpretation: 'MONOCHROME1' }), 'MONOCHROME1'],
  [
    'indexes of a palette',
    described(50, 41, 8, { photometricInterpretation: 'PALETTE COLOR' }),
    'PALETTE COLOR',
  ],
  ['RGB', described(63, 41, 8, colour('RGB')), 'YBR_RCT'],
  ['RGB by plane', described(20, 21, 8, { ...colour('RGB'), planarConfiguration: 1 }), 'YBR_RCT'],
];

const PATTERNS = ['waves', 'extremes', 'lowest'] as const;
const ROWS = IMAGES.flatMap(([name, pixels, colours]) =>
  PATTERNS.map((pattern) => ({ name, pixels, colours, pattern })),
);

/** Returns the samples by Debian's decoder, which gives words by plane. */
function decodedByOpj(stream: Uint8Array, { bitsStored, samplesPerPixel }: PixelDescription): number[] {
  const [encoded, raw] = [join(scratch, 'frame.j2k'), join(scratch, 'frame.rawl')];
  writeFileSync(encoded, stream);
  execFileSync(OPJ, ['-i', encoded, '-o', raw], { stdio: 'pipe' });
  const bytes = readFileSync(raw);
  const words = bitsStored > 8 ? new Uint16Array(new Uint8Array(bytes).buffer) : bytes;
  const plane = words.length / samplesPerPixel;
  return Array.from(words, (_, i) => words[(i % samplesPerPixel) * plane + Math.floor(i / samplesPerPixel)]!);
}

describe.each([JPEG2000Lossless, HTJ2KLossless, RPCL])(
  'DW-5, DW-25 %s, made here, has the same samples',
  (to) => {
    test.each(ROWS)('$name, $pattern', async ({ pixels, colours = 'MONOCHROME2', pattern }) => {
      const encoded = native(pixels, pattern);
      const { bytes, photometricInterpretation } = await encode(pixels, to, encoded.slice());
      expect(photometricInterpretation).toBe(colours);
      const stored = { ...pixels, photometricInterpretation };
      const { samples } = await decodeFrame(encoded.slice(), EXPLICIT, pixels);
      expect((await decodeFrame(bytes, to, stored)).samples).toEqual(samples);
      // OpenJPEG is another decoder of these blocks. It gives the numbers without sign.
      const mask = 2 ** pixels.bitsStored - 1;
      const wanted = Array.from(samples as Uint16Array, (value) => value & mask);
      const judged = async () => Array.from((await decodeJpeg2000(bytes, stored)).data as Uint16Array);
      const found = LONG && existsSync(OPJ) ? decodedByOpj(bytes, pixels) : await judged();
      expect(found.map((value) => value & mask)).toEqual(wanted);
      expect(canGive(EXPLICIT, to)).toBe(true);
    });

    test.each([
      ['RGB of 16 bits', described(6, 4, 16, colour('RGB'))],
      ['four components', described(6, 4, 8, { ...colour('ARGB'), samplesPerPixel: 4 })],
      ['YBR_FULL', described(6, 4, 8, colour('YBR_FULL'))],
      ['one bit', { ...described(6, 4, 1), bitsAllocated: 1 }],
      ['32 bits', { ...described(6, 4, 32), bitsAllocated: 32 }],
    ])('%s is refused, because the encoder would change it', (_, pixels) => {
      const taken = encoderTakes(pixels, to) && encoderTakesColours(pixels.photometricInterpretation, to);
      expect(taken).toBe(false);
    });
  },
);

describe('HTJ2K of others', () => {
  /** Made by `ojph_compress -reversible true -colour_trans false` of OpenJPH 0.21 from 3 × 2 pixels: 1 to 18, times 3000. */
  const FOREIGN =
    '/0//UQAvQAAAAAADAAAAAgAAAAAAAAAAAAAAAwAAAAIAAAAAAAAAAAADDwEBDwEBDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCIkJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yMS4yLv+QAAoAAAAAAHQAAf+TwAAmx/gEB3QAwAAmV+EEB3QAwAAm5/kDB3QAAAAAAAAAAAAAwAATAJ6MBQd0AMAAEwCejAUHdADAABMAnowFB3QAoAAVAO7S7tIBQjQAoAAVAO7S7tIBQjQAoAAVAO7S7tIBQjQA/9k=';

  test('DW-7 colours without a transform, and of 16 bits, decode exactly', async () => {
    const pixels = described(3, 2, 16, colour('RGB'));
    const { samples } = await decodeFrame(Buffer.from(FOREIGN, 'base64'), HTJ2KLossless, pixels);
    expect([...samples]).toEqual(Array.from({ length: 18 }, (_, i) => (i + 1) * 3000));
  });
});

/** Reads the main header and the tile-parts of a codestream (ISO 15444-1 Annex A). */
function structure(stream: Uint8Array) {
  const bytes = Buffer.from(stream);
  const parts: { start: number; length: number }[] = [];
  let lengths: number[] = [];
  let cod = { progression: -1, levels: -1, colourTransform: false };
  for (let at = 2, length = 0; bytes.readUInt16BE(at) !== 0xffd9; at += length) {
    const marker = bytes.readUInt16BE(at);
    length = bytes.readUInt16BE(at + 2) + 2;
    if (marker === 0xff52)
      cod = { progression: bytes[at + 5]!, levels: bytes[at + 9]!, colourTransform: bytes[at + 8] === 1 };
    // TLM, A.7.1: 16 bits of a tile's number and 32 of a length, from its sixth byte.
    if (marker === 0xff55) {
      expect(bytes[at + 5]).toBe(0x60);
      lengths = Array.from({ length: (length - 6) / 6 }, (_, n) => bytes.readUInt32BE(at + 8 + 6 * n));
    }
    if (marker !== 0xff90) continue;
    length = bytes.readUInt32BE(at + 6);
    parts.push({ start: at, length });
  }
  return { ...cod, lengths, parts };
}

describe('DW-25 HTJ2K RPCL as PS3.5 §10.18 wants it', () => {
  test.each([
    ['512 × 512', described(512, 512, 16, signed), 5],
    ['a large image', described(2200, 2100, 8), 6],
    ['a wide one', described(5000, 20, 8), 4],
    ['a small one', described(16, 9, 8), 3],
    ['colours', described(300, 200, 8, colour('RGB')), 5],
  ])('%s: order, TLM with a tile-part for each resolution, enough levels', async (_, pixels, levels) => {
    const { bytes } = await encode(pixels, RPCL);
    const found = structure(bytes);
    expect([found.progression, found.levels]).toEqual([2, levels]);
    expect(Math.min(pixels.rows, pixels.columns) / 2 ** levels).toBeLessThanOrEqual(64);
    expect(found.parts).toHaveLength(levels + 1);
    expect(found.lengths).toEqual(found.parts.map(({ length }) => length));
    expect(found.colourTransform).toBe(pixels.samplesPerPixel === 3);
  });

  test('a part of the bytes, by TLM, is the whole picture in a lower resolution', async () => {
    interface Decoder {
      getEncodedBuffer(length: number): Uint8Array;
      decodeSubResolution(level: number): void;
      getDecodedBuffer(): Uint8Array;
    }
    const openjph = createRequire(import.meta.url)('@cornerstonejs/codec-openjph/wasmjs') as () => Promise<{
      HTJ2KDecoder: new () => Decoder;
    }>;
    const { HTJ2KDecoder } = await openjph();
    const { bytes } = await encode(described(512, 512, 16), RPCL);
    const { parts } = structure(bytes);
    const decoded = (stream: Uint8Array) => {
      const decoder = new HTJ2KDecoder();
      decoder.getEncodedBuffer(stream.length).set(stream);
      decoder.decodeSubResolution(2);
      return Buffer.from(decoder.getDecodedBuffer());
    };
    const { start, length } = parts[3]!;
    const first = decoded(bytes.slice(0, start + length));
    expect(first).toHaveLength(2 * 128 * 128);
    expect(first.equals(decoded(bytes))).toBe(true);
    expect(start + length).toBeLessThan(bytes.length / 8);
  });
});
