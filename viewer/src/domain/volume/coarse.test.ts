import { expect, test } from 'vitest';
import { gapsOf, loadingOrder, loadingStep, WHOLE } from './coarse.ts';
import type { VolumeGeometry } from './volume.ts';

test('every 8th slice comes first, then every 4th, every 2nd, all, each once', () => {
  expect(loadingOrder(17)).toEqual([4, 12, 0, 8, 16, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15]);
  for (const count of [1, 2, 3, 4, 5, 208])
    expect(loadingOrder(count).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, at) => at),
    );
});

test.each([
  [208, 26, 52, 104],
  [20, 2, 5, 10],
  [3, 1, 1, 2],
])('planes of %i slices can be shown from %i on', (all, eighth, quarter, half) => {
  const step = (ready: number, tried = ready) => loadingStep({ ready, tried, all });
  expect([step(eighth - 1), step(half - 1) < step(half)]).toEqual([0, true]);
  expect(step(eighth)).toBe(eighth === quarter ? 2 : 1);
  expect([step(quarter), step(half), step(all)]).toEqual([2, 3, WHOLE]);
  // Those that have failed are not waited for, but some have to be there.
  expect([step(half, all), step(0, all)]).toEqual([WHOLE, 0]);
});

test.each(Array.from({ length: 500 - 40 }, (_, at) => at + 41))(
  'no more than 15 %% of %i slices are needed',
  (all) => {
    const needed = Math.floor(0.15 * all);
    expect(loadingStep({ ready: needed, tried: needed, all })).toBeGreaterThan(0);
  },
);

/** Slices of 2.5 mm from the feet to the head, pixels of 1 mm. */
const AXIAL: VolumeGeometry = {
  origin: [0, 0, 0],
  axes: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  size: [11, 21, 5],
  spacing: [1, 1, 2.5],
  frameOfReference: '1',
};
const whole = { left: -0.5, right: 10.5, top: -0.5, bottom: 20.5 };

test.each<[string, Parameters<typeof gapsOf>[1], number[], object[]]>([
  ['a slice that is there', { plane: 'axial', index: 2 }, [1, 3], []],
  ['a missing slice', { plane: 'axial', index: 3 }, [1, 3], [whole]],
  [
    'a slab with a missing slice',
    { plane: 'axial', index: 2, slab: { mode: 'mip', thickness: 7.5 } },
    [1],
    [whole],
  ],
  // The head is above: the last slice lies in the first row. Eleven rows; slices are 2.5 rows apart.
  ['the last slice', { plane: 'coronal', index: 0 }, [4], [{ ...whole, bottom: 1.25 }]],
  [
    'the first two slices, and one in the middle',
    { plane: 'coronal', index: 0 },
    [0, 1, 3],
    [
      { ...whole, top: 6.25, bottom: 10.5 },
      { ...whole, top: 1.25, bottom: 3.75 },
    ],
  ],
  ['a whole volume', { plane: 'sagittal', index: 0 }, [], []],
])('parts that are hatched: %s', (_, image, missing, expected) => {
  expect(gapsOf(AXIAL, image, missing)).toEqual(expected);
});

test('slices of a sagittal volume are columns of a coronal plane', () => {
  const sagittal: VolumeGeometry = {
    ...AXIAL,
    axes: [
      [0, 1, 0],
      [0, 0, -1],
      [1, 0, 0],
    ],
  };
  expect(gapsOf(sagittal, { plane: 'coronal', index: 0 }, [0])).toEqual([
    { left: -0.5, right: 1.25, top: -0.5, bottom: 20.5 },
  ]);
});
