/** ACCEL=nginx: what an archive does besides giving images reaches no client, and leads nginx nowhere. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { handoverProxy } from '../outbound/handover-proxy.ts';
import { asked } from './setup/asked-twice.ts';
import { freePort } from './setup/free-port.ts';
import { startAccelNginx } from './setup/nginx.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const KEY = 'k'.repeat(32);
const TOKEN = 'token-of-the-archive';
const STUDY = '1.7.1';
const PATH = `/open/dicomweb/studies/${STUDY}`;
const ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const TYPE = 'multipart/related; type="application/dicom"; boundary=b';
const [object] = smallObjects({ studyUid: STUDY, patientId: 'A' }) as [Buffer];
const BODY = Buffer.concat([
  Buffer.from('--b\r\nContent-Type: application/dicom\r\n\r\n'),
  object,
  Buffer.from('\r\n--b--\r\n'),
]);
/** Headers of an archive that no client may see. */
const OWN = {
  'set-cookie': 'session=of-the-archive; Path=/',
  'www-authenticate': 'Basic realm="of-the-archive"',
  'x-powered-by': 'of-the-archive',
  server: 'of-the-archive',
  etag: '"of-the-archive"',
  'last-modified': 'Mon, 02 Jan 2023 00:00:00 GMT',
  'cache-control': 'public, max-age=600',
  'access-control-allow-origin': 'https://of-the-archive.example',
  'access-control-allow-credentials': 'true',
  'content-security-policy': 'none',
  'content-location': 'http://of-the-archive/',
  'accept-ranges': 'bytes',
  'x-accel-redirect': '/_accel/http/of-the-archive/',
  'x-accel-authorization': 'of-the-archive',
  vary: '*',
};

let archive: Server;
let gateway: TestGateway;
let directory: string;
let nginx: Awaited<ReturnType<typeof startAccelNginx>>;
/** Requests for images so far. */
let requests: IncomingMessage[] = [];
let answer: (response: ServerResponse, request: IncomingMessage) => void;

const images = (response: ServerResponse): void =>
  void response.writeHead(200, { 'content-type': TYPE, ...OWN }).end(BODY);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'accel-archive-'));
  archive = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x');
    if (pathname.startsWith('/pacs/rs/studies/')) {
      requests.push(request);
      return answer(response, request);
    }
    const rows = [{ '0020000D': { vr: 'UI', Value: [STUDY] }, '00100020': { vr: 'LO', Value: ['A'] } }];
    response.writeHead(200, { 'content-type': 'application/dicom+json' }).end(JSON.stringify(rows));
  });
  await new Promise<void>((done) => archive.listen(0, '127.0.0.1', done));
  const endpoint = `http://127.0.0.1:${(archive.address() as AddressInfo).port}/pacs/rs`;
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const authentication = { type: 'bearer', token: TOKEN };
  const lookup = 'all-studies-on-server';
  gateway = await buildTestGateway(
    () => ({
      open: { authorization, images: { type: 'dicom-web', lookup, endpoint, authentication, patience: 1 } },
    }),
    { images: '', patients: '' },
    undefined,
    { port: await freePort(), proxy: handoverProxy(KEY, {}) },
  );
  nginx = await startAccelNginx(directory, { key: KEY, gateway: gateway.baseUrl, archive: endpoint });
}, 60_000);
afterAll(async () => {
  await nginx?.end();
  await gateway?.close();
  archive?.closeAllConnections();
  archive?.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  answer = images;
});

const HEADERS = {
  accept: ACCEPT,
  cookie: 'of=client',
  authorization: 'Bearer of-the-client',
  'x-own': 'client',
};
const ask = async (origin: string) => asked(origin, PATH, HEADERS);

test('the archive is asked with its own credentials, and gets nothing of the client', async () => {
  expect((await ask(nginx.url)).status).toBe(200);
  expect(requests.map(({ method, url, headers }) => [method, url, headers])).toEqual([
    [
      'GET',
      `/pacs/rs/studies/${STUDY}`,
      { host: 'archive', accept: ACCEPT, authorization: `Bearer ${TOKEN}` },
    ],
  ]);
});

test('headers of the archive do not reach the client; those of the gateway do', async () => {
  const [byNginx, byGateway] = [await ask(nginx.url), await ask(gateway.baseUrl)];
  expect([byNginx.headers, byNginx.parts]).toMatchObject([
    byGateway.headers,
    [{ media: 'application/dicom' }],
  ]);
  expect(byNginx.headers).toEqual(byGateway.headers);
  expect(JSON.stringify(byNginx.raw)).not.toMatch(/of-the-archive|token-of/);
});

test.each([301, 302, 304, 400, 401, 403, 404, 410, 429, 500, 501, 502, 503, 504])(
  'the archive answers %i: the client gets the answer of the gateway',
  async (status) => {
    answer = (response) =>
      void response
        .writeHead(status, {
          ...OWN,
          location: 'http://of-the-archive/',
          'content-type': 'text/html',
          'retry-after': '7',
        })
        .end(status === 304 ? undefined : '<b>of-the-archive</b>');
    const byGateway = await ask(gateway.baseUrl);
    const byNginx = await ask(nginx.url);
    expect([404, 502, 503]).toContain(byGateway.status);
    expect([byNginx.status, byNginx.headers, byNginx.parts]).toEqual([
      byGateway.status,
      byGateway.headers,
      byGateway.parts,
    ]);
    expect(JSON.stringify(byNginx)).not.toContain('of-the-archive');
  },
);

test('an answer that is no multipart is no page of our origin', async () => {
  answer = (response) =>
    void response.writeHead(200, { 'content-type': 'text/html' }).end('<script>alert(1)</script>');
  const { raw } = await ask(nginx.url);
  expect(raw).toMatchObject({
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
  });
});

test('an archive that breaks off before its first byte: the gateway answers; after it, the connection ends', async () => {
  answer = (response) => void response.destroy();
  expect((await ask(nginx.url)).status).toBe(503);
  answer = (response) => {
    response
      .writeHead(200, { 'content-type': TYPE, 'content-length': BODY.length })
      .write(BODY.subarray(0, 99));
    setTimeout(() => response.destroy(), 50);
  };
  await expect(ask(nginx.url)).rejects.toThrow();
});
