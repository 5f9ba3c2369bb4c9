/** The connection to a subgraph, to the server of a real one with functions of this test. */
import type { FastifyInstance } from 'fastify';
import { setMaxListeners } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sealingKey, type Access } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { logger } from '../http/logger.ts';
import { tenantsOf } from '../test/gateway-alone.ts';
import { freePort } from '../test/setup/free-port.ts';
import { standInClinical } from '../test/stand-in-subgraphs.ts';
import type { ServedFunction } from './functions.ts';
import { SubgraphLink } from './link.ts';
import { buildSubgraphApp } from './subgraph-app.ts';

const KEY = 'a key that both processes have, long enough';
const tenants = tenantsOf({
  t: {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' },
  },
});
const tenant = tenants.byKey('t');
const access: Access = { tenant: 't', patients: [], permissions: [], expires: 0 };
const functions = {
  echo: async (_caller, asked: object) => asked,
  patients: async (caller) => (caller.access.patients as unknown[]).length,
  records: async ({ audit }) => audit({ action: 'read', outcome: { kind: 'allowed' } }),
  fails: async () => {
    throw new Fault('too_large', 'Ask for less.', { service: 'clinical' });
  },
} satisfies Record<string, ServedFunction>;
let app: FastifyInstance;
let link: SubgraphLink;
let now = Date.now();

beforeAll(async () => {
  app = await buildSubgraphApp({
    service: 'clinical',
    schema: standInClinical().schema,
    open: () => ({}),
    baseUrl: 'http://localhost',
    tenants,
    secrets: [KEY],
    routes: [],
    functions,
    log: logger('silent'),
    readiness: { ready: () => true, loading: () => [] },
    now: () => now,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  link = new SubgraphLink({ service: 'clinical', url, keys: [sealingKey(KEY)], now: () => now });
});
afterAll(async () => {
  await link.close();
  await app.close();
});

test('gives what a function returns, and throws its fault', async () => {
  const asked = { text: 'é', decimal: '\uE0001.10', list: [1, null] };
  expect(await link.call('echo', { tenant, access }, asked)).toEqual(asked);
  const failed = link.call('fails', { tenant, access }, {});
  await expect(failed).rejects.toMatchObject({ code: 'too_large', details: { service: 'clinical' } });
});

test('records here what a function records there', async () => {
  const recorded: unknown[] = [];
  await link.call('records', { tenant, access, audit: (one) => recorded.push(one) }, {});
  expect(recorded).toEqual([{ action: 'read', outcome: { kind: 'allowed' } }]);
});

test('takes the Access of a backend service with many patients', async () => {
  const patients = Array.from({ length: 20_000 }, (_, at) => ({ id: `patient-${at}`, studies: ['1.2.3'] }));
  expect(await link.call('patients', { tenant, access: { ...access, patients } }, {})).toBe(20_000);
});

test('work that takes longer than its Access is valid may still ask', async () => {
  const own = { ...access, expires: now / 1000 };
  for (const seconds of [0, 30, 61, 600]) {
    now += seconds * 1000;
    expect(await link.call('echo', { tenant, access: own }, { seconds })).toEqual({ seconds });
  }
});

test.each<[what: string, name: string, asked: object, of: object]>([
  ['a function that it does not have', 'unknown', {}, tenant],
  ['a question that is too large', 'echo', { text: 'x'.repeat(17_000_000) }, tenant],
  ['a tenant that it does not have', 'echo', {}, { ...tenant, path: 'other' }],
])('never takes a refusal for an answer: %s', async (_what, name, asked, of) => {
  const answer = link.call(name, { tenant: of as never, access }, asked);
  await expect(answer).rejects.toMatchObject({ code: 'unavailable', details: { service: 'clinical' } });
});

test('a process whose tenant has another record, or no such tenant, refuses for a moment', async () => {
  const refused = { code: 'unavailable', details: { retryAfter: 2 } };
  const other = { ...access, record: 'another record' };
  await expect(link.call('echo', { tenant, access: other }, {})).rejects.toMatchObject(refused);
  expect(await link.call('echo', { tenant, access: { ...access, record: tenant.recordKey } }, {})).toEqual(
    {},
  );
  const unknown = { ...tenant, path: 'new' };
  await expect(link.call('echo', { tenant: unknown, access }, {})).rejects.toMatchObject(refused);
  const response = await link.send({
    method: 'POST',
    path: '/t/functions/echo',
    access: other,
    isRepeatable: true,
  });
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '2']);
  await response.body.dump();
});

