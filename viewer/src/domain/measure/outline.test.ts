import { expect, test } from 'vitest';
import type { ImagePoint } from '../space/geometry.ts';
import { areaWithin, closedLine, crossesItself, partsWithin } from './outline.ts';

const SQUARE: ImagePoint[] = [[0, 0], [10, 0], [10, 10], [0, 10]]; // prettier-ignore
const FIGURE_8: ImagePoint[] = [[0, 0], [10, 10], [10, 0], [0, 10]]; // prettier-ignore
const HORSESHOE: ImagePoint[] = [[0, 0], [10, 0], [10, 10], [7, 10], [7, 3], [3, 3], [3, 10], [0, 10]]; // prettier-ignore
/** A circle of 20 pixels, by so many points, from an angle to another one. */
const arc = (count: number, from = 0, to = 2 * Math.PI, radius = 20) =>
  Array.from({ length: count }, (_, at): ImagePoint => {
    const angle = from + ((to - from) * at) / count;
    return [50 + radius * Math.cos(angle), 50 + radius * Math.sin(angle)];
  });

test.each<[string, ImagePoint[], number, boolean]>([
  ['a square', SQUARE, 100, false],
  ['the other way round', [...SQUARE].reverse(), 100, false],
  ['a horseshoe', HORSESHOE, 72, false],
  ['a circle of 360 points', arc(360), Math.PI * 400 * (Math.sin(Math.PI / 180) / (Math.PI / 180)), false],
  ['a figure of eight', FIGURE_8, 0, true],
])('the area within %s', (_, points, area, crosses) => {
  expect(areaWithin(points)).toBeCloseTo(area, 6);
  expect(crossesItself(points)).toBe(crosses);
});

test.each<[string, ImagePoint[], number, [number, number][]]>([
  ['a square', SQUARE, 5, [[0, 10]]],
  ['above a square', SQUARE, -1, []],
  [
    'a horseshoe',
    HORSESHOE,
    5,
    [
      [0, 3],
      [7, 10],
    ],
  ],
  ['a horseshoe where it is closed', HORSESHOE, 2, [[0, 10]]],
])('the parts of a row within %s', (_, points, row, expected) => {
  expect(partsWithin(points, row)).toEqual(expected);
});

test('what is drawn beyond the beginning does not count', () => {
  const once = arc(100);
  expect(closedLine(once)).toBe(once);
  // The hand comes from within, goes round once, and crosses where it came from.
  const beyond: ImagePoint[] = [[60, 52], ...Array.from({ length: 106 }, (_, at) => arc(100, 0, 2 * Math.PI, 21 - at / 60)[at % 100]!)]; // prettier-ignore
  expect(crossesItself(beyond)).toBe(true);
  const closed = closedLine(beyond);
  expect(closed.length).toBeLessThan(beyond.length);
  expect(crossesItself(closed)).toBe(false);
  expect(areaWithin(closed) / (Math.PI * 400)).toBeGreaterThan(0.9);
  expect(areaWithin(closed) / (Math.PI * 400)).toBeLessThan(1.1);
});

test('a figure of eight stays one', () => expect(closedLine(FIGURE_8)).toBe(FIGURE_8));
