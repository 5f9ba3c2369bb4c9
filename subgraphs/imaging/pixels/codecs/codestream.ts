import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { checkSize } from './samples.ts';

/** What a JPEG 2000 or HTJ2K codestream says of itself, ISO 15444-1 Annex A. */
export interface Codestream {
  /** Without the boxes of a JP2 file, in which some writers leave it, and without what follows its end. */
  bytes: Uint8Array;
  precision: number;
  /** Whether the components are transformed (COD, A.6.1): the decoder then gives RGB. */
  colourTransform: boolean;
}

const SOT = 0xff90;
const COD = 0xff52;
const EOC = 0xffd9;

/**
 * Reads the headers, so that a decoder is not asked to believe them: sizes, tiles, and whether the tile-parts are whole.
 * @throws {DamagedFile} where they lie, or the stream is cut short
 */
export function readCodestream(encoded: Uint8Array, pixels: PixelDescription): Codestream {
  const whole = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const start = whole.indexOf('ff4fff51', 0, 'hex');
  if (start < 0) throw new DamagedFile('The frame is no JPEG 2000 codestream.');
  const stream = whole.subarray(start);
  try {
    const precision = checkSizeSegment(stream, pixels);
    const { colourTransform, end } = walk(stream);
    return { bytes: stream.subarray(0, end), precision, colourTransform };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DamagedFile('The JPEG 2000 codestream is cut short.', { cause: error });
  }
}

/** SIZ, A.5.1. @returns bits of a sample */
function checkSizeSegment(stream: Buffer, pixels: PixelDescription): number {
  const at = (word: number) => stream.readUInt32BE(8 + 4 * word);
  const [right, bottom, left, top] = [at(0), at(1), at(2), at(3)];
  const [tileWidth, tileHeight] = [at(4), at(5)];
  const samplesPerPixel = stream.readUInt16BE(40);
  const component = (i: number) => [0, 1, 2].map((n) => stream.readUInt8(42 + 3 * i + n));
  const [depth = 0] = component(0);
  const precision = (depth & 0x7f) + 1;
  checkSize({ rows: bottom - top, columns: right - left, samplesPerPixel, precision }, pixels);
  for (let i = 0; i < samplesPerPixel; i++) {
    const [own, across, down] = component(i);
    if (own !== depth || across !== 1 || down !== 1)
      throw new DamagedFile('The components of the JPEG 2000 codestream differ in depth or size.');
  }
  // Each tile takes at least the header of a tile-part.
  const tiles = Math.ceil(right / tileWidth) * Math.ceil(bottom / tileHeight);
  if (!(tiles <= stream.length / 12))
    throw new DamagedFile('The JPEG 2000 codestream promises too many tiles.');
  return precision;
}

/** Segments of the main header and tile-parts by their lengths, up to the end. */
function walk(stream: Buffer): { colourTransform: boolean; end: number } {
  let colourTransform = false;
  for (let at = 2; ;) {
    const marker = at === stream.length ? EOC : stream.readUInt16BE(at);
    // Some writers leave the end marker out; what is padded with zeros ends there as well.
    if (marker === EOC || marker === 0) return { colourTransform, end: Math.min(at + 2, stream.length) };
    if (marker < 0xff00) throw new DamagedFile('The JPEG 2000 codestream is damaged.');
    let length = stream.readUInt16BE(at + 2) + 2;
    if (marker === COD) colourTransform = stream.readUInt8(at + 8) === 1;
    if (marker === SOT) {
      length = stream.readUInt32BE(at + 6);
      // A.4.2: a last tile-part may leave its length to the end of the stream.
      if (length === 0) length = stream.length - at;
      if (length < 14) throw new DamagedFile('A tile-part of the JPEG 2000 codestream is damaged.');
    }
    at += length;
    if (at > stream.length) throw new DamagedFile('The JPEG 2000 codestream is cut short.');
  }
}
