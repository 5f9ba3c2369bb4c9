import { writeFileSync } from 'node:fs';
import { MOST_IN_MEMORY } from '../multipart/frame-bytes.ts';
import { unlessNoRoom } from '../disk/no-room.ts';
import { transcodePixels, type TranscodedPixels, type PixelTask } from './transcode-pixels.ts';

/** A frame to transcode, and a file for a large result. */
export interface TranscodeTask extends PixelTask {
  /** Path of a file that does not exist yet. */
  file?: string;
}

/** The result. Without `bytes`, they are in the file of the task. */
export type TranscodeResult = Omit<TranscodedPixels, 'bytes'> & Partial<Pick<TranscodedPixels, 'bytes'>>;

/** Transcodes in the calling thread. Writes a large result to a file, so that a slow reader does not occupy memory. */
export async function transcodeTask({ file, ...task }: TranscodeTask): Promise<TranscodeResult> {
  const { bytes, photometricInterpretation } = await transcodePixels(task);
  if (file === undefined || bytes.length <= MOST_IN_MEMORY) return { bytes, photometricInterpretation };
  try {
    writeFileSync(file, bytes, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw unlessNoRoom(error);
  }
  return { photometricInterpretation };
}
