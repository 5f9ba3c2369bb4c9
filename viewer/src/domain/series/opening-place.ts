import { isFilm } from './film-timing.ts';
import type { Place } from './image-reference.ts';
import type { Stack } from './stacks.ts';

/** An image of a series, as an address names it. */
export interface Named {
  /** Key of a stack. */
  stack?: string | undefined;
  /** From 1. */
  image?: number | undefined;
}

/** Returns the image at which a series is opened; undefined for a series without images. */
export function openingPlace(stacks: readonly Stack[], { stack: key, image }: Named): Place | undefined {
  const stack = stacks.find((one) => one.key === key) ?? longest(stacks);
  return stack && { stack, index: image === undefined ? openingIndex(stack) : within(stack, image - 1) };
}

/** Returns the index of the middle of a stack, of a film that of the beginning. */
export function openingIndex(stack: Stack): number {
  return isFilm(stack) ? 0 : Math.floor(stack.frames.length / 2);
}

/** Returns the index of a stack's image that is nearest to another index. */
export function within({ frames }: Stack, index: number): number {
  return Math.min(Math.max(Math.round(index), 0), Math.max(frames.length - 1, 0));
}

function longest(stacks: readonly Stack[]): Stack | undefined {
  return stacks.reduce<Stack | undefined>(
    (best, stack) => (stack.frames.length > (best?.frames.length ?? 0) ? stack : best),
    undefined,
  );
}
