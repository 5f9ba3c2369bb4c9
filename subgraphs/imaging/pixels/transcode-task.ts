import { writeFileSync } from 'node:fs';
import { MOST_IN_MEMORY } from '../multipart/frame-bytes.ts';
import { unlessNoRoom } from '../disk/no-room.ts';
import { recodeFrame, type RecodedFrame, type RecodeTask } from './recode.ts';

/** A frame to be transcoded, and where its result is to lie if it is large. */
export interface TranscodeTask extends RecodeTask {
  /** Path of a file that is not there yet. */
  file?: string;
}

/** A result; without `bytes` these are in the file that was named. */
export type TranscodeResult = Omit<RecodedFrame, 'bytes'> & Partial<Pick<RecodedFrame, 'bytes'>>;

/** Transcodes in the calling thread. A large result is left in a file: its reader may be slow, and the thread is not his. */
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
