import { LRUCache } from 'lru-cache';
import { frameMediaType, TransferSyntax } from '../../../schema/dicom.ts';
import { Fault } from '../../../schema/fault.ts';
import { BufferPool } from '../buffer-pool.ts';
import { readFrames, readFrameTable, type FrameTable } from './folder/instance-reader.ts';
import type { IndexedInstance } from './folder/search.ts';
import type { Frames } from './source.ts';

/** The frames, and `after` once they were read or are given up. */
export async function* framesThen(
  frames: AsyncIterable<Uint8Array>,
  after: () => void | Promise<void>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* frames;
  } finally {
    await after();
  }
}

/** Frames and fragments of all tables that are kept, some fifty bytes each. */
const MOST_FRAGMENTS = 2_100_000;

/** Where the frames of files are, kept from one request to the next: a film is read frame by frame. */
export class FrameTables {
  /** What is damaged is known too: finding that out may take as long. */
  readonly #known = new LRUCache<string, FrameTable | Fault>({
    maxSize: MOST_FRAGMENTS,
    sizeCalculation: (known) => (known instanceof Fault ? 1 : sizeOf(known)),
  });

  readonly #buffers: BufferPool;

  /** @param buffers for frames that are given back (default: its own) */
  constructor(buffers = new BufferPool()) {
    this.#buffers = buffers;
  }

  /**
   * Frames of a file, as stored, or as native little-endian octets when the data are uncompressed.
   * @param numbers from 1
   * @throws Fault `not_found` for an object without pixel data, or without such a frame (DW-7)
   */
  async frames(path: string, instance: IndexedInstance, numbers: readonly number[]): Promise<Frames> {
    const key = `${path}\n${instance.size}\n${instance.mtime}`;
    const known = this.#known.get(key);
    if (known instanceof Fault) throw known;
    const table = known ?? (await this.#read(key, path, instance));
    const { layout } = table;
    const native = layout.kind === 'native';
    const count = native ? layout.frames : layout.frames.length;
    if (numbers.some((number) => !Number.isInteger(number) || number < 1 || number > count)) {
      throw new Fault('not_found', `The object has ${count} frame${count === 1 ? '' : 's'}.`);
    }
    return {
      mediaType: native ? 'application/octet-stream' : frameMediaType(instance.transferSyntax),
      transferSyntax: native ? TransferSyntax.ExplicitVRLittleEndian : instance.transferSyntax,
      frames: readFrames(path, instance, table, numbers, this.#buffers),
    };
  }

  async #read(key: string, path: string, instance: IndexedInstance): Promise<FrameTable> {
    try {
      const table = await readFrameTable(path, instance);
      // Inflated pixels are too large to keep.
      if (!table.inflated) this.#known.set(key, table);
      return table;
    } catch (error) {
      if (error instanceof Fault && error.code === 'bad_gateway') this.#known.set(key, error);
      throw error;
    }
  }
}

function sizeOf({ layout }: FrameTable): number {
  if (layout.kind === 'native') return 1;
  return layout.frames.reduce((sum, fragments) => sum + fragments.length, layout.frames.length + 1);
}
