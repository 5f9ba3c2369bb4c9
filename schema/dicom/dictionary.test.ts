import { expect, test } from 'vitest';
import { Tag } from './dicom.ts';
import { keywordOf, tagOf, vrOf } from './dictionary.ts';

test.each([
  ['PatientName', '00100010', 'PN'],
  ['PatientID', '00100020', 'LO'],
  ['StudyInstanceUID', '0020000D', 'UI'],
  ['ModalitiesInStudy', '00080061', 'CS'],
  ['PixelData', '7FE00010', 'OW'],
  ['PixelPaddingValue', '00280120', 'US'],
  ['LUTData', '00283006', 'OW'],
  ['ExtendedOffsetTable', '7FE00001', 'OV'],
  ['RequestAttributesSequence', '00400275', 'SQ'],
  ['AvailableTransferSyntaxUID', '00083002', 'UI'],
])('PS3.6: %s is %s, VR %s', (keyword, tag, vr) => {
  expect(tagOf(keyword)).toBe(tag);
  expect(tagOf(tag.toLowerCase())).toBe(tag);
  expect(keywordOf(tag)).toBe(keyword);
  expect(vrOf(tag)).toBe(vr);
});

test('DW-3: an unknown keyword has no tag', () => {
  expect(tagOf('NoSuchKeyword')).toBeUndefined();
  expect(tagOf('constructor')).toBeUndefined();
  expect(tagOf('0010001')).toBeUndefined();
});

test('knows repeating groups, private creators and group lengths', () => {
  expect([vrOf('60023000'), keywordOf('60023000')]).toEqual(['OW', 'OverlayData']);
  expect([vrOf('00090010'), vrOf('00091001'), vrOf('00090000')]).toEqual(['LO', undefined, 'UL']);
});

test('every tag in schema/dicom/dicom.ts is the tag of its keyword in PS3.6', () => {
  for (const [keyword, tag] of Object.entries(Tag)) expect([keyword, tagOf(keyword)]).toEqual([keyword, tag]);
});
