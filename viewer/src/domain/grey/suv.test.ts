import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { suvOf, type SuvGap } from './suv.ts';
import { valueScaleOf } from './value-scale.ts';

type Values = Record<string, readonly unknown[] | undefined>;

const metadata = (values: Values): Instance =>
  Object.fromEntries(
    Object.entries(values).flatMap(([tag, Value]) => (Value ? [[tag, { vr: 'UN', Value }]] : [])),
  );

/** Half of the dose is left at the scan: 370 MBq, a half-life of 6,600 s, an injection 6,600 s before. */
const DRUG: Values = { '00181072': ['081000'], '00181074': [370e6], '00181075': [6600] };
const PET: Values = {
  '00080060': ['PT'],
  '00080021': ['20260312'],
  '00080031': ['100000'],
  '00080022': ['20260312'],
  '00080032': ['100000'],
  '00101030': [70],
  '00280051': ['NORM', 'DTIM', 'ATTN', 'SCAT', 'DECY'],
  '00541001': ['BQML'],
  '00541102': ['START'],
};
const pet = (changes: Values = {}, drug: Values = {}): Instance =>
  metadata({ ...PET, '00540016': [metadata({ ...DRUG, ...drug })], ...changes });

/** 70,000 g / 185,000,000 Bq */
const HALF_DOSE = 3.783784e-4;
/** 70,000 g / 370,000,000 Bq */
const WHOLE_DOSE = 1.891892e-4;

test.each<[string, Instance[], number]>([
  ['half of the dose is left', [pet()], HALF_DOSE],
  ['values corrected to the injection', [pet({ '00541102': ['ADMIN'] })], WHOLE_DOSE],
  ['an injection at the scan', [pet({}, { '00181072': ['100000.000'] })], WHOLE_DOSE],
  ['an injection with its date', [pet({}, { '00181078': ['20260312081000.00'] })], HALF_DOSE],
  [
    'an injection before midnight, with a time alone',
    [pet({ '00080031': ['005000'], '00080032': ['005000'] }, { '00181072': ['230000'] })],
    HALF_DOSE,
  ],
  [
    'an injection in another time zone',
    [pet({ '00080201': ['+0100'] }, { '00181078': ['20260312071000+0000'] })],
    HALF_DOSE,
  ],
  [
    'the earliest acquisition, when the series was made later',
    [pet({ '00080031': ['150000'], '00080032': ['103000'] }), pet({ '00080031': ['150000'] })],
    HALF_DOSE,
  ],
  ['the series, when it began before the first acquisition', [pet({ '00080032': ['110000'] })], HALF_DOSE],
  ['an hour of fluorine-18', [pet({}, { '00181072': ['090000'], '00181075': [6586.2] })], 2.763367e-4],
  ['values that are SUV', [pet({ '00541001': ['GML'], '00101030': undefined })], 1],
])('SUV by body weight: %s', (_, instances, expected) =>
  expect(suvOf(instances)!.factor! / expected).toBeCloseTo(1, 5),
);

test.each<[SuvGap, Instance]>([
  ['weight', pet({ '00101030': undefined })],
  ['weight', pet({ '00101030': [0] })],
  ['units', pet({ '00541001': ['CNTS'] })],
  ['units', pet({ '00541001': ['GML'], '00541006': ['LBM'] })],
  ['corrections', pet({ '00280051': ['NORM', 'DECY'] })],
  ['corrections', pet({ '00541102': ['NONE'] })],
  ['dose', pet({}, { '00181074': undefined })],
  ['dose', pet({ '00540016': undefined })],
  ['half-life', pet({}, { '00181075': undefined })],
  ['injection-time', pet({}, { '00181072': undefined })],
  ['injection-time', pet({}, { '00181078': ['20260312103000'] })],
  ['injection-time', pet({}, { '00181078': ['20190312081000'] })],
  ['scan-time', pet({ '00080022': undefined })],
])('no SUV for want of %s (%#)', (gap, instance) => expect(suvOf([instance])).toEqual({ gap }));

test('only a PET has an SUV', () => expect(suvOf([pet({ '00080060': ['NM'] })])).toBeUndefined());

test.each<[string, Instance, string | undefined]>([
  ['CT', metadata({ '00080060': ['CT'], '00281052': [-1024] }), 'HU'],
  ['CT of other units', metadata({ '00080060': ['CT'], '00281052': [0], '00281054': ['US'] }), undefined],
  ['PET', pet(), 'SUV'],
  ['PET without weight', pet({ '00101030': undefined }), 'Bq/ml'],
  ['MR', metadata({ '00080060': ['MR'] }), undefined],
])('the values of a %s have the right unit', (_, instance, unit) =>
  expect(valueScaleOf(instance, []).unit).toBe(unit),
);
