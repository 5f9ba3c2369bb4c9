import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isUnreachable } from '../../schema/outbound/unreachable.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { connectionFailure } from '../self-test/failure-reasons.ts';
import { createAuthority, type Authority, type Certificate } from '../test/setup/certificates.ts';
import { startChild } from '../test/setup/child.ts';
import { freePort, isOpen } from '../test/setup/free-port.ts';
import { outboundConnections, type Connections } from './connections.ts';
import { chooseProxy, type ProxySettings } from './proxy.ts';

const SETTINGS = { httpsProxy: 'http://secure:1', httpProxy: 'http://plain:2' };

test.each<[string, url: string, noProxy: string, expected: string | undefined]>([
  ['https', 'https://ehr.example.org/fhir', '', 'http://secure:1'],
  ['http', 'http://ehr.example.org/fhir', '', 'http://plain:2'],
  ['localhost', 'https://localhost:8443', '', undefined],
  ['a name below localhost', 'http://api.localhost', '', undefined],
  ['127.0.0.0/8', 'http://127.8.9.1', '', undefined],
  ['::1', 'http://[::1]:8042', '', undefined],
  ['::ffff:127.0.0.1', 'http://[::ffff:127.0.0.1]', '', undefined],
  ['a name', 'https://ehr.example.org', 'x, ehr.example.org', undefined],
  ['a name in upper case', 'https://ehr.example.org', 'EHR.Example.ORG', undefined],
  ['a name with a dot at its end', 'https://ehr.example.org.', 'ehr.example.org', undefined],
  ['a name below it', 'https://ehr.example.org', 'example.org', undefined],
  ['a name below, with a dot', 'https://ehr.example.org', '.example.org', undefined],
  ['a name below, with an asterisk', 'https://ehr.example.org', '*.example.org', undefined],
  ['another name with the same end', 'https://badexample.org', 'example.org', 'http://secure:1'],
  ['all', 'https://ehr.example.org', '*', undefined],
  ['a port', 'https://ehr.example.org', 'example.org:443', undefined],
  ['another port', 'https://ehr.example.org', 'example.org:8443', 'http://secure:1'],
  ['an address', 'http://10.1.2.3', '10.1.2.3', undefined],
  ['a network', 'http://10.1.2.3', '10.0.0.0/8', undefined],
  ['another network', 'http://11.1.2.3', '10.0.0.0/8', 'http://plain:2'],
  ['an address with another port', 'http://10.1.2.3', '10.1.2.3:81', 'http://plain:2'],
  ['an IPv6 network', 'http://[fd00::7]:104', 'fd00::/8', undefined],
  ['an IPv6 address', 'http://[fd00::7]', '[fd00::7]', undefined],
  ['an IPv6 address with a port', 'http://[fd00::7]:81', '[fd00::7]:81', undefined],
  ['an IPv6 address with another port', 'http://[fd00::7]:82', '[fd00::7]:81', 'http://plain:2'],
])('NO_PROXY: %s', (_name, url, noProxy, expected) => {
  expect(chooseProxy({ ...SETTINGS, noProxy })(new URL(url))).toBe(expected);
});

test('a proxy for https is not used for http', () => {
  expect(chooseProxy({ httpsProxy: 'http://secure:1' })(new URL('http://ehr.example.org'))).toBeUndefined();
});

/** A name that only the proxy knows. */
const HOST = 'ehr.hospital.test';
let authority: Authority;
let ours: Certificate;
let archive: Server;
let ehr: Server;
let proxy: Server;
/** What the proxy was asked for. */
let asked: string[] = [];
/** Status of its next answers, in place of the usual one. */
let refusal: number | undefined;

