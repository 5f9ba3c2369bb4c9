import { expect, test } from 'vitest';
import { nearestOrientation, normalOf, planeOf, sameOrientation, type Plane } from './geometry.ts';

const plane = (orientation: readonly number[], position: readonly number[] = [1, 2, 3]): Plane | undefined =>
  planeOf({ '00200032': { vr: 'DS', Value: position }, '00200037': { vr: 'DS', Value: orientation } });
const turned = (degrees: number): number[] => {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [1, 0, 0, 0, c, s];
};

test.each([
  ['axial', [1, 0, 0, 0, 1, 0], [0, 0, 1]],
  ['coronal', [1, 0, 0, 0, 0, -1], [0, 1, 0]],
  ['sagittal', [0, 1, 0, 0, 0, -1], [-1, 0, 0]],
] as const)('a plane: %s', (name, orientation, normal) => {
  expect(nearestOrientation(plane(orientation)!)).toBe(name);
  expect(normalOf(plane(orientation)!).map((component) => component + 0)).toEqual(normal);
});

test.each([
  ['directions of zero', [0, 0, 0, 0, 0, 0]],
  ['directions that are no right angle', [1, 0, 0, 0.7071, 0.7071, 0]],
  ['five numbers', [1, 0, 0, 0, 1]],
  ['words', ['1', '0', 'x', '0', '1', '0'] as unknown as number[]],
])('no plane: %s', (_, orientation) => expect(plane(orientation)).toBeUndefined());

test.each([
  [0.05, true],
  [0.9, true],
  [1.1, false],
  [90, false],
])('a turn of %d° is the same orientation: %s', (degrees, same) =>
  expect(sameOrientation(plane(turned(0))!, plane(turned(degrees))!)).toBe(same),
);
