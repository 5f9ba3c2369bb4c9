import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import fastify from 'fastify';
import { expect, test } from 'vitest';
import { closeSilentConnections } from './silent-connections.ts';
import { timeAwake } from '../../gateway/test/setup/processor-time.ts';

test('a server that stops waits for a request, and not for connections on which nothing was sent', async () => {
  const app = fastify({ forceCloseConnections: 'idle' });
  closeSilentConnections(app);
  const asked = new EventEmitter();
  app.get('/', async () => {
    asked.emit('asked');
    await once(asked, 'answer');
    return 'answered';
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const silent = connect(Number(port), '127.0.0.1');
  await once(silent, 'connect');
  const isAsked = once(asked, 'asked');
  const answer = fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  await isAsked;
  const closed = app.close().then(() => 'closed');
  expect(await Promise.race([closed, delay(300, 'waits')])).toBe('waits');
  asked.emit('answer');
  expect(await (await answer).text()).toBe('answered');
  await closed;
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
  expect(await answer.text()).toBe('begun, ended');
  expect(await timeAwake(() => closed)).toBeLessThan(2000);
});
