import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { decodeFrame } from './codecs/frame.ts';
import type { DecodedFrame } from './codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { nativeBytes, transcodePixels } from './transcode-pixels.ts';
import { fileFrames } from './test/file-frames.ts';

const { ExplicitVRLittleEndian: EXPLICIT, JPEGLSLossless, JPEG2000Lossless } = TransferSyntax;
const { HTJ2KLossless, HTJ2KLosslessRPCL } = TransferSyntax;
const RLE = TransferSyntax.RLELossless;

function pixels(changes: Partial<PixelDescription>): PixelDescription {
  return {
    rows: 4,
    columns: 4,
    samplesPerPixel: 3,
    bitsAllocated: 8,
    bitsStored: 8,
    highBit: 7,
    pixelRepresentation: 0,
    planarConfiguration: 0,
    photometricInterpretation: 'RGB',
    numberOfFrames: 1,
    ...changes,
  };
}

/** Returns a stored frame of one value for each colour, or of alternating columns, in a transfer syntax. */
async function stored(
  described: PixelDescription,
  form: string,
  ...columns: number[][]
): Promise<Uint8Array> {
  const samples = Array.from({ length: 16 }, (_, i) => columns[i % columns.length]!).flat();
  const frame: DecodedFrame = { ...described, signed: false, samples: Uint8Array.from(samples) };
  const encoded = nativeBytes(frame.samples, described.bitsAllocated);
  if (form !== RLE) {
    const native = { ...described, photometricInterpretation: 'RGB', planarConfiguration: 0 as const };
    const task = { encoded, transferSyntax: EXPLICIT, pixels: native, to: form };
    return (await transcodePixels(task)).bytes;
  }
  // Literal runs of one byte, PS3.5 Annex G.
  const header = Buffer.alloc(64);
  const segments = [0, 1, 2].map((colour) =>
    Buffer.concat(Array.from({ length: 16 }, (_, i) => Uint8Array.of(0, samples[3 * i + colour]!))),
  );
  [3, 64, 96, 128].forEach((value, i) => header.writeUInt32LE(value, 4 * i));
  return Buffer.concat([header, ...segments]);
}

const octets = async (
  encoded: Uint8Array,
  transferSyntax: string,
  described: PixelDescription,
  to: string = EXPLICIT,
) => (await transcodePixels({ encoded, transferSyntax, pixels: described, to, announced: true })).bytes;

