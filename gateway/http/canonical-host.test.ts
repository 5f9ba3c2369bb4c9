import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { redirectToCanonicalHost } from './canonical-host.ts';

test.each<[string, string, string, string | undefined]>([
  ['http://localhost:4000', '127.0.0.1:4000', '/app/?tenant=demo', 'http://localhost:4000/app/?tenant=demo'],
  ['http://localhost:4000', '[::1]:4000', '/app/', 'http://localhost:4000/app/'],
  [
    'http://127.0.0.1:4000',
    'localhost:4000',
    '//evil.example/app/',
    'http://127.0.0.1:4000//evil.example/app/',
  ],
  ['http://localhost:4000', 'localhost:4000', '/app/', undefined],
  // Another port may be a tunnel to another machine.
  ['http://localhost:4000', '127.0.0.1:5000', '/app/', undefined],
  ['http://localhost:4000', 'evil.example:4000', '/app/', undefined],
  ['http://localhost:4000', 'not a host', '/app/', undefined],
  ['https://imaging.example.org', '127.0.0.1:4000', '/app/', undefined],
])('with BASE_URL %s, a page at %s%s redirects to %s', async (baseUrl, host, url, location) => {
  const app = fastify();
  app.addHook('onRequest', redirectToCanonicalHost(baseUrl));
  app.get('/*', async () => 'page');
  const answer = await app.inject({ url, headers: { host } });
  expect(answer.headers.location).toBe(location);
  expect(answer.statusCode).toBe(location === undefined ? 200 : 307);
});
