/** When the images of a film are shown: true times where the image has them (PS3.3 §C.7.6.5). */
import type { StackFrame } from '../grey/frames.ts';
import { number, positive, type Instance } from '../instance.ts';

export interface CineTiming {
  /** Milliseconds from the beginning at which each image appears; the first is 0. */
  begins: readonly number[];
  /** Milliseconds until the film begins again. */
  duration: number;
  /** The source of the times; `usual` is our own, for images that have none. */
  source: 'frame-time' | 'frame-time-vector' | 'recommended-rate' | 'cine-rate' | 'usual';
}

/** Images of a stack that play together. */
export interface Clip {
  /** Index of the first in the stack. */
  from: number;
  frames: readonly StackFrame[];
}

const USUAL_RATE = 10;

/** Parts of the true speed that are offered. */
export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4] as const;
export const TRUE_SPEED = SPEEDS.indexOf(1);
/** Fewer than this part of the images on the glass: some are skipped, and that is said. */
export const LEAST_SHOWN = 0.9;

/** True if the instance of a frame has several: a film, unless they are slices. */
export function isMultiFrame({ metadata }: StackFrame): boolean {
  return (number(metadata, '00280008') ?? 1) > 1;
}

/** Returns what plays: the frames of one instance, or the whole stack. @param instance SOP Instance UID; undefined for the stack */
export function clipOf(frames: readonly StackFrame[], instance: string | undefined): Clip {
  if (instance === undefined) return { from: 0, frames };
  const from = frames.findIndex(({ name }) => name.instance === instance);
  const own = frames.filter(({ name }) => name.instance === instance);
  return { from: Math.max(from, 0), frames: own };
}

/** Returns the times of a clip, in the order in which it shows its frames. */
export function timingOf({ frames }: Clip): CineTiming {
  const [first] = frames;
  const increments = first && trueIncrements(first.metadata, frames);
  if (!increments) return evenly(frames.length, 1000 / USUAL_RATE, 'usual');
  const { source, values } = increments;
  if (typeof values === 'number') return evenly(frames.length, values, source);
  let at = 0;
  const begins = values.map((value, index) => (at += index === 0 ? 0 : value));
  // Nothing says how long the last frame is shown: as long as the others on average.
  return { begins, duration: at + at / Math.max(begins.length - 1, 1), source };
}

/** Milliseconds from frame to frame: one value for all, or one before each frame. */
function trueIncrements(
  metadata: Instance,
  frames: readonly StackFrame[],
): { source: CineTiming['source']; values: number | number[] } | undefined {
  // Slices have no times, and neither have images of several instances.
  const inOrder = frames.every(({ name }, index) => name.frame === index + 1);
  if (!inOrder || frames.length < 2) return undefined;
  const vector = (metadata['00181065']?.Value ?? []).map(Number);
  const isVector =
    vector.length === frames.length && vector.slice(1).every((value) => Number.isFinite(value) && value > 0);
  if (isVector) return { source: 'frame-time-vector', values: vector };
  const frameTime = positive(metadata, '00181063');
  if (frameTime !== undefined) return { source: 'frame-time', values: frameTime };
  for (const [tag, source] of [
    ['00082144', 'recommended-rate'],
    ['00180040', 'cine-rate'],
  ] as const) {
    const rate = positive(metadata, tag);
    if (rate !== undefined) return { source, values: 1000 / rate };
  }
  return undefined;
}

function evenly(count: number, each: number, source: CineTiming['source']): CineTiming {
  return {
    begins: Array.from({ length: count }, (_, index) => index * each),
    duration: count * each,
    source,
  };
}

/** Images a second at its own speed. */
export function rateOf({ begins, duration }: CineTiming): number {
  return duration > 0 ? (begins.length * 1000) / duration : 0;
}

/** Returns the index of the frame that is shown after so many milliseconds of film. @param swing forwards and backwards */
export function frameAt({ begins, duration }: CineTiming, elapsed: number, swing = false): number {
  if (duration <= 0) return 0;
  const period = swing ? 2 * duration : duration;
  const within = elapsed - Math.floor(elapsed / period) * period;
  const at = within < duration ? within : period - within;
  const after = begins.findIndex((begin) => begin > at);
  return after === -1 ? begins.length - 1 : Math.max(after - 1, 0);
}

/** The two kinds of stacks: films with true times, and all other images. */
export interface Contents {
  films: readonly { frames: number; seconds: number }[];
  images: number;
}

/** Returns the films of stacks, and how many images they have besides. */
export function contentsOf(stacks: readonly { frames: readonly StackFrame[] }[]): Contents {
  const frames = stacks.flatMap((stack) => stack.frames);
  const instances = new Map<string, StackFrame[]>();
  for (const frame of frames.filter(isMultiFrame)) {
    const own = instances.get(frame.name.instance);
    if (own) own.push(frame);
    else instances.set(frame.name.instance, [frame]);
  }
  const films = [...instances.values()].flatMap((own) => {
    const { source, duration } = timingOf({ from: 0, frames: own });
    return source === 'usual' ? [] : [{ frames: own.length, seconds: duration / 1000 }];
  });
  return { films, images: frames.length - films.reduce((sum, film) => sum + film.frames, 0) };
}

/** True if a stack is nothing but films. */
export function isFilm(stack: { frames: readonly StackFrame[] }): boolean {
  return stack.frames.length > 0 && stack.frames.every(isMultiFrame) && contentsOf([stack]).images === 0;
}
