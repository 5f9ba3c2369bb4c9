import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { outboundConnections } from '../../outbound/connections.ts';
import { call, limitedFetch, type UpstreamDeps } from './upstream.ts';

let server: Server;
let url: string;
let outside: UpstreamDeps;
/** Requests that a connection answers; it is closed at the next one. */
let good: number;
/** The methods of the requests so far, and the number of those without an answer. */
let asked: (string | undefined)[];
let lost: number;

beforeEach(async () => {
  asked = [];
  lost = 0;
  const served = new WeakMap<Socket, number>();
  server = createServer((request, response) => {
    asked.push(request.method);
    const before = served.get(request.socket) ?? 0;
    if (before >= good) {
      lost++;
      return void request.socket.destroy();
    }
    served.set(request.socket, before + 1);
    request.resume().on('end', () => response.end('{"ok":true}'));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${host}/`;
  outside = {
    dispatcher: outboundConnections({ dynamicHosts: new Set([host]), log: console }).dispatcher,
    now: Date.now,
  };
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

/** The properties of a tenant that `call` reads. */
const tenant = (dynamic: boolean) => ({ dynamic, authorization: {} }) as Tenant;
const form = () => ({ method: 'POST', body: new URLSearchParams({ token: 'x' }) });

describe.each([false, true])('a connection that ends before the answer (dynamic tenant: %s)', (dynamic) => {
  test.each([
    ['GET', undefined],
    ['POST', form()],
  ])('SM-9 repeats %s on a new connection when an idle one was closed', async (_method, init) => {
    good = 1;
    for (let i = 0; i < 3; i++) {
      expect(await call(outside, tenant(dynamic), url, init)).toEqual({ status: 200, json: { ok: true } });
    }
    expect(lost).toBeGreaterThan(0);
  });

  test('asks a server that closes every connection twice, then answers unavailable', async () => {
    good = 0;
    await expect(call(outside, tenant(dynamic), url, form())).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toEqual(['POST', 'POST']);
  });

  test('RFC 6749 §4.1.2 never sends a code or refresh token twice; repeats only reads', async () => {
    const ask = limitedFetch(outside, tenant(dynamic));
    good = 0;
    await expect(ask(url, form())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(ask(url, { method: 'GET' })).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toEqual(['POST', 'GET', 'GET']);
  });
});

test.each([
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['deflate', deflateSync],
])(
  'RFC 9110 §8.4.1 reads an answer that comes with the coding %s, although none was asked for',
  async (coding, encode) => {
    const headers: IncomingHttpHeaders[] = [];
    const compressing = createServer((request, response) => {
      headers.push(request.headers);
      response.writeHead(200, { 'content-encoding': coding }).end(encode('{"ok":true}'));
    });
    await new Promise<void>((done) => compressing.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${(compressing.address() as AddressInfo).port}`;
    expect(await call(outside, tenant(false), base)).toEqual({ status: 200, json: { ok: true } });
    expect(headers[0]).toMatchObject({ 'user-agent': 'smart-imaging-gateway' });
    compressing.closeAllConnections();
    await new Promise((done) => compressing.close(done));
  },
);

test('follows no redirect: a token would go to another server', async () => {
  const paths: (string | undefined)[] = [];
  const moved = createServer((request, response) => {
    paths.push(request.url);
    response.writeHead(307, { location: '/there' }).end();
  });
  await new Promise<void>((done) => moved.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(moved.address() as AddressInfo).port}`;
  await expect(call(outside, tenant(false), `${base}/here`, form())).rejects.toMatchObject({
    code: 'unavailable',
    cause: expect.objectContaining({ message: expect.stringMatching(/answered 307/) }),
  });
  expect(paths).toEqual(['/here']);
  moved.closeAllConnections();
  await new Promise((done) => moved.close(done));
});

test('SM-9 waits 3 s for the begin and 5 s for the end of an answer; longer for a request that cannot be repeated', async () => {
  const slow = createServer((request, response) => {
    const begins = request.url === '/begins';
    if (begins) response.writeHead(200, { 'content-type': 'application/json' }).write('{"ok":');
    if (request.url === '/late') setTimeout(() => response.end('{}'), 3600);
  });
  await new Promise<void>((done) => slow.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  // In the order in which they end, between timers of the same process.
  const ended: string[] = [];
  const note = async (name: string, asked: Promise<unknown>) => {
    const said = await asked.then(
      () => 'answered',
      (error: { code: string; details: { retryAfter?: number } }) =>
        `${error.code} ${error.details.retryAfter}`,
    );
    ended.push(`${name}: ${said}`);
  };
  const passed = async (seconds: number) => {
    await delay(seconds * 1000);
    ended.push(`${seconds} s`);
  };
  const once = limitedFetch(outside, tenant(false));
  await Promise.all([
    passed(2.5),
    passed(4.5),
    passed(6),
    note('never', call(outside, tenant(false), `${base}/never`, form())),
    note('begins', call(outside, tenant(false), `${base}/begins`)),
    note('late', call(outside, tenant(false), `${base}/late`)),
    note('code', once(`${base}/late`, form())),
  ]);
  slow.closeAllConnections();
  await new Promise((done) => slow.close(done));
  expect([...ended.slice(0, 1), ...ended.slice(1, 3).sort(), ...ended.slice(3)]).toEqual([
    '2.5 s',
    'late: unavailable 1',
    'never: unavailable 1',
    'code: answered',
    '4.5 s',
    'begins: unavailable 1',
    '6 s',
  ]);
}, 20_000);
