/** Each number that is shown, or computed with, is that of the frame: its own functional group, else the shared one. */
import { expect, test } from 'vitest';
import { moduleOf } from '../../engine/cornerstone/modules.ts';
import { greyImage } from '../../engine/first/grey-image.ts';
import type { Instance } from '../instance.ts';
import { patientPointsOf } from '../measure/measurement.ts';
import { scaleOf } from '../measure/scale.ts';
import { sizeOf } from '../measure/sizes.ts';
import { valuesOf, valueUnit } from '../measure/values.ts';
import { linkOf } from '../series/linked-stacks.ts';
import { phasesOf } from '../series/phases.ts';
import { stacksOf } from '../series/stacks.ts';
import { acquired, echoAndRepetition, slicePlace } from '../space/image-facts.ts';
import { orientationMarks } from '../space/orientation.ts';
import { nearestImage, rectangleOf } from '../volume/reference-lines.ts';
import { planeStack, rescaleOfImage, volumeRescale } from '../volume/volume-planes.ts';
import { isNoVolume, volumeOf } from '../volume/volume.ts';
import { metadataOfFrames, type StackFrame } from './frames.ts';
import { paddingOf } from './padding.ts';
import { suvOf } from './suv.ts';
import { voiOf } from './voi.ts';
import { presetsOf } from './window-presets.ts';

type Values = Record<string, readonly unknown[]>;
const attributes = (values: Values): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
const groups = (values: Record<string, Values>): Instance =>
  Object.fromEntries(
    Object.entries(values).map(([tag, item]) => [tag, { vr: 'SQ', Value: [attributes(item)] }]),
  );
const AXIAL = [1, 0, 0, 0, 1, 0];
const LINE = [
  [0, 0],
  [3, 0],
] as const;

interface Options {
  frames?: number;
  root?: Values;
  shared?: Record<string, Values>;
  own?: (nth: number) => Record<string, Values>;
}

/** An enhanced CT; without changes each frame differs from the one before in all that it can. */
function enhanced({ frames = 4, root, shared = {}, own = differing }: Options = {}): Instance {
  return {
    ...attributes({
      '00080018': ['1.2.3'],
      '00080060': ['CT'],
      '0008002A': ['20260312090000'],
      '00200013': [1],
      '00200052': ['9.9'],
      '00280004': ['MONOCHROME2'],
      '00280008': [frames],
      '00280010': [2],
      '00280011': [4],
      '00280100': [16],
      ...root,
    }),
    '52009229': { vr: 'SQ', Value: [groups({ '00209116': { '00200037': AXIAL }, ...shared })] },
    '52009230': { vr: 'SQ', Value: Array.from({ length: frames }, (_, nth) => groups(own(nth))) },
  };
}

function differing(nth: number): Record<string, Values> {
  return {
    // A vendor's copy of attributes, with other values.
    '2005140F': { '00280030': [99, 99], '00281050': [99], '00281053': [99], '00200032': [99, 99, 99] },
    '00209111': { '00189074': [`2026031209${10 + nth}00`] },
    '00209113': { '00200032': [nth, 0, 10 * nth] },
    '00289110': { '00280030': [1 + nth, 2 + nth], '00180050': [3 + nth] },
    '00289132': { '00281050': [40 + nth], '00281051': [400 + nth], '00281055': [`W${nth}`] },
    '00289145': { '00281052': [-1000 - nth], '00281053': [1 + nth], '00281054': [nth === 3 ? 'US' : 'HU'] },
  };
}

const stack = (options?: Options) => stacksOf({ study: '1', series: '2' }, [enhanced(options)])[0]!;
const { frames: FRAMES } = stack();
const pixels = ({ metadata }: StackFrame) => ({
  pixels: {
    columns: 4,
    rows: 2,
    samples: 1,
    values: Array(8).fill(7) as number[],
    ...rescaleOfImage(metadata),
  },
  metadata,
});

