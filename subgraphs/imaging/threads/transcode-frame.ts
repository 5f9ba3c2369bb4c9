import { rm } from 'node:fs/promises';
import { Fault } from '../../../schema/fault/fault.ts';
import { inMemory, type FrameBytes, type FrameInFile } from '../multipart/frame-bytes.ts';
import { temporaryPath } from '../disk/temporary-path.ts';
import { HEAVY_BYTES } from './admission.ts';
import { MAX_FRAME_BYTES } from '../pixels/codecs/frame.ts';
import type { PixelPool } from './pool.ts';
import type { PixelTask } from '../pixels/transcode-pixels.ts';
import { decodedBytes, transcodeWeight } from '../pixels/weights.ts';

/** A frame in another transfer syntax. */
export interface TranscodedFrame {
  bytes: FrameBytes;
  /** Of `bytes`. */
  photometricInterpretation: string;
}

/**
 * Refuses a frame that exceeds the limits, before it is read.
 * @throws Fault `too_large` when it is too large for this transfer syntax; `bad_gateway` when it is too large for any,
 * because its description may then be wrong
 */
export function refuseTooLarge(task: Omit<PixelTask, 'encoded'>): void {
  const { pixels } = task;
  if (transcodeWeight(task, pixels) <= HEAVY_BYTES && decodedBytes(pixels) <= MAX_FRAME_BYTES) return;
  const frame = `A frame of ${pixels.rows} × ${pixels.columns} pixels is too large`;
  const advice = 'Retrieve it as it is stored, with transfer-syntax=*.';
  if (decodedBytes(pixels) <= MAX_FRAME_BYTES)
    throw new Fault('too_large', `${frame} to be transcoded here. ${advice}`);
  throw new Fault('bad_gateway', `The stored image cannot be decoded: ${frame.toLowerCase()}. ${advice}`, {
    service: 'imaging',
  });
}

/**
 * Transcodes one frame in a thread of the pool. The frame is read when there is room for it.
 * @param encoded the frame as it is stored
 * @returns a frame that the caller closes
 * @throws Faults of the pool; the reason of the signal
 */
export async function transcodeFrame(
  pool: PixelPool,
  encoded: FrameBytes,
  task: Omit<PixelTask, 'encoded'>,
  signal?: AbortSignal,
): Promise<TranscodedFrame> {
  const path = temporaryPath('frame');
  const room = await pool.results.room(decodedBytes(task.pixels), signal);
  let opened: FrameInFile | undefined;
  try {
    const { bytes, photometricInterpretation } = await pool.runPrepared('transcode', {
      weight: encoded.length + transcodeWeight(task, task.pixels),
      input: async () => ({ ...task, encoded: await inMemory(encoded), file: path }),
      signal,
      toTheEnd: true,
    });
    if (!bytes) opened = await room.open(path);
    signal?.throwIfAborted();
    return { bytes: bytes ?? opened!, photometricInterpretation };
  } catch (error) {
    await opened?.close();
    await rm(path, { force: true });
    throw error;
  } finally {
    if (!opened) room.giveBack();
  }
}
