import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Pool } from 'undici';
import { expect, test } from 'vitest';
import { resending } from './resending.ts';

/** A server in a separate thread, which closes all idle connections on a message. */
const SERVER = `
  const { parentPort } = require('node:worker_threads');
  const server = require('node:http').createServer((_, response) => setTimeout(() => response.end('whole'), 50));
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  parentPort.on('message', (closed) => {
    server.closeIdleConnections();
    setTimeout(() => { Atomics.store(closed, 0, 1); Atomics.notify(closed, 0); }, 50);
  });
`;

test('RFC 9112 §9.3.1 answers a request although every idle connection was closed at the same time', async () => {
  const server = new Worker(SERVER, { eval: true });
  const [port] = (await once(server, 'message')) as [number];
  const pool = new Pool(`http://127.0.0.1:${port}`, { keepAliveTimeout: 60_000 });
  const ask = async () => (await pool.request({ method: 'GET', path: '/' })).body.text();
  try {
    await Promise.all(Array.from({ length: 6 }, ask));
    const closed = new Int32Array(new SharedArrayBuffer(4));
    server.postMessage(closed);
    // Blocks the event loop: this thread does not notice the closed connections before it sends the request.
    Atomics.wait(closed, 0, 0);
    expect(await resending(ask)).toBe('whole');
  } finally {
    await pool.destroy();
    await server.terminate();
  }
});

test('fails when the second attempt fails too', async () => {
  let asked = 0;
  const failing = () => Promise.reject(Object.assign(new Error(`no ${++asked}`), { code: 'ECONNRESET' }));
  await expect(resending(failing)).rejects.toThrow('no 2');
  await expect(resending(() => Promise.reject(new Error('another')))).rejects.toThrow('another');
});
