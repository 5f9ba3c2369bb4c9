import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { stacksOf } from '../series/stacks.ts';
import { volumeOf } from './volume.ts';

type Changes = Record<string, readonly unknown[] | undefined>;

/** Metadata of an axial slice of 100 × 80 pixels. */
function slice(at: number, changes: Changes = {}): Instance {
  const values: Changes = {
    '00080018': [`1.${at}`],
    '00200013': [at + 1],
    '00280002': [1],
    '00280004': ['MONOCHROME2'],
    '00280010': [80],
    '00280011': [100],
    '00280100': [16],
    '00280030': [0.8, 0.5],
    '00200032': [-25, -32, 10 + 2.5 * at],
    '00200037': [1, 0, 0, 0, 1, 0],
    '00200052': ['1.2.3'],
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([tag, Value]) => (Value ? [[tag, { vr: 'DS', Value }]] : [])),
  );
}

function volume(count: number, changes: (at: number) => Changes = () => ({})) {
  const all = Array.from({ length: count }, (_, at) => slice(at, changes(at)));
  return volumeOf(stacksOf({ study: '1', series: '2' }, all)[0]!);
}

const isAt = (index: number, changes: Changes) => (at: number) => (at === index ? changes : {});

test('a volume has the place, the axes and the spacing of its slices', () => {
  expect(volume(10)).toEqual({
    origin: [-25, -32, 10],
    axes: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    size: [100, 80, 10],
    spacing: [0.5, 0.8, 2.5],
    frameOfReference: '1.2.3',
  });
});

test('the third axis follows the order of the stack', () => {
  const found = volume(4, (at) => ({ '00200032': [5, 6, 7 - 3 * at] }));
  expect(found).toMatchObject({ origin: [5, 6, 7], spacing: [0.5, 0.8, 3] });
  expect(found).toHaveProperty('axes.2.2', -1);
});

test.each<[string, number, (at: number) => Changes]>([
  ['three slices', 3, () => ({})],
  ['8 bits', 4, () => ({ '00280100': [8] })],
  [
    'distances that differ by less than 1 %',
    6,
    (at) => ({ '00200032': [0, 0, 5 * at + (at === 3 ? 0.04 : 0)] }),
  ],
  ['positions that are rounded', 6, (at) => ({ '00200032': [0, 0, Math.round(62.5 * at) / 100] })],
  ['a drift of a quarter of a pixel', 5, (at) => ({ '00200032': [0.03 * at, 0, 2 * at] })],
  [
    'a turned volume',
    5,
    (at) => ({ '00200032': [0, -1.2 * at, 1.6 * at], '00200037': [1, 0, 0, 0, 0.8, 0.6] }),
  ],
])('a volume: %s', (_, count, changes) => expect(volume(count, changes)).toHaveProperty('spacing'));

test.each<[string, number, (at: number) => Changes, object]>([
  ['two slices', 2, () => ({}), { reason: 'few' }],
  ['colour', 4, () => ({ '00280002': [3], '00280004': ['RGB'] }), { reason: 'colour' }],
  ['higher values are darker', 4, () => ({ '00280004': ['MONOCHROME1'] }), { reason: 'colour' }],
  ['32 bits', 4, () => ({ '00280100': [32] }), { reason: 'colour' }],
  ['no position', 4, () => ({ '00200032': undefined }), { reason: 'place', image: 1 }],
  ['no spacing of pixels', 4, () => ({ '00280030': undefined }), { reason: 'place' }],
  ['another spacing of pixels', 4, isAt(2, { '00280030': [0.8, 0.8] }), { reason: 'spacing', image: 3 }],
  [
    'no frame of reference',
    4,
    () => ({ '00200052': undefined }),
    { reason: 'frame-of-reference', image: undefined },
  ],
  [
    'another frame of reference',
    5,
    isAt(3, { '00200052': ['9'] }),
    { reason: 'frame-of-reference', image: 4 },
  ],
  [
    'half a degree of turn',
    5,
    isAt(1, { '00200037': [1, 0, 0, 0, 0.99996, 0.0087] }),
    { reason: 'orientation', image: 2 },
  ],
  [
    'a slice is missing',
    9,
    (at) => ({ '00200032': [0, 0, at < 6 ? at : at + 1] }),
    { reason: 'distance', image: 6 },
  ],
  [
    'distances that differ by 2 %',
    5,
    isAt(2, { '00200032': [-25, -32, 15.05] }),
    { reason: 'distance', image: 2 },
  ],
  [
    'two slices in one place',
    5,
    (at) => ({ '00200032': [0, 0, at === 4 ? 3 : at] }),
    { reason: 'distance', image: 4 },
  ],
  ['a tilted gantry', 5, (at) => ({ '00200032': [0, at, 5 * at] }), { reason: 'shifted', image: 2 }],
  ['too many voxels', 1100, () => ({ '00280010': [512], '00280011': [512] }), { reason: 'size' }],
])('no volume: %s', (_, count, changes, reason) => {
  const found = volume(count, changes);
  expect({ image: undefined, ...found }).toEqual({ image: undefined, ...reason });
});
