/** Stacks of a series that differ by one ordered number: a slider shows them, and not a button for each. */
import { secondsOf, secondsOfDateTime } from '../dicom-time.ts';
import { number, text, type Instance } from '../instance.ts';
import type { Split, Stack } from './stacks.ts';

export interface Phases {
  what: 'temporal' | 'echo' | 'diffusion';
  /** In the order of their numbers. */
  stacks: readonly Stack[];
  /** Seconds since the beginning, milliseconds of the echo, or s/mm²; undefined where the images do not say a time. */
  values: readonly number[] | undefined;
}

/** So many and fewer are buttons. */
const FEW = 6;
const ORDERED = ['temporal', 'echo', 'diffusion'] as const satisfies readonly Phases['what'][];

/**
 * Returns the stacks that differ from one by a single ordered number; undefined where there are few of them.
 * @param current the one on the glass; one that has no such number does not count
 */
export function phasesOf(stacks: readonly Stack[], current?: Stack): Phases | undefined {
  for (const what of ORDERED) {
    const has = (stack: Stack) => splitOf(stack)[what] !== undefined;
    const from = current && has(current) ? current : stacks.find(has);
    if (!from) continue;
    const found = stacks
      .filter((stack) => has(stack) && isSameBut(what, stack, from))
      .map((stack) => ({ stack, value: Number(splitOf(stack)[what]) }))
      .sort((a, b) => a.value - b.value);
    // A second stack of one value differs by something else, too.
    const isOrdered = found.every(({ value }, at) => at === 0 || value > found[at - 1]!.value);
    if (found.length <= FEW || !isOrdered) continue;
    const ordered = found.map(({ stack }) => stack);
    const values = what === 'temporal' ? timesOf(ordered) : found.map(({ value }) => value);
    return { what, stacks: ordered, values };
  }
  return undefined;
}

/**
 * Returns the stacks beside those of a slider: of others that have such a number too, those with the number of the current
 * stack.
 */
export function besidePhases(stacks: readonly Stack[], phases: Phases, current: Stack): Stack[] {
  const { what } = phases;
  const number = splitOf(phases.stacks.includes(current) ? current : phases.stacks[0]!)[what];
  return stacks.filter(
    (stack) => !phases.stacks.includes(stack) && [undefined, number].includes(splitOf(stack)[what]),
  );
}

function splitOf({ split, by }: Stack): Split {
  return split ?? (by ? { [by.what]: by.value } : {});
}

function isSameBut(what: Phases['what'], a: Stack, b: Stack): boolean {
  const [one, other] = [a, b].map((stack) => JSON.stringify({ ...splitOf(stack), [what]: '' }));
  return one === other;
}

/** Times of an image in seconds, from different beginnings; what is said most exactly comes first. */
const TIMES: readonly ((image: Instance) => number | undefined)[] = [
  // Temporal Position Time Offset.
  (image) => number(image, '0020930D'),
  // Trigger Time, Nominal Cardiac Trigger Delay Time and Frame Reference Time are in milliseconds.
  (image) => thousandth(number(image, '00181060')),
  (image) => thousandth(number(image, '00209153')),
  (image) => thousandth(number(image, '00541300')),
  (image) => secondsOfDateTime(image, text(image, '00189074') ?? text(image, '0008002A')),
  (image) => secondsOf(image, '00080022', '00080032'),
];

const thousandth = (value: number | undefined) => value && value / 1000;

/** Returns when stacks begin, in seconds after the first; undefined where no attribute of the images grows from one to the next. */
function timesOf(stacks: readonly Stack[]): number[] | undefined {
  for (const time of TIMES) {
    const begins = stacks.map(({ frames }) => {
      const all = frames.map(({ metadata }) => time(metadata) ?? NaN);
      return Math.min(...all);
    });
    if (begins.every((one, at) => at === 0 || one > begins[at - 1]!))
      return begins.map((one) => one - begins[0]!);
  }
  return undefined;
}
