/** Chooses the frames to load, and their order. Pure: the frame store asks again after each change. */
import type { FrameId } from '../domain/study.ts';

/** The place of a view in its stack. */
export interface Aim {
  frames: readonly FrameId[];
  /** From 0. */
  index: number;
  /** The direction of scrolling: 1 forwards, -1 backwards. */
  direction: 1 | -1;
  /** True: no neighbours yet. */
  alone?: boolean;
}

/** Frames are loaded in the direction of scrolling this many times as often as against it. */
const AHEAD = 3;

/** Gives the indexes of a stack: first the one that is wanted, then its neighbours outwards, `AHEAD` for each one behind. */
export function* readAhead(index: number, count: number, direction: 1 | -1): Generator<number> {
  if (index >= 0 && index < count) yield index;
  let ahead = index + direction;
  let behind = index - direction;
  const within = (at: number): boolean => at >= 0 && at < count;
  while (within(ahead) || within(behind)) {
    for (let step = 0; step < AHEAD && within(ahead); step++, ahead += direction) yield ahead;
    if (within(behind)) {
      yield behind;
      behind -= direction;
    }
  }
}

/** The order of loading; `wanted` is how many of the first frames the views want now. */
export interface Plan {
  order: FrameId[];
  wanted: number;
}

/**
 * Returns the order in which to load: what the views want, then their neighbours, the views taking turns. It ends where
 * the bytes of its frames reach the limit; what is wanted is always part of it.
 */
export function planOf(aims: readonly Aim[], bytesOf: (frame: FrameId) => number, maxBytes: number): Plan {
  const planned = new Set<FrameId>();
  let bytes = 0;
  const take = (frame: FrameId): void => {
    if (!planned.has(frame)) bytes += bytesOf(frame);
    planned.add(frame);
  };
  for (const { frames, index } of aims) if (frames[index] !== undefined) take(frames[index]);
  const wanted = planned.size;
  const reading = aims.filter(({ alone }) => !alone);
  let turns = reading.map(({ frames, index, direction }) => ({
    frames,
    next: readAhead(index, frames.length, direction),
  }));
  while (turns.length > 0 && bytes < maxBytes) {
    turns = turns.filter(({ frames, next }) => {
      const { value, done } = next.next();
      if (done) return false;
      const frame = frames[value]!;
      if (bytes + bytesOf(frame) > maxBytes && !planned.has(frame)) return false;
      take(frame);
      return true;
    });
  }
  return { order: [...planned], wanted };
}

export interface Steps {
  start: FrameId[];
  cancel: FrameId[];
}

/** A request goes on while its frame is among so many of the next ones, for each request that may be under way. */
const NEAR = 4;

/**
 * Returns which requests to begin and which to end. A wanted frame gets a place at once, and reading ahead begins when all
 * of them are there: on a slow line the picture comes first. A request goes on while its frame is near; where a place is
 * needed, the youngest ends.
 * @param missing true for a frame that can be asked for now
 * @param under what is loading, the oldest first, and the most requests at the same time
 */
export function nextSteps(
  { order, wanted }: Plan,
  missing: (frame: FrameId, wanted: boolean) => boolean,
  under: { loading: ReadonlySet<FrameId>; limit: number },
): Steps {
  const near: FrameId[] = [];
  let wantedOnes = 0;
  for (const [at, frame] of order.entries()) {
    if (near.length === NEAR * under.limit) break;
    if (!under.loading.has(frame) && !missing(frame, at < wanted)) continue;
    near.push(frame);
    if (at < wanted) wantedOnes++;
  }
  // The oldest requests stay: were they ended for each new step, none would arrive while somebody scrolls.
  const goOn = [...under.loading].filter((frame) => near.includes(frame));
  const urgent = new Set([...near.slice(0, wantedOnes), ...goOn, ...(wantedOnes ? [] : near)]);
  const chosen = new Set([...urgent].slice(0, under.limit));
  return {
    start: [...chosen].filter((frame) => !under.loading.has(frame)),
    cancel: [...under.loading].filter((frame) => !chosen.has(frame)),
  };
}
