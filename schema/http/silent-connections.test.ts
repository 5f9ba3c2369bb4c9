import { once } from 'node:events';
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
