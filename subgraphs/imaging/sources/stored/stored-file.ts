import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { BufferPool } from '../../multipart/buffer-pool.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** Bytes a stream reads at a time: fewer calls, still little to hold for each of many streams. */
const CHUNK = 512 * 1024;

/** What tells a file from what it was or will be. */
export interface FileStamp {
  size: number;
  /** Milliseconds since 1970, with fraction. */
  mtime: number;
}

/**
 * An open file of the index. To open, to ask about and to close a file on a disk of this machine are calls that the
 * kernel answers from memory; a way through the thread pool for each of them costs a frame more than its bytes do. The
 * bytes are read in that pool. (A network share is asked over its network for each: the event loop waits for it.)
 */
export class StoredFile {
  readonly fd: number;
  /** When it was last touched, in milliseconds since 1970. */
  readonly ctime: number;
  readonly #indexed: FileStamp;
  #reading = 0;
  #closed = false;

  /**
   * Opens a file, if it still is the file that was indexed: same size, same time of change.
   * @param path absolute; or the number of a file that is open already
   * @throws Fault `unavailable` where it is gone, has changed since or cannot be read: what is gone is for the index to say
   */
  constructor(path: string | number, indexed: FileStamp) {
    this.fd = typeof path === 'number' ? path : openToRead(path);
    this.#indexed = indexed;
    try {
      this.ctime = this.throwIfChanged();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Asked again after reading, it tells that nothing was mixed: what was read of a file that was overwritten meanwhile may
   * be of both.
   * @returns when it was last touched
   * @throws Fault `unavailable` where it is another than was indexed
   */
  throwIfChanged(): number {
    this.#throwIfClosed();
    const { size, mtimeMs, ctimeMs } = fstatSync(this.fd);
    if (size === this.#indexed.size && mtimeMs === this.#indexed.mtime) return ctimeMs;
    const message = 'The object has changed in its folder and is being indexed again.';
    throw new Fault('unavailable', message, { service: 'imaging', retryAfter: 2 });
  }

  /**
   * Fills `buffer` from `position` of the file.
   * @throws DamagedFile where it ends before that, an error where it was closed, Fault `unavailable` where the file system
   * fails
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
        error ? reject(unreadable(error)) : resolve(count),
      );
    });
  }
}

/** A link in the file's place is not followed, and a pipe not waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @throws Fault `unavailable`, also where it is gone: the disk may be */
function openToRead(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (cause) {
    throw unreadable(cause);
  }
}

function unreadable(cause: unknown): Fault {
  return new Fault('unavailable', 'The object cannot be read now.', {
    ...{ service: 'imaging', retryAfter: 5, cause },
  });
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
