import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { checkSize } from './samples.ts';

/** Headers of a JPEG 2000 or HTJ2K codestream, ISO 15444-1 Annex A. */
export interface Codestream {
  /** The codestream without the boxes of a JP2 file, which some writers keep, and without bytes after its end. */
  bytes: Uint8Array;
  precision: number;
  /** True if the samples have a sign (SIZ, A.5.1). */
  signed: boolean;
  /** True if the components are transformed (COD, A.6.1). The decoder then gives RGB. */
  colourTransform: boolean;
}

/** Position of the first component in the stream: SIZ follows the first marker. Each has three bytes. */
const COMPONENTS = 42;
/** In the depth of a component. */
const SIGN = 0x80;
const SOT = 0xff90;
const COD = 0xff52;
const EOC = 0xffd9;

/**
 * Reads and checks the headers before a decoder uses them: sizes, tiles, and whether the tile-parts are complete.
 * @throws {DamagedFile} when they are wrong, or the stream is cut short
 */
export function readCodestream(encoded: Uint8Array, pixels: PixelDescription): Codestream {
  const whole = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const start = whole.indexOf('ff4fff51', 0, 'hex');
  if (start < 0) throw new DamagedFile('The frame is no JPEG 2000 codestream.');
  const stream = whole.subarray(start);
  try {
    const depth = checkSizeSegment(stream, pixels);
    const { colourTransform, end } = walk(stream);
    return { bytes: stream.subarray(0, end), ...depth, colourTransform };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DamagedFile('The JPEG 2000 codestream is cut short.', { cause: error });
  }
}

/** Checks the SIZ segment, A.5.1. @returns bits of a sample, and whether one of them is a sign */
function checkSizeSegment(
  stream: Buffer,
  pixels: PixelDescription,
): Pick<Codestream, 'precision' | 'signed'> {
  const at = (word: number) => stream.readUInt32BE(8 + 4 * word);
  const [right, bottom, left, top] = [at(0), at(1), at(2), at(3)];
  const [tileWidth, tileHeight] = [at(4), at(5)];
  const samplesPerPixel = stream.readUInt16BE(40);
  const component = (i: number) => [0, 1, 2].map((n) => stream.readUInt8(COMPONENTS + 3 * i + n));
  const [depth = 0] = component(0);
  const precision = (depth & ~SIGN) + 1;
  checkSize({ rows: bottom - top, columns: right - left, samplesPerPixel, precision }, pixels);
  for (let i = 0; i < samplesPerPixel; i++) {
    const [own, across, down] = component(i);
    if (own !== depth || across !== 1 || down !== 1)
      throw new DamagedFile('The components of the JPEG 2000 codestream differ in depth or size.');
  }
  // Each tile has at least the header of a tile-part.
  const tiles = Math.ceil(right / tileWidth) * Math.ceil(bottom / tileHeight);
  if (!(tiles <= stream.length / 12))
    throw new DamagedFile('The JPEG 2000 codestream promises too many tiles.');
  return { precision, signed: (depth & SIGN) !== 0 };
}

/** Reads the segments of the main header and the tile-parts by their lengths, up to the end. */
function walk(stream: Buffer): { colourTransform: boolean; end: number } {
  let colourTransform = false;
  for (let at = 2; ;) {
    const marker = at === stream.length ? EOC : stream.readUInt16BE(at);
    // Some writers omit the end marker. Padding with zeros also ends the stream.
    if (marker === EOC || marker === 0) return { colourTransform, end: Math.min(at + 2, stream.length) };
    if (marker < 0xff00) throw new DamagedFile('The JPEG 2000 codestream is damaged.');
    let length = stream.readUInt16BE(at + 2) + 2;
    if (marker === COD) colourTransform = stream.readUInt8(at + 8) === 1;
    if (marker === SOT) {
      length = stream.readUInt32BE(at + 6);
      // A.4.2: the last tile-part may have length 0, and then ends with the stream.
      if (length === 0) length = stream.length - at;
      if (length < 14) throw new DamagedFile('A tile-part of the JPEG 2000 codestream is damaged.');
    }
    at += length;
    if (at > stream.length) throw new DamagedFile('The JPEG 2000 codestream is cut short.');
  }
}

/**
 * Marks the samples of a codestream as signed or unsigned, in place. Coders subtract half of the range from unsigned samples
 * (G.1.1): a stream of signed samples is that of unsigned ones with this offset, apart from this mark.
 */
export function setSigned(stream: Uint8Array, signed: boolean, components: number): void {
  for (let i = 0; i < components; i++) {
    const at = COMPONENTS + 3 * i;
    stream[at] = signed ? stream[at]! | SIGN : stream[at]! & ~SIGN;
  }
}
