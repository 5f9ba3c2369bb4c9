import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ImagesConfig } from '../../../../schema/tenant/tenant.ts';
import { inMemory } from '../../multipart/frame-bytes.ts';
import { testTenant } from '../../test/subgraph.ts';
import { DicomWebClient } from './client.ts';
import { gathered, partsOf } from './parts.ts';
import { BufferPool } from '../../multipart/buffer-pool.ts';
import { awake } from '../../../../gateway/test/setup/processor-time.ts';

/** Ends of answers, byte for byte over sockets, because no HTTP server sends all of these. */

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Returns a client of an archive that sends this answer to every request and closes the connection. */
async function client(answer: string) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(answer));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  closing.push(() => new Promise((closed) => server.close(closed)));
  return clientOf((server.address() as AddressInfo).port);
}

function clientOf(port: number) {
  const endpoint = `http://127.0.0.1:${port}`;
  const { images } = testTenant({ type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' });
  const made = new DicomWebClient(images[0] as Extract<ImagesConfig, { type: 'dicom-web' }>, () => 0);
  closing.push(() => made.close());
  return made;
}

const OK = 'HTTP/1.1 200 OK\r\n';
const TYPE = 'Content-Type: application/octet-stream\r\n';
const CLOSE = 'Connection: close\r\n';
const LONG = 'x'.repeat(65_536);
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

test.each([
  ['a length', `${OK}${TYPE}${CLOSE}Content-Length: ${LONG.length}\r\n\r\n${LONG}`],
  [
    'a boundary',
    `${OK}Content-Type: multipart/related; boundary=b\r\n${CLOSE}\r\n--b\r\n\r\n${LONG}\r\n--b--\r\n`,
  ],
])('reads a whole answer with %s, also when its connection was closed before', async (_, text) => {
  const answer = await (await client(text)).get('/', { accept: '*/*' });
  // The archive closes the connection before the answer is read.
  await awake(200);
  const frames: number[] = [];
  for await (const frame of gathered(partsOf(answer), 1, new BufferPool())) frames.push(frame.length);
  expect(frames).toEqual([LONG.length]);
});

test.each([
  ['shorter than its length', 'unavailable', `${OK}${TYPE}${CLOSE}Content-Length: 10\r\n\r\nhello`],
  [
    'shorter than its length, on a kept connection',
    'unavailable',
    `${OK}${TYPE}Content-Length: 10\r\n\r\nhello`,
  ],
  [
    'that ends within a chunk',
    'bad_gateway',
    `${OK}${TYPE}${CLOSE}Transfer-Encoding: chunked\r\n\r\n${chunk('hello').slice(0, 6)}`,
  ],
  [
    'that ends between chunks',
    'bad_gateway',
    `${OK}${TYPE}${CLOSE}Transfer-Encoding: chunked\r\n\r\n${chunk('hello')}`,
  ],
  [
    'that ends between chunks, on a kept connection',
    'unavailable',
    `${OK}${TYPE}Transfer-Encoding: chunked\r\n\r\n${chunk('hello')}`,
  ],
  ['without length and chunks', 'bad_gateway', `${OK}${TYPE}${CLOSE}\r\nhello`],
])('DW-13 refuses an object %s: %s', async (_, code, text) => {
  const archive = await client(text);
  const reading = async () => {
    const answer = await archive.get('/', { accept: '*/*' });
    for await (const _ of gathered(partsOf(answer), 1, new BufferPool())) void _;
  };
  await expect(reading()).rejects.toMatchObject({ code });
});

test('reads an object in complete chunks', async () => {
  const archive = await client(`${OK}${TYPE}Transfer-Encoding: chunked\r\n\r\n${chunk('hello')}0\r\n\r\n`);
  const frames: string[] = [];
  for await (const frame of gathered(partsOf(await archive.get('/', { accept: '*/*' })), 1, new BufferPool()))
    frames.push(Buffer.from(await inMemory(frame)).toString());
  expect(frames).toEqual(['hello']);
});

test('DW-23 opens a new connection when the archive has closed all kept ones', async () => {
  const archive = createHttpServer((_, response) => setTimeout(() => response.end('[]'), 20));
  await new Promise<void>((listening) => archive.listen(0, '127.0.0.1', listening));
  closing.push(() => new Promise((closed) => archive.close(closed)));
  const client = clientOf((archive.address() as AddressInfo).port);
  const ask = async () => (await client.get('/', { accept: '*/*', purpose: 'searches' })).body.dump();
  const askAtOnce = () => Promise.all(Array.from({ length: 8 }, ask));
  await askAtOnce();
  archive.closeIdleConnections();
  await askAtOnce();
});
