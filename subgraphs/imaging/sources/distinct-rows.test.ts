import { expect, test } from 'vitest';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { distinctRows } from './distinct-rows.ts';

const row = (values: Record<string, string | string[]>): DicomJson =>
  Object.fromEntries(
    Object.entries(values).map(([tag, value]) => [tag, { vr: 'UI', Value: [value].flat() }]),
  );

const { StudyInstanceUID: STUDY, SeriesInstanceUID: SERIES, SOPInstanceUID: SOP, PatientID: PATIENT } = Tag;
const series = { [STUDY]: '1.2', [SERIES]: '1.2.3' };

test.each<[string, 'study' | 'series' | 'instance', DicomJson[], boolean[]]>([
  ['refuses a wildcard', 'study', [row({ [STUDY]: '1.2.*' })], [false]],
  ['refuses a list of UIDs', 'study', [row({ [STUDY]: ['1.2', '1.3'] })], [false]],
  ['refuses only dots', 'study', [row({ [STUDY]: '..' })], [false]],
  ['refuses a row without UID', 'study', [row({ [PATIENT]: 'A' })], [false]],
  ['refuses more than 64 characters', 'study', [row({ [STUDY]: `1.${'2'.repeat(63)}` })], [false]],
  [
    'accepts one of five equal rows',
    'study',
    Array(5).fill(row({ [STUDY]: '1.2' })),
    [true, false, false, false, false],
  ],
  [
    'accepts both rows of a study of two patients',
    'study',
    [row({ [STUDY]: '1.2', [PATIENT]: 'A' }), row({ [STUDY]: '1.2', [PATIENT]: 'B' })],
    [true, true],
  ],
  [
    'accepts a series once in each study',
    'series',
    [row(series), row(series), row({ ...series, [STUDY]: '1.3' })],
    [true, false, true],
  ],
  ['refuses a series without its study', 'series', [row({ [SERIES]: '1.2.3' })], [false]],
  [
    'accepts an instance once, and refuses an invalid UID',
    'instance',
    [row({ ...series, [SOP]: '1.5' }), row({ ...series, [SOP]: '1.5' }), row({ ...series, [SOP]: '1.5?' })],
    [true, false, false],
  ],
])('%s', (_name, level, rows, counts) => {
  expect(rows.map(distinctRows(level))).toEqual(counts);
});
