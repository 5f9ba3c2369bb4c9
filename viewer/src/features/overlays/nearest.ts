import { targetOf } from '../../domain/overlays/target.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { Layer } from './row.svelte.ts';

/** Milliseconds of work after which the page answers first. */
const SLICE_MS = 8;

/** Returns the index of the image of a stack that has a part of an overlay and is nearest to another; undefined if none has it. */
export async function nearestWith(
  { row, part }: Layer,
  stack: Stack,
  from: number,
): Promise<number | undefined> {
  let begun = performance.now();
  const indexes = [...stack.frames.keys()].sort((a, b) => Math.abs(a - from) - Math.abs(b - from));
  for (const index of indexes) {
    const target = targetOf(stack, index)!;
    if (!row.misplacedOn(target) && row.content!.shapesOn(target, part).length > 0) return index;
    if (performance.now() - begun < SLICE_MS) continue;
    await new Promise((done) => setTimeout(done));
    begun = performance.now();
  }
  return undefined;
}
