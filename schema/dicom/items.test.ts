import { expect, test } from 'vitest';
import { items, type DicomJson } from './dicom.ts';

test('of a sequence, what is no item is left out', () => {
  const item = { '00080100': { vr: 'SH', Value: ['T-D1213'] } };
  const dataset: DicomJson = { '00081140': { vr: 'SQ', Value: [null, item, 'none'] } };
  expect(items(dataset, '00081140')).toEqual([item]);
  expect(items<DicomJson>({ '00081140': { vr: 'SQ' } }, '00081140')).toEqual([]);
});
