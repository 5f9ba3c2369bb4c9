import { expect, test } from 'vitest';
import {
  nearestImage,
  nearestPoint,
  patientPoint,
  referenceLine,
  type Rectangle,
} from './reference-lines.ts';
import type { Stack } from '../series/stacks.ts';

/** An axial image of 100 × 80 mm whose first pixel is at -50/-40/0. */
const AXIAL: Rectangle = {
  position: [-50, -40, 0],
  row: [1, 0, 0],
  column: [0, 1, 0],
  columns: 101,
  rows: 81,
  spacing: [1, 1],
  frameOfReference: '1',
};
/** A coronal one, from y = 10, of 40 × 60 mm, from the head down. */
const CORONAL: Rectangle = {
  position: [-20, 10, 30],
  row: [1, 0, 0],
  column: [0, 0, -1],
  columns: 21,
  rows: 31,
  spacing: [2, 2],
  frameOfReference: '1',
};
const SAGITTAL: Rectangle = { ...CORONAL, position: [5, -30, 30], row: [0, 1, 0] };
const turned = (degrees: number): Rectangle => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return { ...AXIAL, row: [1, 0, 0], column: [0, c, s] };
};

test.each<[string, Rectangle, Rectangle, number[][] | undefined]>([
  [
    'coronal on axial',
    AXIAL,
    CORONAL,
    [
      [29, 50],
      [71, 50],
    ],
  ],
  [
    'axial on coronal',
    CORONAL,
    AXIAL,
    [
      [-0.5, 15],
      [20.5, 15],
    ],
  ],
  [
    'sagittal on axial',
    AXIAL,
    SAGITTAL,
    [
      [55, 9],
      [55, 51],
    ],
  ],
  [
    'a larger one ends at the edge',
    CORONAL,
    { ...AXIAL, position: [-50, -40, 16] },
    [
      [-0.5, 7],
      [20.5, 7],
    ],
  ],
  ['above the other', AXIAL, { ...CORONAL, position: [-20, 10, 300] }, undefined],
  ['beside the other', AXIAL, { ...CORONAL, position: [200, 10, 30] }, undefined],
  [
    'outside the image, although it cuts its plane',
    AXIAL,
    { ...CORONAL, position: [-20, 90, 30] },
    undefined,
  ],
  ['parallel', AXIAL, { ...AXIAL, position: [-50, -40, 5] }, undefined],
  ['the same plane', AXIAL, AXIAL, undefined],
  ['half a degree', AXIAL, turned(0.5), undefined],
  ['another frame of reference', AXIAL, { ...CORONAL, frameOfReference: '2' }, undefined],
  [
    'oblique',
    AXIAL,
    { ...turned(45), position: [-50, -20, -20] },
    [
      [-0.5, 40],
      [100.5, 40],
    ],
  ],
  [
    'a diagonal ends at the corners',
    { ...AXIAL, columns: 81 },
    { ...CORONAL, position: [-90, -80, 10], row: [Math.SQRT1_2, Math.SQRT1_2, 0], columns: 200, rows: 11 },
    [
      [-0.5, -0.5],
      [80.5, 80.5],
    ],
  ],
])('the line of %s', (_, here, other, expected) => {
  const line = referenceLine(here, other)?.toSorted(([a, b], [c, d]) => a - c || b - d);
  if (!expected) return expect(line).toBeUndefined();
  for (const [at, point] of expected.entries()) {
    expect(line![at]![0]).toBeCloseTo(point[0]!);
    expect(line![at]![1]).toBeCloseTo(point[1]!);
  }
});

test('a point of an image, in the patient and back', () => {
  expect(patientPoint(CORONAL, [5, 20])).toEqual([-10, 10, -10]);
  expect(nearestPoint(CORONAL, [-10, 14, -10])).toEqual({ point: [5, 20], distance: 4 });
});

test('the image of a stack that is nearest to a point', () => {
  const frames = [0, 5, 10, 15].map((z) => ({
    metadata: {
      '00200032': { vr: 'DS', Value: [0, 0, z] },
      '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] },
      '00200052': { vr: 'UI', Value: ['1'] },
    },
  }));
  const stack = { key: 's', frames } as unknown as Stack;
  expect([-90, 2.4, 2.6, 11, 900].map((z) => nearestImage(stack, [7, 7, z], '1'))).toEqual([0, 0, 1, 2, 3]);
  expect(nearestImage(stack, [0, 0, 5], '2')).toBeUndefined();
  const placeless = { key: 'p', frames: [{ metadata: { '00200052': { vr: 'UI', Value: ['1'] } } }] };
  expect(nearestImage(placeless as unknown as Stack, [0, 0, 5], '1')).toBeUndefined();
});
