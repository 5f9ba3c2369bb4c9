import { open, rm, type FileHandle } from 'node:fs/promises';
import { giveBack, type BufferPool } from './buffer-pool.ts';
import { temporaryPath } from '../disk/temporary-path.ts';

/** Bytes of the largest frame in memory. A larger one is in a file, which its reader takes piece by piece. */
export const MOST_IN_MEMORY = 1024 * 1024;
/** Bytes read from a file at a time. */
export const PIECE = 256 * 1024;

/** A frame in a file. It is read once, before the next frame is requested. */
export interface FrameInFile extends AsyncIterable<Uint8Array> {
  /** Bytes. */
  readonly length: number;
  close(): Promise<void>;
}

/** The bytes of one frame: in memory, or in a file if it is large (DW-24). */
export type FrameBytes = Uint8Array | FrameInFile;

/** Reads a whole frame into memory, for a task that was admitted with these bytes. */
export async function inMemory(frame: FrameBytes): Promise<Uint8Array> {
  if (frame instanceof Uint8Array) return frame;
  // Fills its buffer, so that it can be transferred to another thread without a copy.
  const bytes = Buffer.allocUnsafeSlow(frame.length);
  let at = 0;
  for await (const piece of frame) {
    bytes.set(piece, at);
    at += piece.length;
    giveBack(piece);
  }
  if (at !== bytes.length) throw new Error('A frame has another length than its file promised.');
  return bytes;
}

/** Yields the bytes of a frame as they come. */
export async function* piecesOf(frame: FrameBytes): AsyncGenerator<Uint8Array> {
  if (frame instanceof Uint8Array) yield frame;
  else yield* frame;
}

/** Closes a frame that is not read any more. */
export async function closeFrame(frame: FrameBytes): Promise<void> {
  if (!(frame instanceof Uint8Array)) await frame.close();
}

/** Bytes in a temporary file without a name, which disappears when it is closed or the process ends. */
export class TemporaryFile implements FrameInFile {
  readonly length: number;
  readonly #file: FileHandle;
  readonly #buffers: BufferPool;

  private constructor(file: FileHandle, length: number, buffers: BufferPool) {
    this.#file = file;
    this.length = length;
    this.#buffers = buffers;
  }

  /**
   * Opens a file that was written elsewhere, and removes its name.
   * @param buffers memory for its pieces
   */
  static async taken(path: string, buffers: BufferPool): Promise<TemporaryFile> {
    const file = await open(path, 'r');
    await rm(path);
    return new TemporaryFile(file, (await file.stat()).size, buffers);
  }

  /** Writes chunks to a new file as they come. */
  static async written(chunks: AsyncIterable<Uint8Array>, buffers: BufferPool): Promise<TemporaryFile> {
    const path = temporaryPath('frame');
    const file = await open(path, 'wx+', 0o600);
    try {
      await rm(path);
      let length = 0;
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        length += chunk.length;
      }
      return new TemporaryFile(file, length, buffers);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.length; at += PIECE) {
      const piece = this.#buffers.take(Math.min(PIECE, this.length - at));
      yield this.#fill(piece, at);
    }
  }

  /** Reads some of the bytes into new memory, which can be transferred. */
  read(position: number, length: number): Promise<Uint8Array> {
    return this.#fill(Buffer.allocUnsafeSlow(length), position);
  }

  async #fill(bytes: Buffer, position: number): Promise<Buffer> {
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) throw new Error('A temporary file became shorter.');
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
