/** Numeric Value in the JSON of metadata: a number with its zeros, and text where code reads it (FG-4). */
import { expect, test } from 'vitest';
import { textWithZeros, withNumericTexts, withNumericValues } from './numeric-value.ts';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';

const attribute = (...values: string[]) => `{"0040A30A":{"vr":"DS","Value":[${values.join()}]}}`;

test.each([
  ['5.0', '5.0'],
  ['+05.0', '5.0'],
  [' 5.0 ', '5.0'],
  ['.50', '0.50'],
  ['1.0E+2', '1.0e+2'],
  ['5', undefined],
  ['5.25', undefined],
  ['5.', undefined],
  ['.', undefined],
  ['e5', undefined],
  ['0x10', undefined],
  ['1e999', undefined],
  [`${'0'.repeat(100)}x`, undefined],
])('textWithZeros(%j) is %j', (written, expected) => {
  expect(textWithZeros(written)).toBe(expected);
});

test.each([
  [attribute('"5.0"'), attribute('5.0')],
  [attribute('"5.0"', 'null', '7', '"about 3"'), attribute('5.0', 'null', '7', '"about 3"')],
  // No number of JSON, and texts that only look like the attribute.
  [attribute('"05.0"'), attribute('"05.0"')],
  [attribute('"]"', '"5.0"'), attribute('"]"', '"5.0"')],
  [JSON.stringify({ text: attribute('"5.0"') }), JSON.stringify({ text: attribute('"5.0"') })],
  ['{"00281053":{"vr":"DS","Value":["5.0"]}}', '{"00281053":{"vr":"DS","Value":["5.0"]}}'],
])('FG-4 %s is written as %s', (json, expected) => {
  expect(withNumericValues(json)).toBe(expected);
  JSON.parse(withNumericValues(json));
});

test.each([
  [
    attribute('5.0', '-3', '1e-3', 'null', '"x,5,y"'),
    attribute('"5.0"', '"-3"', '"1e-3"', 'null', '"x,5,y"'),
  ],
  [
    '{"0040a30a": { "vr": "DS", "Value" : [ 5.0 , 6 ] }}',
    '{"0040a30a": { "vr": "DS", "Value" : [ "5.0" , "6" ] }}',
  ],
  [attribute('"]"', '5.0'), attribute('"]"', '5.0')],
  [attribute('"\\""', '5.0'), attribute('"\\""', '5.0')],
])('FG-4 %s is read as %s', (json, expected) => {
  expect(withNumericTexts(json)).toBe(expected);
  JSON.parse(withNumericTexts(json));
});

test('DW-24 texts that look like the attribute a million times take little time', async () => {
  const read = () => {
    withNumericTexts('"0040A30A":{"vr":"DS","Value":["'.repeat(100_000));
    withNumericTexts(`"0040A30A":{"vr":"DS","Value":[${' '.repeat(1e6)}`);
    withNumericTexts(`"0040A30A":{"vr":"DS","Value":[${'5,'.repeat(1e6)}`);
    withNumericTexts(attribute(' '.repeat(1e6), '5'.repeat(1e6)));
    withNumericValues(attribute(`"${'5'.repeat(1e6)}x"`));
  };
  expect(await processorTime(read)).toBeLessThan(10_000);
});
