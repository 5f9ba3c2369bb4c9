import { expect, it } from 'vitest';
import { negotiateBulkData, negotiateFrames, negotiateJson, objectForms } from './accept.ts';
import { parseAccept } from '../../../schema/http/media-ranges.ts';

const EXPLICIT = '1.2.840.10008.1.2.1';

it.each<[string | undefined, string[]]>([
  [undefined, ['*/*']],
  ['', ['*/*']],
  ['text/html;q=0.3, application/json ; q=0.7,*/*;q=0.1', ['application/json', 'text/html', '*/*']],
  ['application/json;q=0', []],
  ['nonsense', []],
  ['multipart/related; type="application/dicom, odd"; q=0.5, image/png', ['image/png', 'multipart/related']],
  ['IMAGE/JPEG', ['image/jpeg']],
])('DW-11 Accept: %s', (header, types) => {
  expect(parseAccept(header).map(({ type }) => type)).toEqual(types);
});

it('DW-11 the accept parameter takes precedence over the header; quotes do not matter', () => {
  expect(parseAccept('text/html', ['image/png'])[0]!.type).toBe('image/png');
  for (const value of [
    'multipart/related; type="a/b"; transfer-syntax="*"',
    'multipart/related;type=a/b;transfer-syntax=*',
  ]) {
    expect(parseAccept(value)[0]!.parameters).toEqual({ type: 'a/b', 'transfer-syntax': '*' });
  }
});

it.each([
  'application/dicom json',
  'application/dicom+json',
  'image/png, application/dicom json; q=0.5',
  'multipart/related; type="a b", application/dicom json',
])('DW-11 reads the accept parameter %s, whose + came as a space', (parameter) => {
  expect(parseAccept(undefined, [parameter]).at(-1)!.type).toBe('application/dicom+json');
});

it.each([
  ['application/dicom+json', 'application/dicom+json'],
  ['*/*', 'application/dicom+json'],
  ['application/json', 'application/json'],
  ['text/html, application/json;q=0.1', 'application/json'],
  ['text/html', undefined],
  // RFC 9110 §12.5.1: a named type takes precedence over a wildcard.
  ['application/dicom+json;q=0, */*', 'application/json'],
  ['application/*, application/dicom+json;q=0', 'application/json'],
  ['*/*;q=0.8, application/dicom+json;q=0.1', 'application/json'],
  ['*/*;q=0.1, application/dicom+json;q=0.8', 'application/dicom+json'],
  ['application/dicom+json;q=0, application/json;q=0, */*', undefined],
  ['application/*;q=0, */*', undefined],
  ['application/*;q=0.1, */*;q=0.5, application/json;q=0.3', 'application/json'],
  ['application/*;q=0.9, application/dicom+json;q=0.2, */*', 'application/json'],
])('JSON for %s', (header, type) => expect(negotiateJson(parseAccept(header))).toBe(type));

it.each<[string, boolean, [form: string, transferSyntax: string][]]>([
  ['*/*', false, [['multipart', '*']]],
  ['multipart/related', false, [['multipart', '*']]],
  ['multipart/related; type="application/dicom"', false, [['multipart', EXPLICIT]]],
  ['multipart/related; type="application/dicom"; transfer-syntax=*', false, [['multipart', '*']]],
  [
    'multipart/related; type="application/dicom"; transfer-syntax=1.2.3, */*;q=0.1',
    false,
    [
      ['multipart', '1.2.3'],
      ['multipart', '*'],
    ],
  ],
  ['multipart/related; type="image/jpeg"', false, []],
  ['application/dicom', false, []],
  ['application/dicom', true, [['single', EXPLICIT]]],
  ['application/*', true, [['single', '*']]],
  ['application/*', false, []],
  ['application/zip', false, [['zip', '*']]],
])('DW-5 objects for %s (one instance: %s)', (header, isInstance, forms) => {
  const found = objectForms(parseAccept(header), isInstance);
  expect(found.map(({ form, transferSyntax }) => [form, transferSyntax])).toEqual(forms);
});