test.each<[string, (frame: StackFrame) => unknown, (nth: number) => unknown]>([
  ['place of the slice', (f) => slicePlace(f.metadata).position, (n) => ({ side: 'H', mm: 10 * n })],
  ['thickness', (f) => slicePlace(f.metadata).thickness, (n) => 3 + n],
  ['time', (f) => acquired(f.metadata), (n) => ({ date: '20260312', time: `09:${10 + n}` })],
  ['window', (f) => voiOf(f.metadata), (n) => ({ centre: 40 + n, width: 400 + n, function: 'LINEAR' })],
  ['name of the window', (f) => presetsOf(f.metadata)[0]!.explanation, (n) => `W${n}`],
  ['windows of CT, where values are Hounsfield units', (f) => presetsOf(f.metadata).length > 2, (n) => n < 3],
  ['unit', (f) => valueUnit(f.metadata), (n) => (n < 3 ? 'HU' : undefined)],
  ['size of pixels', (f) => scaleOf(f.metadata, LINE), (n) => ({ unit: 'mm', across: 2 + n, down: 1 + n })],
  [
    'length',
    (f) => sizeOf('length', LINE, f.metadata),
    (n) => ({ what: 'length', value: 3 * (2 + n), unit: 'mm' }),
  ],
  [
    'points in the patient',
    (f) => patientPointsOf(LINE, f.metadata)![1],
    (n) => [n + 3 * (2 + n), 0, 10 * n],
  ],
  ['values', (f) => valuesOf('probe', [[1, 1]], pixels(f)), (n) => value(7 * (1 + n) - 1000 - n, n < 3)],
  ['padding', (f) => paddingOf({ ...f.metadata, ...attributes({ '00280120': [0] }) })(-1002), (n) => n === 2],
  [
    'marks of orientation',
    (f) => orientationMarks(f.metadata, { rotation: 0, flipped: false })!.right,
    () => 'L',
  ],
  [
    'rectangle of reference lines',
    (f) => rectangleOf(f.metadata),
    (n) => expect.objectContaining({ position: [n, 0, 10 * n], spacing: [2 + n, 1 + n] }),
  ],
  [
    'plane of the engine',
    (f) => moduleOf('imagePlaneModule', f.metadata, undefined),
    (n) =>
      expect.objectContaining({
        imagePositionPatient: [n, 0, 10 * n],
        rowPixelSpacing: 1 + n,
        sliceThickness: 3 + n,
      }),
  ],
  [
    'window of the engine',
    (f) => moduleOf('voiLutModule', f.metadata, undefined)!['windowCenter'],
    (n) => [40 + n],
  ],
  [
    'rescale of the engine',
    (f) => moduleOf('modalityLutModule', f.metadata, undefined),
    (n) => expect.objectContaining({ rescaleIntercept: -1000 - n, rescaleSlope: 1 + n }),
  ],
  [
    'first picture',
    (f) => greyImage(Array(8).fill(1000), f.metadata).pixels[0],
    // PS3.3 §C.11.2.1.2.1
    (n) => {
      const value = 1000 * (1 + n) - 1000 - n;
      const grey = ((value - (40 + n - 0.5)) / (400 + n - 1) + 0.5) * 255;
      return Math.min(Math.max(Math.round(grey), 0), 255);
    },
  ],
])('of an enhanced CT each frame has its own %s', (_what, read, expected) =>
  expect(FRAMES.map(read)).toEqual([0, 1, 2, 3].map(expected)),
);

function value(mean: number, isHounsfield: boolean) {
  const statistics = { count: 1, mean, deviation: 0, minimum: mean, maximum: mean };
  return { statistics, unit: isHounsfield ? 'HU' : undefined };
}

test('an MR has times of each frame', () => {
  const mr = stack({
    root: { '00080060': ['MR'] },
    own: (nth) => ({
      '00189114': { '00189082': [10 * (nth + 1)] },
      '00189112': { '00180080': [500 + nth] },
      '00209113': { '00200032': [0, 0, nth] },
    }),
  });
  expect(mr.frames.map(({ metadata }) => echoAndRepetition(metadata))).toEqual(
    [0, 1, 2, 3].map((nth) => ({ echo: 10 * (nth + 1), repetition: 500 + nth })),
  );
});

test('stacks scroll together, and points are found, by the places of the frames', () => {
  const one = stack();
  // Along the normal: the middle of each frame is as high as its corner.
  expect(linkOf(one, one)).toMatchObject({
    by: 'position',
    places: [
      [0, 10, 20, 30],
      [0, 10, 20, 30],
    ],
  });
  expect(nearestImage(one, [0, 0, 21], '9.9')).toBe(2);
});

