import type { Film } from '../../domain/documents/video.ts';
import { number, type Instance } from '../../domain/instance.ts';
import type { StreamedVideo } from './streamed-video.ts';

/** A video as its file has it, and as a browser can play it. */
export interface OpenedVideo {
  /** Of the file. */
  mediaType: string;
  film: Film;
  /** The whole file; undefined for one that comes in pieces. */
  bytes?: Uint8Array;
  /** Played by the browser; undefined where nothing is known that it could play. */
  played?: Uint8Array | StreamedVideo | undefined;
  /** True if it has a sound that is not played. */
  silent?: boolean;
  /** Bytes of a file that comes in pieces. */
  size?: number;
}

export interface Reading {
  signal: AbortSignal;
  /** Called when a piece does not come, after the video has been opened. */
  onTrouble: (error: unknown) => void;
}

export function pixelsOf(instance: Instance): { columns: number; rows: number } {
  return { columns: number(instance, '00280011') ?? 0, rows: number(instance, '00280010') ?? 0 };
}
