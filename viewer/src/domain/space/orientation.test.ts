import { expect, test } from 'vitest';
import { imagePosition, orientationMarks } from './orientation.ts';

const STILL = { rotation: 0, flipped: false };
const image = (...values: number[]) => ({ '00200037': { vr: 'DS', Value: values } });

test.each([
  ['axial', [1, 0, 0, 0, 1, 0], STILL, 'A L P R'],
  ['coronal', [1, 0, 0, 0, 0, -1], STILL, 'H L F R'],
  ['sagittal', [0, 1, 0, 0, 0, -1], STILL, 'H P F A'],
  ['axial, turned by 90° clockwise', [1, 0, 0, 0, 1, 0], { rotation: 90, flipped: false }, 'R A L P'],
  ['axial, flipped', [1, 0, 0, 0, 1, 0], { rotation: 0, flipped: true }, 'A R P L'],
  ['tilted', [1, 0, 0, 0, 0.8, -0.6], STILL, 'AH L PF R'],
] as const)('marks of an image that is %s', (_name, values, camera, expected) => {
  const { top, right, bottom, left } = orientationMarks(image(...values), camera)!;
  expect([top, right, bottom, left].join(' ')).toBe(expected);
});

test('an image without orientation has no marks', () => {
  expect(orientationMarks({}, STILL)).toBeUndefined();
});

test.each([
  ['axial', [1, 0, 0, 0, 1, 0], [-100, -80, 45.25], { side: 'H', mm: 45.25 }],
  ['axial, below the origin', [1, 0, 0, 0, 1, 0], [0, 0, -3], { side: 'F', mm: -3 }],
  ['coronal', [1, 0, 0, 0, 0, -1], [-100, -80, 45], { side: 'A', mm: -80 }],
  ['sagittal', [0, 1, 0, 0, 0, -1], [12, -80, 45], { side: 'L', mm: 12 }],
])('the position of an image: %s', (_, orientation, position, expected) =>
  expect(
    imagePosition({
      '00200032': { vr: 'DS', Value: position },
      '00200037': { vr: 'DS', Value: orientation },
    }),
  ).toEqual(expected),
);

test('an image without a place has no position', () =>
  expect(imagePosition({ '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] } })).toBeUndefined());
