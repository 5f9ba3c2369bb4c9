import { Readable } from 'node:stream';
import { frameMediaType, Tag, TransferSyntax, type DicomJson } from '../../../../schema/dicom.ts';
import { Fault } from '../../../../schema/fault.ts';
import { Bytes, DamagedFile } from '../../part10/bytes.ts';
import { isPixelData, type Element, type Encoding, type Fragment, type Item } from '../../part10/dataset.ts';
import { readFile, type DicomFile } from '../../part10/file.ts';
import { dicomJson } from '../../part10/json.ts';
import {
  encapsulatedLayout,
  nativeLayout,
  pixelAttributes,
  repack,
  type EncapsulatedLayout,
  type NativeLayout,
  type PixelLayout,
} from '../../part10/pixels.ts';
import { transcode } from '../../part10/transcode.ts';
import { binaryNumbers, littleEndianValue, swap, UNIT } from '../../part10/values.ts';
import type { BulkData } from '../source.ts';
import { openStored, streamRange } from './stored-file.ts';
import type { IndexedInstance } from './search.ts';

/** The object is in the folder, but is not what its header promises. */
function damaged(cause: unknown): Fault {
  return new Fault('bad_gateway', 'The stored object is damaged.', { service: 'imaging', cause });
}

/**
 * Reads an instance's file while `work` runs.
 * @throws Fault `not_found`, `unavailable` as `openStored` says; `bad_gateway` where the file is damaged
 */
async function withFile<T>(path: string, indexed: IndexedInstance, work: (file: DicomFile) => T): Promise<T> {
  const handle = await openStored(path, indexed);
  try {
    const file = readFile(new Bytes({ fd: handle.fd, size: indexed.size }));
    if (!file) throw new DamagedFile('The file is not DICOM.');
    return work(file);
  } catch (error) {
    throw error instanceof DamagedFile ? damaged(error) : error;
  } finally {
    await handle.close();
  }
}

