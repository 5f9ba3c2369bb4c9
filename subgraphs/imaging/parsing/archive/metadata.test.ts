import { expect, test } from 'vitest';
import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { isOf, ownMetadata } from './metadata.ts';

const target = { studyUid: '1', seriesUid: '2', instanceUid: '3' };
const metadata = (row: DicomJson) => ownMetadata(structuredClone(row), target);

test.each([
  ['converts decimal strings', 'DS', ['0.5', '-1e3 ', ''], [0.5, -1000, null]],
  ['converts integer strings', 'IS', ['12', 7], [12, 7]],
  ['keeps a decimal string that is not a number', 'DS', ['wide'], ['wide']],
  ['keeps text that looks like a number', 'LO', ['012'], ['012']],
])('DW-6 %s', (_, vr, Value, expected) => {
  expect(metadata({ '00180050': { vr, Value } })['00180050']!.Value).toEqual(expected);
  const nested = metadata({ '00400275': { vr: 'SQ', Value: [{ '00180050': { vr, Value } }] } });
  expect(nested['00400275']!.Value).toEqual([{ '00180050': { vr, Value: expected } }]);
});

test('keeps an empty number', () => {
  expect(metadata({ '00180050': { vr: 'DS' } })).toEqual({ '00180050': { vr: 'DS' } });
});

test('DW-4 drops addresses of bulk data on other hosts', () => {
  const row = metadata({
    '7FE00010': { vr: 'OW', BulkDataURI: 'http://archive/studies/1/series/2/instances/3/bulk/7fe00010' },
    '00420011': { vr: 'OB', BulkDataURI: 'http://elsewhere/bulk/00420011' },
  });
  expect(row).toEqual({
    '7FE00010': { vr: 'OW', BulkDataURI: 'bulkdata/bulk/7fe00010' },
    '00420011': { vr: 'OB' },
  });
});

test.each([
  [{}, true],
  [{ '0020000D': '1.2' }, true],
  [{ '0020000D': '1.9' }, false],
  [{ '0020000D': '1.2', '0020000E': '1.2.9' }, false],
  [{ '0020000D': '1.2', '0020000E': '1.2.3', '00080018': '1.2.3.9' }, false],
])('IA-23 a row with %j belongs to the target: %s', (uids, expected) => {
  const row = Object.fromEntries(Object.entries(uids).map(([tag, uid]) => [tag, { vr: 'UI', Value: [uid] }]));
  expect(isOf(row, { studyUid: '1.2', seriesUid: '1.2.3', instanceUid: '1.2.3.4' })).toBe(expected);
});

test.each([
  ['A', {}, true],
  ['A', { '00100020': 'OWN ', '00100021': 'A' }, true],
  ['A', { '00100020': 'OWN', '00100021': 'B' }, false],
  ['A', { '00100020': 'OWN' }, false],
  ['', { '00100020': 'OWN', '00100021': 'B' }, true],
  ['', { '00100020': 'OTHER' }, false],
])('DW-26 a row belongs to the patient of the study, of issuer “%s”: %j, %s', (issuer, patient, expected) => {
  const row = Object.fromEntries(
    Object.entries(patient).map(([tag, value]) => [tag, { vr: 'LO', Value: [value] }]),
  );
  expect(isOf(row, { studyUid: '1.2', patient: { id: 'OWN', issuer } })).toBe(expected);
});
