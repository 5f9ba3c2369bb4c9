import type { ResourceLimits } from 'node:worker_threads';

/** Megabytes for new objects. V8 would reserve three times as much, and most of it is never used. */
const YOUNG = 12;

/** Returns the limits of a thread with a JavaScript heap of so many megabytes. */
export function threadLimits(heap: number): ResourceLimits {
  return { maxOldGenerationSizeMb: heap, maxYoungGenerationSizeMb: YOUNG };
}

const COMPILER = new URL('./thread-compiler.mjs', import.meta.url).href;

/** Returns the options of Node for a thread that runs this module. TypeScript needs a compiler, which is not inherited. */
export function threadOptions(module: URL): string[] {
  return module.pathname.endsWith('.ts') ? ['--import', COMPILER] : [];
}
