import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { PixelPool } from '../../threads/pool.ts';
import { canGive } from '../../pixels/plan-transcoding.ts';
import type { InstanceReader } from './instance-reader.ts';
import type { IndexedInstance } from '../folder/search.ts';
import { framesThen, FrameTables } from './frame-tables.ts';
import { unlessNoRoom } from '../../disk/no-room.ts';
import { notInTransferSyntax } from '../not-in-transfer-syntax.ts';
import type { BulkData, Frames, StoredInstance } from '../source.ts';

/**
 * Takes parts from a whole instance, for servers that cannot give them (DW-15). The instance is in a temporary file,
 * not in memory, until the parts were read.
 */

/**
 * Returns frames of an instance. Orthanc gives none of HTJ2K, RLE and the retired JPEG processes.
 * @param numbers from 1
 * @throws Fault `not_found` for an object without pixel data, or without such a frame (DW-7)
 */
export function framesOfInstance(
  instance: StoredInstance,
  numbers: readonly number[],
  reader: InstanceReader,
  signal?: AbortSignal,
): Promise<Frames> {
  return spooled(instance, signal, async (file, remove) => {
    const found = await new FrameTables(reader).frames(file.path, file, numbers);
    return { ...found, frames: framesThen(found.frames, remove) };
  });
}

/**
 * Returns bulk data of an instance, which can be opened once.
 * @param path `bulkdata/{tag}`
 * @throws Fault `not_found` when the object has no such bulk data
 */
export function bulkDataOfInstance(
  instance: StoredInstance,
  path: string,
  reader: InstanceReader,
  signal?: AbortSignal,
): Promise<BulkData> {
  return spooled(instance, signal, async (file, remove) => {
    const bulk = await reader.bulkData(file.path, file, path);
    return { ...bulk, open: (range) => bulk.open(range).once('close', () => void remove()) };
  });
}

/**
 * Transcodes an instance.
 * @throws Fault `not_acceptable` when it cannot be transcoded to this transfer syntax
 */
export function transcodedInstance(
  instance: StoredInstance,
  transferSyntax: string,
  { reader, pixels }: { reader: InstanceReader; pixels: PixelPool },
  signal?: AbortSignal,
): Promise<StoredInstance> {
  if (!canGive(instance.transferSyntax, transferSyntax)) {
    instance.stream.destroy();
    throw notInTransferSyntax();
  }
  return spooled(instance, signal, async (file, remove) => {
    const given = await reader.inTransferSyntax(file.path, file, transferSyntax, { pixels, signal });
    given.stream.once('close', () => void remove());
    return { ...given, sopInstanceUid: instance.sopInstanceUid };
  });
}

/**
 * Writes the instance to a file. The file is removed when `work` fails, its result was read, or the request aborts.
 * @throws Fault `unavailable` with `retryAfter` when the disk is full
 */
async function spooled<T>(
  { stream, sopInstanceUid = '', transferSyntax }: StoredInstance,
  signal: AbortSignal | undefined,
  work: (file: IndexedInstance, remove: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'instance-')).catch((error: unknown) => {
    stream.destroy();
    throw unlessNoRoom(error);
  });
  const path = join(directory, 'instance.dcm');
  const abort = (): void => void remove();
  const remove = (): Promise<void> => {
    // Removes the listener, because one request may write a thousand instances.
    signal?.removeEventListener('abort', abort);
    return rm(directory, { recursive: true, force: true });
  };
  try {
    await pipeline(stream, createWriteStream(path, { mode: 0o600 }), signal ? { signal } : {});
    signal?.addEventListener('abort', abort, { once: true });
    const { size, mtimeMs } = await stat(path);
    return await work({ path, size, mtime: mtimeMs, sopInstanceUid, transferSyntax }, remove);
  } catch (error) {
    await remove();
    throw unlessNoRoom(error);
  }
}
