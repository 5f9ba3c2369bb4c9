import { expect, test } from 'vitest';
import type { Instance } from '../../domain/instance.ts';
import { moduleOf } from './modules.ts';

const metadata = (values: Record<string, readonly unknown[]>): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));

test.each<[string, Record<string, readonly unknown[]>, object]>([
  [
    'with centre and width',
    { '00281050': [40, -600], '00281051': [400, 1500] },
    { windowCenter: [40], windowWidth: [400] },
  ],
  ['too narrow', { '00281050': [40], '00281051': [0] }, {}],
  ['without a width', { '00281050': [40] }, {}],
  [
    'exact',
    { '00281050': [0.5], '00281051': [0.5], '00281056': ['LINEAR_EXACT'] },
    { windowCenter: [0.5], windowWidth: [0.5], voiLUTFunction: ['LINEAR_EXACT'] },
  ],
  [
    'of an unknown function',
    { '00281050': [40], '00281051': [400], '00281056': ['?'] },
    { windowCenter: [40], windowWidth: [400] },
  ],
])('PS3.3 C.11.2: a window %s', (_, values, expected) =>
  expect(moduleOf('voiLutModule', metadata(values), undefined)).toEqual(expected),
);

test.each<[string, Record<string, readonly unknown[]>, object]>([
  ['known', { '00280030': [0.5, 0.25] }, { rowPixelSpacing: 0.5, columnPixelSpacing: 0.25 }],
  [
    'by the ratio of a pixel',
    { '00280034': [1, 2] },
    { rowPixelSpacing: 0.5, columnPixelSpacing: 1, usingDefaultValues: true },
  ],
  [
    'at the detector',
    { '00181164': [0.1, 0.1] },
    { rowPixelSpacing: 1, columnPixelSpacing: 1, usingDefaultValues: true },
  ],
  ['unknown', {}, { rowPixelSpacing: 1, columnPixelSpacing: 1, usingDefaultValues: true }],
])('spacing of pixels: %s', (_, values, expected) =>
  expect(moduleOf('imagePlaneModule', metadata(values), undefined)).toMatchObject(expected),
);

test('a plane is told with its directions; without one the image is upright', () => {
  const plane = metadata({ '00200032': [1, 2, 3], '00200037': [0, 1, 0, 0, 0, -1], '00280030': [1, 1] });
  expect(moduleOf('imagePlaneModule', plane, undefined)).toMatchObject({
    imagePositionPatient: [1, 2, 3],
    rowCosines: [0, 1, 0],
    columnCosines: [0, 0, -1],
    usingDefaultValues: false,
  });
  expect(moduleOf('imagePlaneModule', {}, undefined)).toMatchObject({ rowCosines: [1, 0, 0] });
});

test('a slope of zero is none; modules that are not needed are not given', () => {
  expect(
    moduleOf('modalityLutModule', metadata({ '00281053': [0] }), undefined)!['rescaleSlope'],
  ).toBeUndefined();
  expect(moduleOf('overlayPlaneModule', {}, undefined)).toBeUndefined();
});
