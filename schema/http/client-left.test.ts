import { fastify, type FastifyInstance } from 'fastify';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { clientLeft } from './client-left.ts';

let app: FastifyInstance;
let url: string;
/** Signals of the last request: `left` aborts when the client leaves, `over` also when it was answered. */
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

test('both signals abort when the client leaves', async () => {
  const leaving = new AbortController();
  const asked = request(`${url}/no`, { signal: leaving.signal }).catch(() => undefined);
  await expect.poll(() => signals).toBeDefined();
  expect([signals!.left.aborted, signals!.over.aborted]).toEqual([false, false]);
  leaving.abort();
  await asked;
  await expect.poll(() => signals!.left.aborted && signals!.over.aborted).toBe(true);
  expect((signals!.left.reason as Error).name).toBe('AbortError');
});

test('only the signal with orAnswered aborts when the client has its answer', async () => {
  const { body } = await request(`${url}/yes`);
  expect(await body.text()).toBe('answer');
  await expect.poll(() => signals!.over.aborted).toBe(true);
  expect(signals!.left.aborted).toBe(false);
});
