import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import { TransferSyntax, UID } from '../../../schema/dicom.ts';
import { vrOf } from '../../../schema/dictionary.ts';
import { Bytes, DamagedFile } from './bytes.ts';
import { isPixelData, isVr, readDataset, type Element, type Encoding, type ReadOptions } from './dataset.ts';

/** A DICOM file, PS3.10 §7, as far as it was read. */
export interface DicomFile {
  /** File Meta Information, group 0002; empty where the file has none. */
  meta: Element[];
  /** What the meta information says; without it, what the first bytes show. */
  transferSyntax: string;
  encoding: Encoding;
  /** Where `elements` point into: the file, or its inflated data set (PS3.5 §A.5). */
  bytes: Bytes;
  elements: Element[];
}

const EXPLICIT: Encoding = { explicitVr: true, littleEndian: true };
const IMPLICIT: Encoding = { explicitVr: false, littleEndian: true };
const BIG: Encoding = { explicitVr: true, littleEndian: false };

/** Inflated data sets beyond this are refused: a few kilobytes can claim gigabytes. */
const MAX_INFLATED = 256 * 1024 * 1024;
/** In pieces that are worth the way to another thread. */
const INFLATING = { maxOutputLength: MAX_INFLATED, chunkSize: 256 * 1024 };

const inflate = promisify<Uint8Array, typeof INFLATING, Buffer>(inflateRaw);

/**
 * Reads a DICOM file, with preamble and meta information or without either.
 * @returns undefined where it is none
 * @throws DamagedFile where it is one, but not readable
 */
export function readFile(bytes: Bytes, options: ReadOptions = {}): DicomFile | undefined {
  if (bytes.size < 16) return undefined;
  const start = metaOffset(bytes);
  if (start === undefined) return readBare(bytes, options);

  const { meta, end, transferSyntax } = readMeta(bytes, start);
  if (transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian)
    return inflatedFile(meta, inflatedSync(bytes.slice(end, bytes.size - end)), options);
  const encoding = actualEncoding(bytes, end, declaredEncoding(transferSyntax));
  const elements = readDataset(bytes, end, bytes.size, encoding, options);
  return { meta, transferSyntax, encoding, bytes, elements };
}

/**
 * The same of a file that is probably deflated: the event loop goes on while it is read and inflated.
 * @param read gives bytes of the file
 */
