import { expect, test } from 'vitest';
import { nextSteps, planOf, readAhead } from './queue.ts';

test.each([
  ['forwards', 5, 1, [5, 6, 7, 8, 4, 9, 3, 2, 1, 0]],
  ['backwards', 5, -1, [5, 4, 3, 2, 6, 1, 0, 7, 8, 9]],
  ['from the first', 0, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
] as const)('frames are read ahead %s', (_, index, direction, expected) =>
  expect([...readAhead(index, 10, direction)]).toEqual(expected),
);

const ids = (letter: string, count = 20): string[] =>
  Array.from({ length: count }, (_, at) => `${letter}${at}`);
const aim = (letter: string, index: number, direction: 1 | -1 = 1) => ({
  frames: ids(letter),
  index,
  direction,
});

test('what views want comes first, then they take turns', () => {
  const { order, wanted } = planOf([aim('a', 3), aim('b', 0)], () => 1, 8);
  expect([order.join(' '), wanted]).toEqual(['a3 b0 a4 b1 a5 b2 a6 b3', 2]);
});

test('a view whose first image is not on the glass yet wants nothing beside it', () => {
  const { order } = planOf([{ ...aim('a', 3), alone: true }, aim('b', 0)], () => 1, 4);
  expect(order).toEqual(['a3', 'b0', 'b1', 'b2']);
});

test('two views of one frame want it once', () => {
  expect(planOf([aim('a', 3), aim('a', 3, -1)], () => 1, 4)).toEqual({
    order: ['a3', 'a4', 'a2', 'a5'],
    wanted: 1,
  });
});

test('the plan ends where the bytes do; what is wanted is always part of it', () => {
  expect(planOf([aim('a', 0)], () => 10, 25).order).toEqual(['a0', 'a1']);
  expect(planOf([aim('a', 0)], () => 100, 25).order).toEqual(['a0']);
});

test.each<[string, { index: number; ready?: string; loading?: string; start: string; cancel?: string }]>([
  ['the wanted one alone while it is not there', { index: 3, start: 'a3' }],
  ['neighbours when it is', { index: 3, ready: 'a3', start: 'a4 a5' }],
  ['no more than may be under way', { index: 3, ready: 'a3', loading: 'a4', start: 'a5' }],
  ['nothing more while the wanted one loads', { index: 3, loading: 'a3', start: '' }],
  ['the wanted one, in the place of the youngest', { index: 3, loading: 'a9 a5', start: 'a3', cancel: 'a5' }],
  ['after a jump, the rest is ended', { index: 15, loading: 'a1 a2', start: 'a15', cancel: 'a1 a2' }],
])('requests begin and end: %s', (_, { index, ready = '', loading = '', start, cancel = '' }) => {
  const there = new Set(`${ready} ${loading}`.split(' '));
  const under = { loading: new Set(loading.split(' ').filter(Boolean)), limit: 2 };
  const steps = nextSteps(
    planOf([aim('a', index)], () => 1, 100),
    (frame) => !there.has(frame),
    under,
  );
  expect([steps.start.join(' '), steps.cancel.join(' ')]).toEqual([start, cancel]);
});
