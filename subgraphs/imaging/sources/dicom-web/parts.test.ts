import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { inMemory } from '../../multipart/frame-bytes.ts';
import { BufferPool } from '../../multipart/buffer-pool.ts';
import { fileMeta } from '../stored/file-meta.ts';
import type { Answer } from './client.ts';
import { firstHeader, gathered, mediaTypeOf, partsOf } from './parts.ts';

test.each([
  ['image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50', ['image/jpeg', '1.2.840.10008.1.2.4.50']],
  ['Image/JLS; transfer-syntax="1.2.3"', ['image/jls', '1.2.3']],
  ['application/pdf', ['application/pdf']],
  [undefined, ['']],
  // Both go into headers of the gateway's answers.
  ['image/jpeg\r\nX: y; transfer-syntax=1.2\r\nX: y', ['']],
  ['image/jp\u00e9g; transfer-syntax=\u0001', ['']],
  ['x'.repeat(200) + '/y', ['']],
  // Active content of an archive must not run in the gateway's origin.
  ['text/html', ['']],
  ['application/xhtml+xml', ['']],
  ['image/svg+xml', ['']],
  ['text/javascript', ['']],
])('DW-10 reads the media type %j', (contentType, expected) => {
  expect(mediaTypeOf(contentType)).toEqual(expected);
});

test.each([
  ['ends early', '--b\r\n\r\nwhole?'],
  ['is longer than its Content-Length', '--b\r\nContent-Length: 2\r\n\r\nlonger\r\n--b--'],
  ['is shorter than its Content-Length', '--b\r\nContent-Length: 200\r\n\r\nshort\r\n--b--'],
])('DW-13 fails for a part that %s with 502', async (_, text) => {
  const contentType = 'multipart/related; boundary=b';
  const body = Readable.from([Buffer.from(text)]) as unknown as Answer['body'];
  const reading = async () => {
    for await (const part of partsOf({ status: 200, contentType, body })) for await (const _ of part.body);
  };
  await expect(reading()).rejects.toMatchObject({ code: 'bad_gateway', message: /is not valid/ });
});

test.each([
  ['--b\r\nContent-Type: image/jls\r\nContent-Length: 3\r\n\r\none\r\n--b--', 'image/jls', 3],
  ['\r\nwhat comes before\r\n--b\r\nContent-Type: image/jls\r\n\r\none\r\n--b--', 'image/jls', undefined],
])('reads the header of %j, and then the whole body', async (text, type, size) => {
  for (const step of [1, 7, text.length]) {
    const chunks = Array.from({ length: Math.ceil(text.length / step) }, (_, i) =>
      Buffer.from(text.slice(i * step, (i + 1) * step)),
    );
    const body = Readable.from(chunks, { objectMode: false }) as unknown as Answer['body'];
    const answer = { status: 200, contentType: 'multipart/related; boundary=b', body };
    const first = await firstHeader(answer);
    expect(first).toMatchObject({ headers: { 'content-type': type }, ...(size && { size }) });
    const frames: string[] = [];
    for await (const frame of gathered(partsOf(answer), 1, new BufferPool()))
      frames.push(Buffer.from(await inMemory(frame)).toString());
    expect(frames).toEqual(['one']);
  }
});

test.each([
  ['without a part', '--b--\r\n'],
  ['without bytes', ''],
  ['with a header without an end', `--b\r\nX: ${'x'.repeat(20_000)}`],
])('fails for an answer %s with 502', async (_, text) => {
  const body = Readable.from([Buffer.from(text)], { objectMode: false }) as unknown as Answer['body'];
  const answer = { status: 200, contentType: 'multipart/related; boundary=b', body };
  await expect(firstHeader(answer)).rejects.toMatchObject({ code: 'bad_gateway', message: /is not valid/ });
  expect(body.destroyed).toBe(true);
});

test.each([
  ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1'],
  ['1.2.3\r\nX-Y: z', undefined],
  ['nonsense', undefined],
])('reads the transfer syntax %j of the file meta information as %j', (value, transferSyntax) => {
  const element = Buffer.from([2, 0, 0x10, 0, 0x55, 0x49, value.length, 0, ...Buffer.from(value)]);
  const end = Buffer.from('080005004353000000000000', 'hex');
  const file = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element, end]);
  expect(fileMeta(file)?.transferSyntax).toBe(transferSyntax);
});
