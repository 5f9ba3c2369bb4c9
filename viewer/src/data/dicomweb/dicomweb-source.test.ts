import { afterEach, expect, test, vi } from 'vitest';
import { partOf } from '../../state/stage/bytes-of.ts';
import type { Answer, Transport } from '../transport.ts';
import { DicomwebSource } from './dicomweb-source.ts';

const AT = { dicomweb: 'https://images.example/dicomweb' };
const NAME = { study: '1.2', series: '1.2.3' };
const SIZE = { width: 10, height: 10 };
const { signal } = new AbortController();

afterEach(() => vi.restoreAllMocks());

/** Opens a series on a line, and returns what its frames are asked for in. */
async function askedFor(line: { bytesPerSecond: number }, stored: string | undefined): Promise<string> {
  const entry = { encodedBodySize: 30_000, responseStart: 100, responseEnd: 100 + 3e7 / line.bytesPerSecond };
  vi.spyOn(performance, 'getEntriesByName').mockReturnValue([entry as PerformanceResourceTiming]);
  const accepted: string[] = [];
  const transport = {
    json: () => Promise.resolve([stored ? { '00083002': { vr: 'UI', Value: [stored] } } : {}]),
    send: (url: string, { accept }: { accept: string }): Promise<Answer> => {
      accepted.push(accept);
      const mediaType = url.includes('/rendered') ? 'image/jpeg' : 'application/octet-stream';
      return Promise.resolve({ bytes: new Uint8Array(4), mediaType, headers: new Headers() } as Answer);
    },
  } as unknown as Transport;
  const source = new DicomwebSource(transport);
  await source.rendered(AT, NAME, SIZE, signal);
  await source.series(AT, NAME, signal);
  await source.frame(AT, { ...NAME, instance: '1.2.3.4', frame: 1 }, signal);
  return accepted[1]!;
}

const HTJ2K = /^multipart\/related; type="image\/jphc"; transfer-syntax=1\.2\.840\.10008\.1\.2\.4\.201, /;

test.each([
  ['without compression', '1.2.840.10008.1.2.1', 200_000, true],
  ['without compression, implicitly', '1.2.840.10008.1.2', 200_000, true],
  ['without compression', '1.2.840.10008.1.2.1', 20_000_000, false],
  // What is compressed already is no smaller as HTJ2K without loss.
  ['as JPEG', '1.2.840.10008.1.2.4.50', 200_000, false],
  ['in an unknown way', undefined, 200_000, false],
])('frames that are stored %s (%s), on a line of %i bytes a second, as HTJ2K: %s', async (...row) => {
  const [, stored, bytesPerSecond, compressed] = row;
  expect(HTJ2K.test(await askedFor({ bytesPerSecond }, stored))).toBe(compressed);
});

test.each<[string, Record<string, string>, number, number | undefined]>([
  ['a part', { 'content-range': 'bytes 4-7/100' }, 4, 100],
  ['all, where the server gives no parts', {}, 100, undefined],
  ['another part than the one that was asked for', { 'content-range': 'bytes 0-3/100' }, 4, undefined],
])('bytes of a value: %s', async (_what, headers, length, total) => {
  const asked: unknown[] = [];
  const transport = {
    send: (_url: string, { headers: own }: { headers: unknown }): Promise<Answer> => {
      asked.push(own);
      const bytes = new Uint8Array(length);
      return Promise.resolve({ bytes, mediaType: 'video/mp4', headers: new Headers(headers) });
    },
  } as unknown as Transport;
  const source = new DicomwebSource(transport);
  const part = await partOf('https://images.example/bulk', { from: 4, to: 8 }, source, signal);
  expect(asked).toEqual([{ range: 'bytes=4-7' }]);
  expect([part.bytes.length, part.total]).toEqual([length, total]);
});
