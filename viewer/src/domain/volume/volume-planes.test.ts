import { expect, test } from 'vitest';
import { orientationMarks } from '../space/orientation.ts';
import type { Stack } from '../series/stacks.ts';
import type { Vector } from '../space/vectors.ts';
import type { VolumeGeometry } from './volume.ts';
import {
  axesOf,
  gridOf,
  nativePlane,
  PLANES,
  planeStack,
  sampleGridOf,
  slabRange,
  tiltOf,
} from './volume-planes.ts';

const geometry = (
  axes: readonly [Vector, Vector, Vector],
  rest: Partial<VolumeGeometry> = {},
): VolumeGeometry => ({
  origin: [-10, -20, 5],
  axes,
  size: [11, 21, 5],
  spacing: [1, 1, 2.5],
  frameOfReference: '1',
  ...rest,
});
const [c, s] = [Math.cos(0.25), Math.sin(0.25)];
const AXIAL = geometry([
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
]);
const VOLUMES: Record<string, VolumeGeometry> = {
  axial: AXIAL,
  'axial, from the head down': geometry([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, -1],
  ]),
  'prone axial': geometry([
    [-1, 0, 0],
    [0, -1, 0],
    [0, 0, 1],
  ]),
  coronal: geometry([
    [1, 0, 0],
    [0, 0, -1],
    [0, 1, 0],
  ]),
  sagittal: geometry([
    [0, 1, 0],
    [0, 0, -1],
    [-1, 0, 0],
  ]),
  'tilted axial': geometry([
    [1, 0, 0],
    [0, c, s],
    [0, -s, c],
  ]),
};

const source: Stack = {
  key: 'a',
  frames: [1, 2, 3].map((frame) => ({
    id: `1/2/3/${frame}`,
    name: { study: '1', series: '2', instance: '3', frame },
    metadata: {
      '00080018': { vr: 'UI', Value: ['3'] },
      '00100010': { vr: 'PN', Value: [{ Alphabetic: 'A^B' }] },
      '00281053': { vr: 'DS', Value: [frame] },
    },
    bytes: 1,
  })),
};

test.each(Object.entries(VOLUMES))('planes are shown as people expect them: %s', (_, volume) => {
  const marks = PLANES.map((plane) => {
    const { metadata } = planeStack({ volume, key: 'v', plane, source }).frames[0]!;
    const { top, left } = orientationMarks(metadata, { rotation: 0, flipped: false })!;
    return top[0]! + left[0]!;
  });
  expect(marks).toEqual(['AR', 'HR', 'HA']);
});

test.each([
  ['axial', 'axial'],
  ['axial, from the head down', 'axial'],
  ['coronal', 'coronal'],
  ['sagittal', 'sagittal'],
  ['tilted axial', 'axial'],
] as const)('%s images keep their order', (name, plane) => {
  expect(nativePlane(VOLUMES[name]!)).toBe(plane);
  expect(axesOf(VOLUMES[name]!, plane).through).toEqual({ axis: 2, sign: 1 });
});

test('pixels are squares as small as the smallest voxel side', () => {
  expect(gridOf(AXIAL, 'coronal')).toMatchObject({ columns: 11, rows: 11, count: 21, spacing: 1 });
  expect(gridOf(AXIAL, 'axial')).toMatchObject({ columns: 11, rows: 21, count: 5, spacing: 1 });
  expect(gridOf({ ...AXIAL, spacing: [0.7, 0.7, 1.25] }, 'sagittal')).toMatchObject({ columns: 21, rows: 8 });
});

test('each image knows its place in the patient', () => {
  const { frames, spacing } = planeStack({ volume: AXIAL, key: 'v', plane: 'coronal', source });
  expect(spacing).toEqual([1, 1]);
  expect(frames).toHaveLength(21);
  const place = (at: number) => frames[at]!.metadata['00200032']!.Value!.map((value) => Number(value) + 0);
  // From the front to the back, beginning at the head.
  expect(place(0)).toEqual([-10, -20, 15]);
  expect(place(20)).toEqual([-10, 0, 15]);
  expect(frames[4]).toMatchObject({ id: '1/2/v.coronal/5', bytes: 2 * 11 * 11 });
});

