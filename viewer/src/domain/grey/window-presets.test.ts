import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { fullWindow, lacksHounsfield, presetsOf, type WindowPreset } from './window-presets.ts';

const metadata = (values: Record<string, readonly unknown[]>): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));
const ids = (presets: readonly WindowPreset[]) => presets.map(({ id }) => id).join(' ');

const CT = { '00080060': ['CT'], '00281052': [-1024], '00281053': [1] };
const CT_WINDOWS = 'ct-soft-tissue ct-lung ct-bone ct-brain ct-stroke ct-liver ct-angio';

test.each<[string, Record<string, readonly unknown[]>, string, number?]>([
  ['a CT', CT, `stored full ${CT_WINDOWS}`],
  ['a CT in HU', { ...CT, '00281054': ['HU'] }, `stored full ${CT_WINDOWS}`],
  ['a CT in other units', { ...CT, '00281054': ['US'] }, 'stored full'],
  ['a CT without a rescale', { '00080060': ['CT'] }, 'stored full'],
  ['an MR', { '00080060': ['MR'] }, 'stored full'],
  [
    'a CR with three windows',
    { '00080060': ['CR'], '00281050': [2048, 1800, 2300], '00281051': [4096, 900, 700] },
    'stored stored-2 stored-3 full',
  ],
  ['windows that repeat', { '00281050': [40, 40, 60], '00281051': [400, 400, 400] }, 'stored stored-2 full'],
  ['a window without a width', { '00281050': [40, 60], '00281051': [400] }, 'stored full'],
  ['a PET without SUV', { '00080060': ['PT'] }, 'stored full'],
  ['a PET with SUV', { '00080060': ['PT'] }, 'stored full suv-5 suv-7 suv-10 suv-15', 0.0002],
  ['three samples a pixel', { ...CT, '00280002': [3] }, ''],
  ['a palette', { '00280004': ['PALETTE COLOR'] }, ''],
])('%s has its windows', (_, values, expected, suvFactor) =>
  expect(ids(presetsOf(metadata(values), suvFactor))).toBe(expected),
);

test.each<[string, readonly number[], readonly string[], readonly unknown[]]>([
  ['one', [40], ['STANDARD'], ['STANDARD']],
  ['one without', [40], [], [undefined]],
  ['two with explanations', [40, -600], ['MEDIASTINUM', ' LUNG '], ['MEDIASTINUM 1/2', 'LUNG 2/2']],
  ['three, one with an explanation', [1, 2, 3], ['', 'LUNG'], ['1/3', 'LUNG 2/3', '3/3']],
  ['two with the same explanation', [1, 2, 3], ['A', 'A', 'B'], ['1/3', '2/3', 'B 3/3']],
  ['numbers are of those that are listed', [1, 1, 2], [], ['1/2', '2/2']],
])('windows of the image have its explanations and numbers: %s', (_, centres, explanations, expected) => {
  const values = { '00281050': centres, '00281051': centres.map(() => 400), '00281055': explanations };
  const own = presetsOf(metadata(values)).filter(({ id }) => id.startsWith('stored'));
  const words = own.map(
    ({ explanation, nth }) =>
      [explanation, nth && `${nth.number}/${nth.count}`].filter(Boolean).join(' ') || undefined,
  );
  expect(words).toEqual(expected);
  // The first one is that of each image.
  expect(own.map(({ window }) => window?.centre)).toEqual(
    [undefined, ...new Set(centres)].filter((one) => one !== centres[0]),
  );
});

test.each<[string, Record<string, readonly unknown[]>, boolean]>([
  ['a CT', CT, false],
  ['a CT without a rescale', { '00080060': ['CT'] }, true],
  ['a CT in other units', { ...CT, '00281054': ['US'] }, true],
  ['a capture in colours', { '00080060': ['CT'], '00280002': [3] }, false],
  ['an MR', { '00080060': ['MR'] }, false],
])('Hounsfield units are missing: %s', (_, values, expected) =>
  expect(lacksHounsfield(metadata(values))).toBe(expected),
);

test('a PET’s window goes from nothing to the SUV: 5 SUV are 25,000 Bq/ml when one is 0.0002', () => {
  const window = presetsOf(metadata({ '00080060': ['PT'] }), 0.0002).find(
    ({ id }) => id === 'suv-5',
  )!.window!;
  // PS3.3 §C.11.2.1.2: black at centre − 0.5 − (width − 1)/2, white at centre − 0.5 + (width − 1)/2.
  expect(window.centre - 0.5 - (window.width - 1) / 2).toBeCloseTo(0, 9);
  expect(window.centre - 0.5 + (window.width - 1) / 2).toBeCloseTo(25_000, 9);
});

test.each<
  [string, Record<string, readonly unknown[]>, number[], { centre: number; width: number } | undefined]
>([
  ['all values', {}, [10, 50, 30], { centre: -979.5 + 10, width: 41 }],
  ['without padding', { '00280120': [0], '00281052': [-1000] }, [0, 10, 50], { centre: -969.5, width: 41 }],
  [
    'without a range of padding',
    { '00280120': [0], '00280121': [10], '00281052': [-1000] },
    [0, 5, 10, 20, 30],
    { centre: -974.5, width: 11 },
  ],
  ['of one value', {}, [10, 10], { centre: -989.5, width: 1 }],
  ['only padding', { '00280120': [7], '00281052': [-1000] }, [7, 7], undefined],
])('the full range: %s', (_, values, pixels, expected) =>
  expect(fullWindow(metadata(values), { values: pixels, slope: 1, intercept: -1000 })).toEqual(expected),
);
