import type { Rewritten } from '../dicom/part10/transcode.ts';
import { planTranscoding, rewriteFile, type TranscodePlan } from '../pixels/plan-transcoding.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

/** How a file is brought into the transfer syntax `to`. @throws DamagedFile */
export function planFile({ to, ...file }: ParsedFile & { to: string }): Promise<TranscodePlan> {
  return withParsed(file, (parsed) => planTranscoding(parsed, to));
}

export interface RewriteTask extends ParsedFile {
  transferSyntax: string;
  /** Of other pixels that are to be written. */
  photometricInterpretation: string | undefined;
}

/** The file in another transfer syntax, but for its large values and for other pixels. @throws DamagedFile */
export function rewrittenFile(task: RewriteTask): Promise<Rewritten> {
  const { transferSyntax, photometricInterpretation, ...file } = task;
  return withParsed(file, (parsed) => rewriteFile(parsed, transferSyntax, photometricInterpretation));
}
