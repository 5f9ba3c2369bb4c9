import type { Rewritten } from '../dicom/part10/transcode.ts';
import { planTranscoding, rewriteFile, type TranscodePlan } from '../pixels/plan-transcoding.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

/** Plans how a file is transcoded to the transfer syntax `to`. @throws DamagedFile */
export function planFile({ to, ...file }: ParsedFile & { to: string }): Promise<TranscodePlan> {
  return withParsed(file, (parsed) => planTranscoding(parsed, to));
}

export interface RewriteTask extends ParsedFile {
  transferSyntax: string;
  /** Of replaced pixels. */
  photometricInterpretation: string | undefined;
}

/** Rewrites a file in another transfer syntax, without its large values and replaced pixels. @throws DamagedFile */
export function rewrittenFile(task: RewriteTask): Promise<Rewritten> {
  const { transferSyntax, photometricInterpretation, ...file } = task;
  return withParsed(file, (parsed) => rewriteFile(parsed, transferSyntax, photometricInterpretation));
}
