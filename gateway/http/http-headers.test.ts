import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { addFixedHeaders, earlyHeaders, fixedHeaders } from './http-headers.ts';

test.each([
  ['https://imaging.example.org/gateway', 'max-age=31536000'],
  ['http://localhost:4000', undefined],
])('RFC 6797 sends Strict-Transport-Security only when BASE_URL is https: %s', async (baseUrl, expected) => {
  const app = fastify();
  const fixed = await fixedHeaders(baseUrl);
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
  const policy = (await fixedHeaders('http://localhost:4000'))['content-security-policy']!.split(';');
  expect(policy).toEqual(
    expect.arrayContaining(["frame-src 'self' blob:", "object-src 'none'", "frame-ancestors 'self'"]),
  );
});