describe('DW-6, DW-7 gives decoded frames as the metadata announce them:', () => {
  const GREENISH = [10, 200, 30];
  // CCIR 601: 0.299 × 10 + 0.587 × 200 + 0.114 × 30 and so on.
  const ITS_YBR = [124, 75, 47];

  test.each([
    ['RLE in YBR_FULL as stored', RLE, { photometricInterpretation: 'YBR_FULL' }, GREENISH],
    ['RLE in RGB', RLE, {}, GREENISH],
    ['JPEG 2000 in RGB', JPEG2000Lossless, {}, GREENISH],
    ['JPEG 2000 with YBR_RCT as RGB', JPEG2000Lossless, { photometricInterpretation: 'YBR_RCT' }, GREENISH],
    ['JPEG 2000 with YBR_ICT as RGB', JPEG2000Lossless, { photometricInterpretation: 'YBR_ICT' }, GREENISH],
    ['HTJ2K with YBR_RCT as RGB', HTJ2KLossless, { photometricInterpretation: 'YBR_RCT' }, GREENISH],
    [
      'JPEG 2000 of RGB announced as YBR_FULL',
      JPEG2000Lossless,
      { photometricInterpretation: 'YBR_FULL' },
      ITS_YBR,
    ],
    ['HTJ2K of RGB announced as YBR_FULL', HTJ2KLossless, { photometricInterpretation: 'YBR_FULL' }, ITS_YBR],
    ['JPEG-LS in YBR_FULL', JPEGLSLossless, { photometricInterpretation: 'YBR_FULL' }, GREENISH],
  ])('%s', async (_, form, changes, colour) => {
    const described = pixels(changes);
    const given = await octets(await stored(described, form, GREENISH), form, described);
    expect([...given]).toEqual(Array.from({ length: 16 }, () => colour).flat());
  });

  test.each([
    [RLE, 'RGB'],
    [RLE, 'YBR_FULL'],
    [JPEGLSLossless, 'RGB'],
  ])('%s in %s with samples by plane', async (form, photometricInterpretation) => {
    const described = pixels({ photometricInterpretation, planarConfiguration: 1 });
    const given = await octets(await stored(described, form, GREENISH), form, described);
    expect([...given]).toEqual(GREENISH.flatMap((value) => new Array<number>(16).fill(value)));
  });

  test('YBR_FULL_422 as Y Y Cb Cr, with the mean chroma of two pixels (PS3.3 §C.7.6.3.1.2)', async () => {
    const described = pixels({ photometricInterpretation: 'YBR_FULL_422' });
    const encoded = await stored(described, RLE, [10, 100, 50], [20, 102, 60]);
    const given = await octets(encoded, RLE, described);
    expect([...given]).toEqual(Array.from({ length: 8 }, () => [10, 20, 101, 55]).flat());
    const read = await decodeFrame(given, EXPLICIT, described);
    expect([...read.samples.subarray(0, 6)]).toEqual([10, 101, 55, 20, 101, 55]);
  });

  test.each([
    ['a row of an odd number of pixels', 3, EXPLICIT, /odd number/],
    ['a compression without 4:2:2', 4, JPEGLSLossless, /YBR_FULL_422/],
  ])('except %s, answered with 406 and the reason', async (_, columns, to, message) => {
    const described = pixels({ photometricInterpretation: 'YBR_FULL_422', rows: 16 / columns, columns });
    const rows = columns === 3 ? 5 : 4;
    const encoded = await stored(described, RLE, GREENISH);
    await expect(octets(encoded, RLE, { ...described, rows }, to)).rejects.toMatchObject({
      code: 'not_acceptable',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['RGB', JPEG2000Lossless, 'YBR_RCT'],
    ['RGB', HTJ2KLossless, 'YBR_RCT'],
    ['RGB', HTJ2KLosslessRPCL, 'YBR_RCT'],
    ['YBR_FULL', HTJ2KLossless, undefined],
    ['YBR_FULL', HTJ2KLosslessRPCL, undefined],
    ['YBR_FULL', JPEGLSLossless, 'YBR_FULL'],
    ['YBR_FULL_422', JPEGLSLossless, 'YBR_FULL'],
    ['YBR_FULL', JPEG2000Lossless, undefined],
  ])('DW-5 %s from RLE compressed to %s as %s', async (photometricInterpretation, to, is) => {
    const described = pixels({ photometricInterpretation });
    const encoded = await stored(described, RLE, GREENISH);
    const made = transcodePixels({ encoded, transferSyntax: RLE, pixels: described, to });
    if (!is) return expect(made).rejects.toMatchObject({ code: 'not_acceptable' });
    expect((await made).photometricInterpretation).toBe(is);
    const read = await decodeFrame((await made).bytes, to, { ...described, photometricInterpretation: is });
    expect([...read.samples]).toEqual(Array.from({ length: 16 }, () => GREENISH).flat());
  });

  const two = { samplesPerPixel: 1, rows: 1, columns: 2 };
  const twelveBits = pixels({ ...two, bitsAllocated: 16, bitsStored: 12, highBit: 11 });

  test('bits beside the stored ones unchanged, as they may be overlays', async () => {
    const described = twelveBits;
    const header = Buffer.alloc(64);
    [2, 64, 68].forEach((value, i) => header.writeUInt32LE(value, 4 * i));
    const encoded = Buffer.concat([
      header,
      Buffer.from('01 10 f1 00'.replaceAll(' ', ''), 'hex'),
      Buffer.from('01020300', 'hex'),
    ]);
    expect(Buffer.from(await octets(encoded, RLE, described)).toString('hex')).toBe('021003f1');
    const whole = { encoded, transferSyntax: RLE, pixels: described, to: EXPLICIT };
    expect(Buffer.from((await transcodePixels(whole)).bytes).toString('hex')).toBe('021003f1');
  });

  test('stored bits shifted up to HighBit', async () => {
    const low = twelveBits;
    const native = Uint8Array.of(1, 0, 255, 15);
    const task = { encoded: native, transferSyntax: EXPLICIT, pixels: low, to: JPEGLSLossless };
    const { bytes } = await transcodePixels(task);
    const given = await octets(bytes, JPEGLSLossless, { ...low, highBit: 15 });
    expect([...given]).toEqual([0x10, 0, 0xf0, 0xff]);
  });
});

describeWithSharedData('DW-7 JPEG in YBR as octets equals DCMTK without colour conversion', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'announced-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  test.each([
    ['ts-matrix/SC_rgb_dcmtk_+eb+cy+s4.dcm', 'YBR_FULL'],
    ['ts-matrix/SC_rgb_jpeg_dcmtk.dcm', 'YBR_FULL'],
    ['us-cine/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm', 'YBR_FULL'],
    ['ts-matrix/TestPattern_JPEG-Baseline_YBR422.dcm', 'YBR_FULL_422'],
    ['us-cine/examples_ybr_color.dcm', 'YBR_FULL_422'],
  ])('%s: %s', async (file, photometric) => {
    const ours = (await fileFrames(sharedDataPath('dicom', file)))!;
    expect(ours.pixels.photometricInterpretation).toBe(photometric);
    const raw = join(scratch, 'raw.dcm');
    execFileSync('dcmdjpeg', ['+cn', sharedDataPath('dicom', file), raw], { stdio: 'pipe' });
    const theirs = (await fileFrames(raw))!;
    const shared = photometric === 'YBR_FULL_422';
    for (const [n, frame] of ours.frames.entries()) {
      const given = await octets(frame, ours.transferSyntax, ours.pixels);
      const { rows, columns } = ours.pixels;
      expect(given).toHaveLength(rows * columns * (shared ? 2 : 3));
      const wanted = (await decodeFrame(theirs.frames[n]!, EXPLICIT, theirs.pixels)).samples as Uint8Array;
      const read = (await decodeFrame(given, EXPLICIT, ours.pixels)).samples as Uint8Array;
      let largest = 0;
      for (let i = 0; i < wanted.length; i++) {
        // Two pixels that share their chroma have its mean.
        const pair =
          shared && i % 3 > 0
            ? (wanted[i]! + wanted[Math.floor(i / 3) % 2 ? i - 3 : i + 3]!) / 2
            : wanted[i]!;
        largest = Math.max(largest, Math.abs(read[i]! - pair));
      }
      expect(largest).toBeLessThanOrEqual(shared ? 1.5 : 1);
    }
  });
});