describe('a call that is aborted', () => {
  /** Starts a server that begins an answer and does not end it. */
  async function hanging() {
    const begun: string[] = [];
    const closed: string[] = [];
    const server = createHttpServer((request, response) => {
      begun.push(request.url!);
      response.on('close', () => closed.push(request.url!));
      response.write('{"value":');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const asked = new SubgraphLink({ service: 'clinical', url, keys: [sealingKey(KEY)], now: () => now });
    const call = (signal: AbortSignal) => asked.call('echo', { tenant, access, signal }, {});
    const close = async () => {
      await asked.close();
      server.close();
    };
    return { call, begun, closed, close };
  }

  test('ends its connection, and so the work there', async () => {
    const { call, begun, closed, close } = await hanging();
    const abort = new AbortController();
    const answer = call(abort.signal);
    await expect.poll(() => begun.length).toBe(1);
    abort.abort(new Error('The client has left.'));
    await expect(answer).rejects.toThrow('The client has left.');
    await expect.poll(() => closed).toEqual(['/t/functions/echo']);
    await close();
  });

  test('is not begun when it was aborted before, and does not wait for a connection', async () => {
    const { call, begun, closed, close } = await hanging();
    const stays = new AbortController();
    setMaxListeners(0, stays.signal);
    const others = Array.from({ length: 256 }, () => call(stays.signal));
    const abort = new AbortController();
    const waits = call(abort.signal);
    await expect.poll(() => begun.length).toBe(256);
    abort.abort(new Error('The client has left.'));
    await expect(waits).rejects.toThrow('The client has left.');
    await expect(call(abort.signal)).rejects.toThrow('The client has left.');
    stays.abort(new Error('The end.'));
    expect((await Promise.allSettled(others)).every(({ status }) => status === 'rejected')).toBe(true);
    await expect.poll(() => closed.length).toBe(256);
    await close();
  });
});

describe('a process that stops while it is asked', () => {
  /** Starts a server that ends its first connections as soon as they are used. */
  async function ending(first: number) {
    let made = 0;
    const server = createServer((socket) => {
      const ends = ++made <= first;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        if (ends) return socket.destroy();
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const asked = new SubgraphLink({ service: 'clinical', url, keys: [sealingKey(KEY)], now: () => now });
    const send = async (isRepeatable: boolean) => {
      const sent = { method: 'POST', path: '/t/graphql', access, body: '{}', isRepeatable };
      const { statusCode, body } = await asked.send(sent);
      await body.dump();
      return statusCode;
    };
    return {
      send,
      made: () => made,
      async close() {
        await asked.close();
        server.close();
      },
    };
  }

  test('is asked again, when all of its connections end', async () => {
    const { send, made, close } = await ending(3);
    expect([await send(true), made()]).toEqual([200, 4]);
    await close();
  });

  test('is asked once for what must not be done twice', async () => {
    const { send, made, close } = await ending(1);
    await expect(send(false)).rejects.toMatchObject({ code: 'unavailable' });
    expect(made()).toBe(1);
    await close();
  });

  test('is asked again when there is no connection: nothing was sent', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const asked = new SubgraphLink({ service: 'clinical', url, keys: [sealingKey(KEY)], now: () => now });
    const sent = asked.send({ method: 'POST', path: '/', access, isRepeatable: false });
    const later = createHttpServer((_request, response) => response.end());
    setTimeout(() => later.listen(port, '127.0.0.1'), 50);
    const { statusCode, body } = await sent;
    await body.dump();
    expect(statusCode).toBe(200);
    await asked.close();
    later.close();
  });
});