export async function readDeflatedFile(
  bytes: Bytes,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<DicomFile | undefined> {
  const start = bytes.size < 16 ? undefined : metaOffset(bytes);
  const head = start === undefined ? undefined : readMeta(bytes, start);
  if (head?.transferSyntax !== TransferSyntax.DeflatedExplicitVRLittleEndian) return readFile(bytes);
  const length = bytes.size - head.end;
  if (length > MAX_INFLATED) throw cannotInflate();
  const inflated = await inflate(await read(head.end, length), INFLATING).catch((error: unknown) => {
    throw cannotInflate(error);
  });
  return inflatedFile(head.meta, inflated);
}

/** The value of a UI element of the meta information. */
export function metaUid(bytes: Bytes, meta: readonly Element[], tag: string): string | undefined {
  const element = meta.find((element) => element.tag === tag);
  if (!element || element.length > 66) return undefined;
  return (
    bytes
      .slice(element.offset, element.length)
      .toString('latin1')
      .replace(/[\0 ]+$/, '')
      .trim() || undefined
  );
}

/** Where group 0002 starts: after preamble and prefix, or at once in files that lost them. */
function metaOffset(bytes: Bytes): number | undefined {
  const first = bytes.slice(0, Math.min(bytes.size, 132));
  if (first.toString('latin1', 128, 132) === 'DICM') return 132;
  if (first.toString('latin1', 0, 4) === 'DICM') return 4;
  const meta = first[0] === 2 && first[1] === 0 && first[3] === 0 && isVr(first.toString('latin1', 4, 6));
  return meta ? 0 : undefined;
}

/**
 * PS3.10 §7.1: always explicit VR little endian. The group ends where another begins; its length may lie.
 * @throws DamagedFile where it names no transfer syntax
 */
function readMeta(bytes: Bytes, start: number): { meta: Element[]; end: number; transferSyntax: string } {
  let end = start;
  const meta = readDataset(bytes, start, bytes.size, EXPLICIT, { while: (tag) => tag.startsWith('0002') });
  for (const element of meta) end = Math.max(end, element.offset + element.length);
  const transferSyntax = metaUid(bytes, meta, '00020010');
  if (!transferSyntax || !UID.test(transferSyntax))
    throw new DamagedFile('The meta information names no transfer syntax.');
  return { meta, end, transferSyntax };
}

function declaredEncoding(transferSyntax: string): Encoding {
  if (transferSyntax === TransferSyntax.ImplicitVRLittleEndian) return IMPLICIT;
  // GE's private syntax: implicit little endian, but for pixels.
  if (transferSyntax === '1.2.840.113619.5.2') return IMPLICIT;
  return transferSyntax === TransferSyntax.ExplicitVRBigEndian ? BIG : EXPLICIT;
}

/** Files exist whose data set is implicit where explicit was declared, and the reverse: the first element shows it. */
function actualEncoding(bytes: Bytes, start: number, declared: Encoding): Encoding {
  if (start + 8 > bytes.size) throw new DamagedFile('The file has no data set.');
  const explicitVr = isVr(bytes.slice(start + 4, 2).toString('latin1'));
  return declared.littleEndian ? { explicitVr, littleEndian: true } : declared;
}

/** A data set without meta information: believable only when the first element is one of group 0008. */
function readBare(bytes: Bytes, options: ReadOptions): DicomFile | undefined {
  const first = bytes.slice(0, 8);
  const explicitVr = isVr(first.toString('latin1', 4, 6));
  let transferSyntax: string;
  let encoding: Encoding;
  if (first[0] === 8 && first[1] === 0 && explicitVr) {
    [transferSyntax, encoding] = [TransferSyntax.ExplicitVRLittleEndian, EXPLICIT];
  } else if (first[0] === 0 && first[1] === 8 && explicitVr) {
    [transferSyntax, encoding] = [TransferSyntax.ExplicitVRBigEndian, BIG];
  } else if (first[0] === 8 && first[1] === 0 && implicitStart(first, bytes.size)) {
    [transferSyntax, encoding] = [TransferSyntax.ImplicitVRLittleEndian, IMPLICIT];
  } else return undefined;
  const elements = readDataset(bytes, 0, bytes.size, encoding, options);
  if (!['00080018', '0020000D'].every((tag) => elements.some((element) => element.tag === tag)))
    return undefined;
  if (elements.some((element) => isPixelData(element.tag) && element.fragments)) {
    throw new DamagedFile('Compressed pixels without meta information: their transfer syntax is unknown.');
  }
  return { meta: [], transferSyntax, encoding, bytes, elements };
}

function implicitStart(first: Buffer, size: number): boolean {
  const element = first.readUInt16LE(2).toString(16).padStart(4, '0').toUpperCase();
  return vrOf(`0008${element}`) !== undefined && first.readUInt32LE(4) <= size - 8;
}

function inflatedFile(meta: Element[], inflated: Buffer, options: ReadOptions = {}): DicomFile {
  const bytes = new Bytes(inflated);
  const elements = readDataset(bytes, 0, bytes.size, EXPLICIT, options);
  return {
    ...{ meta, bytes, elements },
    transferSyntax: TransferSyntax.DeflatedExplicitVRLittleEndian,
    encoding: EXPLICIT,
  };
}

function inflatedSync(deflated: Buffer): Buffer {
  try {
    return inflateRawSync(deflated, INFLATING);
  } catch (error) {
    throw cannotInflate(error);
  }
}

function cannotInflate(cause?: unknown): DamagedFile {
  return new DamagedFile('The deflated data set cannot be inflated.', { cause });
}
