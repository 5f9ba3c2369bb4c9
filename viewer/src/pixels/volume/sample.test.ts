import { expect, test } from 'vitest';
import { inVoxels, sampleGridOf, type SampleGrid } from '../../domain/volume/volume-planes.ts';
import type { VolumeGeometry } from '../../domain/volume/volume.ts';
import { sample } from './sample.ts';

/** The value of a voxel tells its place: 100 × slice + 10 × row + column. */
const SIZE = [5, 4, 3] as const;
const volume = {
  voxels: Int16Array.from(
    { length: 60 },
    (_, at) => 100 * Math.floor(at / 20) + 10 * (Math.floor(at / 5) % 4) + (at % 5),
  ),
  size: SIZE,
};
const GRID: SampleGrid = {
  origin: [0, 0, 0],
  steps: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  size: [1, 1, 1],
  mode: 'mip',
};

test.each<[string, Partial<SampleGrid>, number[]]>([
  ['a voxel', { origin: [3, 2, 1] }, [123]],
  ['the last voxel', { origin: [4, 3, 2] }, [234]],
  ['between eight voxels', { origin: [1.5, 0.25, 0.5] }, [54]],
  [
    'a row, and half a voxel beyond its ends',
    {
      origin: [-0.75, 0, 0],
      steps: [
        [0.5, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      size: [3, 1, 1],
    },
    [NaN, 0, 0.25],
  ],
  [
    'beyond the last',
    {
      origin: [4.4, 3.4, 2.4],
      steps: [
        [0.2, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      size: [2, 1, 1],
    },
    [234, NaN],
  ],
  ['the greatest of a slab', { origin: [2, 1, 0], size: [1, 1, 3] }, [212]],
  ['the mean of a slab, of what is inside', { origin: [2, 1, 1], size: [1, 1, 9], mode: 'average' }, [162]],
  [
    'rows against the volume',
    {
      origin: [1, 3, 0],
      steps: [
        [1, 0, 0],
        [0, -1, 0],
        [0, 0, 1],
      ],
      size: [2, 2, 1],
    },
    [31, 32, 21, 22],
  ],
])('%s', (_, changes, expected) => {
  expect([...sample(volume, { ...GRID, ...changes })]).toEqual(expected);
});

/** The same place of the patient has the same value, whatever the volumes' axes and spacings are. */
const turned: VolumeGeometry = {
  origin: [7, -3, 40],
  axes: [
    [0, 1, 0],
    [0, 0, -1],
    [-1, 0, 0],
  ],
  size: SIZE,
  spacing: [2, 4, 3],
  frameOfReference: '1',
};
const base: VolumeGeometry = {
  origin: [-20, -20, 0],
  axes: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  size: [60, 60, 25],
  spacing: [0.7, 0.7, 2],
  frameOfReference: '1',
};

test.each([
  ['axial', [13, 17, 20]],
  ['coronal', [8, 24, 35]],
  ['sagittal', [30, 35, 38]],
] as const)('a turned volume is read in the patient: %s', (plane, indexes) => {
  let inside = 0;
  for (const index of indexes) {
    const grid = sampleGridOf(base, { plane, index });
    const values = sample(volume, inVoxels(turned, grid));
    for (const [at, value] of values.entries()) {
      const [column, row] = [at % grid.size[0], Math.floor(at / grid.size[0])];
      const [x, y, z] = [0, 1, 2].map(
        (axis) => grid.origin[axis]! + column * grid.steps[0][axis]! + row * grid.steps[1][axis]!,
      ) as [number, number, number];
      // Axes of the turned volume: to the back, to the feet, to the right.
      const voxel = [(y + 3) / 2, (40 - z) / 4, (7 - x) / 3] as const;
      const isIn = voxel.every((one, axis) => one >= -0.5 && one <= SIZE[axis]! - 0.5);
      expect(Number.isNaN(value)).toBe(!isIn);
      if (!isIn) continue;
      inside++;
      const [a, b, c] = voxel.map((one, axis) => Math.min(Math.max(one, 0), SIZE[axis]! - 1)) as [
        number,
        number,
        number,
      ];
      expect(value).toBeCloseTo(100 * c + 10 * b + a, 3);
    }
  }
  expect(inside).toBeGreaterThan(20);
});