test.each<[string, (nth: number) => Record<string, Values>, string, string[]]>([
  ['stacks', (n) => ({ '00209111': { '00209056': [n < 4 ? 'L' : 'R'] } }), 'stack', ['L', 'R']],
  ['times', (n) => ({ '00209111': { '00209128': [n < 4 ? 1 : 2] } }), 'temporal', ['1', '2']],
  ['b values', (n) => ({ '00189117': { '00189087': [n < 4 ? 0 : 800] } }), 'diffusion', ['0', '800']],
  ['echoes', (n) => ({ '00189114': { '00189082': [n < 4 ? 20 : 80] } }), 'echo', ['20', '80']],
])('an enhanced object is split: %s', (_what, own, what, values) => {
  const object = enhanced({
    frames: 8,
    own: (nth) => ({ ...own(nth), '00209113': { '00200032': [0, 0, nth % 4] } }),
  });
  const stacks = stacksOf({ study: '1', series: '2' }, [object]);
  expect(stacks.map(({ by, frames }) => [by, frames.length])).toEqual(
    values.map((value) => [{ what, value }, 4]),
  );
});

test('many times of an enhanced object are one slider', () => {
  const object = enhanced({
    frames: 28,
    own: (nth) => ({
      '00209111': { '00209128': [1 + Math.floor(nth / 4)] },
      '00209113': { '00200032': [0, 0, nth % 4] },
      '00209310': { '0020930D': [1.5 * Math.floor(nth / 4)] },
    }),
  });
  const phases = phasesOf(stacksOf({ study: '1', series: '2' }, [object]))!;
  expect(phases).toMatchObject({ what: 'temporal', values: [0, 1.5, 3, 4.5, 6, 7.5, 9] });
});

const SAME = { '00289110': { '00280030': [2, 2] } };
const place = (nth: number) => ({ '00209113': { '00200032': [0, 0, 5 * nth] } });

test('an enhanced object makes a volume, whose planes have one rescale that loses no value', () => {
  const source = stack({
    shared: SAME,
    own: (nth) => ({ ...place(nth), '00289145': { '00281052': [-1000 + 100 * nth], '00281053': [1 + nth] } }),
  });
  const volume = volumeOf(source);
  if (isNoVolume(volume)) throw new Error(volume.reason);
  expect(volume).toMatchObject({ size: [4, 2, 4], spacing: [2, 2, 5], frameOfReference: '9.9' });
  expect(volumeRescale(source)).toEqual({ slope: 4, intercept: -1000 });
  const { frames } = planeStack({ volume, key: 'v', plane: 'coronal', source });
  expect(rescaleOfImage(frames[0]!.metadata)).toEqual({ slope: 4, intercept: -1000 });
});

test.each<[string, Options, object]>([
  [
    'pixels of different sizes',
    { own: (n) => ({ ...place(n), '00289110': { '00280030': [1, n < 2 ? 1 : 2] } }) },
    { reason: 'spacing', image: 3 },
  ],
  ['no frame with a position', { shared: SAME, own: () => ({}) }, { reason: 'place', image: 1 }],
  ['no size of pixels', { own: place }, { reason: 'place' }],
  [
    'a frame without a size of pixels',
    { own: (n): Record<string, Values> => (n === 1 ? place(n) : { ...place(n), ...SAME }) },
    { reason: 'spacing', image: 2 },
  ],
])('%s: no volume, and the reason', (_what, options, expected) =>
  expect(volumeOf(stack(options))).toEqual(expected),
);

test('fewer functional groups than frames: the others have what is shared', () => {
  const object = enhanced({ shared: SAME });
  const all = metadataOfFrames({ ...object, '00280008': { vr: 'IS', Value: [6] } });
  expect(all).toHaveLength(6);
  expect(slicePlace(all[5]!)).toEqual({});
  expect(scaleOf(all[5]!, LINE)).toEqual({ unit: 'mm', across: 2, down: 2 });
});

test('a PET that was converted to an enhanced object has its SUV', () => {
  const drug = attributes({ '00181074': [370e6], '00181075': [6600], '00181078': ['20260312081000'] });
  const object: Instance = {
    ...enhanced({
      root: { '00080060': ['PT'], '00101030': [70], '00080021': ['20260312'], '00080031': ['110000'] },
      shared: {
        // Unassigned Shared Converted Attributes Sequence
        '00209170': { '00541001': ['BQML'], '00280051': ['ATTN', 'DECY'], '00541102': ['START'] },
      },
      own: (nth) => ({ ...place(nth), '00209111': { '00189074': [`20260312100${nth}00`] } }),
    }),
    '00540016': { vr: 'SQ', Value: [drug] },
  };
  // Half of the dose is left at the first frame: 70,000 g / 185,000,000 Bq.
  expect(suvOf([object])!.factor! / 3.783784e-4).toBeCloseTo(1, 5);
});
