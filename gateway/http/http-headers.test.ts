import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { addFixedHeaders, earlyHeaders } from './http-headers.ts';

test.each([
  ['https://imaging.example.org/gateway', 'max-age=31536000'],
  ['http://localhost:4000', undefined],
])('RFC 6797 sends Strict-Transport-Security only when BASE_URL is https: %s', async (baseUrl, expected) => {
  const app = fastify();
  await addFixedHeaders(app, baseUrl);
  app.get('/', async () => '');
  expect((await app.inject('/')).headers['strict-transport-security']).toBe(expected);
  expect(earlyHeaders(baseUrl)['strict-transport-security']).toBe(expected);
});
