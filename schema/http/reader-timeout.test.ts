import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { endIdleReader } from './reader-timeout.ts';

const SECONDS = 0.5;
const CHUNK = randomBytes(256 * 1024);

let url: { port: number };
let answering: ServerResponse;
let ended: number;
let chunks: AsyncGenerator<Buffer>;
let close: () => void;

beforeEach(async () => {
  ended = 0;
  const server = createServer((_request, response) => {
    answering = response;
    endIdleReader(response, SECONDS, () => ended++);
    Readable.from(chunks, { objectMode: false }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = { port: (server.address() as AddressInfo).port };
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterEach(() => close());

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield CHUNK;
}

async function ask(): Promise<Socket> {
  const socket = connect(url.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n');
  return socket;
}

test('ends a client that reads nothing', async () => {
  chunks = endless();
  const socket = await ask();
  await delay(100);
  await once(answering, 'close');
  expect(ended).toBe(1);
  socket.destroy();
});

test('does not end a client that reads slowly', async () => {
  chunks = endless();
  const socket = await ask();
  const start = performance.now();
  const passed = () => performance.now() - start;
  let bytes = 0;
  while (passed() < 5 * SECONDS * 1000) {
    // Ten megabytes a second, also on a busy machine: the system reports them with delay.
    while (bytes < passed() * 10_000) {
      bytes += ((socket.read() as Buffer | null) ?? '').length;
      await immediate();
    }
    await delay(5);
  }
  expect(ended).toBe(0);
  expect(bytes).toBeGreaterThan(0);
  expect(answering.destroyed).toBe(false);
  socket.destroy();
});

test('does not end a client that waits for a slow answer', async () => {
  chunks = (async function* () {
    yield Buffer.from('first');
    await delay(4 * SECONDS * 1000);
    yield Buffer.from('last');
  })();
  const socket = await ask();
  let text = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (text.includes('last')) break;
  }
  expect(ended).toBe(0);
});

test('does not check a client that left before its answer', async () => {
  chunks = endless();
  const socket = await ask();
  await delay(100);
  socket.destroy();
  await once(answering, 'close');
  const checks = vi.spyOn(globalThis, 'setInterval');
  try {
    endIdleReader(answering, SECONDS, () => ended++);
    expect(checks).not.toHaveBeenCalled();
  } finally {
    checks.mockRestore();
  }
});
