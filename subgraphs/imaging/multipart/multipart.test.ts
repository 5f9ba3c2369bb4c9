import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { boundaryOf, MultipartError, randomBoundary, readMultipart, writeMultipart } from './multipart.ts';
import type { OutgoingPart } from './multipart.ts';
import { MultipartRelay, type RelayOptions } from './multipart-relay.ts';
import { objectTypeOf } from '../sources/stored/file-meta.ts';

async function* cut(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function gather(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function read(bytes: Buffer, size = 65536, boundary = 'b') {
  const parts: { headers: Record<string, string>; body: string }[] = [];
  for await (const part of readMultipart(cut(bytes, size), boundary)) {
    parts.push({ headers: part.headers, body: (await gather(part.body)).toString('latin1') });
  }
  return parts;
}

async function* list(parts: OutgoingPart[]) {
  yield* parts;
}

const bodies: [string, string][] = [
  [
    'with lengths',
    '--b\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\none\r\n--b\r\nContent-Length: 3\r\n\r\ntwo\r\n--b--',
  ],
  ['without lengths', '--b\r\nContent-Type: a/b\r\n\r\none\r\n--b\r\nX: y\r\n\r\ntwo\r\n--b--\r\n'],
  [
    'with a preamble, an epilogue and padding',
    'hello\r\n--b \t\r\nA: b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n--b--\r\nbye',
  ],
  ['with parts without a header', '\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--'],
];

describe('reading multipart/related', () => {
  it.each(bodies)('reads a body %s, in chunks of any size', async (_, text) => {
    for (const size of [1, 2, 3, 5, 7, 11, 64]) {
      const parts = await read(Buffer.from(text), size);
      expect(parts.map(({ body }) => body)).toEqual(['one', 'two']);
    }
  });

  it('keeps bytes that resemble the delimiter', async () => {
    const body = '\r\n--\r\n--a\r\n-\r\n';
    const parts = await read(Buffer.from(`--b\r\n\r\n${body}\r\n--b--`), 3);
    expect(parts[0]!.body).toBe(body);
  });

  it('skips the unread rest of a part', async () => {
    let count = 0;
    const source = cut(Buffer.from(bodies[0]![1]), 4);
    for await (const part of readMultipart(source, 'b')) {
      void part;
      count++;
    }
    expect(count).toBe(2);
  });

  it.each(bodies)('DW-13 fails for a body %s that ends early', async (_, text) => {
    const end = text.indexOf('--b--') + '--b--'.length;
    for (let length = 0; length < end; length++) {
      await expect(read(Buffer.from(text.slice(0, length)), 5), `${length} bytes`).rejects.toThrow(
        MultipartError,
      );
    }
  });

  it('refuses a part that is longer than its Content-Length, and a header without end', async () => {
    await expect(read(Buffer.from('--b\r\nContent-Length: 2\r\n\r\none\r\n--b--'))).rejects.toThrow(/longer/);
    await expect(read(Buffer.from(`--b\r\nA: ${'x'.repeat(40_000)}`))).rejects.toThrow(/too long/);
  });

  it.each([
    ['multipart/related; type="application/dicom"; boundary=abc', 'abc'],
    ['Multipart/Related; boundary="a b;c"; type=x', 'a b;c'],
    ['application/dicom; boundary=abc', undefined],
    [undefined, undefined],
  ])('finds the boundary of %s', (contentType, boundary) => expect(boundaryOf(contentType)).toBe(boundary));
});

describe('writing multipart/related', () => {
  const part = (body: string, size?: number): OutgoingPart => ({
    headers: { 'Content-Type': 'a/b' },
    ...(size !== undefined && { size }),
    body: Readable.from([Buffer.from(body)]),
  });

  it('writes parts that read back the same', async () => {
    const boundary = randomBoundary();
    const written = await gather(writeMultipart(list([part('one', 3), part('two'), part('')]), boundary));
    const parts = await read(written, 9, boundary);
    expect(parts).toEqual([
      { headers: { 'content-type': 'a/b', 'content-length': '3' }, body: 'one' },
      { headers: { 'content-type': 'a/b' }, body: 'two' },
      { headers: { 'content-type': 'a/b' }, body: '' },
    ]);
  });

  it.each([2, 4])('DW-13 fails when a part of 3 bytes was announced with %i', async (size) => {
    await expect(gather(writeMultipart(list([part('one', size)]), 'b'))).rejects.toThrow(MultipartError);
  });

  it('DW-13 makes random boundaries of at least 128 bits', () => {
    const some = new Set(Array.from({ length: 100 }, randomBoundary));
    expect(some.size).toBe(100);
    expect([...some].every((boundary) => /^[0-9a-f]{64}$/.test(boundary))).toBe(true);
  });

  it('requests a part only after the reader took the one before', async () => {
    let opened = 0;
    async function* parts(): AsyncGenerator<OutgoingPart> {
      for (; opened < 100;) {
        opened++;
        yield { headers: {}, body: Readable.from([Buffer.alloc(1_000_000)]) };
      }
    }
    const stream = writeMultipart(parts(), 'b');
    stream.read(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(opened).toBeLessThan(4);
    stream.destroy();
  });
});

describe('relaying multipart/related', () => {
  async function relay(text: string, size: number, options: Partial<RelayOptions> = {}) {
    const stream = Readable.from(cut(Buffer.from(text), size), { objectMode: false });
    const settings = { boundary: 'b', own: 'own', partType: objectTypeOf, ...options };
    const relayed = stream.pipe(new MultipartRelay(settings));
    stream.on('error', (error) => relayed.destroy(error));
    const bytes = await gather(relayed);
    return read(bytes, 65536, 'own');
  }

  it.each(bodies)('relays a body %s with a new boundary and new headers', async (_, text) => {
    for (const size of [1, 2, 3, 5, 7, 11, 64]) {
      const parts = await relay(text, size);
      expect(parts.map(({ body }) => body)).toEqual(['one', 'two']);
      expect(parts[0]!.headers['content-type']).toBe('application/dicom');
    }
  });

  it.each(bodies)('DW-13 fails for a body %s that ends early', async (_, text) => {
    const end = text.indexOf('--b--') + '--b--'.length;
    for (let length = 0; length < end; length++) {
      await expect(relay(text.slice(0, length), 5), `${length} bytes`).rejects.toThrow(MultipartError);
    }
  });

  it.each([1, 3])('DW-13 fails for two parts when %i are expected', async (parts) => {
    const text = '--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--';
    const [one] = await relay(text, 5, { parts: 2, partType: () => 'image/jls' });
    expect(one).toEqual({ headers: { 'content-type': 'image/jls' }, body: 'one' });
    await expect(relay(text, 5, { parts })).rejects.toThrow('2 parts');
  });

  it('relays empty parts, and refuses parts longer than their Content-Length', async () => {
    const empty = '--b\r\nContent-Length: 0\r\n\r\n\r\n--b\r\n\r\n\r\n--b--';
    expect((await relay(empty, 3)).map(({ body }) => body)).toEqual(['', '']);
    await expect(relay('--b\r\nContent-Length: 2\r\n\r\none\r\n--b--', 64)).rejects.toThrow(/longer/);
  });

  it("does not relay the archive's headers", async () => {
    const text = '--b\r\nContent-Location: http://internal/x\r\nContent-Length: 3\r\n\r\none\r\n--b--';
    expect((await relay(text, 64))[0]!.headers).toEqual({
      'content-type': 'application/dicom',
      'content-length': '3',
    });
  });
});
