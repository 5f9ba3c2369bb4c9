import { afterEach, describe, expect, test } from 'vitest';
import { overwriteGetLocale } from '../compiled/runtime.js';
import { flagOf, flagWords, statusWords, unitWords } from './codes.ts';
import { nameFor, plainReport, plainResult, plainStudy, type Imaged } from './names.ts';
import { OBSERVATIONS } from './observations.ts';
import { REGIONS } from './regions.ts';
import { plainVisit } from './visits.ts';

const LOINC = 'http://loinc.org';
const speak = (language: 'en' | 'es') => overwriteGetLocale(() => language);
afterEach(() => speak('en'));

describe('studies', () => {
  const study = (modality: string, description: string, ...sites: string[]): Imaged => ({
    modalities: modality.split('+'),
    description,
    series: sites.map((bodySite) => ({ bodySite })),
  });

  test.each<[Imaged, string | undefined]>([
    [study('MR', 'MRI brain with and without contrast', 'HEAD'), 'MRI of the brain'],
    [study('MR', '', 'Head'), 'MRI of the head'],
    [study('CT', 'CT chest', 'CHEST', 'Thorax'), 'CT scan of the chest'],
    [study('CT+SR', 'CT chest without contrast'), 'CT scan of the chest'],
    [study('DX', 'XR KNEE RIGHT 2 VIEWS', 'KNEE'), 'X-ray of the knee (right)'],
    [study('US', 'Ecografía abdominal'), 'Ultrasound of the belly'],
    [study('MG', 'Screening', 'BREAST'), 'Mammogram'],
    [study('MG', 'Bilateral screening'), 'Mammogram (both sides)'],
    // Two regions, two kinds of images, both sides named apart.
    [study('CT', 'CT chest abdomen pelvis'), undefined],
    [study('CT', 'CT abdomen', 'CHEST'), undefined],
    [study('PT+CT', 'PET/CT head'), undefined],
    [study('DX', 'Left hand and right hand'), undefined],
    // The description is of other images.
    [study('US', 'CT chest'), undefined],
    // Not only images.
    [study('CT', 'CT guided biopsy of the liver'), undefined],
    // In no table.
    [study('MR', 'MRI whole body'), undefined],
    [study('MR', 'MRI head', 'Structure of temporomandibular joint'), undefined],
    [study('ZZ', 'Head'), undefined],
    [study('SR', 'Chest'), undefined],
    [study('MR', 'Headache'), undefined],
  ])('%o is %s', (imaged, expected) => {
    speak('en');
    expect(plainStudy(imaged)).toBe(expected);
  });

  test('in Spanish', () => {
    speak('es');
    expect(plainStudy(study('MR', 'Resonancia de rodilla izquierda'))).toBe(
      'Resonancia magnética de la rodilla (lado izquierdo)',
    );
  });

  test('every region has words that no other has, and is within one that there is', () => {
    const words = Object.values(REGIONS).flatMap((region) => region.words);
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
    expect(words.filter((word) => !/^[a-z]+$/.test(word))).toEqual([]);
    const within = Object.values(REGIONS).flatMap((region) => region.within ?? []);
    expect(within.filter((one) => !(one in REGIONS))).toEqual([]);
  });
});

