import { expect, test } from 'vitest';
import { framesOf } from '../grey/frames.ts';
import type { Instance } from '../instance.ts';
import { millimetresOf, pointOn } from './between-images.ts';

/** An axial image of 512 columns and 400 rows. */
const axial = (position: number[], spacing: number): Instance => ({
  '00080018': { vr: 'UI', Value: ['1.2.3'] },
  '00200032': { vr: 'DS', Value: position },
  '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] },
  '00280010': { vr: 'US', Value: [400] },
  '00280011': { vr: 'US', Value: [512] },
  '00280030': { vr: 'DS', Value: [spacing, spacing] },
});
const NOW = axial([-180, -170, 50], 0.7);
const PRIOR = axial([-200, -210, 55], 0.9);
const without = (image: Instance, ...tags: string[]): Instance =>
  Object.fromEntries(Object.entries(image).filter(([tag]) => !tags.includes(tag)));

test.each([
  // Column 100 is at -180 + 70 mm, row 200 at -170 + 140 mm.
  ['the same point of the patient', PRIOR, true, [100, 200], [(-110 + 200) / 0.9, (-30 + 210) / 0.9]],
  ['positions that are not shared: as many mm from the middle', PRIOR, false, [345.5, 190.5], [325.5, 192.5]],
  ['no position', without(PRIOR, '00200032'), true, [345.5, 190.5], [325.5, 192.5]],
  [
    'no millimetres: the same part of the image',
    { ...without(PRIOR, '00280030'), '00280011': { vr: 'US', Value: [256] } },
    true,
    [255.5 + 128, 199.5 - 50],
    [127.5 + 64, 199.5 - 50],
  ],
  ['no size', without(PRIOR, '00280010'), true, [0, 0], undefined],
] as const)('%s', (_, to, shared, point, expected) => {
  const found = pointOn(NOW, to, { point, shared });
  if (expected === undefined) expect(found).toBeUndefined();
  else for (const axis of [0, 1] as const) expect(found![axis]).toBeCloseTo(expected[axis]);
});

test('slices that are read from the other side: the point is the same, the column is not', () => {
  const mirrored = { ...PRIOR, '00200037': { vr: 'DS', Value: [-1, 0, 0, 0, 1, 0] } };
  expect(pointOn(NOW, mirrored, { point: [100, 200], shared: true })![0]).toBeCloseTo(-90 / 0.9);
});

test('a frame of a multi-frame object has the spacing of its own functional groups', () => {
  const measures = (value: number) => ({
    '00289110': { vr: 'SQ', Value: [{ '00280030': { vr: 'DS', Value: [value, value] } }] },
  });
  const frames = framesOf(
    { study: '1', series: '2' },
    {
      ...without(NOW, '00280030'),
      '00280008': { vr: 'IS', Value: [2] },
      '52009229': { vr: 'SQ', Value: [measures(0.7)] },
      '52009230': { vr: 'SQ', Value: [{}, measures(0.35)] },
    },
  );
  expect(frames.map(({ metadata }) => millimetresOf(metadata))).toEqual([
    [0.7, 0.7],
    [0.35, 0.35],
  ]);
});

test('millimetres at the detector are none of the patient', () => {
  const image = { ...without(NOW, '00280030'), '00181164': { vr: 'DS', Value: [0.14, 0.14] } };
  expect(millimetresOf(image)).toBeUndefined();
});
