import { describe, expect, it } from 'vitest';
import { parseExactJson, parseFhirJson, withPlainNumbers, writeFhirJson } from './decimal.ts';
import { processorTime } from '../../gateway/test/setup/processor-time.ts';

describe('FG-4 decimals keep their precision', () => {
  it.each([
    '{"value":1.10}',
    '{"value":[0.0100,-3.0,5,5.25]}',
    '{"value":1.0e3,"other":1E-22}',
    '{"value":3.14159265358979323846}',
    '{"value":0.30000000000000004}',
    '{"text":"costs 1.10, or \\"1.20\\"","value":7.0}',
    '{"text":"1.10"}',
    '{"value":12345678901234567.5}',
    '{"text":"1, 2.50, 3","value":1.10}',
    '{"text":"{\\"value\\":1.10,","value":1.20,"next":{"value":1.30}}',
    '{"text":"a\\\\","value":1.10,"list":["{\\"value\\":1.10,"]}',
    '{"value": 1.50\n}'.replace(/\s/g, ''),
    '{"text":"ends in a backslash \\\\","value":1.50}',
    '{"id":"12345678901234567890","value":1}',
    '{"date":"2020-10-10T10:00:00.000Z","code":"3.0"}',
  ])('%s', (text) => {
    const value = parseFhirJson(text);
    expect(writeFhirJson(value)).toBe(text);
    expect(withPlainNumbers(value)).toEqual(JSON.parse(text));
  });

  it.each([
    '{"v":12345678901234567890,"w":-9007199254740993,"d":1.10}',
    '{"v":[9007199254740993,1],"id":"9007199254740993, 1.10"}',
    '{"v":1.10}',
  ])('of any kind: %s', (text) => {
    expect(writeFhirJson(parseExactJson(text))).toBe(text);
    expect(parseExactJson('{"v":1234567890123456}')).toEqual({ v: 1234567890123456 });
  });

  it('keeps numbers that need no mark as numbers', () => {
    expect(parseFhirJson('{"a":1.5,"b":10,"c":1.10}')).toMatchObject({ a: 1.5, b: 10 });
  });

  it('gives the nearest number', () => {
    expect(withPlainNumbers((parseFhirJson('{"c":1.10}') as { c: unknown }).c)).toBe(1.1);
    expect(withPlainNumbers('1.10')).toBe('1.10');
  });

  it.each([
    ['a long integer', '{"v":', '1', '}'],
    ['a long fraction', '{"v":1.', '1', '}'],
    ['a long exponent', '{"v":1e', '1', '}'],
    ['a long unterminated number', '{"v":', '1', ''],
    ['unterminated zeros', '{"v":1.', '0', 'x'],
    ['spaces after a number', '{"v":1.0', ' ', 'x'],
    ['many numbers', '[1.10', ',11111111111111.', ']'],
    ['quotes outside of strings', '[1.10,', '\\"', ''],
    ['a long string', '["', 'a', '",1.10]'],
  ])('parses %s in linear time', async (_what, before, repeated, after) => {
    const text = before + repeated.repeat(400_000) + after;
    const parse = () => {
      try {
        parseFhirJson(text);
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    };
    expect(await processorTime(parse)).toBeLessThan(15_000);
  });

  it.each(['1.2.3', '007', '1e', '-', '1-2'])('the text %s with a mark stays text', (text) => {
    const value = { text: `\uE000${text}` };
    expect(JSON.parse(writeFhirJson(value))).toEqual(value);
  });

  it('writes indented JSON', () => {
    expect(writeFhirJson(parseFhirJson('{"a":2.0}'), 2)).toBe('{\n  "a": 2.0\n}');
  });
});
