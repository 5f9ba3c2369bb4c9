import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Fault } from '../../../../schema/fault.ts';
import type { BufferPool } from '../../buffer-pool.ts';
import type { IndexedInstance } from './search.ts';

/** Bytes a stream reads at a time: fewer calls, still little to hold for each of many streams. */
const CHUNK = 512 * 1024;

/**
 * Opens a file of the index, if it still is the file that was indexed: same size, same time of change.
 * @param path absolute
 * @throws Fault `not_found` where it is gone, `unavailable` where it has changed since or cannot be read
 */
export async function openStored(path: string, indexed: IndexedInstance): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
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
  if (await isAsIndexed(handle, indexed)) return handle;
  await handle.close();
  const message = 'The object has changed in its folder and is being indexed again.';
  throw new Fault('unavailable', message, { service: 'imaging', retryAfter: 2 });
}

/** Whether an open file still is the one that was indexed: asked again after reading, it tells that nothing was mixed. */
export async function isAsIndexed(handle: FileHandle, indexed: IndexedInstance): Promise<boolean> {
  const { size, mtimeMs } = await handle.stat();
  return size === indexed.size && mtimeMs === indexed.mtime;
}

/** @throws where the file was overwritten since it was opened: what was read of it may be of both */
export async function throwIfChanged(handle: FileHandle, indexed: IndexedInstance): Promise<void> {
  if (!(await isAsIndexed(handle, indexed))) throw new Error('The file changed while it was read.');
}

/**
 * A range of an open file; the handle is closed with the stream.
 * @param end inclusive
 * @param buffers whose memory is read into; new memory by default
 * @returns a stream that is destroyed with an error where the file turns out shorter, or another than was indexed (DW-13)
 */
export function streamRange(
  handle: FileHandle,
  indexed: IndexedInstance,
  start: number,
  end: number,
  buffers?: BufferPool,
): Readable {
  let position = start;
  return new Readable({
    // One chunk read, one on its way to the reader.
    highWaterMark: CHUNK,
    read() {
      const length = Math.min(CHUNK, end + 1 - position);
      if (length <= 0) return void this.push(null);
      // Not zeroed: every byte is overwritten or cut off.
      const chunk = buffers?.take(length) ?? Buffer.allocUnsafeSlow(length);
      handle
        .read(chunk, 0, length, position)
        .then(async ({ bytesRead }) => {
          position += bytesRead;
          if (bytesRead === 0) throw new Error('The file became shorter while it was read.');
          // Before the last bytes go: without them no answer is whole.
          if (position > end) await throwIfChanged(handle, indexed);
          this.push(bytesRead === length ? chunk : chunk.subarray(0, bytesRead));
        })
        .catch((error: Error) => this.destroy(error));
    },
    destroy(error, done) {
      handle.close().then(
        () => done(error),
        (failure: Error) => done(error ?? failure),
      );
    },
  });
}
