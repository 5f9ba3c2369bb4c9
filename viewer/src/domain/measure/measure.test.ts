import { describe, expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Kind } from './kinds.ts';
import { patientPointsOf } from './measurement.ts';
import type { Pixels } from '../grey/pixels.ts';
import { sizeOf } from './sizes.ts';
import { valuesOf, valueUnit } from './values.ts';

/** Metadata from numbers and words. */
function instance(attributes: Record<string, readonly unknown[]>): Instance {
  return Object.fromEntries(Object.entries(attributes).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
}
const SPACING = '00280030';
const DETECTOR = '00181164';
const CALIBRATION = '00280A02';

/** A region of an ultrasound image in centimetres, or in other units. */
const region = ([left, top, right, bottom]: number[], [across, down]: number[], units = [3, 3]) =>
  instance({
    '00186018': [left],
    '0018601A': [top],
    '0018601C': [right],
    '0018601E': [bottom],
    '00186024': [units[0]],
    '00186026': [units[1]],
    '0018602C': [across],
    '0018602E': [down],
  });
const ultrasound = (...regions: Instance[]) => instance({ '00186011': regions });

describe('a length', () => {
  const LINE: ImagePoint[] = [
    [10, 10],
    [13, 14],
  ];
  const TABLE: [string, Instance, number, string][] = [
    ['square pixels', instance({ [SPACING]: [0.5, 0.5] }), 2.5, 'mm'],
    ['rows that are far apart', instance({ [SPACING]: [2, 1] }), Math.hypot(3, 8), 'mm'],
    ['no spacing', {}, 5, 'pixel'],
    ['a spacing of zero', instance({ [SPACING]: [0, 0] }), 5, 'pixel'],
    ['one number', instance({ [SPACING]: [0.5] }), 5, 'pixel'],
    ['the spacing of the detector alone', instance({ [DETECTOR]: [0.2, 0.2] }), 1, 'detector-mm'],
    ['the same number twice', instance({ [SPACING]: [0.2, 0.2], [DETECTOR]: [0.2, 0.2] }), 1, 'detector-mm'],
    [
      'the same number twice, calibrated',
      instance({ [SPACING]: [0.2, 0.2], [DETECTOR]: [0.2, 0.2], [CALIBRATION]: ['GEOMETRY'] }),
      1,
      'mm',
    ],
    ['a corrected spacing', instance({ [SPACING]: [0.1, 0.1], [DETECTOR]: [0.2, 0.2] }), 0.5, 'mm'],
    ['a region of ultrasound', ultrasound(region([0, 0, 99, 99], [0.1, 0.1])), 5, 'mm'],
    ['a region with an axis that points up', ultrasound(region([0, 0, 99, 99], [0.1, -0.1])), 5, 'mm'],
    ['a region of a Doppler curve', ultrasound(region([0, 0, 99, 99], [0.01, 0.1], [4, 3])), 5, 'pixel'],
    ['a region that ends before', ultrasound(region([0, 0, 99, 12], [0.1, 0.1])), 5, 'pixel'],
    [
      'a region beside it',
      ultrasound(region([0, 0, 99, 99], [0.1, 0.1]), region([100, 0, 199, 99], [0.2, 0.2])),
      5,
      'mm',
    ],
    [
      'two regions that differ',
      ultrasound(region([0, 0, 99, 99], [0.1, 0.1]), region([0, 0, 99, 99], [0.2, 0.2])),
      5,
      'pixel',
    ],
  ];
  test.each(TABLE)('with %s', (_what, metadata, value, unit) => {
    const size = sizeOf('length', LINE, metadata)!;
    expect(size).toMatchObject({ what: 'length', unit });
    expect(size.value).toBeCloseTo(value, 9);
  });
});

test.each<[string, Instance, number, number, string]>([
  ['in millimetres', instance({ [SPACING]: [0.5, 0.5] }), 5, 3, 'mm'],
  ['the longer one first, where rows are far apart', instance({ [SPACING]: [2, 0.5] }), 12, 5, 'mm'],
  ['in pixels', {}, 10, 6, 'pixel'],
  [
    'in two regions of ultrasound',
    ultrasound(region([0, 0, 99, 20], [0.1, 0.1]), region([0, 21, 99, 99], [0.2, 0.2])),
    10,
    6,
    'pixel',
  ],
])('two diameters %s', (_what, metadata, value, short, unit) => {
  const size = sizeOf('diameters', [[10, 20], [20, 20], [15, 17], [15, 23]], metadata); // prettier-ignore
  expect(size).toEqual({ what: 'diameters', value, short, unit });
});

describe('an angle', () => {
  const RIGHT: ImagePoint[] = [
    [10, 0],
    [0, 0],
    [0, 10],
  ];
  const HALF: ImagePoint[] = [
    [10, 0],
    [0, 0],
    [10, 10],
  ];
  const TABLE: [string, ImagePoint[], Instance, number | undefined][] = [
    ['right', RIGHT, {}, 90],
    ['the other way round', [...RIGHT].reverse(), {}, 90],
    ['of half a right one', HALF, {}, 45],
    ['in millimetres, where pixels are higher than wide', HALF, instance({ [SPACING]: [2, 1] }), 63.4349],
    [
      'by the form of the pixels, where their size is not known',
      HALF,
      instance({ '00280034': [2, 1] }),
      63.4349,
    ],
    [
      'that is straight',
      [
        [-5, 0],
        [0, 0],
        [5, 0],
      ],
      {},
      180,
    ],
    [
      'without an arm',
      [
        [0, 0],
        [0, 0],
        [5, 0],
      ],
      {},
      undefined,
    ],
  ];
  test.each(TABLE)('%s', (_what, points, metadata, degrees) => {
    const size = sizeOf('angle', points, metadata);
    if (degrees === undefined) expect(size).toBeUndefined();
    else expect(size!.value).toBeCloseTo(degrees, 3);
  });
});

// prettier-ignore
const COBB: readonly [what: string, points: ImagePoint[], metadata: Instance, degrees: number | undefined][] = [
  ['lines that cross', [[0, 0], [10, 0], [0, 0], [10, 10]], {}, 45],
  ['one of them drawn the other way', [[0, 0], [10, 0], [10, 30], [0, 20]], {}, 45],
  ['lines side by side', [[0, 0], [10, 0], [20, 5], [0, 5]], {}, 0],
  ['a right angle', [[0, 0], [10, 0], [3, 9], [3, 2]], {}, 90],
  // Rows are √3 times as far apart as columns.
  ['pixels that are not square', [[0, 0], [10, 0], [0, 0], [10, 10]], instance({ [SPACING]: [Math.sqrt(3), 1] }), 60],
  ['a line without a length', [[0, 0], [10, 0], [4, 4], [4, 4]], {}, undefined],
];
test.each(COBB)('a Cobb angle: %s', (_what, points, metadata, degrees) => {
  const size = sizeOf('cobb', points, metadata);
  expect(size?.what).toBe(degrees === undefined ? undefined : 'angle');
  if (size && degrees !== undefined) expect(size.value).toBeCloseTo(degrees, 6);
});

test.each<[Kind, number]>([
  ['rectangle', 24],
  ['ellipse', 24 * (Math.PI / 4)],
])('the area of a %s, in either direction', (kind, area) => {
  const metadata = instance({ [SPACING]: [2, 1] });
  const corners: ImagePoint[] = [
    [1, 5],
    [5, 2],
  ];
  for (const points of [corners, [...corners].reverse()])
    expect(sizeOf(kind, points, metadata)).toEqual({ what: 'area', value: area, unit: 'mm' });
  expect(sizeOf(kind, corners, {})).toMatchObject({ unit: 'pixel' });
});

test('an area that is drawn by hand, and its values; a line that crosses itself has none', () => {
  const metadata = instance({ [SPACING]: [2, 0.5] });
  const triangle: ImagePoint[] = [[0.5, 0.5], [6.5, 0.5], [0.5, 4.5]]; // prettier-ignore
  expect(sizeOf('freehand', triangle, metadata)).toEqual({ what: 'area', value: 12, unit: 'mm' });
  expect(sizeOf('freehand', triangle, {})).toEqual({ what: 'area', value: 12, unit: 'pixel' });
  expect(sizeOf('freehand', [[0, 0], [4, 4], [4, 0], [0, 4]], metadata)).toBeUndefined(); // prettier-ignore
  // Rows 1 to 4 have 5, 4, 2 and 1 pixels of it: 11 … 15, 21 … 24, 31, 32, 41.
  const found = values('freehand', triangle);
  expect(found).toMatchObject({ statistics: { count: 12, minimum: -78, maximum: -18 }, unit: 'HU' });
  expect(values('freehand', triangle.map(([x, y]): ImagePoint => [x + 20, y]))).toEqual({ none: 'outside' }); // prettier-ignore
});

test('probes and arrows have no size', () => {
  expect(sizeOf('probe', [[1, 1]], {})).toBeUndefined();
  expect(sizeOf('arrow', [[1, 1], [2, 2]], {})).toBeUndefined(); // prettier-ignore
});

/** An image of 8 × 6 pixels whose stored value is 10 × row + column. */
const IMAGE: Pixels = {
  columns: 8,
  rows: 6,
  samples: 1,
  slope: 2,
  intercept: -100,
  values: Int16Array.from({ length: 48 }, (_, at) => 10 * Math.floor(at / 8) + (at % 8)),
};
const CT = instance({ '00080060': ['CT'], '00281052': [-100], '00281053': [2], '00281054': ['HU'] });
const values = (kind: Kind, points: ImagePoint[], metadata = CT, pixels = IMAGE) =>
  valuesOf(kind, points, { pixels, metadata });

describe('values', () => {
  test.each<[ImagePoint, number]>([
    [[3, 2], -54],
    [[3.4, 1.6], -54],
    [[0, 0], -100],
    [[-0.4, 5.4], 0],
  ])('of the pixel at %o', (point, mean) => {
    expect(values('probe', [point])).toEqual({
      statistics: { count: 1, mean, deviation: 0, minimum: mean, maximum: mean },
      unit: 'HU',
    });
  });

  test.each<[Kind, ImagePoint[]]>([
    ['probe', [[8, 2]]],
    ['probe', [[3, -1]]],
    ['rectangle', [[2.2, 2.2], [2.7, 2.7]]], // prettier-ignore
    ['ellipse', [[20, 2], [24, 4]]], // prettier-ignore
  ])('%s at %o has no pixel', (kind, points) => {
    expect(values(kind, points)).toEqual({ none: 'outside' });
  });

  test('of a rectangle, whose corners are drawn in any order', () => {
    // Stored: 12, 13, 22, 23; meant: -76, -74, -56, -54.
    const expected = { count: 4, mean: -65, minimum: -76, maximum: -54 };
    for (const points of [
      [
        [2, 1],
        [3.4, 2.4],
      ],
      [
        [3.4, 1],
        [2, 2.4],
      ],
    ] as ImagePoint[][]) {
      // prettier-ignore
      const found = values('rectangle', points)!;
      expect(found).toMatchObject({ statistics: expected, unit: 'HU' });
      expect((found as { statistics: { deviation: number } }).statistics.deviation).toBeCloseTo(
        Math.sqrt(101),
        9,
      );
    }
  });

  test('of an ellipse: without the corners of its box', () => {
    const found = values('ellipse', [[1, 1], [5, 5]]); // prettier-ignore
    // 1 + 3 + 5 + 3 + 1 pixels around column 3 and row 3.
    expect(found).toMatchObject({ statistics: { count: 13, mean: -34 } });
  });

  test('beyond the edge: of the part that is in the image', () => {
    expect(values('rectangle', [[-10, -10], [1, 0]])).toMatchObject({ statistics: { count: 2 } }); // prettier-ignore
  });

  test('padding counts for nothing', () => {
    const padded = { ...CT, ...instance({ '00280120': [12], '00280121': [13] }) };
    expect(values('rectangle', [[2, 1], [3, 2]], padded)).toMatchObject({ statistics: { count: 2, minimum: -56 } }); // prettier-ignore
  });

  test('a constant far from zero has no deviation', () => {
    const flat = { ...IMAGE, values: new Float32Array(48).fill(1e8), slope: 1, intercept: 0 };
    expect(values('rectangle', [[0, 0], [7, 5]], CT, flat)).toMatchObject({ statistics: { deviation: 0, mean: 1e8 } }); // prettier-ignore
  });

  test('colours and values of a table are none; lines have none', () => {
    expect(values('probe', [[1, 1]], CT, { ...IMAGE, samples: 3 })).toEqual({ none: 'colour' });
    expect(values('probe', [[1, 1]], { ...CT, '00283000': { vr: 'SQ', Value: [{}] } })).toEqual({
      none: 'unknown',
    });
    expect(values('length', [[1, 1], [2, 2]])).toBeUndefined(); // prettier-ignore
  });
});

test.each<[string, Instance, string | undefined]>([
  ['HU', CT, 'HU'],
  ['CT that does not say', instance({ '00080060': ['CT'], '00281053': [1] }), 'HU'],
  ['CT that is not rescaled', instance({ '00080060': ['CT'] }), undefined],
  ['unspecified', { ...CT, ...instance({ '00281054': ['US'] }) }, undefined],
  ['MR', instance({ '00080060': ['MR'], '00281053': [1] }), undefined],
  ['PET', instance({ '00080060': ['PT'], '00281053': [1] }), undefined],
])('the unit of %s', (_what, metadata, unit) => {
  expect(valueUnit(metadata)).toBe(unit);
});

test('points in the patient', () => {
  const metadata = instance({
    '00200032': [10, 20, 30],
    '00200037': [0, 1, 0, 0, 0, -1],
    [SPACING]: [2, 0.5],
  });
  expect(patientPointsOf([[4, 3]], metadata)).toEqual([[10, 22, 24]]);
  expect(patientPointsOf([[4, 3]], instance({ [SPACING]: [1, 1] }))).toBeUndefined();
});
