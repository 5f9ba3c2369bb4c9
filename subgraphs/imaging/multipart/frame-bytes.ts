import { open, rm, type FileHandle } from 'node:fs/promises';
import { giveBack, type BufferPool } from './buffer-pool.ts';
import { temporaryPath } from '../disk/temporary-path.ts';

/** Bytes of a frame above which it lies in a file while its reader takes it piece by piece, and not in memory. */
export const MOST_IN_MEMORY = 1024 * 1024;
/** Bytes that are read of a file at a time. */
export const PIECE = 256 * 1024;

/** A frame in a file. It is read once, before the next frame is asked for. */
export interface FrameInFile extends AsyncIterable<Uint8Array> {
  /** Bytes. */
  readonly length: number;
  close(): Promise<void>;
}

/** The bytes of one frame: in memory, or in a file where they are many (DW-24). */
export type FrameBytes = Uint8Array | FrameInFile;

/** All bytes of a frame in memory: for a task that was admitted with them. */
export async function inMemory(frame: FrameBytes): Promise<Uint8Array> {
  if (frame instanceof Uint8Array) return frame;
  // Whole, so that it can go to another thread without a copy.
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

/** The bytes of a frame as they come. */
export async function* piecesOf(frame: FrameBytes): AsyncGenerator<Uint8Array> {
  if (frame instanceof Uint8Array) yield frame;
  else yield* frame;
}

/** Gives up a frame that is not read any more. */
export async function closeFrame(frame: FrameBytes): Promise<void> {
  if (!(frame instanceof Uint8Array)) await frame.close();
}

/**
 * Bytes in a temporary file that has no name any more: the file is gone with its last reader, or with the process.
 */
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
   * A file that somebody else has written.
   * @param buffers whose memory its pieces are read into
   */
  static async taken(path: string, buffers: BufferPool): Promise<TemporaryFile> {
    const file = await open(path, 'r');
    await rm(path);
    return new TemporaryFile(file, (await file.stat()).size, buffers);
  }

  /** @param chunks written as they come */
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

  /** Some of the bytes, in memory of their own. */
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