const OCTETS = 'application/octet-stream';
it.each<[accept: string, mediaType: string, single: boolean, answer: string | undefined]>([
  ['*/*', 'image/jpeg', false, 'multipart image/jpeg'],
  [
    'multipart/related; type=application/octet-stream; transfer-syntax=*',
    'image/jpeg',
    false,
    'multipart image/jpeg',
  ],
  [
    'multipart/related; type=application/octet-stream',
    'image/jpeg',
    false,
    `multipart ${OCTETS} transcoded to ${EXPLICIT}`,
  ],
  [
    `multipart/related; type=application/octet-stream; transfer-syntax=${EXPLICIT}`,
    'image/jpeg',
    false,
    `multipart ${OCTETS} transcoded to ${EXPLICIT}`,
  ],
  [OCTETS, 'image/jpeg', true, `single ${OCTETS} transcoded to ${EXPLICIT}`],
  [`${OCTETS}, */*;q=0.1`, 'image/jpeg', false, 'multipart image/jpeg'],
  ['image/jls', OCTETS, true, 'single image/jls transcoded to 1.2.840.10008.1.2.4.80'],
  ['image/jphc', 'image/jp2', true, 'single image/jphc transcoded to 1.2.840.10008.1.2.4.201'],
  [
    'image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202',
    OCTETS,
    true,
    'single image/jphc transcoded to 1.2.840.10008.1.2.4.202',
  ],
  [
    'multipart/related; type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.202',
    'image/jphc',
    false,
    'multipart image/jphc transcoded to 1.2.840.10008.1.2.4.202',
  ],
  ['image/jphc; transfer-syntax=1.2.840.10008.1.2.4.203', OCTETS, true, undefined],
  ['image/*', OCTETS, true, undefined],
  ['image/jls; transfer-syntax=1.2.840.10008.1.2.4.81', OCTETS, true, undefined],
  ['multipart/related; type=application/octet-stream', OCTETS, false, `multipart ${OCTETS}`],
  ['multipart/related; type="image/jpeg"', 'image/jpeg', false, 'multipart image/jpeg'],
  ['multipart/related; type="image/*"', 'image/jls', false, 'multipart image/jls'],
  ['multipart/related; type="image/x-jls"', 'image/jls', false, 'multipart image/x-jls'],
  ['multipart/related; type=image/jpls', 'image/jls', false, 'multipart image/jpls'],
  ['multipart/related; type="image/j2c"', 'image/jp2', false, 'multipart image/j2c'],
  ['multipart/related; type="image/jpeg"; transfer-syntax=1.2.3', 'image/jpeg', false, undefined],
  ['multipart/related; type="image/jpeg"; transfer-syntax=9.9', 'image/jpeg', false, 'multipart image/jpeg'],
  [
    `multipart/related; type=application/octet-stream; transfer-syntax=${EXPLICIT}`,
    OCTETS,
    false,
    `multipart ${OCTETS}`,
  ],
  ['image/jpeg', 'image/jpeg', true, 'single image/jpeg'],
  ['image/jpeg', 'image/jpeg', false, undefined],
  ['image/png', 'image/jpeg', true, undefined],
])('DW-7 frames: %s for %s', (accept, mediaType, single, answer) => {
  const form = negotiateFrames(parseAccept(accept), mediaType, '9.9', single);
  const transcoded = form?.transcodeTo ? ` transcoded to ${form.transcodeTo}` : '';
  expect(form && `${form.multipart ? 'multipart' : 'single'} ${form.mediaType}${transcoded}`).toBe(answer);
});

it.each([
  ['*/*', 'single'],
  [OCTETS, 'single'],
  ['multipart/related; type="application/octet-stream"', 'multipart'],
  ['multipart/related', 'multipart'],
  ['image/png', undefined],
])('DW-10 bulk data for %s', (accept, form) => {
  expect(negotiateBulkData(parseAccept(accept), OCTETS)).toBe(form);
});
