import { describe, expect, test } from 'vitest';
import { mediaType } from '../media-type.ts';
import { MultipartReader } from '../multipart.ts';

const BODY = [
  'preamble',
  '--b',
  'Content-Type: application/dicom; transfer-syntax=1.2',
  'X: a: b',
  '',
  'one--b',
  '--b',
  '',
  'second',
  '--b--',
  'epilogue',
  '--b',
  '',
  'no part',
].join('\r\n');

function read(body: string, length: number) {
  const reader = new MultipartReader('b');
  const parts = [];
  for (let at = 0; at < body.length; at += length)
    parts.push(...reader.push(Buffer.from(body.slice(at, at + length), 'latin1')));
  return { parts, closed: reader.closed };
}

describe('multipart', () => {
  test.each([1, 2, 3, 5, 7, 64, 1000])('parts of a body that arrives in pieces of %i bytes', (length) => {
    const { parts, closed } = read(BODY, length);
    expect(closed).toBe(true);
    expect(
      parts.map(({ head, size, headers }) => [head.toString(), size, Object.fromEntries(headers)]),
    ).toEqual([
      ['one--b', 6, { 'content-type': 'application/dicom; transfer-syntax=1.2', x: 'a: b' }],
      ['second', 6, {}],
    ]);
  });

  test('a body that ends early is not closed', () => {
    expect(read('--b\r\n\r\none\r\n--b\r\n\r\ntw', 4)).toMatchObject({ closed: false, parts: [{ size: 3 }] });
  });

  test('of a long part only the beginning is kept', () => {
    const [part] = read(`--b\r\n\r\n${'x'.repeat(100_000)}\r\n--b--`, 999).parts;
    expect([part?.size, part?.head.length]).toEqual([100_000, 2048]);
  });

  test('a header that does not end is an error', () => {
    expect(() => read(`--b\r\n${'x'.repeat(40_000)}`, 999)).toThrow('no header that ends');
  });
});

test.each([
  ['Application/DICOM; Transfer-Syntax="1.2"', 'application/dicom', { 'transfer-syntax': '1.2' }],
  ['multipart/related; type="a;b"; boundary="x\\"y"', 'multipart/related', { type: 'a;b', boundary: 'x"y' }],
  ['text/html;charset=utf-8', 'text/html', { charset: 'utf-8' }],
  [null, '', {}],
])('media type %s', (header, essence, parameters) => {
  const found = mediaType(header);
  expect([found.essence, Object.fromEntries(found.parameters)]).toEqual([essence, parameters]);
});
