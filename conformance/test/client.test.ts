import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Client, type ClientOptions } from '../client.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

/** Starts a server, and returns its origin. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const clientOf = (options: Partial<ClientOptions>) =>
  new Client({ trusted: [], token: 'secret', headers: {}, timeout: 2000, ...options });

describe('client', () => {
  test('credentials go to trusted origins only', async () => {
    const seen: (string | undefined)[] = [];
    const origin = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    });
    const client = clientOf({});
    await expect(client.send(origin)).rejects.toThrow('is another server; no token is sent there');
    await expect(client.send(origin, { credentials: 'other' })).rejects.toThrow('is another server');
    await client.send(origin, { credentials: 'none' });
    client.trust('http://other.example/dicomweb');
    await expect(client.send('http://other.example/x')).rejects.toThrow('is another server');
    client.trust(`${origin}/dicomweb`);
    await client.send(`${origin}/2`);
    await client.send(`${origin}/3`, { credentials: 'other' });
    const basic = clientOf({ trusted: [origin], token: undefined, headers: { authorization: 'Basic x' } });
    await basic.send(origin);
    await basic.send(origin, { credentials: 'none' });
    expect(seen).toEqual([undefined, 'Bearer secret', 'Bearer other', 'Basic x', undefined]);
  });

  test('a redirect is not followed', async () => {
    const origin = await serve((_, response) => response.writeHead(302, { location: '/elsewhere' }).end());
    expect((await clientOf({ trusted: [origin] }).send(origin)).status).toBe(302);
  });

  test('IA-19 a server that asks to wait is asked again, within the time of the request', async () => {
    let count = 0;
    const origin = await serve((request, response) => {
      const wait = request.url === '/for-ever' ? '60' : '0';
      if (wait === '0' && ++count > 2) response.end('done');
      else response.writeHead(503, { 'retry-after': wait }).end();
    });
    const waits: string[] = [];
    const client = clientOf({ trusted: [origin], onProgress: (text) => waits.push(text) });
    expect((await client.send(origin)).body.toString()).toBe('done');
    expect(waits).toHaveLength(2);
    expect((await client.send(`${origin}/for-ever`)).status).toBe(503);
  });

  test('equal requests are sent once', async () => {
    let count = 0;
    const origin = await serve((_, response) => response.end(String(++count)));
    const client = clientOf({ trusted: [origin] });
    const answers = await Promise.all([client.send(origin), client.send(origin), client.send(`${origin}/2`)]);
    expect(answers.map(({ body }) => body.toString()).sort()).toEqual(['1', '1', '2']);
  });

  test('an endless body, and one that breaks off, are errors', async () => {
    const origin = await serve((request, response) => {
      response.writeHead(200);
      if (request.url === '/broken') return void response.write('x', () => response.destroy());
      const more = () => void (response.writable && response.write(Buffer.alloc(2 ** 20), more));
      more();
    });
    const client = clientOf({ trusted: [origin], timeout: 20_000 });
    await expect(client.send(origin)).rejects.toThrow('the body is longer than');
    await expect(client.send(`${origin}/broken`)).rejects.toThrow();
  });

  test('a server that does not answer in time is an error', async () => {
    const origin = await serve(() => {});
    await expect(clientOf({ trusted: [origin], timeout: 100 }).send(origin)).rejects.toThrow('timeout');
  });
});
