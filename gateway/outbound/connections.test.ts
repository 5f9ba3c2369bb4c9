import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { TlsConfig } from '../../schema/outbound/tls.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { createAuthority, replace, type Authority } from '../test/setup/certificates.ts';
import { passSecond } from '../test/setup/pass-second.ts';
import { connectionFailure } from '../self-test/failure-reasons.ts';
import { startChild } from '../test/setup/child.ts';
import { freePort, isOpen } from '../test/setup/free-port.ts';
import { outboundConnections } from './connections.ts';

let authority: Authority;
let server: Server;
let url: string;
/** Answers that have begun: each has the name in the client's certificate, and ends when a test ends it. */
let begun: ServerResponse[] = [];

beforeAll(async () => {
  authority = createAuthority();
  const { certificate, key } = authority.issue('server');
  const ca = readFileSync(authority.ca);
  server = createServer(
    {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ca,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.write(subject?.CN ?? 'nobody');
      if (request.url === '/slow') begun.push(response);
      else response.end();
    },
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  authority.remove();
});
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => {
  vi.useRealTimers();
  begun = [];
});

const tenant = { dynamic: false } as Tenant;
const open = (errors: string[] = []) =>
  outboundConnections({
    dynamicHosts: new Set(['127.0.0.1']),
    log: { info: () => undefined, error: (details) => void errors.push(JSON.stringify(details)) },
  });

test.each<[string, () => TlsConfig | undefined, boolean, answer: string]>([
  [
    'authority and certificate',
    () => ({ ca: authority.ca, ...authority.issue('gateway') }),
    false,
    'gateway',
  ],
  ['authority alone', () => ({ ca: authority.ca }), false, 'nobody'],
  ['certificate alone', () => authority.issue('gateway'), false, 'SELF_SIGNED_CERT_IN_CHAIN'],
  ['no `tls`', () => undefined, false, 'SELF_SIGNED_CERT_IN_CHAIN'],
  ['SM-15 `tls` of a dynamic tenant', () => ({ ca: authority.ca }), true, 'SELF_SIGNED_CERT_IN_CHAIN'],
])('%s: %s', async (_name, tls, dynamic, expected) => {
  const config = tls();
  const connections = open();
  const tenant = { dynamic } as Tenant;
  const fetched = await connections
    .fetch(
      tenant,
      config,
    )(url)
    .then((answer) => answer.text())
    .catch(({ cause }: Error) => (cause as { code: string }).code);
  expect(fetched).toBe(expected);
  const requested = await connections
    .dispatcher(tenant, config)
    ?.request({ origin: url, path: '/', method: 'GET' })
    .then(({ body }) => body.text())
    .catch(({ code }: { code: string }) => code);
  expect(requested ?? expected).toBe(expected);
});

test('a certificate of another name is refused', async () => {
  const { fetch } = open();
  const names = authority.issue('named', 'DNS:other.example.org');
  const other = createServer({ cert: readFileSync(names.certificate), key: readFileSync(names.key) });
  await once(other.listen(0, '127.0.0.1'), 'listening');
  const refused = fetch(tenant, { ca: authority.ca })(
    `https://127.0.0.1:${(other.address() as AddressInfo).port}`,
  );
  await expect(refused).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  other.close();
});

test('a server that wants a certificate of ours says so, and the operator gets that reason', async () => {
  const { certificate, key } = authority.issue('strict');
  const port = await freePort();
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-www', '-Verify', '1', '-verify_return_error'];
  const [of, trusted] = [
    ['-cert', certificate, '-key', key],
    ['-CAfile', authority.ca],
  ];
  const child = await startChild('/usr/bin/openssl', [...args, ...of!, ...trusted!], () => isOpen(port));
  const { fetch } = open();
  const get = (tls: TlsConfig) => fetch(tenant, tls)(`https://127.0.0.1:${port}/`);
  try {
    expect((await get({ ca: authority.ca, ...authority.issue('gateway') })).status).toBe(200);
    const error = await get({ ca: authority.ca }).catch((reason: unknown) => reason);
    expect(connectionFailure(error)).toMatch(/^it (ended TLS|closed the connection).*tls\.certificate/);
  } finally {
    await child.end();
  }
});

test('a renewed certificate is used by new requests at once, and running ones finish', async () => {
  const errors: string[] = [];
  const { fetch } = open(errors);
  const ours = authority.issue('before');
  passSecond();
  const tls = { ca: authority.ca, ...ours };
  const get = async (path = '/') => fetch(tenant, tls)(url + path);
  const slow = await get('/slow');
  expect(await (await get()).text()).toBe('before');

  replace(ours, authority.issue('after'));
  passSecond();
  expect(await (await get()).text()).toBe('after');
  begun[0]!.end(' to the end');
  expect(await slow.text()).toBe('before to the end');

  replace(ours, { ...authority.issue('third'), key: authority.ca });
  passSecond();
  expect(await (await get()).text()).toBe('after');
  expect(errors).toEqual([
    JSON.stringify({
      part: 'key',
      reason: `${ours.key} has no private key in PEM format, but a certificate`,
    }),
  ]);
});
