import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { decodeDct } from './jpeg-dct.ts';
import { readFrameHeader, type FrameHeader } from './jpeg-header.ts';
import { decodeLossless } from './jpeg-lossless.ts';
import type { WasmDecoder } from './jpeg-2000.ts';
import { checkSize, sampleCount, type StreamSamples } from './samples.ts';
import { copied, WasmCodec, type WasmModule } from './wasm.ts';

interface LibJpegTurbo extends WasmModule {
  JPEGDecoder: new () => WasmDecoder;
}

const libjpegTurbo = new WasmCodec<LibJpegTurbo>(
  '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs',
  '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm',
);

/**
 * Decodes JPEG, PS3.5 §A.4.1 and A.4.2: baseline and extended, sequential and progressive, of 8 and 12 bits, and
 * lossless. The stream decides the process, because the transfer syntax of some files names another one.
 * @param keepYbr keeps YBR_FULL if the data set announces it
 */
export async function decodeJpeg(
  encoded: Uint8Array,
  pixels: PixelDescription,
  keepYbr: boolean,
): Promise<StreamSamples> {
  const header = readFrameHeader(encoded);
  const { process, precision, samplesPerPixel } = header;
  checkSize(header, pixels);
  // A block of 64 samples takes at least one bit, and so does a lossless sample.
  const most = encoded.length * 8 * (process === 0xc3 ? 1 : 64 * (header.subsampled ? 4 : 1));
  if (sampleCount(pixels) > most)
    throw new DamagedFile('The JPEG stream is too short for the pixels it promises.');
  if (process === 0xc3) return { data: decodeLossless(encoded, header), precision };
  if (process > 0xc2) throw new DamagedFile('The JPEG stream is of a process that nobody uses.');
  if (precision > 8) return { data: decodeDct(encoded, header), precision };

  const kept = keepYbr && pixels.photometricInterpretation.startsWith('YBR_FULL');
  const toRgb = samplesPerPixel === 3 && !kept && isYbr(header, pixels);
  const stream = samplesPerPixel === 3 ? withColours(encoded, header, toRgb) : encoded;
  const data = await libjpegTurbo.run('The JPEG frame cannot be decoded.', (codec) => {
    const decoder = new codec.JPEGDecoder();
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const decoded = copied(decoder.getDecodedBuffer(), 8);
    decoder.delete();
    return decoded;
  });
  return { data, precision, ...(toRgb && { photometricInterpretation: 'RGB' }) };
}

/**
 * Tells whether the components are Y, Cb and Cr. Adobe's segment decides. Without it the data set decides, as in DCMTK,
 * except that subsampled components are always YBR: no writer subsamples RGB.
 */
function isYbr({ adobeTransform, subsampled }: FrameHeader, pixels: PixelDescription): boolean {
  if (adobeTransform !== undefined) return adobeTransform === 1;
  return pixels.photometricInterpretation.startsWith('YBR') || subsampled;
}

/** Replaces the colour segments by one Adobe segment. The decoder would guess from JFIF, Adobe and component names. */
function withColours(encoded: Uint8Array, { colourSegments }: FrameHeader, ybr: boolean): Uint8Array {
  const adobe = Buffer.from('ffee000e41646f62650064000000000' + (ybr ? '1' : '0'), 'hex');
  const parts: Uint8Array[] = [encoded.subarray(0, 2), adobe];
  let from = 2;
  for (const { start, end } of colourSegments) {
    parts.push(encoded.subarray(from, start));
    from = end;
  }
  return Buffer.concat([...parts, encoded.subarray(from)]);
}
