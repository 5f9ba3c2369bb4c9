import { writeFileSync } from 'node:fs';
import { MOST_IN_MEMORY } from '../multipart/frame-bytes.ts';
import { unlessNoRoom } from '../disk/no-room.ts';
import { recodeFrame, type RecodedFrame, type RecodeTask } from './recode.ts';

/** A frame to transcode, and a file for a large result. */
export interface TranscodeTask extends RecodeTask {
  /** Path of a file that does not exist yet. */
  file?: string;
}

/** The result. Without `bytes`, they are in the file of the task. */
export type TranscodeResult = Omit<RecodedFrame, 'bytes'> & Partial<Pick<RecodedFrame, 'bytes'>>;

/** Transcodes in the calling thread. Writes a large result to a file, so that a slow reader does not occupy memory. */
export async function transcodeTask({ file, ...task }: TranscodeTask): Promise<TranscodeResult> {
  const { bytes, photometricInterpretation } = await recodeFrame(task);
  if (file === undefined || bytes.length <= MOST_IN_MEMORY) return { bytes, photometricInterpretation };
  try {
    writeFileSync(file, bytes, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw unlessNoRoom(error);
  }
  return { photometricInterpretation };
}
