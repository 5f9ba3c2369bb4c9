import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { closeSilentConnections } from './silent-connections.ts';

test('a server that stops waits for a request, and not for connections on which nothing was sent', async () => {
  const app = fastify({ forceCloseConnections: 'idle' });
  closeSilentConnections(app);
  app.get('/', async () => {
    await delay(1500);
    return 'answered';
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const silent = connect(Number(port), '127.0.0.1');
  await once(silent, 'connect');
  const answer = fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  await delay(200);
  const begun = performance.now();
  await app.close();
  expect(performance.now() - begun).toBeGreaterThan(1000);
  expect(performance.now() - begun).toBeLessThan(4000);
  expect(await (await answer).text()).toBe('answered');
  silent.destroy();
});

test('a connection that is kept, and whose answer ends while the server stops, is closed', async () => {
  const app = fastify({ forceCloseConnections: 'idle', keepAliveTimeout: 60_000 });
  closeSilentConnections(app);
  let begun: ServerResponse | undefined;
  app.get('/', (_request, reply) => {
    begun = reply.hijack().raw;
    begun.write('begun, ');
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  const closed = app.close();
  await delay(50);
  begun!.end('ended');
  const stopped = performance.now();
  expect(await answer.text()).toBe('begun, ended');
  await closed;
  expect(performance.now() - stopped).toBeLessThan(2000);
});
