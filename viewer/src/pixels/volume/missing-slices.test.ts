import { expect, test } from 'vitest';
import { Slices } from './missing-slices.ts';

/** Slices of two voxels; its values are the number of the slice that they are of, from 1. */
class Filling {
  readonly volume = { voxels: new Int16Array(2 * 7), size: [2, 1, 7] as const };
  readonly slices = new Slices(7);

  add(...all: number[]): number[] {
    for (const at of all) {
      this.volume.voxels.fill(at + 1, 2 * at, 2 * at + 2);
      this.slices.add(at);
    }
    this.slices.fill(this.volume);
    const { voxels } = this.volume;
    return Array.from({ length: 7 }, (_, at) =>
      voxels[2 * at] === voxels[2 * at + 1] ? voxels[2 * at]! : NaN,
    );
  }
}

test('missing slices are as the nearest one; the first of two that are as near', () => {
  const filling = new Filling();
  expect(filling.add()).toEqual([0, 0, 0, 0, 0, 0, 0]);
  expect(filling.add(4)).toEqual([5, 5, 5, 5, 5, 5, 5]);
  expect(filling.add(0)).toEqual([1, 1, 1, 5, 5, 5, 5]);
  expect(filling.add(2)).toEqual([1, 1, 3, 3, 5, 5, 5]);
  expect(filling.add(6, 1, 5)).toEqual([1, 2, 3, 3, 5, 6, 7]);
  expect(filling.add(3)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
