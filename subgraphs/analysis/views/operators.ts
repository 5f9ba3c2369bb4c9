import { compareDates } from './dates.ts';
import { ExpressionError } from './findings.ts';
import {
  collectionOf,
  isEmpty,
  isSame,
  joined,
  listOf,
  single,
  together,
  truth,
  type Values,
} from './values.ts';

/** A binary operator on two collections. @param areDates the operands are dates or times by their types */
export type Operator = (left: Values, right: Values, areDates: boolean) => Values;

function equals(left: Values, right: Values, areDates: boolean): boolean | undefined {
  if (isEmpty(left) || isEmpty(right)) return undefined;
  if (!Array.isArray(left) && !Array.isArray(right)) {
    if (!areDates || typeof left !== 'string' || typeof right !== 'string') return isSame(left, right);
    const difference = compareDates(left, right);
    return difference === undefined ? undefined : difference === 0;
  }
  const [all, others] = [listOf(left), listOf(right)];
  return all.length === others.length && all.every((one, index) => isSame(one, others[index]));
}

const compared =
  (decide: (difference: number) => boolean): Operator =>
  (left, right, areDates) => {
    const [one, other] = [single(left), single(right)];
    if (one === undefined || other === undefined) return undefined;
    if (typeof one === 'number' && typeof other === 'number') return decide(one - other);
    if (typeof one !== 'string' || typeof other !== 'string') {
      throw new ExpressionError('Only numbers, texts and dates can be compared, each with its own kind.');
    }
    if (!areDates) return decide(one < other ? -1 : one > other ? 1 : 0);
    const difference = compareDates(one, other);
    return difference === undefined ? undefined : decide(difference);
  };

/** Calculates with two numbers. A result that is none, such as of a division by 0, is empty (FHIRPath §6.6). */
const arithmetic =
  (calculate: (one: number, other: number) => number): Operator =>
  (left, right) => {
    const [one, other] = [single(left), single(right)];
    if (one === undefined || other === undefined) return undefined;
    if (typeof one !== 'number' || typeof other !== 'number') {
      throw new ExpressionError('Only numbers can be calculated with.');
    }
    const result = calculate(one, other);
    return Number.isFinite(result) ? result : undefined;
  };

const sum = arithmetic((one, other) => one + other);
const isText = (values: Values): boolean => typeof single(values) === 'string';
const textOf = (values: Values): string => {
  const value = single(values);
  return typeof value === 'string' ? value : '';
};

const concatenated = (left: Values, right: Values): Values => joined(textOf(left), [textOf(right)]);

/** Returns the values of both without duplicates. */
export function union(left: Values, right: Values): Values {
  if (left === undefined && !Array.isArray(right)) return right;
  if (right === undefined && !Array.isArray(left)) return left;
  return distinct(together(left, right));
}

/** Returns the values without duplicates. */
export function distinct(values: Values): Values {
  const found: unknown[] = [];
  for (const value of listOf(values)) if (!found.some((one) => isSame(one, value))) found.push(value);
  return collectionOf(found);
}

function contains(all: Values, wanted: Values): Values {
  const value = single(wanted);
  return value === undefined ? undefined : listOf(all).some((one) => isSame(one, value));
}

function and(left: Values, right: Values): Values {
  const [one, other] = [truth(left), truth(right)];
  if (one === false || other === false) return false;
  return one && other ? true : undefined;
}

function or(left: Values, right: Values): Values {
  const [one, other] = [truth(left), truth(right)];
  if (one || other) return true;
  return one === false && other === false ? false : undefined;
}

function xor(left: Values, right: Values): Values {
  const [one, other] = [truth(left), truth(right)];
  return one === undefined || other === undefined ? undefined : one !== other;
}

const not = (value: boolean | undefined): Values => (value === undefined ? undefined : !value);

/** Binary operators, and the type of their results: `number` takes it from the operands. */
export const OPERATORS: Readonly<
  Record<string, { run: Operator; type: 'boolean' | 'number' | 'string' | 'either' }>
> = {
  '=': { run: equals, type: 'boolean' },
  '!=': { run: (left, right, areDates) => not(equals(left, right, areDates)), type: 'boolean' },
  '<': { run: compared((difference) => difference < 0), type: 'boolean' },
  '<=': { run: compared((difference) => difference <= 0), type: 'boolean' },
  '>': { run: compared((difference) => difference > 0), type: 'boolean' },
  '>=': { run: compared((difference) => difference >= 0), type: 'boolean' },
  and: { run: and, type: 'boolean' },
  or: { run: or, type: 'boolean' },
  xor: { run: xor, type: 'boolean' },
  implies: { run: (left, right) => or(not(truth(left)), right), type: 'boolean' },
  in: { run: (left, right) => contains(right, left), type: 'boolean' },
  contains: { run: contains, type: 'boolean' },
  '|': { run: union, type: 'either' },
  '+': {
    run: (left, right, areDates) =>
      isText(left) && isText(right) ? concatenated(left, right) : sum(left, right, areDates),
    type: 'number',
  },
  '-': { run: arithmetic((one, other) => one - other), type: 'number' },
  '*': { run: arithmetic((one, other) => one * other), type: 'number' },
  '/': { run: arithmetic((one, other) => one / other), type: 'number' },
  div: { run: arithmetic((one, other) => Math.trunc(one / other)), type: 'number' },
  mod: { run: arithmetic((one, other) => one % other), type: 'number' },
  '&': { run: concatenated, type: 'string' },
};
