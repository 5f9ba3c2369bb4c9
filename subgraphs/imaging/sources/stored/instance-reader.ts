import { fstatSync, openSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { noPixelData } from '../../../../schema/fault/refusals.ts';
import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
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

/** Tasks that parse one file. */
type FileTask =
  'openHeader' | 'metadata' | 'frameTable' | 'bulkData' | 'planTranscoding' | 'rewrite' | 'inflate';
/** Input of a task besides the file. */
type More<N extends FileTask> = Omit<TaskInput<N>, keyof ParsedFile>;

/**
 * Number of compared files: their ctime changed after indexing, as by backups that make links, but not their object.
 */
const MOST_COMPARED = 100_000;

/** Data sets are inflated one after another, because the size of each is limited but not of many together. */
const inflating = new Semaphore(1);

/**
 * Reads instances from their files. Other threads parse them within their budget (DW-24). This class reads only bytes
 * at known positions: frames, bulk data, and values of transcoded files.
 *
 * Every method throws Fault: `not_found`; `unavailable` as `StoredFile`; `bad_gateway` when the file is damaged or has
 * too many elements and values.
 */
export class InstanceReader {
  readonly #parsing: Parsing;
  /** Files that were compared with the index after their last change. */
  readonly #compared = boundedCache<true>({ entries: MOST_COMPARED });

  constructor(parsing: Parsing) {
    this.#parsing = parsing;
  }

  /**
   * Opens a file if it contains the indexed object (DW-26). If the file has changed since its header was read, the
   * header is read again and compared.
   * @throws Fault also `unavailable` with cause OtherObject, for another object
   */
  async open(path: string, indexed: IndexedInstance): Promise<StoredFile> {
    const stored = new StoredFile(path, indexed);
    const { object, ctime } = indexed;
    if (!object || stored.ctime === ctime) return stored;
    try {
      const key = `${this.#key(path, indexed)}\n${stored.ctime}\n${JSON.stringify(object)}`;
      if (!this.#compared.has(key))
        throwIfOther(object, await this.#task('openHeader', { stored }, indexed, {}));
      this.#compared.set(key, true);
      return stored;
    } catch (error) {
      stored.close();
      throw error;
    }
  }

  /** Throws the fault of a file whose metadata were refused before. */
  throwIfRefused(path: string, indexed: IndexedInstance): void {
    this.#parsing.threads.throwIfRefused('metadata', this.#key(path, indexed));
  }

  /** Reads all attributes in the DICOM JSON model, PS3.18 §10.4.1.1.2, with the file's transfer syntax (0008,3002). */
  metadata(path: string, indexed: IndexedInstance): Promise<ObjectMetadata> {
    const { transferSyntax } = indexed;
    return this.#parsed('metadata', path, indexed, { transferSyntax });
  }

  /** Finds the frames. @throws Fault also `not_found`, for an object without pixel data */
  async frameTable(path: string, indexed: IndexedInstance): Promise<PixelLayout> {
    const table = await this.#parsed('frameTable', path, indexed, {});
    if (!table) throw noPixelData();
    return table;
  }

  /**
   * Yields frames.
   * @param wanted numbers from 1, all within range; memory for the frames
   */
  async *frames(
    path: string,
    indexed: IndexedInstance,
    layout: PixelLayout,
    { numbers, buffers }: { numbers: readonly number[]; buffers: BufferPool },
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
   * Returns the bytes of a BulkDataURI of the metadata, with words in little endian. Encapsulated pixel data are their
   * fragments in order, without items and offset table. For a single frame that is the compressed image.
   * @param uri `bulkdata/{tag}` or `bulkdata/{sequence}/{item}/…/{tag}`
   * @throws Fault also `not_found`, when it names no binary value
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
   * Transcodes the file to a transfer syntax that `canGive` allows. Returns after the first frame is decoded.
   */
  async inTransferSyntax(
    path: string,
    indexed: IndexedInstance,
    transferSyntax: string,
    { pixels, signal }: { pixels: PixelPool; signal?: AbortSignal | undefined },
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

  /** Opens the bytes that offsets of a parsed file refer to: the file, or its inflated data set. */
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
      // The file disappears when it is closed.
      rmSync(inflated, { force: true });
      done();
    }
  }

  /** Yields a range of a value. */
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

  /** Runs a task with a file in another thread. */
  async #parsed<N extends FileTask>(
    name: N,
    path: string,
    indexed: IndexedInstance,
    more: More<N>,
  ): Promise<TaskResult<N>> {
    const stored = await this.open(path, indexed);
    try {
      return await this.#task(name, { stored, key: this.#key(path, indexed) }, indexed, more);
    } finally {
      stored.close();
    }
  }

  async #task<N extends FileTask>(
    name: N,
    { stored, key }: { stored: StoredFile; key?: string },
    { size }: IndexedInstance,
    more: More<N>,
  ): Promise<TaskResult<N>> {
    const { threads, objectElements } = this.#parsing;
    const input = { fd: stored.fd, size, objectElements, ...more } as TaskInput<N>;
    const made = threads.run(name, input, key);
    await made.catch(() => undefined);
    // A file that seems damaged may have been overwritten while it was read.
    stored.throwIfChanged();
    return made;
  }
}

/** Yields a stream, and fails at its end if the file was overwritten in the meantime. */
async function* unchanged(stream: Readable, stored: StoredFile): AsyncGenerator<Uint8Array> {
  yield* chunksOf(stream);
  stored.throwIfChanged();
}
