import { expect, test } from 'vitest';
import { encapsulatedOf, fileNameOf, isPdf } from './encapsulated.ts';

const PDF = '1.2.840.10008.5.1.4.1.1.104.1';
const of = (sopClass: string, type?: string, data: object = { InlineBinary: 'JVBERi0=' }) => ({
  '00080016': { vr: 'UI', Value: [sopClass] },
  '00420010': { vr: 'ST', Value: ['A report'] },
  ...(type && { '00420012': { vr: 'LO', Value: [type] } }),
  '00420011': { vr: 'OB', ...data },
});

test.each([
  ['its own media type', of(PDF, 'Application/PDF'), 'application/pdf'],
  ['that of its class', of('1.2.840.10008.5.1.4.1.1.104.3'), 'model/stl'],
  ['bytes, of a class that nobody knows', of('1.2.3'), 'application/octet-stream'],
])('a document has %s', (_name, instance, mediaType) => {
  expect(encapsulatedOf(instance)).toMatchObject({ title: 'A report', mediaType });
});

test('an object without the bytes of its document has none', () => {
  expect(encapsulatedOf(of(PDF, undefined, {}))).toBeUndefined();
  expect(encapsulatedOf({})).toBeUndefined();
});

test.each([
  ['%PDF-1.7', true],
  ['junk before %PDF-1.4', true],
  ['<html>', false],
  ['', false],
])('%j is a PDF: %s', (text, expected) => {
  expect(isPdf(new TextEncoder().encode(text))).toBe(expected);
});

test.each([
  ['Echo report', 'application/pdf', 'Echo report.pdf'],
  ['a/b\\c: "d"', 'application/pdf', 'a b c d.pdf'],
  ['Informe.PDF', 'application/pdf', 'Informe.pdf'],
  [undefined, 'text/xml; charset=utf-8', 'document.xml'],
  ['../..', 'what/ever', 'document.bin'],
])('%j of %s is kept as %s', (title, mediaType, expected) => {
  expect(fileNameOf(title, mediaType)).toBe(expected);
});
