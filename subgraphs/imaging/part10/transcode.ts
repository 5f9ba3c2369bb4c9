import { createDeflateRaw } from 'node:zlib';
import { Readable } from 'node:stream';
import { TransferSyntax } from '../../../schema/dicom.ts';
import { isUsOrSs } from '../../../schema/dictionary.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import { hasLongLength, type Element, type Encoding } from './dataset.ts';
import { metaUid, type DicomFile } from './file.ts';
import { swap, UNIT } from './values.ts';

/** The transfer syntaxes that hold the same values uncompressed, PS3.5 §A.1, A.2, A.5. */
const ENCODINGS: Record<string, Encoding> = {
  [TransferSyntax.ImplicitVRLittleEndian]: { explicitVr: false, littleEndian: true },
  [TransferSyntax.ExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.DeflatedExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.ExplicitVRBigEndian]: { explicitVr: true, littleEndian: false },
};

/** Bytes of a value that are read and turned at a time; a multiple of every unit. */
const PIECE = 1 << 20;

/** Whether a file in the one can be rewritten in the other without touching a compressed stream. */
export function canTranscode(from: string, to: string): boolean {
  return Object.hasOwn(ENCODINGS, from) && Object.hasOwn(ENCODINGS, to);
}

/**
 * The file rewritten in another uncompressed transfer syntax: a new file meta information (PS3.10 §7.1), then the data
 * set, element by element. Sequences and items get undefined lengths, group lengths are dropped (PS3.5 §7.2, §7.5).
 * @param file read to its end
 */
export function transcode(file: DicomFile, transferSyntax: string): Readable {
  const to = ENCODINGS[transferSyntax]!;
  // Pieces are up to 1 MiB: two of them wait at most.
  const elements = writeElements(file.bytes, file.elements, file.encoding, to, false);
  const dataset = Readable.from(elements, { highWaterMark: 2 });
  if (transferSyntax !== TransferSyntax.DeflatedExplicitVRLittleEndian) {
    return Readable.from(concatenate(writeMeta(file, transferSyntax), dataset), { objectMode: false });
  }
  const deflate = createDeflateRaw();
  dataset.on('error', (error) => deflate.destroy(error)).pipe(deflate);
  const result = Readable.from(concatenate(writeMeta(file, transferSyntax), deflate), { objectMode: false });
  return result.on('close', () => dataset.destroy());
}

async function* concatenate(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

function writeMeta(file: DicomFile, transferSyntax: string): Buffer {
  const explicit: Encoding = { explicitVr: true, littleEndian: true };
  const parts: Buffer[] = [];
  const put = (tag: string, vr: string, value: Buffer): void => {
    parts.push(header(tag, vr, value.length, explicit), value);
  };
  put('00020001', 'OB', Buffer.from([0, 1]));
  // Files without meta information name class and instance in the data set only.
  for (const [tag, own] of [
    ['00020002', '00080016'],
    ['00020003', '00080018'],
  ] as const) {
    put(tag, 'UI', padded(metaUid(file.bytes, file.elements, own) ?? ''));
  }
  put('00020010', 'UI', padded(transferSyntax));
  put('00020012', 'UI', padded(IMPLEMENTATION_CLASS_UID));
  const group = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(group.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    header('00020000', 'UL', 4, explicit),
    length,
    group,
  ]);
}

/** Ours, derived from a UUID as PS3.5 §B.2 has it. */
const IMPLEMENTATION_CLASS_UID = '2.25.209173825390316437229146417593920215761';

function padded(uid: string): Buffer {
  return Buffer.from(uid.length % 2 ? `${uid}\0` : uid, 'latin1');
}

function* writeElements(
  bytes: Bytes,
  elements: readonly Element[],
  from: Encoding,
  to: Encoding,
  outerSigned: boolean,
): Generator<Buffer> {
  const signed = pixelRepresentation(bytes, elements, from) ?? outerSigned;
  for (const element of elements) {
    if (element.tag.endsWith('0000')) continue;
    const vr = writtenVr(element, from, to, signed);
    if (vr === 'SQ') {
      yield header(element.tag, 'SQ', 0xffffffff, to);
      for (const item of element.items ?? []) {
        yield delimiter(0xe000, 0xffffffff, to);
        yield* writeElements(bytes, item.elements, item.encoding, to, signed);
        yield delimiter(0xe00d, 0, to);
      }
      yield delimiter(0xe0dd, 0, to);
      continue;
    }
    if (element.fragments) {
      // A compressed icon within: its fragments stay as they are, which only the same byte order allows.
      if (!from.littleEndian || !to.littleEndian)
        throw new DamagedFile('A compressed icon cannot be rewritten.');
      yield header(element.tag, vr, 0xffffffff, to);
      yield bytes.slice(element.offset, element.length);
      continue;
    }
    const odd = element.length % 2;
    yield header(element.tag, vr, element.length + odd, to);
    const unit = from.littleEndian === to.littleEndian ? 1 : (UNIT[vr] ?? 1);
    for (let done = 0; done < element.length; done += PIECE) {
      const piece = bytes.slice(element.offset + done, Math.min(PIECE, element.length - done));
      yield swap(piece, unit);
    }
    // PS3.5 §7.1.1: values have even length; some writers forget.
    if (odd) yield Buffer.from([vr === 'UI' || vr.startsWith('O') || vr === 'UN' ? 0 : 0x20]);
  }
}

function pixelRepresentation(
  bytes: Bytes,
  elements: readonly Element[],
  from: Encoding,
): boolean | undefined {
  const element = elements.find(({ tag, length }) => tag === '00280103' && length === 2);
  return element && bytes.slice(element.offset, 2)[from.littleEndian ? 0 : 1] === 1;
}

function writtenVr(element: Element, from: Encoding, to: Encoding, signed: boolean): string {
  if (element.vr === 'SQ') return 'SQ';
  if (!from.explicitVr && isUsOrSs(element.tag) && signed) return 'SS';
  // PS3.5 §6.2.2: a value too long for the 16-bit length of its VR is written as UN.
  return to.explicitVr && element.length > 0xfffe && !hasLongLength(element.vr) ? 'UN' : element.vr;
}

function header(tag: string, vr: string, length: number, { explicitVr, littleEndian }: Encoding): Buffer {
  const long = explicitVr && hasLongLength(vr);
  const buffer = Buffer.alloc(long ? 12 : 8);
  uint(buffer, 0, 2, parseInt(tag.slice(0, 4), 16), littleEndian);
  uint(buffer, 2, 2, parseInt(tag.slice(4), 16), littleEndian);
  if (explicitVr) buffer.write(vr, 4, 'latin1');
  if (long) uint(buffer, 8, 4, length, littleEndian);
  else if (explicitVr) uint(buffer, 6, 2, length, littleEndian);
  else uint(buffer, 4, 4, length, littleEndian);
  return buffer;
}

function delimiter(element: number, length: number, { littleEndian }: Encoding): Buffer {
  const buffer = Buffer.alloc(8);
  uint(buffer, 0, 2, 0xfffe, littleEndian);
  uint(buffer, 2, 2, element, littleEndian);
  uint(buffer, 4, 4, length, littleEndian);
  return buffer;
}

function uint(buffer: Buffer, at: number, size: number, value: number, littleEndian: boolean): void {
  if (littleEndian) buffer.writeUIntLE(value, at, size);
  else buffer.writeUIntBE(value, at, size);
}
