import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { fileMeta } from '../file-meta.ts';
import type { Answer } from './client.ts';
import { mediaTypeOf, partsOf } from './parts.ts';

test.each([
  ['image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50', ['image/jpeg', '1.2.840.10008.1.2.4.50']],
  ['Image/JLS; transfer-syntax="1.2.3"', ['image/jls', '1.2.3']],
  ['application/pdf', ['application/pdf']],
  [undefined, ['']],
  // Both go into headers of ours.
  ['image/jpeg\r\nX: y; transfer-syntax=1.2\r\nX: y', ['']],
  ['image/jp\u00e9g; transfer-syntax=\u0001', ['']],
  ['x'.repeat(200) + '/y', ['']],
  // Nothing of an archive's is run as if it were ours.
  ['text/html', ['']],
  ['application/xhtml+xml', ['']],
  ['image/svg+xml', ['']],
  ['text/javascript', ['']],
])('DW-10 the media type %j', (contentType, expected) => {
  expect(mediaTypeOf(contentType)).toEqual(expected);
});

test.each([
  ['ends early', '--b\r\n\r\nwhole?'],
  ['is longer than it says', '--b\r\nContent-Length: 2\r\n\r\nlonger\r\n--b--'],
  ['is shorter than it says', '--b\r\nContent-Length: 200\r\n\r\nshort\r\n--b--'],
])('DW-13 a part that %s fails with the fault of the archive', async (_, text) => {
  const contentType = 'multipart/related; boundary=b';
  const body = Readable.from([Buffer.from(text)]) as unknown as Answer['body'];
  const reading = async () => {
    for await (const part of partsOf({ status: 200, contentType, body })) for await (const _ of part.body);
  };
  await expect(reading()).rejects.toMatchObject({ code: 'bad_gateway', message: /makes no sense/ });
});

test.each([
  ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1'],
  ['1.2.3\r\nX-Y: z', undefined],
  ['nonsense', undefined],
])('a transfer syntax that is %j in the file meta information', (value, transferSyntax) => {
  const element = Buffer.from([2, 0, 0x10, 0, 0x55, 0x49, value.length, 0, ...Buffer.from(value)]);
  const end = Buffer.from('080005004353000000000000', 'hex');
  const file = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element, end]);
  expect(fileMeta(file)?.transferSyntax).toBe(transferSyntax);
});