/** All attributes in the DICOM JSON model, PS3.18 §10.4.1.1.2, with the transfer syntax at hand (0008,3002). */
export function readMetadata(path: string, indexed: IndexedInstance): Promise<DicomJson> {
  return withFile(path, indexed, ({ bytes, elements, encoding }) => {
    const json = dicomJson(bytes, elements, encoding);
    json[Tag.AvailableTransferSyntaxUID] = { vr: 'UI', Value: [indexed.transferSyntax] };
    return Object.fromEntries(Object.entries(json).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The file in another uncompressed transfer syntax. */
export async function transcoded(
  path: string,
  indexed: IndexedInstance,
  transferSyntax: string,
): Promise<Readable> {
  const handle = await openStored(path, indexed);
  try {
    const file = readFile(new Bytes({ fd: handle.fd, size: indexed.size }));
    if (!file) throw new DamagedFile('The file is not DICOM.');
    const stream = transcode(file, transferSyntax);
    return stream.on('close', () => void handle.close());
  } catch (error) {
    await handle.close();
    throw error instanceof DamagedFile ? damaged(error) : error;
  }
}

/** Where an instance's frames are; of a deflated file with the bytes themselves. */
export interface FrameTable {
  layout: PixelLayout;
  inflated?: Buffer;
}

/** @throws Fault `not_found` for an object without pixel data */
export function readFrameTable(path: string, indexed: IndexedInstance): Promise<FrameTable> {
  return withFile(path, indexed, (file) => {
    const { bytes, elements, encoding, transferSyntax } = file;
    const pixels = elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
    const description = elements.filter(({ tag }) => tag.startsWith('0028'));
    const attributes = pixels && pixelAttributes(dicomJson(bytes, description, encoding));
    if (!attributes) throw new Fault('not_found', 'The object has no pixel data.');
    if (pixels.fragments) {
      return { layout: encapsulatedLayout(bytes, pixels, attributes.frames, extendedOffsets(file)) };
    }
    const deflated = transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian;
    return {
      layout: nativeLayout(pixels, encoding, attributes),
      ...(deflated && { inflated: bytes.buffer }),
    };
  });
}

/** Extended Offset Table, PS3.3 §C.7.6.3.1.8. */
function extendedOffsets({ bytes, elements }: DicomFile): number[] | undefined {
  const table = elements.find(({ tag }) => tag === '7FE00001');
  return table && binaryNumbers('UV', bytes.slice(table.offset, table.length), true).map(Number);
}

/** @param numbers from 1, all within range */
export async function* readFrames(
  path: string,
  indexed: IndexedInstance,
  { layout, inflated }: FrameTable,
  numbers: readonly number[],
): AsyncGenerator<Buffer> {
  const handle = inflated ? undefined : await openStored(path, indexed);
  const read = async (offset: number, length: number): Promise<Buffer> => {
    if (inflated) return Buffer.from(inflated.subarray(offset, offset + length));
    const buffer = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await handle!.read(buffer, done, length - done, offset + done);
      if (bytesRead === 0) throw damaged(new Error('The file became shorter while it was read.'));
      done += bytesRead;
    }
    return buffer;
  };
  try {
    for (const number of numbers) {
      yield await (layout.kind === 'native'
        ? nativeFrame(layout, number, read)
        : encapsulated(layout, number, read));
    }
  } finally {
    await handle?.close();
  }
}

type Read = (offset: number, length: number) => Promise<Buffer>;

async function nativeFrame(layout: NativeLayout, number: number, read: Read): Promise<Buffer> {
  const { offset, length, bitsPerFrame, swapUnit } = layout;
  const startBit = (number - 1) * bitsPerFrame;
  const endBit = startBit + bitsPerFrame;
  // Whole words, so that they can be turned; of an odd frame of bytes the neighbours come along and are cut off.
  const start = Math.floor(startBit / 8 / swapUnit) * swapUnit;
  const end = Math.min(length, Math.ceil(endBit / 8 / swapUnit) * swapUnit);
  const words = swap(await read(offset + start, end - start), swapUnit);
  const first = startBit - start * 8;
  if (bitsPerFrame % 8 !== 0) return repack(words, first, bitsPerFrame);
  return words.subarray(first / 8, (first + bitsPerFrame) / 8);
}

async function encapsulated(layout: EncapsulatedLayout, number: number, read: Read): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const { offset, length } of layout.frames[number - 1]!) parts.push(await read(offset, length));
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/**
 * The bytes behind a BulkDataURI of the metadata, words in little endian. Encapsulated pixel data are their fragments
 * one after the other, without items and offset table: of a single frame that is the compressed image.
 * @param uri `bulkdata/{tag}` or `bulkdata/{sequence}/{item}/…/{tag}`
 * @throws Fault `not_found` where it names no binary value
 */
export function readBulkData(path: string, indexed: IndexedInstance, uri: string): Promise<BulkData> {
  return withFile(path, indexed, (file) => {
    const found = findElement(file, uri.replace(/^\/?bulkdata\//, '').split('/'));
    if (!found || found.element.vr === 'SQ' || found.element.length === 0)
      throw new Fault('not_found', 'The object has no such bulk data.');
    const { element, encoding } = found;
    const turned = !encoding.littleEndian && (UNIT[element.vr] ?? 1) > 1;
    if (element.fragments) {
      const single = pixelFrames(file) === 1 && isPixelData(element.tag);
      const mediaType = single ? frameMediaType(file.transferSyntax) : 'application/octet-stream';
      return bulkData(mediaType, element.fragments.slice(1), path, indexed);
    }
    const deflated = file.transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian;
    if (turned || deflated) return inMemory(littleEndianValue(file.bytes, element, encoding));
    return bulkData('application/octet-stream', [element], path, indexed);
  });
}

function findElement(
  file: DicomFile,
  path: readonly string[],
): { element: Element; encoding: Encoding } | undefined {
  let item: Item | undefined = { elements: file.elements, encoding: file.encoding };
  for (let i = 0; item; i += 2) {
    const element: Element | undefined = item.elements.find(({ tag }) => tag === path[i]);
    if (!element) return undefined;
    if (i === path.length - 1) return { element, encoding: item.encoding };
    item = /^\d{1,9}$/.test(path[i + 1]!) ? element.items?.[Number(path[i + 1])] : undefined;
  }
  return undefined;
}

function pixelFrames({ bytes, elements, encoding }: DicomFile): number {
  const description = elements.filter(({ tag }) => tag.startsWith('0028'));
  return pixelAttributes(dicomJson(bytes, description, encoding))?.frames ?? 1;
}

function inMemory(value: Buffer): BulkData {
  const open: BulkData['open'] = (range) =>
    Readable.from([range ? value.subarray(range.start, range.end + 1) : value], { objectMode: false });
  return { mediaType: 'application/octet-stream', size: value.length, open };
}

function bulkData(
  mediaType: string,
  parts: readonly Fragment[],
  path: string,
  indexed: IndexedInstance,
): BulkData {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return {
    mediaType,
    size,
    open: (range = { start: 0, end: size - 1 }) =>
      Readable.from(readParts(parts, range, path, indexed), { objectMode: false, highWaterMark: 64 * 1024 }),
  };
}

async function* readParts(
  parts: readonly Fragment[],
  range: { start: number; end: number },
  path: string,
  indexed: IndexedInstance,
): AsyncGenerator<Buffer> {
  let before = 0;
  for (const { offset, length } of parts) {
    const start = Math.max(range.start - before, 0);
    const end = Math.min(range.end - before, length - 1);
    before += length;
    if (start > end) continue;
    yield* streamRange(await openStored(path, indexed), offset + start, offset + end);
  }
}
