import { expect, test } from 'vitest';
import { items } from './dicom.ts';

test('of a sequence, what is no item is left out', () => {
  const item = { '00080100': { vr: 'SH', Value: ['T-D1213'] } };
  expect(items({ '00081140': { vr: 'SQ', Value: [null, item, 'none'] } }, '00081140')).toEqual([item]);
  expect(items({ '00081140': { vr: 'SQ' } }, '00081140')).toEqual([]);
});
