import { expect, test } from 'vitest';
import { decimalOf, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { cellOf, csv, valuesOf } from './csv.ts';

const written = (value: unknown) => csv.line(cellOf(writeFhirJson(value)), undefined);

test.each([
  ['a text', 'plain', 'plain,\r\n'],
  ['nothing', null, ',\r\n'],
  ['a comma', 'a,b', '"a,b",\r\n'],
  ['a quote', 'say "a"', '"say ""a""",\r\n'],
  ['a line break', 'a\nb', '"a\nb",\r\n'],
  ['true', true, 'true,\r\n'],
  ['a decimal as recorded', decimalOf('1.10'), '1.10,\r\n'],
  ['a negative number', -1.5, '-1.5,\r\n'],
  ['a number with a sign', '+5', '+5,\r\n'],
  ['a list of texts', ['a', 'b'], 'a; b,\r\n'],
  ['a list with a gap', ['a', null, 'b'], 'a; ; b,\r\n'],
  ['a list of objects', [{ code: 'a' }], '"[{""code"":""a""}]",\r\n'],
  ['a list of objects with a decimal', [{ a: decimalOf('2.50') }], '"[{""a"":2.50}]",\r\n'],
])('%s is one cell', (_what, value, text) => {
  expect(written(value)).toBe(text);
});

test.each<[what: string, value: unknown, path: string, text: string]>([
  ['one value', [{ display: 'Chest' }], 'display', 'Chest'],
  ['several, without gaps', [{ a: { b: 'Chest' } }, { a: null }, { a: { b: 'Head' } }], 'a.b', 'Chest; Head'],
  ['lists in lists', [{ coding: [{ code: 'a' }, { code: 'b' }] }, { coding: [] }], 'coding.code', 'a; b'],
  ['a decimal as recorded', [{ value: decimalOf('2.50') }], 'value', '2.50'],
  ['JSON', [{ metadata: { Rows: 512 } }], 'metadata', '"{""Rows"":512}"'],
  ['a formula', [{ display: '=1+1' }], 'display', "'=1+1"],
  ['nothing', null, 'display', ''],
])('%s of the one field that is selected in a list is one cell', (_what, value, path, text) => {
  expect(valuesOf(writeFhirJson(value), path.split('.'))).toBe(text);
});

test.each(['=1+1', '+cmd', '-1+2', '@SUM(A1)', '\tx', '\rx', '-'])(
  'the formula %j begins with an apostrophe',
  (formula) => {
    const quoted = formula.startsWith('\r') ? `"'${formula}"` : `'${formula}`;
    expect(written(formula)).toBe(`${quoted},\r\n`);
  },
);

test('the last row of a page has the next cursor', () => {
  expect(csv.line('1,', 'abc')).toBe('1,,abc\r\n');
});
