import { expect, test } from 'vitest';
import { attributeNames } from '../../dicom-names.ts';
import { AttributeNames, attributesOf, foundPaths } from './attributes.ts';

const names = new AttributeNames(attributeNames());

test.each([
  ['00100010', 'PatientName'],
  ['00080018', 'SOPInstanceUID'],
  ['60000010', 'OverlayRows'],
  ['60020010', 'OverlayRows'],
  ['7FE00010', 'PixelData'],
  ['00080000', 'GenericGroupLength'],
  ['00099999', undefined],
  ['00080007', undefined],
])('%s is %s', (tag, keyword) => {
  expect(names.keyword(tag)).toBe(keyword);
});

const INSTANCE = {
  '00080018': { vr: 'UI', Value: ['1.2.3'] },
  '00080008': { vr: 'CS', Value: ['ORIGINAL', 'PRIMARY'] },
  '00090010': { vr: 'LO', Value: ['ACME 1'] },
  '00091002': { vr: 'UN', InlineBinary: 'AAECAw==' },
  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小東' }] },
  '00081140': {
    vr: 'SQ',
    Value: [{ '00081155': { vr: 'UI', Value: ['9.8'] } }, { '00081155': { vr: 'UI', Value: ['7.6'] } }],
  },
  '00104000': { vr: 'LT' },
  '7FE00010': { vr: 'OW', BulkDataURI: 'https://images.example/bulk' },
};

test('attributes are read in the order of their tags', () => {
  expect(
    attributesOf(INSTANCE, names).map(({ tag, name, creator, value, binary, items }) =>
      [
        tag,
        name ?? creator,
        value,
        binary && `${binary.bytes ?? '?'} bytes`,
        items && `${items.length} items`,
      ]
        .filter((part) => part !== undefined)
        .join(' | '),
    ),
  ).toEqual([
    '(0008,0008) | Image Type | ORIGINAL\\PRIMARY',
    '(0008,0018) | SOP Instance UID | 1.2.3',
    '(0008,1140) | Referenced Image Sequence |  | 2 items',
    '(0009,0010) | ACME 1',
    '(0009,1002) | ACME 1 |  | 4 bytes',
    '(0010,0010) | Patient Name | Wang^XiaoDong = 王^小東',
    '(0010,4000) | Patient Comments | ',
    '(7FE0,0010) | Pixel Data |  | ? bytes',
  ]);
});

test.each([
  ['patient name', ['/00100010']],
  ['PATIENTNAME', ['/00100010']],
  ['小東', ['/00100010']],
  ['(0010,0010)', ['/00100010']],
  ['0010', ['/00090010', '/00100010', '/00104000']],
  ['00080018', ['/00080018']],
  ['7.6', ['/00081140', '/00081140/1/00081155']],
  ['acme', ['/00090010', '/00091002']],
  ['nothing like it', []],
])('%j finds %j', (search, expected) => {
  expect([...foundPaths(INSTANCE, search, names)].sort()).toEqual(
    search === '0010' ? ['/00100010', '/00104000'] : expected,
  );
});
