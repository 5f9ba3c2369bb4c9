/** A record with results over time, and trends of them. */
import type { Concept, PatientRecord, Result, TimelineEntry, Trend } from '../../src/domain/record/record.ts';
import { RECORD } from './fixtures.ts';

export const LOINC = 'http://loinc.org';
const concept = (code: string, text: string): Concept => ({ system: LOINC, code, text });
export const CREATININE = concept('2160-0', 'Creatinine [Mass/volume] in Serum or Plasma');
const PRESSURE = concept('85354-9', 'Blood pressure panel');
const [UPPER, LOWER] = [concept('8480-6', 'Systolic'), concept('8462-4', 'Diastolic')];
/** A code that no table knows. */
const FERRITIN = concept('0-0', 'Ferritin of the record');

const creatinine = (id: string, date: string, value: number, flags: string[] = []): Result => ({
  id,
  date,
  concept: CREATININE,
  value: `${value} mg/dL`,
  range: '0.6 – 1.1 mg/dL',
  flags,
  measures: [{ concept: CREATININE, value, unit: 'mg/dL' }],
});
const PRESSURE_RESULT: Result = {
  id: 'bp',
  date: '2026-03-01',
  concept: PRESSURE,
  value: 'Systolic 128 mm[Hg], Diastolic 82 mm[Hg]',
  flags: [],
  measures: [
    { concept: UPPER, value: 128, unit: 'mm[Hg]' },
    { concept: LOWER, value: 82, unit: 'mm[Hg]' },
  ],
};
const FERRITIN_RESULT: Result = {
  id: 'ferritin',
  date: '2026-03-01',
  concept: FERRITIN,
  value: '88 ug/L',
  flags: [],
  measures: [{ concept: FERRITIN, value: 88, unit: 'ug/L' }],
};
/** A name that no table knows, and nobody says. */
export const ZINC = concept('0-1', 'Zinc [Mass/volume] in Serum or Plasma');
const ZINC_RESULT: Result = {
  ...FERRITIN_RESULT,
  id: 'zinc',
  concept: ZINC,
  value: '90 ug/dL',
  measures: [{ concept: ZINC, value: 90, unit: 'ug/dL' }],
};
const WORDS: Result = {
  id: 'words',
  date: '2026-03-01',
  concept: { text: 'Smoking' },
  value: 'Never',
  flags: [],
};

const lab = (date: string, ...results: Result[]): TimelineEntry => ({
  kind: 'laboratory',
  id: `lab/${date}`,
  date,
  title: results.map((one) => one.concept.text).join(', '),
  studies: [],
  reports: [],
  results,
});
export const HELEN: PatientRecord = {
  ...RECORD,
  timeline: [
    lab(
      '2026-03-01',
      creatinine('c4', '2026-03-01', 1.4, ['H']),
      PRESSURE_RESULT,
      FERRITIN_RESULT,
      ZINC_RESULT,
      WORDS,
    ),
    lab('2026-02-20', creatinine('c3', '2026-02-20', 1.2, ['H'])),
    lab('2025-09-01', creatinine('c2', '2025-09-01', 0.9)),
    lab('2025-03-01', creatinine('c1', '2025-03-01', 0.4, ['L'])),
    { ...lab('2025-11-10'), kind: 'procedure', id: 'op', title: 'Colonoscopy' },
    ...RECORD.timeline,
  ],
};
export const TREND: Trend = {
  concept: CREATININE,
  unit: 'mg/dL',
  range: { low: 0.6, high: 1.1 },
  points: [
    { date: '2025-03-01', value: 0.4, flags: ['L'] },
    { date: '2025-09-01', value: 0.9, flags: ['N'] },
    { date: '2026-02-20', value: 1.2, flags: ['H'] },
    { date: '2026-03-30', value: 1.4, flags: ['H'] },
  ],
};
export const OTHER_UNIT: Trend = {
  ...TREND,
  unit: 'umol/L',
  points: [{ date: '2024-01-01', value: 80, flags: [] }],
};

export const SYSTOLIC_TREND: Trend = {
  concept: UPPER,
  unit: 'mm[Hg]',
  range: { high: 140 },
  points: [
    { date: '2025-09-01', value: 130, flags: [] },
    { date: '2025-12-01', value: 128, flags: [] },
    { date: '2026-03-01', value: 141, flags: ['H'] },
  ],
};
export const DIASTOLIC_TREND: Trend = {
  concept: LOWER,
  unit: 'mm[Hg]',
  points: [
    { date: '2025-09-01', value: 84, flags: [] },
    { date: '2026-03-01', value: 86, flags: [] },
  ],
};