test('metadata are those of the series, not of one image; of several rescales it is the coarsest', () => {
  const { metadata } = planeStack({ volume: AXIAL, key: 'v', plane: 'axial', source }).frames[0]!;
  expect(metadata['00080018']).toBeUndefined();
  expect(metadata['00100010']).toBeDefined();
  expect(metadata['00281053']!.Value).toEqual([3]);
});

test('planes of different slabs are different stacks', () => {
  const slab = { mode: 'mip', thickness: 30 } as const;
  const stack = planeStack({ volume: AXIAL, key: 'v', plane: 'axial', slab, source });
  expect(stack).toMatchObject({ key: 'v.axial.mip.30', reformatted: { plane: 'axial', slab } });
});

test.each([
  [2, 2, 0, [2, 2]],
  [2, 2, 7.5, [1, 3]],
  [2, 0, 7.5, [0, 1]],
  [0, 5, 4, [4, 7]],
  [0, 10, 100, [0, 10]],
] as const)('a slab along axis %d at %d of %d mm has the slices %j', (axis, at, thickness, [from, to]) => {
  expect(slabRange(AXIAL, { axis, at, thickness })).toEqual({ from, to });
});

test('the tilt of a plane', () => {
  expect(tiltOf(AXIAL, 'coronal')).toBeCloseTo(0);
  expect(tiltOf(VOLUMES['tilted axial']!, 'axial')).toBeCloseTo((0.25 * 180) / Math.PI);
  expect(tiltOf(VOLUMES['tilted axial']!, 'sagittal')).toBeCloseTo(0);
});

test.each(Object.keys(VOLUMES))(
  'points at which another volume is read are those of the image: %s',
  (name) => {
    const volume = VOLUMES[name]!;
    for (const plane of PLANES) {
      const { frames } = planeStack({ volume, key: 'v', plane, source });
      for (const index of [0, 2, frames.length - 1]) {
        const { origin, steps, size } = sampleGridOf(volume, { plane, index });
        const { metadata } = frames[index]!;
        const values = (tag: string) => metadata[tag]!.Value as number[];
        const close = (found: readonly number[], expected: readonly number[]) =>
          found.forEach((one, axis) => expect(one).toBeCloseTo(expected[axis]!, 9));
        close(origin, values('00200032'));
        const [spacing] = values('00280030') as [number];
        close(
          [...steps[0], ...steps[1]],
          values('00200037').map((one) => one * spacing),
        );
        expect(size).toEqual([...values('00280011'), ...values('00280010'), 1]);
      }
    }
  },
);

test('a slab is read at each of its slices', () => {
  const slab = { mode: 'average', thickness: 5 } as const;
  const { frames } = planeStack({ volume: AXIAL, key: 'v', plane: 'axial', source });
  const { origin, steps, size, mode } = sampleGridOf(AXIAL, { plane: 'axial', index: 2, slab });
  expect({ steps: steps[2], slices: size[2], mode }).toEqual({
    steps: [0, 0, 2.5],
    slices: 2,
    mode: 'average',
  });
  expect(origin).toEqual(frames[2]!.metadata['00200032']!.Value);
});

test('while slices are missing the images are others, and say so', () => {
  const coarse = { ready: 2, all: 3, missing: [1] };
  const make = (of?: typeof coarse) =>
    planeStack({ volume: AXIAL, key: 'v', plane: 'coronal', source, coarse: of });
  expect(make(coarse).reformatted).toEqual({ plane: 'coronal', coarse });
  expect(make().reformatted).toEqual({ plane: 'coronal' });
  const ids = new Set(
    [make(), make(coarse), make({ ...coarse, ready: 1 })].map(({ frames }) => frames[0]!.id),
  );
  expect(ids.size).toBe(3);
});
