import { expect, test } from 'vitest';
import { LONG } from '../../../gateway/test/setup/long.ts';
import { describeWithSharedData, sharedDataPath } from '../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { DamagedFile } from '../dicom/part10/bytes.ts';
import { decodeFrame } from './codecs/frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { fileFrames } from './test/file-frames.ts';
import { transcodePixels } from './transcode-pixels.ts';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';

/** Milliseconds for each codec. */
const RUN_MILLISECONDS = LONG ? 5_000 : 400;
/** Bytes by which memory may grow while damaged frames are decoded. */
const GROWTH = 700 * 1024 * 1024;

/** A small frame of each codec, so that many damaged copies can be decoded. */
const FRAMES: [codec: string, file: string, to?: string][] = [
  ['native', 'pt/sample.dcm'],
  ['RLE', 'seg/liver_rle.dcm'],
  ['deflated frame', 'seg/liver_deflate.dcm'],
  ['JPEG baseline', 'ts-matrix/SC_rgb_dcmtk_+eb+cy+s4.dcm'],
  ['JPEG extended', 'ts-matrix/CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm'],
  ['JPEG progressive', 'ts-matrix/CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm'],
  ['JPEG lossless', 'ts-matrix/CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm'],
  ['JPEG-LS', 'mr-multiframe/emri_small_jpeg_2k_lossless.dcm', TransferSyntax.JPEGLSLossless],
  ['JPEG 2000', 'mr-multiframe/emri_small_jpeg_2k_lossless.dcm'],
  ['HTJ2K', 'mr-multiframe/emri_small_jpeg_2k_lossless.dcm', TransferSyntax.HTJ2KLossless],
];

/** Returns the same numbers in every run. */
function pseudoRandom(seed: number): () => number {
  return () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x80000000;
}

/** Decodes a frame. @returns false if it was refused with a clear message; any other error is thrown */
async function decodes(
  encoded: Uint8Array,
  transferSyntax: string,
  pixels: PixelDescription,
): Promise<boolean> {
  try {
    const { samples } = await decodeFrame(encoded, transferSyntax, pixels);
    expect(samples).toHaveLength(pixels.rows * pixels.columns * pixels.samplesPerPixel);
    return true;
  } catch (error) {
    if (error instanceof DamagedFile && error.message.length > 10) return false;
    throw error;
  }
}

describeWithSharedData('refuses damaged frames with a clear message, in limited time and memory', () => {
  test.each(FRAMES)(
    '%s',
    async (codec, file, to) => {
      const found = (await fileFrames(sharedDataPath('dicom', file)))!;
      const { pixels } = found;
      let { transferSyntax } = found;
      let frame: Uint8Array = found.frames[0]!;
      if (to) {
        const task = { encoded: frame, transferSyntax, pixels, to };
        [frame, transferSyntax] = [(await transcodePixels(task)).bytes, to];
      }
      expect(await decodes(frame, transferSyntax, pixels)).toBe(true);
      const before = process.memoryUsage.rss();
      const random = pseudoRandom(codec.length);

      // The header of the file contradicts the stream, or describes a huge image.
      for (const change of [
        { rows: pixels.rows * 2 },
        { columns: pixels.columns + 9 },
        { samplesPerPixel: 4 },
      ])
        expect(await decodes(frame, transferSyntax, { ...pixels, ...change })).toBe(false);
      const huge = { ...pixels, rows: 65535, columns: 65535 };
      const decode = async () =>
        expect(await decodes(frame.subarray(0, 1024), transferSyntax, huge)).toBe(false);
      expect(await processorTime(decode)).toBeLessThan(5_000);
      const large = { ...pixels, rows: 8192, columns: 8192 };
      expect(await decodes(frame.subarray(0, 1024), transferSyntax, large)).toBe(false);

      let [rounds, refused] = [0, 0];
      const end = performance.now() + RUN_MILLISECONDS;
      for (; rounds < 20 || (performance.now() < end && rounds < 100_000); rounds++) {
        const bytes = Uint8Array.from(frame);
        let cut = bytes;
        if (rounds % 3 === 0) cut = bytes.subarray(0, Math.floor(random() * bytes.length));
        // Headers are damaged more often than the rest.
        const reach = rounds % 2 ? bytes.length : Math.min(bytes.length, 200);
        if (rounds % 3 !== 0)
          for (let n = 0; n <= rounds % 10; n++)
            bytes[Math.floor(random() * reach)]! ^= 1 << Math.floor(random() * 8);
        if (!(await decodes(cut, transferSyntax, pixels))) refused++;
      }
      expect(refused).toBeGreaterThan(codec === 'native' ? 5 : rounds / 5);
      expect(process.memoryUsage.rss() - before).toBeLessThan(GROWTH);
      // The codec still works.
      expect(await decodes(frame, transferSyntax, pixels)).toBe(true);
    },
    30_000,
  );

  test.each(FRAMES.map(([codec]) => codec))('noise as %s', async (codec) => {
    const [, file, to] = FRAMES.find(([name]) => name === codec)!;
    const { pixels, transferSyntax } = (await fileFrames(sharedDataPath('dicom', file)))!;
    const random = pseudoRandom(7);
    for (let length = 1; length < 3000; length += 97) {
      const noise = Uint8Array.from({ length }, () => random() * 256);
      expect(await decodes(noise, to ?? transferSyntax, pixels)).toBe(false);
    }
  });
});
