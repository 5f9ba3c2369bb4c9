import { TransferSyntax, UID } from '../../../../schema/dicom/dicom.ts';
import { vrOf } from '../../../../schema/dicom/dictionary.ts';
import { Budget } from './budget.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import { isPixelData, isVr, readDataset, type Element, type Encoding, type ReadOptions } from './dataset.ts';

export interface FileOptions extends ReadOptions {
  /** The inflated data set, if `deflatedFrom` gives its position. */
  inflated?: Bytes | undefined;
}

/** The part of a DICOM file (PS3.10 §7) that was read. */
export interface DicomFile {
  /** File Meta Information, group 0002; empty if the file has none. */
  meta: Element[];
  /** From the meta information; without it, from the first bytes. */
  transferSyntax: string;
  encoding: Encoding;
  /** Bytes that the offsets of `elements` refer to: the file, or its inflated data set (PS3.5 §A.5). */
  bytes: Bytes;
  elements: Element[];
}

const EXPLICIT: Encoding = { explicitVr: true, littleEndian: true };
const IMPLICIT: Encoding = { explicitVr: false, littleEndian: true };
const BIG: Encoding = { explicitVr: true, littleEndian: false };
/** Most elements of group 0002. The standard has fewer than twenty. */
const META_ELEMENTS = 1000;

/**
 * Reads a DICOM file, with or without preamble and meta information.
 * @returns undefined when it is not a DICOM file
 * @throws DamagedFile when it is a DICOM file, but not readable
 */
export function readFile(bytes: Bytes, fileOptions: FileOptions = {}): DicomFile | undefined {
  const { inflated, ...options } = fileOptions;
  const start = metaOffset(bytes);
  if (start === undefined) return bytes.size < 16 ? undefined : readBare(bytes, options);
  const { meta, end, transferSyntax } = readMeta(bytes, start);
  if (transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian) {
    if (!inflated) throw new DamagedFile('The deflated data set has not been inflated.');
    const elements = readDataset(inflated, { start: 0, end: inflated.size }, EXPLICIT, options);
    return { meta, transferSyntax, encoding: EXPLICIT, bytes: inflated, elements };
  }
  const encoding = actualEncoding(bytes, end, declaredEncoding(transferSyntax));
  const elements = readDataset(bytes, { start: end, end: bytes.size }, encoding, options);
  return { meta, transferSyntax, encoding, bytes, elements };
}

/**
 * Returns the start of the data set of a deflated file (PS3.5 §A.5), which must be inflated before it is read.
 * @returns undefined for any other file
 * @throws DamagedFile
 */
export function deflatedFrom(bytes: Bytes): number | undefined {
  const start = metaOffset(bytes);
  if (start === undefined) return undefined;
  const { end, transferSyntax } = readMeta(bytes, start);
  return transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian ? end : undefined;
}

/** Returns the value of a UI element of the meta information. */
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

/** Returns the start of group 0002: after preamble and prefix, or 0 in files without them. */
function metaOffset(bytes: Bytes): number | undefined {
  if (bytes.size < 16) return undefined;
  const first = bytes.slice(0, Math.min(bytes.size, 132));
  if (first.toString('latin1', 128, 132) === 'DICM') return 132;
  if (first.toString('latin1', 0, 4) === 'DICM') return 4;
  const meta = first[0] === 2 && first[1] === 0 && first[3] === 0 && isVr(first.toString('latin1', 4, 6));
  return meta ? 0 : undefined;
}

/**
 * Reads the meta information, which is always explicit VR little endian (PS3.10 §7.1). The group ends at the first
 * element of another group, because its length may be wrong.
 * @throws DamagedFile when it names no transfer syntax
 */
function readMeta(bytes: Bytes, start: number): { meta: Element[]; end: number; transferSyntax: string } {
  let end = start;
  const meta = readDataset(bytes, { start, end: bytes.size }, EXPLICIT, {
    while: (tag) => tag.startsWith('0002'),
    budget: new Budget(META_ELEMENTS),
  });
  for (const element of meta) end = Math.max(end, element.offset + element.length);
  const transferSyntax = metaUid(bytes, meta, '00020010');
  if (!transferSyntax || !UID.test(transferSyntax))
    throw new DamagedFile('The meta information names no transfer syntax.');
  return { meta, end, transferSyntax };
}

function declaredEncoding(transferSyntax: string): Encoding {
  if (transferSyntax === TransferSyntax.ImplicitVRLittleEndian) return IMPLICIT;
  // GE's private transfer syntax: implicit little endian, except pixels.
  if (transferSyntax === '1.2.840.113619.5.2') return IMPLICIT;
  return transferSyntax === TransferSyntax.ExplicitVRBigEndian ? BIG : EXPLICIT;
}

/** Returns the encoding of the first element: some files are implicit VR but declare explicit VR, or the reverse. */
function actualEncoding(bytes: Bytes, start: number, declared: Encoding): Encoding {
  if (start + 8 > bytes.size) throw new DamagedFile('The file has no data set.');
  const explicitVr = isVr(bytes.slice(start + 4, 2).toString('latin1'));
  return declared.littleEndian ? { explicitVr, littleEndian: true } : declared;
}

/** Reads a data set without meta information. It counts as DICOM only if the first element is of group 0008. */
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
  const elements = readDataset(bytes, { start: 0, end: bytes.size }, encoding, options);
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