beforeAll(async () => {
  authority = createAuthority();
  ours = authority.issue('gateway');
  const { certificate, key } = authority.issue('server', `DNS:${HOST}`);
  const tls = { cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(authority.ca) };
  ehr = createTlsServer({ ...tls, requestCert: true }, (_request, response) => response.end('ehr'));
  archive = createServer((request, response) => response.end(`archive for ${request.headers.host}`));
  proxy = createServer();
  const note = (what: string, authorization?: string) =>
    asked.push(
      `${what} by ${authorization ? Buffer.from(authorization.slice(6), 'base64').toString() : 'nobody'}`,
    );
  proxy.on('connect', (request, socket) => {
    note(`CONNECT ${request.url}`, request.headers['proxy-authorization']);
    socket.on('error', () => undefined);
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal} Refused\r\n\r\n`);
    const far = connect(portOf(ehr), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
  });
  proxy.on('request', (request, response) => {
    note(`${request.method} ${request.url}`, request.headers['proxy-authorization']);
    if (refusal !== undefined) return void response.writeHead(refusal).end();
    const { pathname } = new URL(request.url!);
    const { host } = request.headers;
    httpRequest({ port: portOf(archive), path: pathname, headers: { host } }, (answer) =>
      answer.pipe(response),
    ).end();
  });
  await Promise.all([ehr, archive, proxy].map((server) => once(server.listen(0, '127.0.0.1'), 'listening')));
});
afterAll(() => {
  for (const server of [ehr, archive, proxy]) {
    server.closeAllConnections();
    server.close();
  }
  authority.remove();
});
afterEach(() => {
  asked = [];
  refusal = undefined;
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const tenant = { dynamic: false } as Tenant;
const through = (settings: Partial<ProxySettings> = {}): Connections => {
  const url = `http://user:p%40ss@127.0.0.1:${portOf(proxy)}`;
  return outboundConnections({
    httpsProxy: url,
    httpProxy: url,
    dynamicHosts: new Set<string>(),
    log: console,
    ...settings,
  });
};
const text = async (answer: Promise<Response>) => (await answer).text();

describe('calls through a proxy', () => {
  test('by https, in a tunnel with the certificates of the tenant', async () => {
    const { fetch, dispatcher } = through();
    const tls = { ca: authority.ca, ...ours };
    expect(await text(fetch(tenant, tls)(`https://${HOST}/fhir`))).toBe('ehr');
    const { body } = await dispatcher(tenant, tls)!.request({
      origin: `https://${HOST}:8443`,
      path: '/',
      method: 'GET',
    });
    expect(await body.text()).toBe('ehr');
    expect(asked).toEqual([`CONNECT ${HOST}:443 by user:p@ss`, `CONNECT ${HOST}:8443 by user:p@ss`]);
  });

  test('by https, and the certificate behind the proxy is checked', async () => {
    const { fetch } = through();
    await expect(fetch(tenant)(`https://${HOST}/`)).rejects.toMatchObject({
      cause: { code: expect.stringMatching(/^(UNABLE|SELF_SIGNED)/) },
    });
    await expect(fetch(tenant, { ca: authority.ca })('https://other.test/')).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  });

  test('by http, without a tunnel', async () => {
    const { fetch, dispatcher } = through();
    const url = `http://${HOST}:8042`;
    expect(await text(fetch(tenant)(`${url}/studies`))).toBe(`archive for ${HOST}:8042`);
    const answer = await dispatcher(tenant)!.request({ origin: url, path: '/series', method: 'GET' });
    expect(await answer.body.text()).toBe(`archive for ${HOST}:8042`);
    expect(asked).toEqual([`GET ${url}/studies by user:p@ss`, `GET ${url}/series by user:p@ss`]);
  });

  test('but not to loopback, nor to hosts of NO_PROXY', async () => {
    const { fetch } = through({ noProxy: HOST });
    expect(await text(fetch(tenant)(`http://127.0.0.1:${portOf(archive)}/`))).toMatch(/^archive/);
    await expect(fetch(tenant)(`https://${HOST}/`)).rejects.toMatchObject({
      cause: { code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
    });
    expect(asked).toEqual([]);
  });

  test('SM-15 but never for a dynamic tenant: the proxy would look up the name after the check', async () => {
    const { fetch, dispatcher } = through();
    const dynamic = { dynamic: true } as Tenant;
    await expect(fetch(dynamic)(`http://${HOST}/`)).rejects.toThrow();
    await expect(
      dispatcher(dynamic)!.request({ origin: `https://${HOST}`, path: '/', method: 'GET' }),
    ).rejects.toThrow();
    expect(asked).toEqual([]);
  });

  test.each<[number, unreachable: boolean, RegExp]>([
    [407, false, /^the proxy \(HTTPS_PROXY\) refuses/],
    [403, false, /^the proxy \(HTTPS_PROXY\) refuses/],
    [503, true, /^the proxy \(HTTPS_PROXY\) is away/],
  ])(
    'a proxy that answers %i is an error of the connection, without its password',
    async (status, unreachable, reason) => {
      refusal = status;
      const origin = `https://${HOST}`;
      const error = await through()
        .dispatcher(tenant)!
        .request({ origin, path: '/', method: 'GET' })
        .catch((cause: unknown) => cause);
      expect(isUnreachable(error)).toBe(unreachable);
      expect((error as Error).name).toBe('Error');
      expect(connectionFailure(error)).toMatch(reason);
      expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toMatch(
        /p@ss|p%40ss/,
      );
    },
  );

  test('a proxy that is away is unreachable', async () => {
    const httpsProxy = `http://127.0.0.1:${await freePort()}`;
    const error = await through({ httpsProxy })
      .fetch(tenant)(`https://${HOST}/`)
      .catch((cause: unknown) => cause);
    expect(isUnreachable(error)).toBe(true);
    expect(connectionFailure(error)).toMatch(/^the proxy \(HTTPS_PROXY\) is away/);
  });
});

test('tinyproxy, which passes on to that proxy, serves calls by https and http', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tinyproxy-'));
  const port = await freePort();
  const file = join(directory, 'tinyproxy.conf');
  // As Debian has it: a tunnel leads to the port of HTTPS only.
  const rules = ['BasicAuth user secret', 'ConnectPort 443', `Upstream http 127.0.0.1:${portOf(proxy)}`];
  writeFileSync(file, [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 10', ...rules, ''].join('\n'));
  const child = await startChild('/usr/bin/tinyproxy', ['-d', '-c', file], () => isOpen(port));
  try {
    const by = (password: string) => {
      const url = `http://user:${password}@127.0.0.1:${port}`;
      return through({ httpsProxy: url, httpProxy: url }).fetch(tenant, { ca: authority.ca, ...ours });
    };
    expect(await text(by('secret')(`https://${HOST}/`))).toBe('ehr');
    expect(await text(by('secret')(`http://${HOST}:8042/studies`))).toBe(`archive for ${HOST}:8042`);
    expect(asked).toEqual([`CONNECT ${HOST}:443 by nobody`, `GET http://${HOST}:8042/studies by nobody`]);
    const refused = await by('wrong')(`https://${HOST}/`).catch((cause: unknown) => cause);
    expect(connectionFailure(refused)).toMatch(/^the proxy \(HTTPS_PROXY\) refuses/);
  } finally {
    await child.end();
    rmSync(directory, { recursive: true, force: true });
  }
});
