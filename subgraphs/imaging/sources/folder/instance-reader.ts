import { Readable } from 'node:stream';
import { frameMediaType, Tag, TransferSyntax, type DicomJson } from '../../../../schema/dicom.ts';
import { Fault } from '../../../../schema/fault.ts';
import type { BufferPool } from '../../buffer-pool.ts';
import { chunksOf } from '../../chunks.ts';
import { Bytes, DamagedFile } from '../../part10/bytes.ts';
import { isPixelData, type Element, type Encoding, type Fragment, type Item } from '../../part10/dataset.ts';
import { readDeflatedFile, readFile, type DicomFile } from '../../part10/file.ts';
import { dicomJson } from '../../part10/json.ts';
import { pixelLayout, readFrame, type PixelLayout, type Read } from '../../part10/pixels.ts';
import { littleEndianValue, UNIT } from '../../part10/values.ts';
import { describedPixels } from '../../pixels/description.ts';
import type { PixelDescription } from '../../pixels/frame.ts';
import type { PixelPool } from '../../pixels/pool.ts';
import { transcodeFile, type Transcoded } from '../../pixels/transcode.ts';
import type { BulkData } from '../source.ts';
import { Turns } from '../turns.ts';
import { StoredFile, streamRange } from './stored-file.ts';
import type { IndexedInstance } from './search.ts';

/** The object is in the folder, but is not what its header promises. */
function damaged(cause: unknown): Fault {
  return new Fault('bad_gateway', 'The stored object is damaged.', { service: 'imaging', cause });
}

/** Data sets are inflated one after the other: each is bounded, but many at once were not. */
const inflating = new Turns(1);

/** @throws DamagedFile */
async function parsed(stored: StoredFile, { size, transferSyntax }: IndexedInstance): Promise<DicomFile> {
  const bytes = new Bytes({ fd: stored.fd, size });
  const deflated = transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian;
  const file = deflated ? await inflated(stored, bytes) : readFile(bytes);
  if (!file) throw new DamagedFile('The file is not DICOM.');
  return file;
}

async function inflated(stored: StoredFile, bytes: Bytes): Promise<DicomFile | undefined> {
  const done = await inflating.take();
  try {
    return await readDeflatedFile(bytes, async (offset, length) => {
      const deflated = Buffer.allocUnsafe(length);
      await stored.read(deflated, offset);
      return deflated;
    });
  } finally {
    done();
  }
}

/**
 * Reads an instance's file while `work` runs.
 * @throws Fault `not_found`, `unavailable` as `StoredFile` says; `bad_gateway` where the file is damaged
 */
async function withFile<T>(path: string, indexed: IndexedInstance, work: (file: DicomFile) => T): Promise<T> {
  const stored = new StoredFile(path, indexed);
  try {
    return work(await parsed(stored, indexed));
  } catch (error) {
    throw error instanceof DamagedFile ? damaged(error) : error;
  } finally {
    stored.close();
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

/**
 * The file in another transfer syntax that `canGive` allows.
 * @returns once its first frame was decoded
 */
export async function inTransferSyntax(
  path: string,
  indexed: IndexedInstance,
  transferSyntax: string,
  pixels: PixelPool,
  signal?: AbortSignal,
): Promise<Transcoded> {
  const stored = new StoredFile(path, indexed);
  try {
    const made = await transcodeFile(await parsed(stored, indexed), transferSyntax, pixels, signal);
    const stream = Readable.from(unchanged(made.stream, stored), { objectMode: false });
    const close = (): void => stored.close();
    stream.once('close', () => {
      if (made.stream.closed) close();
      else made.stream.once('close', close).destroy();
    });
    return { ...made, stream };
  } catch (error) {
    stored.close();
    throw error instanceof DamagedFile ? damaged(error) : error;
  }
}

/** Fails at the end where the file was overwritten meanwhile. */
async function* unchanged(stream: Readable, stored: StoredFile): AsyncGenerator<Uint8Array> {
  yield* chunksOf(stream);
  stored.throwIfChanged();
}

/** Where an instance's frames are and what they are; of a deflated file with the bytes themselves. */
export interface FrameTable {
  layout: PixelLayout;
  pixels: PixelDescription;
  inflated?: Buffer;
}

/** @throws Fault `not_found` for an object without pixel data */
export function readFrameTable(path: string, indexed: IndexedInstance): Promise<FrameTable> {
  return withFile(path, indexed, (file) => {
    const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
    const pixels = element && describedPixels(file);
    if (!pixels) throw new Fault('not_found', 'The object has no pixel data.');
    const layout = pixelLayout(file, element, pixels);
    const deflated = file.transferSyntax === TransferSyntax.DeflatedExplicitVRLittleEndian;
    return { layout, pixels, ...(deflated && { inflated: file.bytes.buffer }) };
  });
}

/**
 * @param numbers from 1, all within range
 * @param buffers whose memory is read into
 */
export async function* readFrames(
  path: string,
  indexed: IndexedInstance,
  { layout, inflated }: FrameTable,
  numbers: readonly number[],
  buffers: BufferPool,
): AsyncGenerator<Buffer> {
  const stored = inflated ? undefined : new StoredFile(path, indexed);
  const read: Read = async (offset, length) => {
    if (inflated) return Buffer.from(inflated.subarray(offset, offset + length));
    const buffer = buffers.take(length);
    await stored!.read(buffer, offset);
    return buffer;
  };
  const frame = async (number: number): Promise<Buffer> => {
    try {
      const bytes = await readFrame(layout, number, read);
      stored?.throwIfChanged();
      return bytes;
    } catch (error) {
      throw error instanceof Fault ? error : damaged(error);
    }
  };
  try {
    for (const number of numbers) yield await frame(number);
  } finally {
    stored?.close();
  }
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
      const single = describedPixels(file)?.numberOfFrames === 1 && isPixelData(element.tag);
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
    yield* streamRange(new StoredFile(path, indexed), offset + start, offset + end);
  }
}
