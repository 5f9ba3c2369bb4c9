import { LRUCache } from 'lru-cache';
import { fstatSync, openSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { noPixelData } from '../../../../schema/fault/refusals.ts';
import { maxEntries } from '../../../../schema/outbound/max-entries.ts';
import type { BufferPool } from '../../multipart/buffer-pool.ts';
import { chunksOf } from '../../multipart/chunks.ts';
import type { FrameBytes } from '../../multipart/frame-bytes.ts';
import type { BulkDataParts } from '../../parsing/bulk-data.ts';
import type { ObjectMetadata } from '../../parsing/object-metadata.ts';
import type { ParsedFile } from '../../parsing/open-file.ts';
import type { Parsing } from '../../threads/parsing-threads.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { openFrame, type PixelLayout } from '../../dicom/part10/pixels.ts';
import type { PixelPool } from '../../threads/pool.ts';
import type { TaskInput, TaskResult } from '../../threads/tasks.ts';
import { transcodeFile, type Transcoded } from '../../threads/transcode-file.ts';
import { temporaryPath } from '../../disk/temporary-path.ts';
import { damaged } from '../damaged.ts';
import type { BulkData } from '../source.ts';
import { Semaphore } from '../../../../schema/concurrency/semaphore.ts';
import { partsWithin, turnedWords, type ByteRange } from '../folder/parts-of-value.ts';
import { throwIfOther } from '../folder/indexed-object.ts';
import type { IndexedInstance } from '../folder/search.ts';
import { StoredFile } from './stored-file.ts';

/** Tasks that parse one file, and what they are told besides. */
type FileTask =
  'openHeader' | 'metadata' | 'frameTable' | 'bulkData' | 'planTranscoding' | 'rewrite' | 'inflate';
type More<N extends FileTask> = Omit<TaskInput<N>, keyof ParsedFile>;

/** Files that are known to hold what was indexed although something touched them since: backups that link do. */
const MOST_COMPARED = 100_000;

/** Data sets are inflated one after the other: each is bounded, but many at once were not. */
const inflating = new Semaphore(1);

/**
 * Reads instances from their files. They are parsed in threads, within their budget (DW-24); here only what they say is
 * read: frames, bulk data, values of what is transcoded.
 *
 * Every method throws Fault: `not_found`, `unavailable` as `StoredFile` says; `bad_gateway` where the file is damaged or
 * has more elements and values than it may.
 */
export class InstanceReader {
  readonly #parsing: Parsing;
  /** Files that were compared with the index since they were touched. */
  readonly #compared = new LRUCache<string, true>(maxEntries(MOST_COMPARED));

  constructor(parsing: Parsing) {
    this.#parsing = parsing;
  }

  /**
   * Opens a file, if it holds the object that was indexed (DW-26): one that nothing has touched since its header was read
   * does, of another the header is read and compared.
   * @throws Fault `unavailable` too, its cause OtherObject, for another object
   */
  async open(path: string, indexed: IndexedInstance): Promise<StoredFile> {
    const stored = new StoredFile(path, indexed);
    const { object, ctime } = indexed;
    if (!object || stored.ctime === ctime) return stored;
    try {
      const key = `${this.#key(path, indexed)}\n${stored.ctime}\n${JSON.stringify(object)}`;
      if (!this.#compared.has(key)) throwIfOther(object, await this.#task('openHeader', stored, indexed, {}));
      this.#compared.set(key, true);
      return stored;
    } catch (error) {
      stored.close();
      throw error;
    }
  }

  /** Throws at once for a file whose metadata were refused before. */
  throwIfRefused(path: string, indexed: IndexedInstance): void {
    this.#parsing.threads.throwIfRefused('metadata', this.#key(path, indexed));
  }

  /** All attributes in the DICOM JSON model, PS3.18 §10.4.1.1.2, with the transfer syntax at hand (0008,3002). */
  metadata(path: string, indexed: IndexedInstance): Promise<ObjectMetadata> {
    const { transferSyntax } = indexed;
    return this.#parsed('metadata', path, indexed, { transferSyntax });
  }

  /** Where the frames are. @throws Fault `not_found` too, for an object without pixel data */
  async frameTable(path: string, indexed: IndexedInstance): Promise<PixelLayout> {
    const table = await this.#parsed('frameTable', path, indexed, {});
    if (!table) throw noPixelData();
    return table;
  }

  /**
   * @param numbers from 1, all within range
   * @param buffers whose memory is read into
   */
  async *frames(
    path: string,
    indexed: IndexedInstance,
    layout: PixelLayout,
    numbers: readonly number[],
    buffers: BufferPool,
  ): AsyncGenerator<FrameBytes> {
    const content = await this.#content(path, indexed);
    const read = async (offset: number, length: number): Promise<Buffer> => {
      try {
        const buffer = buffers.take(length);
        await content.read(buffer, offset);
        content.throwIfChanged();
        return buffer;
      } catch (error) {
        throw error instanceof DamagedFile ? damaged(error) : error;
      }
    };
    try {
      for (const number of numbers) yield await openFrame(layout, number, read);
    } finally {
      content.close();
    }
  }

  /**
   * The bytes behind a BulkDataURI of the metadata, words in little endian. Encapsulated pixel data are their fragments
   * one after the other, without items and offset table: of a single frame that is the compressed image.
   * @param uri `bulkdata/{tag}` or `bulkdata/{sequence}/{item}/…/{tag}`
   * @throws Fault `not_found` too, where it names no binary value
   */
  async bulkData(path: string, indexed: IndexedInstance, uri: string): Promise<BulkData> {
    const found = await this.#parsed('bulkData', path, indexed, { uri });
    if (!found) throw new Fault('not_found', 'The object has no such bulk data.');
    const { mediaType, size } = found;
    const open: BulkData['open'] = (range = { start: 0, end: size - 1 }) =>
      Readable.from(this.#value(path, indexed, found, range), {
        objectMode: false,
        highWaterMark: 64 * 1024,
      });
    return { mediaType, size, open };
  }

  /**
   * The file in another transfer syntax that `canGive` allows.
   * @returns once its first frame was decoded
   */
  async inTransferSyntax(
    path: string,
    indexed: IndexedInstance,
    transferSyntax: string,
    pixels: PixelPool,
    signal?: AbortSignal,
  ): Promise<Transcoded> {
    const content = await this.#content(path, indexed);
    const close = (): void => content.close();
    try {
      const file = {
        plan: (to: string) => this.#parsed('planTranscoding', path, indexed, { to }),
        rewritten: (to: string, photometricInterpretation?: string) =>
          this.#parsed('rewrite', path, indexed, { transferSyntax: to, photometricInterpretation }),
        async read(offset: number, length: number) {
          const buffer = Buffer.allocUnsafeSlow(length);
          await content.read(buffer, offset);
          return buffer;
        },
      };
      const made = await transcodeFile(file, transferSyntax, pixels, signal);
      const stream = Readable.from(unchanged(made.stream, content), { objectMode: false });
      stream.once('close', () => {
        if (made.stream.closed) close();
        else made.stream.once('close', close).destroy();
      });
      return { ...made, stream };
    } catch (error) {
      close();
      throw error instanceof DamagedFile ? damaged(error) : error;
    }
  }

  /** The bytes that offsets of a parsed file point into: the file, or its inflated data set. */
  async #content(path: string, indexed: IndexedInstance): Promise<StoredFile> {
    if (indexed.transferSyntax !== TransferSyntax.DeflatedExplicitVRLittleEndian)
      return this.open(path, indexed);
    const inflated = temporaryPath('inflated');
    const done = await inflating.acquire();
    try {
      await this.#parsed('inflate', path, indexed, { path: inflated });
      const fd = openSync(inflated, 'r');
      const { size, mtimeMs: mtime } = fstatSync(fd);
      return new StoredFile(fd, { size, mtime });
    } finally {
      // Gone once it is closed.
      rmSync(inflated, { force: true });
      done();
    }
  }

  /** A value, or a range of it, as it is given. */
  async *#value(
    path: string,
    indexed: IndexedInstance,
    { parts, unit }: BulkDataParts,
    range: ByteRange,
  ): AsyncGenerator<Buffer> {
    const content = await this.#content(path, indexed);
    try {
      if (unit > 1) yield* turnedWords(content, parts, unit, range);
      else yield* partsWithin(content, parts, range);
      content.throwIfChanged();
    } finally {
      content.close();
    }
  }

  #key(path: string, { size, mtime, ctime }: IndexedInstance): string {
    return `${path}\n${size}\n${mtime}\n${ctime}\n${this.#parsing.objectElements}`;
  }

  /** What a thread makes of a file. */
  async #parsed<N extends FileTask>(
    name: N,
    path: string,
    indexed: IndexedInstance,
    more: More<N>,
  ): Promise<TaskResult<N>> {
    const stored = await this.open(path, indexed);
    try {
      return await this.#task(name, stored, indexed, more, this.#key(path, indexed));
    } finally {
      stored.close();
    }
  }

  async #task<N extends FileTask>(
    name: N,
    stored: StoredFile,
    { size }: IndexedInstance,
    more: More<N>,
    key?: string,
  ): Promise<TaskResult<N>> {
    const { threads, objectElements } = this.#parsing;
    const input = { fd: stored.fd, size, objectElements, ...more } as unknown as TaskInput<N>;
    const made = threads.run(name, input, key);
    await made.catch(() => undefined);
    // What seems damaged may have been overwritten while it was read.
    stored.throwIfChanged();
    return made;
  }
}

/** Fails at the end where the file was overwritten meanwhile. */
async function* unchanged(stream: Readable, stored: StoredFile): AsyncGenerator<Uint8Array> {
  yield* chunksOf(stream);
  stored.throwIfChanged();
}
