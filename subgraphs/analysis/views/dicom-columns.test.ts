import { expect, test } from 'vitest';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { dicomColumns, dicomValue } from './dicom-columns.ts';

test('a keyword is a column of its VR, and a list where its VM allows several values', () => {
  const columns = dicomColumns([
    'SliceThickness',
    'PixelSpacing',
    'StudyDate',
    'EchoTrainLength',
    'ImageType',
  ]);
  expect(columns.map(({ name, tag, sqlType, collection }) => [name, tag, sqlType, collection])).toEqual([
    ['SliceThickness', '00180050', 'DOUBLE', false],
    ['PixelSpacing', '00280030', 'DOUBLE', true],
    ['StudyDate', '00080020', 'DATE', false],
    ['EchoTrainLength', '00180091', 'BIGINT', false],
    ['ImageType', '00080008', 'VARCHAR', true],
  ]);
});

test.each<[keyword: string, attributes: DicomJson, value: unknown]>([
  ['SliceThickness', { '00180050': { vr: 'DS', Value: [2.5] } }, 2.5],
  ['SliceThickness', { '00180050': { vr: 'DS', Value: ['2.50'] } }, 2.5],
  ['SliceThickness', { '00180050': { vr: 'DS', Value: ['thin'] } }, undefined],
  ['SliceThickness', { '00180050': { vr: 'DS', Value: [' '] } }, undefined],
  ['SliceThickness', { '00180050': { vr: 'DS' } }, undefined],
  ['SliceThickness', {}, undefined],
  ['EchoTrainLength', { '00180091': { vr: 'IS', Value: ['12'] } }, 12],
  ['EchoTrainLength', { '00180091': { vr: 'IS', Value: [1.5] } }, undefined],
  ['StudyDate', { '00080020': { vr: 'DA', Value: ['20260618'] } }, '2026-06-18'],
  ['StudyDate', { '00080020': { vr: 'DA', Value: ['2026.06.18'] } }, '2026-06-18'],
  ['StudyDate', { '00080020': { vr: 'DA', Value: ['June'] } }, undefined],
  ['PixelSpacing', { '00280030': { vr: 'DS', Value: [0.5, 0.7] } }, [0.5, 0.7]],
  // A list with a gap would have its values at other places.
  ['PixelSpacing', { '00280030': { vr: 'DS', Value: [0.5, null] } } as DicomJson, undefined],
  ['Manufacturer', { '00080070': { vr: 'LO', Value: ['GE'] } }, 'GE'],
  ['OperatorsName', { '00081070': { vr: 'PN', Value: [{ Alphabetic: 'Reyes^M' }] } }, ['Reyes^M']],
])('%s of %j', (keyword, attributes, value) => {
  expect(dicomValue(dicomColumns([keyword])[0]!, attributes)).toEqual(value);
});
