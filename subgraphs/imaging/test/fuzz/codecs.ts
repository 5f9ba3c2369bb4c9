import { sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { decodeFrame } from '../../pixels/codecs/frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { transcodePixels } from '../../pixels/transcode-pixels.ts';
import { fileFrames } from '../../pixels/test/file-frames.ts';
import { damaged } from './random.ts';
import type { Random } from '../../../../gateway/test/setup/random.ts';
import { hold, orRefused, type Target } from './target.ts';

const FILES = [
  'pt/sample.dcm',
  'seg/liver_rle.dcm',
  'seg/liver_deflate.dcm',
  'sm/sm_image.dcm',
  'ts-matrix/SC_rgb_dcmtk_+eb+cy+s4.dcm',
  'mr-multiframe/emri_small_jpeg_2k_lossless.dcm',
  'ts-matrix/CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm',
  'ts-matrix/CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm',
  'ts-matrix/CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm',
];

interface Encoded {
  encoded: Buffer;
  transferSyntax: string;
  pixels: PixelDescription;
}

let frames: Encoded[] = [];

/** Damaged frames of every codec with wrong descriptions, decoded and compressed again. */
export const codecs: Target = {
  name: 'codecs',
  async open() {
    frames = [];
    for (const file of FILES) {
      const { frames: encoded, transferSyntax, pixels } = (await fileFrames(sharedDataPath('dicom', file)))!;
      frames.push({ encoded: encoded[0]!, transferSyntax, pixels });
    }
    const source = frames.find(({ transferSyntax }) => transferSyntax === TransferSyntax.JPEG2000Lossless)!;
    const { JPEGLSLossless, HTJ2KLossless, HTJ2KLosslessRPCL } = TransferSyntax;
    for (const to of [JPEGLSLossless, HTJ2KLossless, HTJ2KLosslessRPCL])
      frames.push({
        pixels: source.pixels,
        transferSyntax: to,
        encoded: Buffer.from((await transcodePixels({ ...source, to })).bytes),
      });
  },
  async run(random) {
    const frame = random.of(frames);
    const encoded = random.chance(0.9) ? damaged(frame.encoded, random, 200) : frame.encoded;
    const pixels = random.chance(0.3) ? lying(frame.pixels, random) : frame.pixels;
    const decoded = await orRefused(() => decodeFrame(encoded, frame.transferSyntax, pixels));
    const expected = pixels.rows * pixels.columns * pixels.samplesPerPixel;
    hold(
      !decoded || decoded.samples.length === expected,
      `${decoded?.samples.length} of ${expected} samples`,
    );
    if (!decoded || !random.chance(0.1)) return;
    const to = random.of([TransferSyntax.ExplicitVRLittleEndian, TransferSyntax.JPEGLSLossless]);
    await orRefused(() => transcodePixels({ encoded, transferSyntax: frame.transferSyntax, pixels, to }));
  },
};

/** Returns the description with an invalid value in one attribute. */
function lying(pixels: PixelDescription, random: Random): PixelDescription {
  const key = random.of(['rows', 'columns', 'samplesPerPixel', 'bitsAllocated', 'bitsStored', 'highBit']);
  const value = random.of([0, 1, 2, 3, 4, 7, 8, 12, 16, 32, 64, 100, 1.5, -1, 65535, 1e9, NaN]);
  const flags = { planarConfiguration: random.below(2), pixelRepresentation: random.below(2) };
  return { ...pixels, ...flags, [key]: value } as PixelDescription;
}
