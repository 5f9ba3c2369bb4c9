import { fastify } from 'fastify';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { addFixedHeaders, compressTexts, earlyHeaders, fixedHeaders } from './http-headers.ts';

test.each([
  ['https://imaging.example.org/gateway', 'max-age=31536000'],
  ['http://localhost:4000', undefined],
])('RFC 6797 sends Strict-Transport-Security only when BASE_URL is https: %s', async (baseUrl, expected) => {
  const app = fastify();
  const fixed = fixedHeaders(baseUrl);
  await addFixedHeaders(app, fixed);
  app.get('/', async () => '');
  expect((await app.inject('/')).headers['strict-transport-security']).toBe(expected);
  expect(earlyHeaders(fixed)).toEqual({
    'access-control-allow-origin': '*',
    'access-control-expose-headers': expect.stringMatching(/^WWW-Authenticate, .*, X-Request-Id$/) as string,
    ...(expected && { 'strict-transport-security': expected }),
  });
});

test('a page of this server may frame documents that it has fetched, run no plug-in and be framed by none other', async () => {
  const policy = fixedHeaders('http://localhost:4000')['content-security-policy']!.split(';');
  expect(policy).toEqual(
    expect.arrayContaining(["frame-src 'self' blob:", "object-src 'none'", "frame-ancestors 'self'"]),
  );
});

const FHIR = 'application/fhir+json';
test.each<[type: string, characters: number, accepted: string | undefined, coding: string | undefined]>([
  [FHIR, 1_000, 'br, gzip', undefined],
  [FHIR, 4_000, 'br, gzip', 'br'],
  [FHIR, 4_000, 'gzip', 'gzip'],
  [FHIR, 4_000, undefined, undefined],
  [FHIR, 100_000, 'gzip, deflate, br', 'br'],
  [FHIR, 100_000, 'gzip', 'gzip'],
  ['application/dicom+json', 100_000, 'br', 'br'],
  ['application/dicom', 100_000, 'br, gzip', undefined],
  ['multipart/related; type="application/dicom"', 100_000, 'br, gzip', undefined],
  ['application/octet-stream', 100_000, 'br, gzip', undefined],
  ['image/jpeg', 100_000, 'br, gzip', undefined],
])('%s of %i characters for Accept-Encoding %s is sent as %s', async (type, characters, accepted, coding) => {
  const app = fastify();
  await compressTexts(app);
  const text = 'a1 b2 c3 d4 '.repeat(characters / 12);
  app.get('/', (_request, reply) => reply.type(type).send(Buffer.from(text)));
  const headers = accepted === undefined ? {} : { 'accept-encoding': accepted };
  const { headers: answered, rawPayload } = await app.inject({ url: '/', headers });
  expect(answered['content-encoding']).toBe(coding);
  const decode = { br: brotliDecompressSync, gzip: gunzipSync }[coding ?? ''] ?? ((bytes: Buffer) => bytes);
  expect(decode(rawPayload).toString()).toBe(text);
});
