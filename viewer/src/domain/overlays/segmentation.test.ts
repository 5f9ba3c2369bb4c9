import { describe, expect, test } from 'vitest';
import {
  AXIAL,
  covered,
  dice,
  frame,
  imagesAt,
  items,
  of,
  packed,
  planeGroups,
  SAGITTAL,
  segment,
  segmentation,
  segmented,
  targetsOf,
  truth,
  type Placed,
  type Point,
} from '../../../test/setup/overlay-objects.ts';
import type { Instance } from '../instance.ts';
import { planeStack, PLANES } from '../volume/volume-planes.ts';
import { isNoVolume, volumeOf } from '../volume/volume.ts';
import { cielabColour } from './cielab.ts';
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

describe('a segmentation', () => {
  test('of three frames of 5 × 5 bits: frames begin within bytes, and an empty one is left out', async () => {
    const bits = new Array<number>(75).fill(0);
    const drawn = [[0, 24], [], [7, 24]];
    drawn.forEach((pixels, index) => pixels.forEach((pixel) => (bits[25 * index + pixel] = 1)));
    const instance = segmentation({ frames: [frame(at(0)), frame(at(2)), frame(at(4))] });
    const content = await read(instance, packed(bits));
    const shown = targetsOf(imagesAt(SMALL)).map((target) =>
      indexes(covered(content.shapesOn(target, content.parts[0]!), target)),
    );
    expect(shown).toEqual(drawn);
    expect(content.parts).toEqual([{ id: '1', name: 'part 1', colour: [230, 159, 0] }]);
    expect([...content.framesOfReference]).toEqual(['1.2.3']);
  });

  const sphere: Placed = {
    ...SMALL,
    origin: [-12, -12, -12],
    rows: 49,
    columns: 49,
    count: 49,
    spacing: [0.5, 0.5, 0.5],
  };
  const inside = ([x, y, z]: Point) => Math.hypot(x, y, z) <= 10;
  const sagittal: Placed = { ...sphere, origin: [12, -12, 12], orientation: SAGITTAL };

  test.each([
    ['axial', sphere],
    ['sagittal', sagittal],
  ])(
    'of a sphere of 20 mm, %s, covers it in a stack and in planes through its volume',
    async (_, placed) => {
      const { instance, pixels } = segmented(placed, inside);
      // Of 49 slices 41 cut the sphere.
      expect(instance['52009230']!.Value).toHaveLength(41);
      const content = await read(instance, pixels);
      const stack = imagesAt(sphere);
      const volume = volumeOf(stack);
      if (isNoVolume(volume)) throw new Error(volume.reason);
      const planes = PLANES.map((plane) => planeStack({ volume, key: 'v', plane, source: stack }));
      for (const images of [stack, ...planes]) {
        const targets = targetsOf(images);
        const drawn = targets.flatMap((target) =>
          covered(content.shapesOn(target, content.parts[0]!), target),
        );
        const true1 = targets.flatMap((target) => truth(target, inside));
        expect(true1.filter(Boolean).length).toBeGreaterThan(30_000);
        expect(dice(drawn, true1)).toBeGreaterThanOrEqual(0.99);
      }
    },
    30_000,
  );

  test('has no gaps on planes whose pixels lie between two slices', async () => {
    const slices: Placed = { ...SMALL, origin: [0, 0, 0.1], count: 20, spacing: [0.75, 0.75, 1.5] };
    const { instance, pixels } = segmented(slices, () => true);
    const content = await read(instance, pixels);
    const stack = imagesAt(slices);
    const volume = volumeOf(stack);
    if (isNoVolume(volume)) throw new Error(volume.reason);
    for (const plane of PLANES)
      for (const target of targetsOf(planeStack({ volume, key: 'v', plane, source: stack })))
        expect(covered(content.shapesOn(target, content.parts[0]!), target)).not.toContain(false);
  });

  test('of thick slices is on every thin image within them, and not beyond', async () => {
    const instance = segmentation({ frames: [frame(at(0)), frame(at(6))] });
    const content = await read(instance, packed(new Array<number>(50).fill(1)));
    const thin = targetsOf(imagesAt({ ...SMALL, origin: [10, 20, -5], count: 17, spacing: [1, 1, 1] }));
    const shown = thin.map((target) => content.shapesOn(target, content.parts[0]!).length);
    expect(indexes(shown.map((count) => count > 0)).map((index) => index - 5)).toEqual([
      -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
  });

  test('with frames far from each other stays within their thickness', async () => {
    const instance = segmentation({
      frames: [frame(at(0)), frame(at(20))],
      more: { '52009229': items(planeGroups(AXIAL, [1, 1], 2)) },
    });
    const content = await read(instance, packed(new Array<number>(50).fill(1)));
    const images = targetsOf(imagesAt({ ...SMALL, count: 11 }));
    const shown = images.map((target) => content.shapesOn(target, content.parts[0]!).length);
    expect(shown).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  test('of other pixels than the image has is where they are', async () => {
    // Four pixels of 2 mm, the first with its centre on the image's 1/1.
    const instance = segmentation({
      rows: 2,
      columns: 2,
      frames: [frame([11, 21, 0])],
      more: { '52009229': items(planeGroups(AXIAL, [2, 2])) },
    });
    const content = await read(instance, packed([1, 0, 0, 1]));
    const [target] = targetsOf(imagesAt(SMALL));
    const shapes = content.shapesOn(target!, content.parts[0]!);
    expect(shapes).toEqual([
      {
        kind: 'area',
        rings: [
          [
            [0, 0],
            [2, 0],
            [2, 2],
            [0, 2],
          ],
          [
            [2, 2],
            [4, 2],
            [4, 4],
            [2, 4],
          ],
        ],
      },
    ]);
  });

  test('fractional: a value is an opacity', async () => {
    const instance = segmentation({
      kind: 'FRACTIONAL',
      bits: 8,
      rows: 1,
      columns: 3,
      frames: [frame(at(0))],
      more: { '0062000E': of('US', 100) },
    });
    const content = await read(instance, Uint8Array.of(0, 50, 100));
    const [target] = targetsOf(imagesAt({ ...SMALL, rows: 1, columns: 3 }));
    expect(content.shapesOn(target!, content.parts[0]!)).toEqual([
      {
        kind: 'mask',
        columns: 3,
        rows: 1,
        opacities: Uint8Array.of(0, 128, 255),
        matrix: [1, 0, 0, 1, -0.5, -0.5],
      },
    ]);
  });

  test.each([8, 16])('label map of %i bits: a value is a segment', async (bits) => {
    const values = [0, 3, 1, 3, 7, 0];
    const bytes = bits === 8 ? Uint8Array.from(values) : new Uint8Array(Uint16Array.from(values).buffer);
    const segments = [segment(0), segment(1), segment(3)];
    const { '0062000A': _none, ...labelled } = frame(at(0));
    const instance = segmentation({
      kind: 'LABELMAP',
      bits,
      rows: 2,
      columns: 3,
      segments,
      frames: [labelled],
    });
    const content = await read(instance, bytes);
    const [target] = targetsOf(imagesAt({ ...SMALL, rows: 2, columns: 3 }));
    const shown = content.parts.map((part) => [
      part.id,
      indexes(covered(content.shapesOn(target!, part), target!)),
    ]);
    expect(shown).toEqual([
      ['1', [2]],
      ['3', [1, 3]],
    ]);
  });

  test('without a place of its own is where its sources are', async () => {
    const source = { '00081155': of('UI', '1.2.20.1.2'), '00081160': of('IS', 1) };
    const more = { '00089124': items({ '00082112': items(source, { '00081155': of('UI', '1.2.8') }) }) };
    const instance = segmentation({ frames: [{ ...frame(at(0), 1, more), '00209113': items() }] });
    const content = await read(instance, packed(new Array<number>(25).fill(1)));
    const shown = targetsOf(imagesAt(SMALL)).map(
      (target) => content.shapesOn(target, content.parts[0]!).length,
    );
    expect(shown).toEqual([0, 1, 0]);
    expect([...content.instances]).toEqual(['1.2.20.1.2', '1.2.8']);
  });

  const ones = packed(new Array<number>(25).fill(1));
  const one = [frame(at(0))];
  const numbered = (count: number) => Array.from({ length: count }, (_, index) => segment(index + 1));
  test.each<[string, Instance, Uint8Array, string]>([
    ['no segments', segmentation({ segments: [], frames: one }), ones, 'empty'],
    ['200 segments', segmentation({ segments: numbered(200), frames: one }), ones, 'too-many-parts'],
    [
      'two of one number',
      segmentation({ segments: [segment(1), segment(1)], frames: one }),
      ones,
      'contradictory',
    ],
    ['half of its pixels', segmentation({ frames: [...one, frame(at(2))] }), ones, 'cut'],
    ['no pixels', segmentation({ frames: one }), new Uint8Array(), 'cut'],
    ['no place', segmentation({ frames: [{ ...one[0], '00209113': items() }] }), ones, 'without-place'],
    ['another kind', segmentation({ kind: 'SURFACE', frames: one }), ones, 'contradictory'],
    ['bits of another kind', segmentation({ bits: 8, frames: one }), ones, 'contradictory'],
    ['no frames', segmentation({ frames: [] }), ones, 'contradictory'],
    [
      'more than a browser has',
      segmentation({ rows: 50_000, columns: 50_000, frames: one }),
      ones,
      'too-large',
    ],
    [
      'more frames than an archive could hold',
      { ...segmentation({ frames: one }), '00280008': { vr: 'IS', Value: [2 ** 31 - 1] } },
      ones,
      'too-large',
    ],
    ['nothing at all', {}, ones, 'contradictory'],
    [
      'text for a sequence',
      segmentation({ frames: one, more: { '00620002': of('LO', 'x') } }),
      ones,
      'empty',
    ],
    [
      'items that are none',
      segmentation({ frames: one, more: { '52009230': of('SQ', null, 7) } }),
      ones,
      'empty',
    ],
  ])('with %s is refused, and nothing is thrown', async (_, instance, pixels, refused) => {
    expect(await segmentations.read(instance, () => Promise.resolve(pixels))).toEqual({ refused });
  });
});

test.each([
  ['white', [65535, 32896, 32896], [255, 255, 255]],
  ['black', [0, 32896, 32896], [0, 0, 0]],
  // sRGB red is L* 54.29, a* 80.80, b* 69.89 under D50.
  ['red', [35579, 53661, 50858], [255, 0, 0]],
])('the colour %s', (_name, lab, expected) => {
  const colour = cielabColour(lab);
  for (const [index, channel] of colour.entries())
    expect(Math.abs(channel - expected[index]!)).toBeLessThanOrEqual(2);
});
