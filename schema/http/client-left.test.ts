import { fastify, type FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientLeft } from './client-left.ts';

let app: FastifyInstance;
let url: string;
/** Of the last request: ends with the client, and with the answer too. */
let signals: Record<'left' | 'over', AbortSignal> | undefined;

beforeEach(async () => {
  signals = undefined;
  app = fastify({ forceCloseConnections: true });
  app.get('/:answers', async ({ params }, reply) => {
    signals = { left: clientLeft(reply), over: clientLeft(reply, { orAnswered: true }) };
    const { answers } = params as { answers: string };
    return answers === 'yes' ? 'answer' : new Promise(() => undefined);
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

test('a client that leaves ends what was begun for it', async () => {
  const leaving = new AbortController();
  const asked = request(`${url}/no`, { signal: leaving.signal }).catch(() => undefined);
  await expect.poll(() => signals).toBeDefined();
  expect([signals!.left.aborted, signals!.over.aborted]).toEqual([false, false]);
  leaving.abort();
  await asked;
  await expect.poll(() => signals!.left.aborted && signals!.over.aborted).toBe(true);
  expect((signals!.left.reason as Error).name).toBe('AbortError');
});

test('one that has its answer ends only what is not to outlast the answer', async () => {
  const { body } = await request(`${url}/yes`);
  expect(await body.text()).toBe('answer');
  await expect.poll(() => signals!.over.aborted).toBe(true);
  expect(signals!.left.aborted).toBe(false);
});
