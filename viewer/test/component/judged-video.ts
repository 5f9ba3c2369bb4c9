/** Types of what ffmpeg is asked in `judge-video.ts`, which runs in Node. */

/** Facts of a video file, as ffmpeg finds them. */
export interface JudgedVideo {
  codec: string;
  width: number;
  height: number;
  /** Seconds. */
  duration: number;
  /** When each frame is shown, in seconds. */
  times: number[];
  tags: Readonly<Record<string, string>>;
  /** Peak signal-to-noise ratio of the luma of each frame, in decibels. */
  decibels: number[];
}

/** A part of the picture. Pixels. */
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}
