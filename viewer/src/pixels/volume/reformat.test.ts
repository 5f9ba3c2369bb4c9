import { expect, test } from 'vitest';
import { reformat, type PlaneImage, type Volume } from './reformat.ts';

const SIZE = [5, 4, 3] as const;
/** The value of a voxel tells its place: 100 × slice + 10 × row + column. */
const valueAt = (column: number, row: number, slice: number) => 100 * slice + 10 * row + column;

function volume(change: (value: number) => number = (value) => value, type = Int16Array): Volume {
  const voxels = new type(SIZE[0] * SIZE[1] * SIZE[2]);
  for (let at = 0; at < voxels.length; at++) {
    const slice = Math.floor(at / 20);
    voxels[at] = change(valueAt(at % 5, Math.floor(at / 5) % 4, slice));
  }
  return { voxels, size: SIZE };
}

const CORONAL: PlaneImage = {
  right: { axis: 0, sign: 1 },
  down: { axis: 2, sign: 1 },
  through: 1,
  from: 2,
  to: 2,
  mode: 'mip',
  columns: 5,
  rows: 3,
  steps: [1, 1],
};
const rowsOf = (image: PlaneImage, of = volume()) => {
  const values = [...reformat(of, image)];
  return Array.from({ length: image.rows }, (_, row) =>
    values.slice(row * image.columns, (row + 1) * image.columns),
  );
};

test.each<[string, Partial<PlaneImage>, number[][]]>([
  [
    'coronal',
    {},
    [
      [20, 21, 22, 23, 24],
      [120, 121, 122, 123, 124],
      [220, 221, 222, 223, 224],
    ],
  ],
  [
    'upside down, left and right exchanged',
    { right: { axis: 0, sign: -1 }, down: { axis: 2, sign: -1 } },
    [
      [224, 223, 222, 221, 220],
      [124, 123, 122, 121, 120],
      [24, 23, 22, 21, 20],
    ],
  ],
  [
    'sagittal',
    { right: { axis: 1, sign: 1 }, down: { axis: 2, sign: -1 }, through: 0, from: 3, to: 3, columns: 4 },
    [
      [203, 213, 223, 233],
      [103, 113, 123, 133],
      [3, 13, 23, 33],
    ],
  ],
  [
    'as acquired',
    { right: { axis: 0, sign: 1 }, down: { axis: 1, sign: 1 }, through: 2, from: 1, to: 1, rows: 4 },
    [
      [100, 101, 102, 103, 104],
      [110, 111, 112, 113, 114],
      [120, 121, 122, 123, 124],
      [130, 131, 132, 133, 134],
    ],
  ],
  [
    'the acquired plane turned by 90°',
    {
      right: { axis: 1, sign: 1 },
      down: { axis: 0, sign: 1 },
      through: 2,
      from: 0,
      to: 0,
      columns: 4,
      rows: 5,
    },
    [
      [0, 10, 20, 30],
      [1, 11, 21, 31],
      [2, 12, 22, 32],
      [3, 13, 23, 33],
      [4, 14, 24, 34],
    ],
  ],
  [
    'between the slices values are interpolated',
    { rows: 5, steps: [1, 0.4] },
    [
      [20, 21, 22, 23, 24],
      [60, 61, 62, 63, 64],
      [100, 101, 102, 103, 104],
      [140, 141, 142, 143, 144],
      [180, 181, 182, 183, 184],
    ],
  ],
  [
    'between voxels and between slices',
    { columns: 2, rows: 2, steps: [2.5, 1.5] },
    [
      [20, 23],
      [170, 173],
    ],
  ],
  [
    'MIP of a slab',
    { from: 1, to: 3 },
    [
      [30, 31, 32, 33, 34],
      [130, 131, 132, 133, 134],
      [230, 231, 232, 233, 234],
    ],
  ],
  [
    'mean of a slab',
    { from: 0, to: 3, mode: 'average' },
    [
      [15, 16, 17, 18, 19],
      [115, 116, 117, 118, 119],
      [215, 216, 217, 218, 219],
    ],
  ],
])('%s', (_, changes, rows) => expect(rowsOf({ ...CORONAL, ...changes })).toEqual(rows));

test('MIP of values below zero, and mean of the two ends of the range', () => {
  const negative = volume((value) => -value);
  expect(rowsOf({ ...CORONAL, from: 0, to: 3 }, negative)[2]).toEqual([-200, -201, -202, -203, -204]);
  const extreme = volume((value) => (value % 20 < 10 ? -32_768 : 32_767));
  expect(rowsOf({ ...CORONAL, from: 0, to: 1, mode: 'average' }, extreme)[0]).toEqual([0, 0, 0, 0, 0]);
});

test('unsigned values stay so', () => {
  const values = reformat(
    volume((value) => 65_000 + value, Uint16Array as never),
    { ...CORONAL, from: 0, to: 3 },
  );
  expect(values).toBeInstanceOf(Uint16Array);
  expect(values[0]).toBe(65_030);
});

test('the rod along a line of the volume is a line in two planes and a point in the third', () => {
  const rod: Volume = { voxels: new Int16Array(60).fill(-1000), size: SIZE };
  for (let slice = 0; slice < 3; slice++) rod.voxels[slice * 20 + 2 * 5 + 1] = 3000;
  const bright = (image: PlaneImage) => rowsOf(image, rod).map((row) => row.indexOf(3000));
  expect(bright(CORONAL)).toEqual([1, 1, 1]);
  expect(bright({ ...CORONAL, from: 1, to: 1 })).toEqual([-1, -1, -1]);
  expect(bright({ ...CORONAL, from: 0, to: 3 })).toEqual([1, 1, 1]);
  const axial = {
    ...CORONAL,
    down: { axis: 1, sign: 1 } as const,
    through: 2 as const,
    from: 0,
    to: 2,
    rows: 4,
  };
  expect(bright(axial)).toEqual([-1, -1, 1, -1]);
});
