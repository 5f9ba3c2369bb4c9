import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { printSize, trueScaleOf } from './print-size.ts';

const image = (modality: string, rest: Record<string, readonly unknown[]> = {}): Instance =>
  Object.fromEntries(
    Object.entries({ '00080060': [modality], '00280010': [400], '00280011': [200], ...rest }).map(
      ([tag, Value]) => [tag, { vr: 'DS', Value }],
    ),
  );
const SPACING = { '00280030': [0.5, 0.25] };
const DETECTOR = { '00181164': [0.2, 0.1] };
const REGION = {
  '00186018': { vr: 'UL', Value: [0] },
  '0018601A': { vr: 'UL', Value: [0] },
  '0018601C': { vr: 'UL', Value: [199] },
  '0018601E': { vr: 'UL', Value: [399] },
  '00186024': { vr: 'US', Value: [3] },
  '00186026': { vr: 'US', Value: [3] },
  '0018602C': { vr: 'FD', Value: [0.05] },
  '0018602E': { vr: 'FD', Value: [0.05] },
};

test.each([
  ['a slice has its spacing', image('CT', SPACING), { across: 0.25, down: 0.5 }],
  ['a slice without spacing has none', image('MR'), undefined],
  ['an image without a size has none', image('CT', { ...SPACING, '00280010': [] }), undefined],
  ['a spacing of zero is none', image('CT', { '00280030': [0, 0] }), undefined],
  ['a localizer of a CT is a projection', image('CT', { ...SPACING, '00080008': ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }), undefined], // prettier-ignore
  ['that of an MR is a slice', image('MR', { ...SPACING, '00080008': ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }), { across: 0.25, down: 0.5 }], // prettier-ignore
  ['the spacing of a projection is not that in the patient', image('DX', { ...SPACING, ...DETECTOR }), undefined], // prettier-ignore
  ['a calibrated projection has its spacing', image('DX', { ...SPACING, ...DETECTOR, '00280A02': ['FIDUCIAL'] }), { across: 0.25, down: 0.5 }], // prettier-ignore
  ['a stated magnification divides the spacing at the detector', image('MG', { ...DETECTOR, '00181114': [1.25] }), { across: 0.08, down: 0.16, magnification: 1.25 }], // prettier-ignore
  ['a magnification without a detector says nothing', image('MG', { ...SPACING, '00181114': [1.25] }), undefined], // prettier-ignore
  ['a magnification of zero is none', image('MG', { ...DETECTOR, '00181114': [0] }), undefined],
  ['one region of an ultrasound counts', image('US', { '00186011': [REGION] }), { across: 0.5, down: 0.5 }],
  ['two regions may have two scales', image('US', { '00186011': [REGION, REGION] }), undefined],
])('true size: %s', (_what, metadata, expected) => {
  expect(trueScaleOf(metadata)).toEqual(expected);
});

const PAPER = { width: 180, height: 190 };
test.each([
  ['as large as the paper', image('CT'), 0, { width: 95, height: 190, isCut: false }],
  ['turned', image('CT'), 90, { width: 180, height: 90, isCut: false }],
  ['turned back', image('CT'), 270, { width: 180, height: 90, isCut: false }],
  ['with pixels that are no squares', image('CT', SPACING), 0, { width: 50, height: 190, isCut: false }],
  ['without a size', image('CT', { '00280010': [] }), 0, { width: 180, height: 180, isCut: false }],
])('size on paper: %s', (_what, metadata, rotation, expected) => {
  expect(printSize(metadata, { rotation, scale: undefined, paper: PAPER })).toEqual(expected);
});

test.each([
  ['smaller than the paper', { across: 0.5, down: 0.4 }, 0, { width: 100, height: 160, isCut: false }],
  ['turned', { across: 0.5, down: 0.4 }, 90, { width: 160, height: 100, isCut: false }],
  ['too large: cut', { across: 1, down: 1 }, 0, { width: 180, height: 190, isCut: true }],
  ['too small for its words', { across: 0.1, down: 0.1 }, 0, { width: 50, height: 50, isCut: false }],
])('true size on paper: %s', (_what, scale, rotation, expected) => {
  expect(printSize(image('CT'), { rotation, scale, paper: PAPER })).toEqual(expected);
});
