import { expect, test } from 'vitest';
import {
  AXIAL,
  covered,
  frame,
  imagesAt,
  items,
  of,
  packed,
  SAGITTAL,
  segmentation,
  targetsOf,
  type Placed,
  type Point,
} from '../../../test/setup/overlay-objects.ts';
import type { Instance } from '../instance.ts';
import type { Content } from './overlay.ts';
import { segmentations } from './segmentation.ts';

async function read(instance: Instance, pixels: Uint8Array): Promise<Content> {
  const answer = await segmentations.read(instance, () => Promise.resolve(pixels));
  if ('refused' in answer) throw new Error(answer.refused);
  return answer.content;
}

/** Three images of 5 × 5 pixels of 1 mm, at 0, 2 and 4 mm. */
const SMALL: Placed = {
  origin: [10, 20, 0],
  orientation: AXIAL,
  rows: 5,
  columns: 5,
  count: 3,
  spacing: [1, 1, 2],
};
const at = (z: number): Point => [10, 20, z];
const indexes = (values: readonly boolean[]) => values.flatMap((value, index) => (value ? [index] : []));

test('a segmentation of several times: an image has what was drawn on images of its time, and nobody knows that of others', async () => {
  const uidOf = (time: number, index: number) => `1.2.20.${time}.${index + 1}`;
  // Two times of three places; of each frame one pixel, whose number is that of the frame.
  const drawn = [1, 2].flatMap((time) => [0, 1, 2].map((index) => ({ time, index })));
  const instance = segmentation({
    frames: drawn.map(({ time, index }) => {
      const source = items({ '00081155': of('UI', uidOf(time, index)) });
      return frame(at(2 * index), 1, { '00089124': items({ '00082112': source }) });
    }),
  });
  const pixels = drawn.flatMap((_, index) =>
    Array.from({ length: 25 }, (__, pixel) => (pixel === index ? 1 : 0)),
  );
  const content = await read(instance, packed(pixels));
  const shownAt = (time: number) =>
    targetsOf(imagesAt(SMALL)).map((target, index) => {
      const own = { ...target, instance: uidOf(time, index) };
      return indexes(covered(content.shapesOn(own, content.parts[0]!), own));
    });
  expect([1, 2, 3].map(shownAt)).toEqual([
    [[0], [1], [2]],
    [[3], [4], [5]],
    [[], [], []],
  ]);
  const across = targetsOf(imagesAt({ ...SMALL, orientation: SAGITTAL }));
  expect(across.flatMap((target) => content.shapesOn(target, content.parts[0]!))).toEqual([]);
});

test('a segmentation of several times in one object of images: frames are named by their numbers', async () => {
  const source = (number: number) =>
    items({ '00081155': of('UI', '1.2.20.7'), '00081160': of('IS', number) });
  const instance = segmentation({
    frames: [1, 2].map((number) => frame(at(0), 1, { '00089124': items({ '00082112': source(number) }) })),
  });
  const content = await read(
    instance,
    packed([1, ...new Array<number>(25).fill(0), 1, ...new Array<number>(23).fill(0)]),
  );
  const [target] = targetsOf(imagesAt(SMALL));
  const shown = [1, 2, 3].map((number) => {
    const own = { ...target!, instance: '1.2.20.7', frame: number };
    return indexes(covered(content.shapesOn(own, content.parts[0]!), own));
  });
  expect(shown).toEqual([[0], [1], []]);
});

test('a segmentation of tiles has all that lie in one plane', async () => {
  const instance = segmentation({
    rows: 2,
    columns: 2,
    frames: [frame(at(0)), frame([13, 23, 0]), frame([13, 20, 2])],
  });
  const content = await read(instance, packed([1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]));
  const shown = targetsOf(imagesAt(SMALL)).map((target) =>
    indexes(covered(content.shapesOn(target, content.parts[0]!), target)),
  );
  expect(shown).toEqual([[0, 24], [4], []]);
});
