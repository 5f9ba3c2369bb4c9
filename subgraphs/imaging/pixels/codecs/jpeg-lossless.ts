import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { huffmanTable } from './jpeg-bits.ts';
import type { FrameHeader } from './jpeg-header.ts';

/** Decodes lossless JPEG with Huffman codes, ISO 10918-1 Annex H: a pass over all samples, which a photograph has twenty million of. */

interface Scan {
  /** Start of the entropy-coded data. */
  start: number;
  /** One for each component of the scan: its place in a pixel, and its codes as in `HuffmanTable`. */
  components: readonly { offset: number; lookup: Uint16Array }[];
  /** 1 to 7, table H.1. */
  predictor: number;
  /** Point transform: lower bits that are not coded. */
  shift: number;
  /** Rows between restart markers; Infinity without them. */
  restartRows: number;
}

/**
 * Decodes a stream.
 * @param header of this stream, with checked size
 * @returns samples, colour by pixel
 * @throws {DamagedFile} when the stream is cut short or invalid
 */
export function decodeLossless(encoded: Uint8Array, header: FrameHeader): Uint8Array | Uint16Array {
  const { rows, columns, samplesPerPixel, precision, subsampled } = header;
  if (subsampled) throw new DamagedFile('The lossless JPEG stream has components of several sizes.');
  const stream = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
  const count = rows * columns * samplesPerPixel;
  const samples = precision <= 8 ? new Uint8Array(count) : new Uint16Array(count);
  const tables = new Map<number, Uint16Array>();
  const left = new Set(Array.from({ length: samplesPerPixel }, (_, offset) => offset));
  let ids: readonly number[] = [];
  let restart = 0;
  for (let at = 2; at + 4 <= stream.length && left.size > 0;) {
    if (stream[at] !== 0xff) throw new DamagedFile('The JPEG stream is damaged between its segments.');
    const marker = stream[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + stream.readUInt16BE(at + 2);
    if (marker === 0xd9 || end > stream.length) break;
    const body = stream.subarray(at + 4, end);
    at = end;
    if (marker === 0xc4) readTables(body, tables);
    if (marker === 0xc3) ids = Array.from({ length: samplesPerPixel }, (_, i) => body[6 + 3 * i]!);
    if (marker === 0xdd) restart = body.length < 2 ? 0 : body.readUInt16BE(0);
    if (marker !== 0xda) continue;
    const scan = scanOf(body, { start: end, ids, tables, restart, columns });
    for (const { offset } of scan.components)
      if (!left.delete(offset)) throw new DamagedFile('The JPEG stream has a component twice.');
    at = decodeScan(stream, scan, { ...header, samples });
  }
  if (left.size > 0) throw new DamagedFile('The JPEG stream is cut short.');
  return samples;
}

function readTables(body: Buffer, tables: Map<number, Uint16Array>): void {
  for (let at = 0; at < body.length;) {
    const counts = body.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const values = body.subarray(at + 17, at + 17 + total);
    if (counts.length < 16 || values.length < total) throw new DamagedFile('A Huffman table is cut short.');
    // Tables of AC coefficients are of no scan here. A value is a number of bits, table H.2; there are four tables, §B.2.4.2.
    const key = body[at]!;
    if (key < 4) {
      if (values.some((value) => value > 16)) throw new DamagedFile('A Huffman table is damaged.');
      tables.set(key, huffmanTable(counts, values).lookup);
    }
    at += 17 + total;
  }
}

function scanOf(
  body: Buffer,
  {
    start,
    ids,
    tables,
    restart,
    columns,
  }: {
    start: number;
    ids: readonly number[];
    tables: ReadonlyMap<number, Uint16Array>;
    restart: number;
    columns: number;
  },
): Scan {
  const count = body[0] ?? 0;
  const [predictor, , bits] = body.subarray(1 + 2 * count);
  const components = Array.from({ length: count }, (_, i) => ({
    offset: ids.indexOf(body[1 + 2 * i]!),
    lookup: tables.get((body[2 + 2 * i] ?? 0) >> 4),
  }));
  const isWhole = (one: (typeof components)[number]): one is Scan['components'][number] =>
    one.offset >= 0 && one.lookup !== undefined;
  // Restarts are at the beginning of rows, §H.1.1.
  if (
    count === 0 ||
    !components.every(isWhole) ||
    bits === undefined ||
    !(predictor! >= 1 && predictor! <= 7) ||
    restart % columns
  )
    throw new DamagedFile('A scan of the JPEG stream is damaged.');
  const restartRows = restart > 0 ? restart / columns : Infinity;
  return { start, components, predictor: predictor!, shift: bits & 15, restartRows };
}

/** @returns position after the entropy-coded data */
function decodeScan(
  stream: Buffer,
  { start, components, predictor, shift, restartRows }: Scan,
  frame: FrameHeader & { samples: Uint8Array | Uint16Array },
): number {
  const { rows, columns, samplesPerPixel: step, precision, samples } = frame;
  const stride = columns * step;
  const initial = shift < precision ? 1 << (precision - shift - 1) : 0;
  let coded = codedData(stream, start);
  let bit = 0;
  for (let row = 0; row < rows; row++) {
    const isFirst = row % restartRows === 0;
    if (isFirst && row > 0) {
      if (!isRestart(stream, coded.end)) throw new DamagedFile('The JPEG stream lacks a restart marker.');
      coded = codedData(stream, coded.end + 2);
      bit = 0;
    }
    const { bytes } = coded;
    for (let column = 0; column < columns; column++) {
      for (let i = 0; i < components.length; i++) {
        const { offset, lookup } = components[i]!;
        const code = lookup[next16(bytes, bit)]!;
        if (code === 0) throw new DamagedFile('The JPEG stream holds a code that is none.');
        bit += code >> 8;
        const length = code & 0xff;
        let difference = length === 16 ? 32_768 : 0;
        if (length > 0 && length < 16) {
          difference = next16(bytes, bit) >>> (16 - length);
          bit += length;
          if (difference < 1 << (length - 1)) difference -= (1 << length) - 1;
        }
        const at = row * stride + column * step + offset;
        let prediction = initial;
        if (isFirst) prediction = column > 0 ? samples[at - step]! : initial;
        else if (column === 0) prediction = samples[at - stride]!;
        else if (predictor === 1) prediction = samples[at - step]!;
        else
          prediction = predicted(
            predictor,
            samples[at - step]!,
            samples[at - stride]!,
            samples[at - stride - step]!,
          );
        samples[at] = prediction + difference;
      }
    }
    if (bit > 8 * coded.length) throw new DamagedFile('The JPEG stream is cut short.');
  }
  if (shift > 0)
    for (const { offset } of components)
      for (let at = offset; at < samples.length; at += step) samples[at]! <<= shift;
  return coded.end;
}

/** Returns the bytes of entropy-coded data up to a marker, without the 00 after each FF (§F.1.2.3), and zeros after them. */
function codedData(stream: Buffer, start: number): { bytes: Uint8Array; length: number; end: number } {
  let end = start;
  while (end < stream.length && !(stream[end] === 0xff && stream[end + 1] !== 0)) end++;
  const bytes = new Uint8Array(end - start + 4);
  let length = 0;
  for (let at = start; at < end; at++) {
    bytes[length++] = stream[at]!;
    if (stream[at] === 0xff) at++;
  }
  bytes.fill(0, length);
  return { bytes, length, end };
}

function isRestart(stream: Buffer, at: number): boolean {
  const marker = stream[at + 1] ?? 0;
  return stream[at] === 0xff && marker >= 0xd0 && marker <= 0xd7;
}

/** Returns the 16 bits at a place, counted in bits; zeros after the end. */
function next16(bytes: Uint8Array, bit: number): number {
  const at = bit >>> 3;
  const three = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8);
  return (three << (bit & 7)) >>> 16;
}

/** Returns the prediction from the samples at the left, above, and above at the left, table H.1. */
function predicted(predictor: number, left: number, above: number, corner: number): number {
  switch (predictor) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return corner;
    case 4:
      return left + above - corner;
    case 5:
      return left + ((above - corner) >> 1);
    case 6:
      return above + ((left - corner) >> 1);
    default:
      return (left + above) >> 1;
  }
}
