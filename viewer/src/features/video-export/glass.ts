/** Images of a stack on the glass, one after the other, for who takes pictures of them. */
import { tick } from 'svelte';
import { clipOf, isMultiFrame, timingOf, type Clip } from '../../domain/series/film-timing.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Moment } from './encoder.ts';

/** Something else was opened, or the stage has another size. */
export class Interrupted extends Error {}

/** Returns what is saved of a cell: its film, or all images of its stack. */
export function clipIn({ stack, wanted }: Cell): Clip {
  const frames = stack?.frames ?? [];
  const frame = frames[wanted];
  return clipOf(frames, frame && isMultiFrame(frame) ? frame.name.instance : undefined);
}

/** Returns when each image of a clip is shown. @param rate images a second, where they have no times of their own */
export function momentsOf(clip: Clip, rate: number): { moments: Moment[]; isTrue: boolean } {
  const { begins, duration, source } = timingOf(clip);
  const isTrue = source !== 'usual';
  const ends = [...begins.slice(1), duration];
  const moments = begins.map((begin, index) => ({
    at: begin / 1000,
    duration: (ends[index]! - begin) / 1000,
  }));
  if (isTrue) return { moments, isTrue };
  return { moments: moments.map((_, index) => ({ at: index / rate, duration: 1 / rate })), isTrue };
}

/**
 * Waits until an image that is wanted is on the glass, with all that is drawn above it.
 * @throws Interrupted if another one is wanted; Trouble if it cannot be shown; the reason of the signal
 */
export async function untilDrawn(cell: Cell, around: Element, signal: AbortSignal): Promise<void> {
  const { stack, wanted } = cell;
  // What is drawn above follows an image, and may move it once more: nothing has changed from one frame of the page to the next.
  for (let before: unknown; ;) {
    await new Promise(requestAnimationFrame);
    await tick();
    signal.throwIfAborted();
    if (cell.stack !== stack || cell.wanted !== wanted) throw new Interrupted();
    const trouble = cell.trouble?.trouble;
    if (trouble && !trouble.passes) throw trouble;
    const isDrawn = cell.shown && !cell.behind && around.querySelector('[data-pending]') === null;
    if (isDrawn && cell.shown === before) return;
    before = isDrawn ? cell.shown : undefined;
  }
}
