import { BufferPool } from '../multipart/buffer-pool.ts';
import { TemporaryFile, type FrameInFile } from '../multipart/frame-bytes.ts';
import { Lane } from './lane.ts';

/** Bytes of all results that lie in files until they were read. */
const MOST_BYTES = 2 * 1024 ** 3;
/** Milliseconds for which a result waits for its reader although others wait for its room, and those for each of its MB. */
const PATIENCE = 60_000;
const PER_MEGABYTE = 1000;

/**
 * Large results in temporary files, until they were read. There is room for so many bytes of them; a reader who is slower
 * than about 1 MB a second loses the result when others wait for the room.
 */
export class ResultFiles {
  readonly #buffers = new BufferPool(8 * 1024 * 1024);
  readonly #lane: Lane;

  /** @param queue results that may wait for room */
  constructor(queue: number) {
    this.#lane = new Lane({ bytes: MOST_BYTES, queue });
  }

  /**
   * Waits for room.
   * @param bytes that the result may have
   * @returns what opens the file once it is written, and what gives the room back where there is none
   * @throws Fault `unavailable` where too many wait; the reason of the signal
   */
  async room(bytes: number, signal?: AbortSignal) {
    await this.#lane.enter(bytes, signal);
    const giveBack = (): void => this.#lane.leave(bytes);
    return { giveBack, open: (path: string) => this.#opened(path, bytes) };
  }

  close(reason: Error): void {
    this.#lane.close(reason);
  }

  /** A file that gives its room back when it is closed. */
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
    const patience = PATIENCE + (file.length / 1e6) * PER_MEGABYTE;
    const timer = setTimeout(() => {
      if (this.#lane.isWaitedFor) void close();
      else timer.refresh();
    }, patience).unref();
    return { length: file.length, close, [Symbol.asyncIterator]: () => file[Symbol.asyncIterator]() };
  }
}
