import { expect, test } from 'vitest';
import { clipOf, contentsOf, frameAt, isFilm, rateOf, timingOf, type CineTiming } from './film-timing.ts';
import type { StackFrame } from '../grey/frames.ts';
import type { Instance } from '../instance.ts';

const metadata = (values: Record<string, readonly unknown[]>): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));
const frame = (
  instance: string,
  number: number,
  values: Record<string, readonly unknown[]> = {},
): StackFrame => ({
  id: `${instance}/${number}`,
  name: { study: '1', series: '2', instance, frame: number },
  metadata: metadata(values),
  bytes: 1,
});
const film = (count: number, values: Record<string, readonly unknown[]>) =>
  timingOf({ from: 0, frames: Array.from({ length: count }, (_, at) => frame('a', at + 1, values)) });

test.each<[string, Record<string, readonly unknown[]>, CineTiming['source'], number[], number]>([
  ['Frame Time', { '00181063': [40] }, 'frame-time', [0, 40, 80, 120], 160],
  ['Frame Time, as a text', { '00181063': ['33.33'] }, 'frame-time', [0, 33.33, 66.66, 99.99], 133.32],
  ['Frame Time Vector', { '00181065': [0, 10, 20, 30] }, 'frame-time-vector', [0, 10, 30, 60], 80],
  [
    'a vector before a time',
    { '00181065': [0, 10, 20, 30], '00181063': [40] },
    'frame-time-vector',
    [0, 10, 30, 60],
    80,
  ],
  [
    'a vector that is too short',
    { '00181065': [0, 10], '00181063': [40] },
    'frame-time',
    [0, 40, 80, 120],
    160,
  ],
  [
    'a vector that stands still',
    { '00181065': [0, 10, 0, 10], '00180040': [20] },
    'cine-rate',
    [0, 50, 100, 150],
    200,
  ],
  [
    'Recommended Display Frame Rate',
    { '00082144': [25], '00180040': [30] },
    'recommended-rate',
    [0, 40, 80, 120],
    160,
  ],
  ['Cine Rate', { '00180040': [50] }, 'cine-rate', [0, 20, 40, 60], 80],
  ['a time of zero', { '00181063': [0] }, 'usual', [0, 100, 200, 300], 400],
  ['nothing', {}, 'usual', [0, 100, 200, 300], 400],
])('times by %s', (_, values, source, begins, duration) => {
  const timing = film(4, values);
  expect(timing.source).toBe(source);
  expect(timing.begins.map((at) => Math.round(at * 100) / 100)).toEqual(begins);
  expect(timing.duration).toBeCloseTo(duration, 6);
});

test('frames in another order than that of their numbers are slices: their times say nothing', () => {
  const values = { '00181063': [40] };
  expect(timingOf({ from: 0, frames: [frame('a', 2, values), frame('a', 1, values)] }).source).toBe('usual');
  expect(timingOf({ from: 0, frames: [frame('a', 1, values), frame('b', 1, values)] }).source).toBe('usual');
});

test('of a series with several films one plays; of single images all do', () => {
  const frames = [frame('a', 1), frame('a', 2), frame('b', 1), frame('b', 2), frame('b', 3), frame('c', 1)];
  const clip = clipOf(frames, 'b');
  expect([clip.from, clip.frames.map(({ id }) => id)]).toEqual([2, ['b/1', 'b/2', 'b/3']]);
  expect(clipOf(frames, undefined)).toEqual({ from: 0, frames });
});

test.each([
  [{ '00181063': [40] }, 25],
  [{ '00181065': [0, 10, 20, 30] }, 50],
  [{}, 10],
])('images a second: %j', (values, rate) => expect(rateOf(film(4, values))).toBeCloseTo(rate, 6));

/** Frames begin at 0, 10, 30 and 60 ms; the film lasts 80. */
test.each([
  ['loop', [0, 9.9, 10, 29, 30, 60, 79, 80, 90, 160, 1000], [0, 0, 1, 1, 2, 3, 3, 0, 1, 0, 2]],
  ['swing', [0, 10, 60, 80, 99, 101, 131, 151, 160, 170], [0, 1, 3, 3, 3, 2, 1, 0, 0, 1]],
])('what is shown when: %s', (mode, times, expected) => {
  const timing = film(4, { '00181065': [0, 10, 20, 30] });
  expect(times.map((time) => frameAt(timing, time, mode === 'swing'))).toEqual(expected);
});

test('no time is longer or shorter than it says: over a minute each frame has its share', () => {
  const timing = film(96, { '00181063': [1000 / 12] });
  const shares = new Array<number>(96).fill(0);
  for (let at = 0; at < 64_000; at++) shares[frameAt(timing, at)]!++;
  for (const share of shares) expect(Math.abs(share - 8 * (1000 / 12))).toBeLessThanOrEqual(8);
});

const several = (instance: string, count: number, values: Record<string, readonly unknown[]> = {}) =>
  Array.from({ length: count }, (_, at) => frame(instance, at + 1, { '00280008': [count], ...values }));

test.each<[string, StackFrame[], object]>([
  [
    'a film',
    several('a', 96, { '00181063': [1000 / 12] }),
    { films: [{ frames: 96, seconds: 8 }], images: 0 },
  ],
  [
    'two films and an image',
    [...several('a', 4, { '00181063': [500] }), ...several('b', 2, { '00082144': [1] }), frame('c', 1)],
    {
      films: [
        { frames: 4, seconds: 2 },
        { frames: 2, seconds: 2 },
      ],
      images: 1,
    },
  ],
  ['slices in one instance', several('a', 30), { films: [], images: 30 }],
  [
    'single images with a rate',
    [frame('a', 1, { '00180040': [30] }), frame('b', 1, { '00180040': [30] })],
    { films: [], images: 2 },
  ],
])('what a series has: %s', (_, frames, expected) => expect(contentsOf([{ frames }])).toEqual(expected));

test.each<[string, StackFrame[], boolean]>([
  ['a film', several('a', 4, { '00181063': [40] }), true],
  ['a film and an image', [...several('a', 4, { '00181063': [40] }), frame('b', 1)], false],
  ['slices', several('a', 4), false],
  ['nothing', [], false],
])('a stack of %s is a film, or not', (_, frames, expected) => expect(isFilm({ frames })).toBe(expected));
