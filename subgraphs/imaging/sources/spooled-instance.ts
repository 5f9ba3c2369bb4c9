import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { frameMediaType, TransferSyntax } from '../../../schema/dicom.ts';
import { Fault } from '../../../schema/fault.ts';
import { readFrames, readFrameTable } from './folder/instance-reader.ts';
import type { Frames, StoredInstance } from './source.ts';

/**
 * Frames taken from a whole instance, for servers that cannot give them (DW-15): Orthanc knows no frames of HTJ2K, RLE
 * and the retired JPEG processes. The instance lies in a file of its own until the frames were read, not in memory.
 * @param numbers from 1
 * @throws Fault `not_found` for an object without pixel data, or without such a frame (DW-7)
 */
export async function framesOfInstance(
  instance: StoredInstance,
  numbers: readonly number[],
  signal?: AbortSignal,
): Promise<Frames> {
  const directory = await mkdtemp(join(tmpdir(), 'instance-'));
  const path = join(directory, 'instance.dcm');
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    await pipeline(instance.stream, createWriteStream(path, { mode: 0o600 }), signal ? { signal } : {});
    const { size, mtimeMs } = await stat(path);
    const { transferSyntax } = instance;
    const stored = {
      path,
      size,
      mtime: mtimeMs,
      sopInstanceUid: instance.sopInstanceUid ?? '',
      transferSyntax,
    };
    const table = await readFrameTable(path, stored);
    const native = table.layout.kind === 'native';
    const count = table.layout.kind === 'native' ? table.layout.frames : table.layout.frames.length;
    if (numbers.some((number) => number > count)) {
      throw new Fault('not_found', `The object has ${count} frame${count === 1 ? '' : 's'}.`);
    }
    return {
      mediaType: native ? 'application/octet-stream' : frameMediaType(transferSyntax),
      transferSyntax: native ? TransferSyntax.ExplicitVRLittleEndian : transferSyntax,
      frames: thenRemove(readFrames(path, stored, table, numbers), remove, signal),
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function* thenRemove(
  frames: AsyncGenerator<Uint8Array>,
  remove: () => Promise<void>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  signal?.addEventListener('abort', () => void remove(), { once: true });
  try {
    yield* frames;
  } finally {
    await remove();
  }
}