describe('measurements', () => {
  test.each([
    ['85354-9', 'Blood pressure', 'Presión arterial'],
    ['2345-7', 'Blood sugar', 'Azúcar en la sangre'],
    ['8867-4', 'Pulse', 'Pulso'],
  ])('LOINC %s is %s', (code, en, es) => {
    speak('en');
    expect(plainResult({ text: 'as recorded', system: LOINC, code })).toBe(en);
    speak('es');
    expect(plainResult({ text: 'as recorded', system: LOINC, code })).toBe(es);
  });

  test.each([
    { text: 'Glucose', system: LOINC, code: '0-0' },
    { text: 'Glucose', system: 'http://example.org/codes', code: '2345-7' },
    { text: 'Glucose', code: '2345-7' },
    { text: 'Glucose' },
    { text: 'Glucose', system: LOINC, code: 'constructor' },
  ])('%o stays as the record says it', (concept) => expect(nameFor(concept, 'plain')).toBe('Glucose'));

  test.each([
    { text: 'Ferritin [Mass/volume] in Serum or Plasma', system: LOINC, code: '0-0' },
    { text: 'Peanut IgE Ab in Serum' },
    { text: 'Ferritin SerPl-mCnc' },
    { text: 'Specific gravity of Urine by Test strip' },
    { text: 'MCV by Automated count' },
    { text: 'Hemoglobin A1c/Hemoglobin.total in Blood' },
    { text: 'Glomerular filtration rate/\u200b1.73 sq M' },
    { text: '' },
    // The record has no words of its own.
    { text: 'Ferritin', system: LOINC, code: '0-0', coded: true as const },
    { text: '0-0', system: LOINC, code: '0-0', coded: true as const },
  ])('%o is a laboratory result', (concept) => {
    expect(plainResult(concept)).toBe('Laboratory result');
    expect(nameFor(concept, 'clinical')).toBe(concept.text);
    speak('es');
    expect(plainResult(concept)).toBe('Resultado de laboratorio');
  });

  test.each([
    ['Comprehensive metabolic 2000 panel - Serum or Plasma', 'Report'],
    ['CT chest with contrast, staging', undefined],
    ['CT Chest WO contrast', undefined],
  ])('the report %s is %s', (text, plain) => expect(plainReport({ text })).toBe(plain));

  test('clinicians read what the record says', () => {
    const glucose = { text: 'Glucose [Mass/volume] in Serum or Plasma', system: LOINC, code: '2345-7' };
    expect(nameFor(glucose, 'plain')).toBe('Blood sugar');
    expect(nameFor(glucose, 'clinical')).toBe(glucose.text);
  });

  test('no name judges a value', () => {
    const judging = /normal|good|bad|risk|disease|health|bueno|malo|riesgo|enfermedad/i;
    const names = Object.values(OBSERVATIONS).flatMap(({ en, es }) => [en, es]);
    expect(names.filter((name) => judging.test(name))).toEqual([]);
  });
});

test.each([
  ['Follow-up encounter', 'Follow-up visit'],
  ['encounter for check up (procedure)', 'Check-up'],
  ['Office visit', undefined],
  ['constructor', undefined],
])('the visit %s is %s', (title, expected) => expect(plainVisit(title)).toBe(expected));

test.each([
  [['H'], ['high'], 'high'],
  [['HH'], ['very high'], 'high'],
  [['LL'], ['very low'], 'low'],
  [['A'], ['abnormal'], 'abnormal'],
  [['N'], [], undefined],
  [['POS'], [], undefined],
  [['constructor'], [], undefined],
  [['N', 'L'], ['low'], 'low'],
])('flags %o are %o', (codes, words, flag) => {
  expect(flagWords(codes)).toEqual(words);
  expect(flagOf(codes)).toBe(flag);
});

test.each([
  ['final', 'final'],
  ['appended', 'with an addendum'],
  ['some-new-status', 'some-new-status'],
])('the status %s is %s', (status, words) => expect(statusWords(status)).toBe(words));

test.each([
  ['mm[Hg]', 'mmHg'],
  ['Cel', '°C'],
  ['10*3/uL', '10³/µL'],
  ['{beats}/min', '/min'],
  ['mL/min/{1.73_m2}', 'mL/min/1.73m²'],
  ['kg/m2', 'kg/m²'],
  ['umol/L', 'µmol/L'],
  ['mg/dL', 'mg/dL'],
  ['u[IU]/mL', 'µIU/mL'],
  ['[iU]/L', 'IU/L'],
  ['U/L', 'U/L'],
  ['{score}', ''],
  [undefined, ''],
])('the unit %s is written %s', (unit, words) => expect(unitWords(unit)).toBe(words));
