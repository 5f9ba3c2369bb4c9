import { expect, test } from 'vitest';
import {
  alternatives,
  readToken,
  splitPrefix,
  trimmedAlternatives,
  unescapeValue,
  type Token,
} from './search-value.ts';

test.each<[text: string, parts: string[]]>([
  ['', []],
  ['a', ['a']],
  ['a,b', ['a', 'b']],
  [',a,,b,', ['a', 'b']],
  ['a\\,b,c', ['a\\,b', 'c']],
  ['a\\\\,b', ['a\\\\', 'b']],
  ['a\\', ['a\\']],
])('%j has the alternatives %j', (text, parts) => expect(alternatives(text)).toEqual(parts));

test('removes outer spaces of names and keys', () => {
  expect(trimmedAlternatives(' a , ,b c')).toEqual(['a', 'b c']);
});

test.each([
  ['a\\,b', 'a,b'],
  ['a\\|b\\$c', 'a|b$c'],
  ['a\\\\,', 'a\\,'],
  ['a\\n', 'a\\n'],
])('%j without escapes is %j', (text, plain) => expect(unescapeValue(text)).toBe(plain));

test.each<[text: string, token: Token]>([
  ['CT', { value: 'CT' }],
  ['urn:x|CT', { system: 'urn:x', value: 'CT' }],
  ['|CT', { system: '', value: 'CT' }],
  ['urn:x|', { system: 'urn:x' }],
  ['a\\|b', { value: 'a|b' }],
  ['urn:x|a\\|b', { system: 'urn:x', value: 'a|b' }],
])('%j is the token %j', (text, token) => expect(readToken(text)).toEqual(token));

test.each([
  ['2024', 'eq', '2024'],
  ['ge2024', 'ge', '2024'],
  ['ap5.4', 'ap', '5.4'],
  ['', 'eq', ''],
])('%j has the prefix %s and the value %j', (text, prefix, value) =>
  expect(splitPrefix(text)).toEqual({ prefix, value }),
);
