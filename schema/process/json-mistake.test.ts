import { expect, test } from 'vitest';
import { jsonMistake } from './json-mistake.ts';

test.each([
  ['', 'line 1, column 1: the text ends before a value'],
  ['\ufeff{}', 'line 1, column 1: a value is expected'],
  ['{ "a" ', 'line 1, column 7: the text ends before a colon'],
  ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: a comma or } is expected'],
  ['{\n  "a": 1,\n}', 'line 3, column 1: a name in double quotes is expected, and no comma before }'],
  ['[1, 2,]', 'line 1, column 7: a value is expected, and no comma before ]'],
  ['[1 2]', 'line 1, column 4: a comma or ] is expected'],
  ['{ a: 1 }', 'line 1, column 3: a name in double quotes or } is expected'],
  ['{ "a": \'s3cret\' }', 'line 1, column 8: a value is expected'],
  ['{\r\n  // s3cret\r\n}', 'line 2, column 3: a name in double quotes or } is expected'],
  ['{ "a": s3cret }', 'line 1, column 8: a value is expected'],
  ['{ "a": "s3cret }', 'line 1, column 8: this text has no end, or a wrong escape'],
  ['{ "a": "C:\\s3cret" }', 'line 1, column 8: this text has no end, or a wrong escape'],
  ['{ "a": 01 }', 'line 1, column 8: a value is expected'],
  ['{ "a": [{ "b": {} ] }', 'line 1, column 19: a comma or } is expected'],
  ['{} {}', 'line 1, column 4: the end of the text is expected'],
])('%j: %s', (text, mistake) => {
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  expect(jsonMistake(text)).toBe(mistake);
});
