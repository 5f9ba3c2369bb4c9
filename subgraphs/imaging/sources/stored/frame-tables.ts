import { LRUCache } from 'lru-cache';
import { frameMediaType, TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { BufferPool } from '../../multipart/buffer-pool.ts';
import type { FrameBytes } from '../../multipart/frame-bytes.ts';
import type { PixelLayout } from '../../dicom/part10/pixels.ts';
import type { InstanceReader } from './instance-reader.ts';
import type { IndexedInstance } from '../folder/search.ts';
import type { Frames } from '../source.ts';

/** The frames, and `after` once they were read or are given up. */
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

/** Frames and fragments of all tables that are kept, up to sixteen bytes each. */
const MOST_FRAGMENTS = 2_100_000;

/** A file, and what the index says of it. */
interface IndexedFile {
  path: string;
  instance: IndexedInstance;
}

/** Where the frames of files are, kept from one request to the next: a film is read frame by frame. */
export class FrameTables {
  /** Who asks for one that is being read waits for it. */
  readonly #known = new LRUCache<string, PixelLayout, IndexedFile>({
    ...{ maxSize: MOST_FRAGMENTS, sizeCalculation: sizeOf },
    fetchMethod: (_key, _stale, { context: { path, instance } }) => this.#reader.frameTable(path, instance),
    // One that leaves the cache while it is read is still read for those who wait.
    ignoreFetchAbort: true,
  });
  readonly #reader: InstanceReader;
  readonly #buffers: BufferPool;

  /** @param buffers for frames that are given back (default: its own) */
  constructor(reader: InstanceReader, buffers = new BufferPool()) {
    this.#reader = reader;
    this.#buffers = buffers;
  }

  /**
   * Frames of a file, as stored, or as native little-endian octets when the data are uncompressed.
   * @param numbers from 1
   * @throws Fault `not_found` for an object without pixel data, or without such a frame (DW-7)
   */
  async frames(path: string, instance: IndexedInstance, numbers: readonly number[]): Promise<Frames> {
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
      frames: this.#reader.frames(path, instance, table, numbers, this.#buffers),
    };
  }
}

function sizeOf(table: PixelLayout): number {
  return table.kind === 'native' ? 1 : table.frames + table.fragments.lengths.length;
}
