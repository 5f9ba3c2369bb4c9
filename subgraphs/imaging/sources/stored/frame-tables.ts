import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { frameMediaType, isVideo, TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { BufferPool } from '../../multipart/buffer-pool.ts';
import type { FrameBytes } from '../../multipart/frame-bytes.ts';
import type { PixelLayout } from '../../dicom/part10/pixels.ts';
import type { InstanceReader } from './instance-reader.ts';
import type { IndexedInstance } from '../folder/search.ts';
import type { Frames } from '../source.ts';
import { framesOfVideo } from '../video.ts';

/** Yields frames, and calls `after` when they were read or the reader left. */
export async function* framesThen(
  frames: AsyncIterable<FrameBytes>,
  after: () => void | Promise<void>,
): AsyncGenerator<FrameBytes> {
  try {
    yield* frames;
  } finally {
    await after();
  }
}

/** Number of frames and fragments in all kept tables, up to sixteen bytes each. */
const MOST_FRAGMENTS = 2_100_000;

/** A file and its entry in the index. */
interface IndexedFile {
  path: string;
  instance: IndexedInstance;
}

/** Keeps the positions of frames of files between requests, because a cine is read frame by frame. */
export class FrameTables {
  /** Simultaneous requests for a table wait for the same read. */
  readonly #known = boundedCache<PixelLayout, string, IndexedFile>({
    size: MOST_FRAGMENTS,
    sizeOf,
    fetch: (_key, _stale, { context: { path, instance } }) => this.#reader.frameTable(path, instance),
  });
  readonly #reader: InstanceReader;
  readonly #buffers: BufferPool;

  /** @param buffers memory for frames (default: a new pool) */
  constructor(reader: InstanceReader, buffers = new BufferPool()) {
    this.#reader = reader;
    this.#buffers = buffers;
  }

  /**
   * Returns frames of a file as stored, or as native little-endian octets when the data are uncompressed.
   * @param numbers from 1
   * @throws Fault `not_found` for an object without pixel data, or without such a frame (DW-7); `framesOfVideo`
   */
  async frames(path: string, instance: IndexedInstance, numbers: readonly number[]): Promise<Frames> {
    if (isVideo(instance.transferSyntax)) throw framesOfVideo();
    const key = `${path}\n${instance.size}\n${instance.mtime}\n${instance.ctime}`;
    const table =
      this.#known.get(key) ?? (await this.#known.forceFetch(key, { context: { path, instance } }));
    const { frames: count } = table;
    const native = table.kind === 'native';
    if (numbers.some((number) => !Number.isInteger(number) || number < 1 || number > count)) {
      throw new Fault('not_found', `The object has ${count} frame${count === 1 ? '' : 's'}.`);
    }
    return {
      mediaType: native ? 'application/octet-stream' : frameMediaType(instance.transferSyntax),
      transferSyntax: native ? TransferSyntax.ExplicitVRLittleEndian : instance.transferSyntax,
      frames: this.#reader.frames(path, instance, table, { numbers, buffers: this.#buffers }),
    };
  }
}

function sizeOf(table: PixelLayout): number {
  return table.kind === 'native' ? 1 : table.frames + table.fragments.lengths.length;
}
