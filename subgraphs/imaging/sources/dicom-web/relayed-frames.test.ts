import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ImagesConfig } from '../../../../schema/tenant/tenant.ts';
import { dicomWebSource } from '../dicom-web.ts';
import { testParsing } from '../../test/parsing.ts';
import { testTenant } from '../../test/subgraph.ts';
import { awake } from '../../../../gateway/test/setup/processor-time.ts';

const parsing = testParsing();

/** Relayed frames of archives with invalid answers, byte for byte. */

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Returns frames of an archive that sends this answer to every request and keeps the connection `socket`. */
async function frames(body: string, count: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: 1000000';
    socket.once('data', () => socket.write(`${head}\r\n\r\n${body}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => (sockets.forEach((socket) => socket.destroy()), server.close()));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { images } = testTenant({ type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' });
  const source = dicomWebSource(images[0] as Extract<ImagesConfig, { type: 'dicom-web' }>, () => 0, parsing);
  closing.push(() => source.close());
  const target = { studyUid: '1.2', seriesUid: '1.3', instanceUid: '1.4' };
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const { relay } = await source.frames(target, numbers);
  return { relay: relay!, socket: sockets[0]! };
}

const part = (frame: string) =>
  `--b\r\nContent-Type: image/jls\r\nContent-Length: ${frame.length}\r\n\r\n${frame}`;

test('DW-13 fails at once when the archive has left before frames are relayed', async () => {
  const { relay, socket } = await frames(part('one'), 1);
  socket.destroy();
  await awake(100);
  await expect(relay.open('own', 'image/jls')).rejects.toMatchObject({ code: 'unavailable' });
});

test('DW-13 does not relay a frame too many, which would exceed the announced length', async () => {
  const { relay, socket } = await frames(part('one'), 1);
  const body = await relay.open('own', 'image/jls');
  socket.write(`\r\n${part('two')}`);
  let given = '';
  const reading = async () => {
    for await (const chunk of body as AsyncIterable<Buffer>) given += chunk.toString();
  };
  await expect(reading()).rejects.toThrow('has 2 parts');
  expect(given.endsWith('one')).toBe(true);
});

test('DW-13 gives the size of the relayed part, whatever is before it', async () => {
  const before = 'no --b\r\nContent-Length: 99\r\n\r\n\r\n';
  const { relay } = await frames(`${before}${part('one')}\r\n--b--`, 1);
  expect(relay.size).toBe(3);
  (await relay.open('own', 'image/jls')).on('error', () => undefined).destroy();
});

test('DW-13 fails for a later reader when the archive leaves before reading', async () => {
  const { relay, socket } = await frames(part('one').slice(0, -1), 1);
  const body = await relay.open('own', 'image/jls');
  socket.destroy();
  await awake(100);
  await expect(body.toArray()).rejects.toThrow();
});
