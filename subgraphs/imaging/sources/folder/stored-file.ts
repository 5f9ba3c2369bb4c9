import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { Fault } from '../../../../schema/fault.ts';
import type { BufferPool } from '../../buffer-pool.ts';
import { DamagedFile } from '../../part10/bytes.ts';
import type { IndexedInstance } from './search.ts';

/** Bytes a stream reads at a time: fewer calls, still little to hold for each of many streams. */
const CHUNK = 512 * 1024;

/**
 * An open file of the index. To open, to ask about and to close a file on a disk of this machine are calls that the
 * kernel answers from memory; a way through the thread pool for each of them costs a frame more than its bytes do. The
 * bytes are read in that pool. (A network share is asked over its network for each: the event loop waits for it.)
 */
export class StoredFile {
  readonly fd: number;
  readonly #indexed: IndexedInstance;
  #reading = 0;
  #closed = false;

  /**
   * Opens a file, if it still is the file that was indexed: same size, same time of change.
   * @param path absolute
   * @throws Fault `not_found` where it is gone, `unavailable` where it has changed since or cannot be read
   */
  constructor(path: string, indexed: IndexedInstance) {
    this.fd = openToRead(path);
    this.#indexed = indexed;
    try {
      this.throwIfChanged();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Asked again after reading, it tells that nothing was mixed: what was read of a file that was overwritten meanwhile may
   * be of both.
   * @throws Fault `unavailable` where it is another than was indexed
   */
  throwIfChanged(): void {
    this.#throwIfClosed();
    const { size, mtimeMs } = fstatSync(this.fd);
    if (size === this.#indexed.size && mtimeMs === this.#indexed.mtime) return;
    const message = 'The object has changed in its folder and is being indexed again.';
    throw new Fault('unavailable', message, { service: 'imaging', retryAfter: 2 });
  }

  /**
   * Fills `buffer` from `position` of the file.
   * @throws DamagedFile where it ends before that, an error where it was closed, and the file system's
   */
  async read(buffer: Uint8Array, position: number): Promise<void> {
    this.#throwIfClosed();
    this.#reading++;
    try {
      for (let done = 0; done < buffer.length;) {
        const count = await this.#some(buffer, done, position + done);
        if (count === 0) throw new DamagedFile('The file became shorter while it was read.');
        done += count;
      }
    } finally {
      this.#reading--;
      this.#release();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
  }

  /** The number of an open file is another file's as soon as it is closed: not while a read is under way. */
  #release(): void {
    if (!this.#closed || this.#reading > 0) return;
    try {
      closeSync(this.fd);
    } catch {
      // It is closed all the same, and nothing was written that could be lost (close(2)).
    }
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new Error('The file is closed.');
  }

  #some(buffer: Uint8Array, done: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.fd, buffer, done, buffer.length - done, position, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
  }
}

/** A link in the file's place is not followed, and a pipe not waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @throws Fault `not_found` where it is gone, `unavailable` where it cannot be read */
function openToRead(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') {
      throw new Fault('not_found', 'The object was removed from its folder.', { service: 'imaging', cause });
    }
    throw new Fault('unavailable', 'The object cannot be read now.', {
      service: 'imaging',
      retryAfter: 5,
      cause,
    });
  }
}

/**
 * A range of an open file, which is closed with the stream.
 * @param end inclusive
 * @param buffers whose memory is read into; new memory by default
 * @returns a stream that is destroyed with an error where the file turns out shorter, or another than was indexed (DW-13)
 */
export function streamRange(file: StoredFile, start: number, end: number, buffers?: BufferPool): Readable {
  let position = start;
  return new Readable({
    // One chunk read, one on its way to the reader.
    highWaterMark: CHUNK,
    read() {
      const length = Math.min(CHUNK, end + 1 - position);
      if (length <= 0) return void this.push(null);
      // Not zeroed: every byte is overwritten.
      const chunk = buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
      file
        .read(chunk, position)
        .then(() => {
          position += length;
          // Before the last bytes go: without them no answer is whole.
          if (position > end) file.throwIfChanged();
          this.push(chunk);
        })
        .catch((error: Error) => this.destroy(error));
    },
    destroy(error, done) {
      file.close();
      done(error);
    },
  });
}
