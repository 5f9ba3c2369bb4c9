/** Goes through stacks that differ by one number, such as times. Loaded with the images, not with the sign-in. */
import { linkedIndex, linkOf } from '../domain/series/linked-stacks.ts';
import { phasesOf } from '../domain/series/phases.ts';
import type { Cell } from '../state/stage/cell.svelte.ts';
import { wheelSteps } from './gestures.ts';

/** Shows the same place at another time. @param at from 0 */
export function choosePhase(cell: Cell, at: number): void {
  const { stack, stacks, wanted } = cell;
  const phases = phasesOf(stacks, stack)?.stacks;
  const next = phases?.[Math.min(Math.max(at, 0), phases.length - 1)];
  if (!stack || !next || next === stack) return;
  cell.choose(next, linkedIndex(linkOf(stack, next), 0, { index: wanted, offset: 0 }));
}

/** Scrolls through the images by a wheel; with Shift through times, where there are some. @returns what is left of a step */
export function scroll(cell: Cell, left: number, event: WheelEvent): number {
  const { deltaX, deltaY, deltaMode, shiftKey } = event;
  // With Shift some browsers turn a wheel sideways.
  const { rest, by } = wheelSteps(left, { deltaY: shiftKey ? deltaY || deltaX : deltaY, deltaMode });
  if (by === 0) return rest;
  const phases = shiftKey ? phasesOf(cell.stacks, cell.stack) : undefined;
  if (phases && cell.stack) choosePhase(cell, phases.stacks.indexOf(cell.stack) + by);
  else cell.step(by);
  return rest;
}
