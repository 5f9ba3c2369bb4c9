import { describe, expect, test } from 'vitest';
import {
  AXIAL,
  circle,
  covered,
  dice,
  FRAME_OF_REFERENCE,
  imagesAt,
  of,
  SAGITTAL,
  structureSet,
  targetsOf,
  truth,
  type Placed,
  type Point,
  type WrittenRegion,
} from '../../../test/setup/overlay-objects.ts';
import type { Instance } from '../instance.ts';
import { planeStack, PLANES } from '../volume/volume-planes.ts';
import { isNoVolume, volumeOf } from '../volume/volume.ts';
import type { Content, Shape } from './overlay.ts';
import { structures } from './structures.ts';

async function read(...regions: WrittenRegion[]): Promise<Content> {
  const answer = await structures.read(structureSet(regions), () => Promise.reject(new Error('no pixels')));
  if ('refused' in answer) throw new Error(answer.refused);
  return answer.content;
}

/** 49 slices of 0.5 mm round the origin. */
const IMAGES: Placed = {
  origin: [-12, -12, -12],
  orientation: AXIAL,
  rows: 49,
  columns: 49,
  count: 49,
  spacing: [0.5, 0.5, 0.5],
};
const heights = Array.from({ length: 49 }, (_, index) => -12 + 0.5 * index);
/** Contours of a sphere round the origin, in all planes that cut it. */
const sphere = (radius: number, type?: string): WrittenRegion['contours'] =>
  heights
    .filter((z) => Math.abs(z) < radius)
    .map((z) => ({
      ...(type !== undefined && { type }),
      points: circle([0, 0, z], Math.sqrt(radius ** 2 - z ** 2)),
    }));
const within =
  (radius: number) =>
  ([x, y, z]: Point) =>
    Math.hypot(x, y, z) < radius;
const shapes = (
  { parts, shapesOn }: Content,
  target: Parameters<Content['shapesOn']>[0],
  part = 0,
): readonly Shape[] => shapesOn(target, parts[part]!);

