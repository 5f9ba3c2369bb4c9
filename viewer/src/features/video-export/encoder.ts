/** Pictures of a canvas become a video file. Loaded when somebody wants a video: the writer of files is large. */
import {
  BufferTarget,
  canEncodeVideo,
  CanvasSource,
  Mp4OutputFormat,
  Output,
  Quality,
  StreamTarget,
  WebMOutputFormat,
  type StreamTargetChunk,
} from 'mediabunny';

/** Codings of a video, best known first. Where an encoder takes no quantizer, it gets `BITS` for each pixel instead. */
const CODINGS = [
  { codec: 'avc', extension: 'mp4', mediaType: 'video/mp4', quantizer: 16 },
  { codec: 'av1', extension: 'mp4', mediaType: 'video/mp4', quantizer: 70 },
  { codec: 'vp9', extension: 'webm', mediaType: 'video/webm', quantizer: 16 },
] as const;
export type Coding = (typeof CODINGS)[number];

/** For one pixel; and the most in a second. */
const BITS = 3;
const MOST_BITS = 80_000_000;
/** Seconds between pictures that need no other: a player can go to each of them at once. */
const KEY_INTERVAL = 1;

/** Facts of a video, without its pictures. */
export interface VideoFacts {
  /** Pixels; even. */
  width: number;
  height: number;
  /** Pictures a second, on average. */
  rate: number;
}

/** A moment of the film whose picture is on the canvas. Seconds. */
export interface Moment {
  at: number;
  duration: number;
}

function qualityOf({ quantizer }: Coding, { width, height, rate }: VideoFacts): Quality {
  const bitrate = Math.min(Math.ceil(width * height * rate * BITS), MOST_BITS);
  return new Quality({ quantizer, bitrate });
}

/** Returns the first coding that this browser has; undefined if it has none. */
export async function codingOf(facts: VideoFacts): Promise<Coding | undefined> {
  const { width, height } = facts;
  for (const coding of CODINGS) {
    const isPossible = await canEncodeVideo(coding.codec, {
      width,
      height,
      quality: qualityOf(coding, facts),
      latencyMode: 'quality',
    });
    if (isPossible) return coding;
  }
  return undefined;
}

export interface Encoded {
  canvas: HTMLCanvasElement;
  coding: Coding;
  facts: VideoFacts;
  /** In the file, for those who open it. */
  title: string;
  comment: string;
}

/**
 * Writes a video. Only the file is kept in memory, and that only without `file`.
 * @param moments each is yielded when its picture is on the canvas
 * @param file takes the bytes as they come; it is not closed
 * @returns the file, without `file`
 * @throws what the encoder or a moment throws
 */
export async function encode(
  { canvas, coding, facts, title, comment }: Encoded,
  moments: AsyncIterable<Moment>,
  file: WritableStream<StreamTargetChunk> | undefined,
): Promise<Blob | undefined> {
  const isMp4 = coding.extension === 'mp4';
  const buffer = new BufferTarget();
  const output = new Output({
    // Its table at the end: otherwise all pictures would be kept until then.
    format: isMp4 ? new Mp4OutputFormat({ fastStart: false }) : new WebMOutputFormat(),
    target: file ? new StreamTarget(file, { chunked: true, chunkSize: 2 ** 20 }) : buffer,
  });
  const source = new CanvasSource(canvas, {
    codec: coding.codec,
    quality: qualityOf(coding, facts),
    latencyMode: 'quality',
    keyFrameInterval: KEY_INTERVAL,
  });
  output.addVideoTrack(source);
  output.setMetadataTags({ title, comment });
  try {
    await output.start();
    for await (const { at, duration } of moments) await source.add(at, duration);
    await output.finalize();
  } catch (error) {
    // It may fail too, of the same cause.
    await output.cancel().catch(() => undefined);
    throw error;
  }
  return buffer.buffer ? new Blob([buffer.buffer], { type: coding.mediaType }) : undefined;
}
