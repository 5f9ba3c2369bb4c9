import { decodeFrame, type DecodedFrame, type PixelDescription } from './frame.ts';
import { rasterize } from '../render/encode.ts';
import { renderPicture } from '../render/picture-task.ts';
import { recodeFrame } from './recode.ts';

/** One frame as it is stored, and what is said of it. */
export interface EncodedFrame {
  encoded: Uint8Array;
  /** Of `encoded`. */
  transferSyntax: string;
  pixels: PixelDescription;
}

/** What the threads of the pool can be asked to do. Inputs and results are plain values that pass between threads. */
export const TASKS = {
  decode: ({ encoded, transferSyntax, pixels }: EncodedFrame): Promise<DecodedFrame> =>
    decodeFrame(encoded, transferSyntax, pixels),
  transcode: recodeFrame,
  render: renderPicture,
  rasterize,
} as const;

export type TaskName = keyof typeof TASKS;
export type TaskInput<N extends TaskName> = Parameters<(typeof TASKS)[N]>[0];
export type TaskResult<N extends TaskName> = Awaited<ReturnType<(typeof TASKS)[N]>>;
