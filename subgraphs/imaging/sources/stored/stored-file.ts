import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { Readable } from 'node:stream';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { BufferPool } from '../../multipart/buffer-pool.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';

/** Bytes that a stream reads at a time: few calls, but little memory for each of many streams. */
const CHUNK = 512 * 1024;

/** Size and time of last change of a file. */
export interface FileStamp {
  size: number;
  /** Milliseconds since 1970, with fraction. */
  mtime: number;
}

/**
 * An open file of the index. Opening, checking and closing a local file are synchronous: the kernel answers them from
 * memory, and the thread pool would cost more than reading a frame. Bytes are read in the thread pool. (For a network
 * share, the event loop waits for these calls.)
 */
export class StoredFile {
  readonly fd: number;
  /** Last change of content or attributes, in milliseconds since 1970. */
  readonly ctime: number;
  readonly #indexed: FileStamp;
  #reading = 0;
  #closed = false;

  /**
   * Opens a file if it is still the indexed one, with the same size and time of change.
   * @param path absolute path, or the descriptor of an open file
   * @throws Fault `unavailable` when it is gone, has changed or cannot be read. Only the index decides what is gone
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
   * Checks that the file is still the indexed one. Called again after reading, because bytes of a file that was
   * overwritten in the meantime may be mixed.
   * @returns its ctime
   * @throws Fault `unavailable` when it is not the indexed file
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
   * @throws DamagedFile when it is too short; an error when it was closed; Fault `unavailable` when the file system
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

  /** Closes the descriptor, but not during a read, because another file may get it at once. */
  #release(): void {
    if (!this.#closed || this.#reading > 0) return;
    try {
      closeSync(this.fd);
    } catch {
      // The descriptor is closed despite an error, and nothing was written that could be lost (close(2)).
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

/** Does not follow a link in place of the file, or wait for a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @throws Fault `unavailable`, also when the file is missing, because the disk may be away */
function openToRead(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (cause) {
    throw unreadable(cause);
  }
}

function unreadable(cause: unknown): Fault {
  return new Fault('unavailable', 'The object cannot be read at the moment; ask again.', {
    service: 'imaging',
    retryAfter: 5,
    cause,
  });
}

/**
 * Streams a range of an open file, which is closed with the stream.
 * @param end inclusive
 * @param buffers memory for the bytes (default: new memory)
 * @returns a stream that fails when the file is too short, or not the indexed one any more (DW-13)
 */
export function streamRange(file: StoredFile, start: number, end: number, buffers?: BufferPool): Readable {
  let position = start;
  return new Readable({
    // One chunk is read while another is sent.
    highWaterMark: CHUNK,
    read() {
      const length = Math.min(CHUNK, end + 1 - position);
      if (length <= 0) return void this.push(null);
      // Not filled with zeros, because every byte is overwritten.
      const chunk = buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
      file
        .read(chunk, position)
        .then(() => {
          position += length;
          // Checked before the last bytes, without which no answer is complete.
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
