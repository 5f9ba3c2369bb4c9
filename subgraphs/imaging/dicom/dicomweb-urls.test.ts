import { expect, test } from 'vitest';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { absoluteBulkData, withRetrieveUrl } from './dicomweb-urls.ts';

const BASE = 'https://gateway.example/t/dicomweb';
const uids: DicomJson = {
  '0020000D': { vr: 'UI', Value: ['1'] },
  '0020000E': { vr: 'UI', Value: ['2'] },
  '00080018': { vr: 'UI', Value: ['3'] },
};
/** Addresses of an archive, used at the top and in the items of a sequence. */
const internal: DicomJson = {
  '00080054': { vr: 'AE', Value: ['ARCHIVE'] },
  '00081190': { vr: 'UR', Value: ['http://archive/studies/1'] },
  '00420011': { vr: 'OB', BulkDataURI: 'http://archive/bulk/1' },
};
const row: DicomJson = { ...uids, ...internal, '00081199': { vr: 'SQ', Value: [{ ...internal, ...uids }] } };

test.each([
  ['study', `${BASE}/studies/1`],
  ['series', `${BASE}/studies/1/series/2`],
  ['instance', `${BASE}/studies/1/series/2/instances/3`],
] as const)('DW-4 a %s row has addresses of the gateway only', (level, url) => {
  const given = withRetrieveUrl(row, level, BASE);
  expect(given['00081190']).toEqual({ vr: 'UR', Value: [url] });
  expect(JSON.stringify(given)).not.toMatch(/archive/i);
});

test('DW-4 metadata have bulk data addresses of the gateway only, also in sequences', () => {
  const pixels = { '7FE00010': { vr: 'OW', BulkDataURI: 'bulkdata/7FE00010' } };
  const nested = { ...row, ...pixels, '00880200': { vr: 'SQ', Value: [{ ...internal, ...pixels }] } };
  const given = absoluteBulkData(nested, { studyUid: '1' }, BASE);
  const own = { vr: 'OW', BulkDataURI: `${BASE}/studies/1/series/2/instances/3/bulkdata/7FE00010` };
  expect(given['7FE00010']).toEqual(own);
  expect(given['00880200']!.Value).toEqual([{ '7FE00010': own }]);
  expect(JSON.stringify(given)).not.toMatch(/archive/i);
});
