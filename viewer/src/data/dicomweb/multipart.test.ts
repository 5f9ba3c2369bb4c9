import { expect, test } from 'vitest';
import { onlyPart, partsOf } from './multipart.ts';
import { transferSyntaxOf } from './transfer-syntaxes.ts';

const TYPE = 'multipart/related; type="application/octet-stream"; boundary=b1';
const HEADERS = 'Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n';
const WHOLE = `--b1\r\n${HEADERS}\r\nabc\r\n--b1--\r\n`;
const bytes = (text: string) => new TextEncoder().encode(text);

test('DW-7 the only part of an answer, with its transfer syntax', () => {
  const part = onlyPart(TYPE, bytes(WHOLE))!;
  expect(new TextDecoder().decode(part.bytes)).toBe('abc');
  expect(part).toMatchObject({
    mediaType: 'application/octet-stream',
    transferSyntax: '1.2.840.10008.1.2.1',
  });
});

test.each([
  ['a preamble', TYPE, `before\r\n${WHOLE}`, 'abc'],
  ['a quoted boundary', TYPE.replace('b1', '"b1"'), WHOLE, 'abc'],
  ['the right length', TYPE, WHOLE.replace(HEADERS, `${HEADERS}Content-Length: 3\r\n`), 'abc'],
  ['no headers', TYPE, '--b1\r\n\r\nabc\r\n--b1--', 'abc'],
  ['another length', TYPE, WHOLE.replace(HEADERS, `${HEADERS}Content-Length: 4\r\n`), undefined],
  ['a cut before the end', TYPE, WHOLE.slice(0, -4), undefined],
  ['a cut in the data', TYPE, WHOLE.slice(0, -12), undefined],
  ['a cut in the headers', TYPE, WHOLE.slice(0, 20), undefined],
  ['nothing', TYPE, '', undefined],
  ['two parts', TYPE, WHOLE.replace('--b1--', `--b1\r\n${HEADERS}\r\ndef\r\n--b1--`), undefined],
  ['no boundary in the type', 'multipart/related', WHOLE, undefined],
])('RFC 2046 §5.1 an answer with %s', (_what, type, body, expected) => {
  const part = onlyPart(type, bytes(body));
  expect(part && new TextDecoder().decode(part.bytes)).toBe(expected);
});

const jpeg = (process: number) =>
  new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, process, 0, 4, 0, 0]);
test.each([
  ['image/jpeg', jpeg(0xc0), '1.2.840.10008.1.2.4.50'],
  ['image/jpeg', jpeg(0xc1), '1.2.840.10008.1.2.4.51'],
  ['image/jpeg', jpeg(0xc3), '1.2.840.10008.1.2.4.70'],
  ['image/jpeg', new Uint8Array(3), '1.2.840.10008.1.2.4.70'],
  ['image/jls', new Uint8Array(3), '1.2.840.10008.1.2.4.80'],
  ['application/octet-stream', new Uint8Array(3), '1.2.840.10008.1.2.1'],
  ['video/mp4', new Uint8Array(3), undefined],
])('PS3.18 §8.7.3 a frame of %s without a transfer syntax', (mediaType, data, expected) => {
  expect(transferSyntaxOf(mediaType, data)).toBe(expected);
});

/** Returns the parts of an answer that comes in pieces of a length, and whether it was whole. */
async function partsIn(type: string, body: string, length: number): Promise<[string[], boolean]> {
  const all = bytes(body);
  async function* pieces() {
    for (let at = 0; at < all.length; at += length) yield Promise.resolve(all.subarray(at, at + length));
  }
  const parts = partsOf(type, pieces());
  const found: string[] = [];
  for (let next = await parts.next(); ; next = await parts.next()) {
    if (next.done) return [found, next.value];
    found.push(new TextDecoder().decode(next.value));
  }
}

const TWO = WHOLE.replace('--b1--', `--b1\r\n${HEADERS}\r\n\r\nd-b1\r\n--b\r\n\r\n--b1--`);
test.each([
  ['one part', TYPE, WHOLE, ['abc'], true],
  ['two parts, one with what looks like a boundary', TYPE, TWO, ['abc', '\r\nd-b1\r\n--b\r\n'], true],
  ['a preamble and an epilogue', TYPE, `before\r\n${WHOLE}after`, ['abc'], true],
  ['a cut in the second part', TYPE, TWO.slice(0, -20), ['abc'], false],
  ['a cut in the last boundary', TYPE, WHOLE.slice(0, -4), [], false],
  ['no boundary in the type', 'multipart/related', WHOLE, [], false],
  ['an empty part', TYPE, `--b1\r\n${HEADERS}\r\n\r\n--b1--`, [''], true],
  ['nothing', TYPE, '', [], false],
])(
  'RFC 2046 §5.1 the parts of an answer with %s, in pieces of any length',
  async (_what, type, body, parts, whole) => {
    for (const length of [1, 2, 3, 7, 64, 1000])
      expect(await partsIn(type, body, length)).toEqual([parts, whole]);
  },
);
