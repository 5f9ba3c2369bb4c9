import type { ResourceLimits } from 'node:worker_threads';

/** Megabytes for new objects. V8 would reserve three times as much, and most of it is never used. */
const YOUNG = 12;

/** Returns the limits of a thread with a JavaScript heap of so many megabytes. */
export function threadLimits(heap: number): ResourceLimits {
  return { maxOldGenerationSizeMb: heap, maxYoungGenerationSizeMb: YOUNG };
}