describe('a structure set', () => {
  const shell = [...sphere(10), ...sphere(6)];
  test.each<[string, WrittenRegion['contours'], (point: Point) => boolean]>([
    ['a sphere of 20 mm', sphere(10), within(10)],
    ['a shell: inner contours are holes', shell, (point) => within(10)(point) && !within(6)(point)],
    [
      'a shell, written as XOR',
      [...sphere(10, 'CLOSEDPLANAR_XOR'), ...sphere(6, 'CLOSEDPLANAR_XOR')],
      (point) => within(10)(point) && !within(6)(point),
    ],
  ])(
    'of %s covers it in a stack and in planes through its volume',
    async (_, contours, inside) => {
      const content = await read({ number: 1, contours });
      const stack = imagesAt(IMAGES);
      const volume = volumeOf(stack);
      if (isNoVolume(volume)) throw new Error(volume.reason);
      const planes = PLANES.map((plane) => planeStack({ volume, key: 'v', plane, source: stack }));
      const acquired = imagesAt({ ...IMAGES, origin: [12, -12, 12], orientation: SAGITTAL });
      for (const images of [stack, acquired, ...planes]) {
        const targets = targetsOf(images);
        const drawn = targets.flatMap((target) => covered(shapes(content, target), target));
        const wanted = targets.flatMap((target) => truth(target, inside));
        expect(dice(drawn, wanted)).toBeGreaterThanOrEqual(0.99);
      }
    },
    60_000,
  );

  test('has no gaps on planes whose pixels lie between two contours', async () => {
    const slices: Placed = {
      ...IMAGES,
      origin: [-3, -3, 0.1],
      rows: 9,
      columns: 9,
      count: 20,
      spacing: [0.75, 0.75, 1.5],
    };
    const heights15 = Array.from({ length: 20 }, (_, index) => 0.1 + 1.5 * index);
    const content = await read({
      number: 1,
      contours: heights15.map((z) => ({ points: circle([0, 0, z], 9) })),
    });
    const stack = imagesAt(slices);
    const volume = volumeOf(stack);
    if (isNoVolume(volume)) throw new Error(volume.reason);
    for (const plane of PLANES)
      for (const target of targetsOf(planeStack({ volume, key: 'v', plane, source: stack })))
        expect(covered(shapes(content, target), target)).not.toContain(false);
  });

  test('on an oblique image covers what it cuts', async () => {
    const [c, s] = [Math.cos(0.6), Math.sin(0.6)];
    const orientation = [c, 0, s, 0, 1, 0];
    const content = await read({ number: 1, contours: sphere(10) });
    const images = imagesAt({ ...IMAGES, origin: [-12 * c, -12, -12 * s], orientation, count: 1 });
    const [target] = targetsOf(images);
    expect(dice(covered(shapes(content, target!), target!), truth(target!, within(10)))).toBeGreaterThan(
      0.98,
    );
  });

  test('in oblique planes, written with one decimal: islands and holes of a plane stay together', async () => {
    const [a, b] = [0.5, 0.35];
    const row = [Math.cos(a), 0, Math.sin(a)];
    const column = [-Math.sin(a) * Math.sin(b), Math.cos(b), Math.cos(a) * Math.sin(b)];
    const normal = [-Math.sin(a) * Math.cos(b), -Math.sin(b), Math.cos(a) * Math.cos(b)];
    /** A point of the patient, in millimetres from the origin along rows, columns, and from plane to plane. */
    const point = (u: number, v: number, w: number) =>
      [0, 1, 2].map((axis) => u * row[axis]! + v * column[axis]! + w * normal[axis]!);
    const rounded = (one: readonly number[]) => one.map((value) => Math.round(10 * value) / 10);
    /** Circles of one plane, the small ones first: columns, rows, and radius. */
    const discs = [
      [15, 1, 2],
      [-11, 8, 1.5],
      [3, -15, 1],
      [2, 1, 3],
      [0, 0, 10],
    ] as const;
    // One millimetre above the second image.
    const contours = discs.map(([u, v, radius]) => ({
      points: circle([u, v, 0], radius, 40).map(([x, y]) => rounded(point(x, y, 4)) as unknown as Point),
    }));
    const content = await read({ number: 1, contours });
    const [x, y, z] = point(-20, -20, 0) as [number, number, number];
    const orientation = [...row, ...column];
    const images = imagesAt({
      origin: [x, y, z],
      orientation,
      rows: 81,
      columns: 81,
      count: 3,
      spacing: [0.5, 0.5, 3],
    });
    const targets = targetsOf(images);
    expect(targets.map((target) => shapes(content, target).length)).toEqual([0, 1, 0]);
    const [area] = shapes(content, targets[1]!);
    expect(area?.kind === 'area' && area.rings).toHaveLength(5);
    const inside = ([i, j, k]: Point) => {
      const along = (axis: readonly number[]) => i * axis[0]! + j * axis[1]! + k * axis[2]!;
      const [u, v] = [along(row), along(column)];
      return discs.filter(([p, q, radius]) => Math.hypot(u - p, v - q) < radius).length % 2 === 1;
    };
    expect(dice(covered([area!], targets[1]!), truth(targets[1]!, inside))).toBeGreaterThan(0.98);
  });

  test('has its contours on the image within half a slice, and on no other', async () => {
    const content = await read({ number: 1, contours: [{ points: circle([0, 0, 1.2], 5) }] });
    const thick = targetsOf(imagesAt({ ...IMAGES, spacing: [0.5, 0.5, 3], count: 9 }));
    expect(thick.map((target) => shapes(content, target).length)).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
    // Of two planes as near as that, one is drawn: both would cancel each other.
    const two = [0.6, -0.4].map((z) => ({ points: circle([0, 0, z], 5) }));
    const [drawn] = shapes(await read({ number: 1, contours: two }), thick[4]!);
    expect(drawn).toMatchObject({ kind: 'area' });
    expect(drawn?.kind === 'area' && drawn.rings).toHaveLength(1);
  });

  test('has points and open lines on their image', async () => {
    const line: Point[] = [
      [0, 0, 0],
      [5, 0, 0],
      [5, 5, 0],
    ];
    const content = await read({
      number: 1,
      contours: [
        { type: 'POINT', points: [[1, 2, 0.1]] },
        { type: 'OPEN_PLANAR', points: line },
      ],
    });
    const shown = targetsOf(imagesAt(IMAGES)).map((target) => shapes(content, target));
    expect(shown.flatMap((all, index) => (all.length > 0 ? [index] : []))).toEqual([24]);
    expect(shown[24]).toEqual([
      {
        kind: 'line',
        points: [
          [24, 24],
          [34, 24],
          [34, 34],
        ],
      },
      { kind: 'point', at: [26, 28] },
    ]);
  });

  test('in several frames of reference: each region is on images of its own', async () => {
    const content = await read(
      { number: 4, name: 'Heart', colour: [255, 0, 10], contours: sphere(10) },
      { number: 7, name: 'Node', frameOfReference: '1.2.4', contours: sphere(10) },
    );
    expect(content.parts).toEqual([
      { id: '4', name: 'Heart', colour: [255, 0, 10] },
      { id: '7', name: 'Node', colour: [86, 180, 233] },
    ]);
    expect([...content.framesOfReference]).toEqual([FRAME_OF_REFERENCE, '1.2.4']);
    const [here] = targetsOf(imagesAt({ ...IMAGES, origin: [-12, -12, 0] }));
    const [there] = targetsOf(
      imagesAt({ ...IMAGES, origin: [-12, -12, 0] }, { '00200052': of('UI', '1.2.4') }),
    );
    expect(
      [here, there].map((target) => [0, 1].map((part) => shapes(content, target!, part).length)),
    ).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });

  const many = Array.from({ length: 200 }, (_, number) => ({ number, contours: sphere(1) }));
  test.each<[string, Instance, string]>([
    ['no regions', structureSet([]), 'empty'],
    ['regions without contours', structureSet([{ number: 1, contours: [] }]), 'empty'],
    ['coordinates that are cut', cutPoints(), 'empty'],
    ['200 regions', structureSet(many), 'too-many-parts'],
    ['two of one number', structureSet([many[1]!, many[1]!]), 'contradictory'],
    ['nothing at all', {}, 'empty'],
  ])('with %s is refused, and nothing is thrown', async (_, instance, refused) => {
    expect(await structures.read(instance, () => Promise.reject(new Error('no pixels')))).toEqual({
      refused,
    });
  });
});

/** A contour of which two coordinates are left. */
function cutPoints(): Instance {
  const instance = structureSet([{ number: 1, contours: [{ points: circle([0, 0, 0], 5) }] }]);
  const contour = { '30060042': of('CS', 'CLOSED_PLANAR'), '30060050': of('DS', 1, 2) };
  return { ...instance, '30060039': of('SQ', { '30060084': of('IS', 1), '30060040': of('SQ', contour) }) };
}
