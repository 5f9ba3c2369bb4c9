import { BufferPool } from '../multipart/buffer-pool.ts';
import { TemporaryFile, type FrameInFile } from '../multipart/frame-bytes.ts';
import { Lane } from './lane.ts';

/** Bytes of all results in files. */
const MOST_BYTES = 2 * 1024 ** 3;
/** Milliseconds for which a result is kept for its reader while others wait for room, and those added for each MB. */
const BASE_TIMEOUT = 60_000;
const PER_MEGABYTE = 1000;

/**
 * Keeps large results in temporary files until they are read. Their bytes are limited: a reader slower than about
 * 1 MB/s loses its result when others wait for room.
 */
export class ResultFiles {
  readonly #buffers = new BufferPool(8 * 1024 * 1024);
  readonly #lane: Lane;

  /** @param queue number of results that may wait for room */
  constructor(queue: number) {
    this.#lane = new Lane({ bytes: MOST_BYTES, queue });
  }

  /**
   * Waits for room.
   * @param bytes most bytes of the result
   * @returns `open`, for the file when it is written, and `giveBack`, for the room when there is no file
   * @throws Fault `unavailable` when too many wait; the reason of the signal
   */
  async room(bytes: number, signal?: AbortSignal) {
    await this.#lane.enter(bytes, signal);
    const giveBack = (): void => this.#lane.leave(bytes);
    return { giveBack, open: (path: string) => this.#opened(path, bytes) };
  }

  close(reason: Error): void {
    this.#lane.close(reason);
  }

  /** Opens a file that gives its room back when it is closed. */
  async #opened(path: string, bytes: number): Promise<FrameInFile> {
    const file = await TemporaryFile.taken(path, this.#buffers);
    let closed = false;
    const close = async (): Promise<void> => {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      await file.close();
      this.#lane.leave(bytes);
    };
    const timeout = BASE_TIMEOUT + (file.length / 1e6) * PER_MEGABYTE;
    const timer = setTimeout(() => {
      if (this.#lane.isWaitedFor) void close();
      else timer.refresh();
    }, timeout).unref();
    return { length: file.length, close, [Symbol.asyncIterator]: () => file[Symbol.asyncIterator]() };
  }
}
