import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { pipeBatched } from './batched-pipe.ts';

const CHUNK = 64 * 1024;

function numbered(count: number): { stream: Readable; made: () => number } {
  let made = 0;
  const stream = new Readable({
    highWaterMark: CHUNK,
    read() {
      this.push(made < count ? Buffer.alloc(CHUNK, made++) : null);
    },
  });
  return { stream, made: () => made };
}

it('writes all chunks in order, those of one turn with one call, and ends', async () => {
  const calls: number[][] = [];
  const destination = new Writable({
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => (chunk as Buffer)[0]!));
      setImmediate(done);
    },
  });
  pipeBatched(numbered(40).stream, destination, true);
  await once(destination, 'finish');
  expect(calls.flat()).toEqual(Array.from({ length: 40 }, (_, index) => index));
  expect(calls.length).toBeLessThan(20);
});

it('stops reading when the destination takes nothing', async () => {
  const { stream, made } = numbered(1000);
  pipeBatched(stream, new Writable({ write: () => undefined }), true);
  await expect.poll(made, { interval: 5 }).toBeGreaterThan(4);
  await sleep(50);
  expect(made() * CHUNK).toBeLessThan(1024 * 1024);
});

it('a short body that was made in one turn arrives whole', async () => {
  const server = createServer((_request, response) => {
    pipeBatched(Readable.from(['first', ' second', ' third']), response, true);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('first second third');
  server.close();
});

it('writes to a connection, also when a client is slow or leaves', async () => {
  const server = createServer((_request, response) => {
    const { stream } = numbered(100);
    pipeBatched(stream, response, true);
    response.once('close', () => stream.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const read = async (most: number) => {
    const [response] = (await once(get({ port }), 'response')) as [IncomingMessage];
    let at = 0;
    for await (const chunk of response) {
      const data = chunk as Buffer;
      for (const [index, byte] of [data[0]!, data.at(-1)!].entries())
        expect(byte).toBe(Math.floor((index === 0 ? at : at + data.length - 1) / CHUNK));
      at += data.length;
      if (at > most) return response.destroy();
      if (at % 3 === 0) await sleep(1);
    }
    expect(at).toBe(100 * CHUNK);
  };
  await Promise.all([read(Infinity), read(CHUNK), read(Infinity)]);
  server.closeAllConnections();
  server.close();
});
