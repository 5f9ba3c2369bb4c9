/**
 * Retrievals that end early, from a real Orthanc through the whole gateway (DW-13, DW-15, DW-16, DW-18): the client
 * leaves, or the connection to the archive is cut.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from 'vitest';
import { TransferSyntax } from '../../schema/dicom/dicom.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { imageObject, SMALL } from './setup/image-object.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';

/** One film of 8 frames, 8 MB, in each archive; each has its own study. */
const [STUDY, OTHER] = ['1.2.3', '1.2.4'];
const SIDE = 1024;
const FRAMES_OF_FILM = 8;
const BYTES = SIDE * SIDE * FRAMES_OF_FILM;
const film = (uid: string) =>
  imageObject(
    uid,
    TransferSyntax.ExplicitVRLittleEndian,
    { ...SMALL, rows: SIDE, columns: SIDE, numberOfFrames: FRAMES_OF_FILM },
    // Random bytes, so that neither zip nor an image format compresses them.
    randomBytes(BYTES),
  );

const instance = (study: string) => `/dicomweb/studies/${study}/series/${study}.1/instances/${study}.1.1`;
const uri = (study: string) =>
  `/wado-uri?requestType=WADO&studyUID=${study}&seriesUID=${study}.1&objectUID=${study}.1.1`;
const FRAMES = Array.from({ length: FRAMES_OF_FILM }, (_, index) => index + 1).join();
type Form = [form: string, path: (study: string) => string, accept: string];
/** Forms that are sent while they are still being retrieved. */
const STREAMED: Form[] = [
  [
    'multipart',
    (study) => `/dicomweb/studies/${study}`,
    'multipart/related; type="application/dicom"; transfer-syntax=*',
  ],
  ['zip', (study) => `/dicomweb/studies/${study}`, 'application/zip'],
  ['single part', instance, 'application/dicom; transfer-syntax=*'],
  ['WADO-URI', (study) => `${uri(study)}&contentType=application/dicom&transferSyntax=*`, '*/*'],
  ['frames', (study) => `${instance(study)}/frames/${FRAMES}`, '*/*'],
];
const FORMS: Form[] = [...STREAMED, ['rendered', (study) => `${instance(study)}/rendered`, 'image/gif']];
const SOURCES = ['dicom-web', 'c-get', 'c-move', 'several'] as const;
/** C-CANCEL-RQ: the Command Field, (0000,0100) US 0FFF, PS3.7 §9.3.2.3. */
const CANCEL = Buffer.from('0000000102000000ff0f', 'hex');

let ehr: AuthorizationServer;
let gateway: TestGateway;
let archives: Orthanc[];
/**
 * Proxies in front of the first archive (HTTP and DIMSE), of the gateway (deliveries of C-MOVE), and of the second
 * archive.
 */
let proxies: Record<'http' | 'dimse' | 'scp' | 'second', TcpProxy>;
let url: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  const port = await freePort();
  const scp = await startTcpProxy(port);
  const configuration = { TranscodeDicomProtocol: false, HttpCompressionEnabled: false };
  const common = { configuration, modalities: { gateway: { aet: 'GATEWAY', port: scp.port } } };
  const first = await startOrthanc({ ...common, files: [film(STUDY)] });
  const second = await startOrthanc({ ...common, files: [film(OTHER)] });
  archives = [first, second];
  proxies = {
    http: await startTcpProxy(Number(new URL(first.url).port)),
    dimse: await startTcpProxy(first.dicomPort),
    scp,
    second: await startTcpProxy(Number(new URL(second.url).port)),
  };
  const authentication = { type: 'http-basic', username: first.username, password: first.password };
  const lookup = 'studies-by-mrn';
  const web = ({ port }: TcpProxy) => ({
    type: 'dicom-web',
    endpoint: `http://127.0.0.1:${port}/dicom-web`,
    authentication,
    lookup,
  });
  const dimse = (retrieval: string) => ({
    type: 'dicom-dimse',
    endpoint: `dimse://127.0.0.1:${proxies.dimse.port}`,
    lookup,
    ae: 'GATEWAY',
    calledAe: first.aet,
    retrieval,
  });
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const images = {
    'dicom-web': web(proxies.http),
    'c-get': dimse('c-get'),
    'c-move': dimse('c-move'),
    several: [web(proxies.http), web(proxies.second)],
  };
  gateway = await buildTestGateway(
    () => Object.fromEntries(Object.entries(images).map(([key, images]) => [key, { authorization, images }])),
    { images: '', patients: '' },
    undefined,
    // Nothing is cached: every request reads the archive.
    { dimse: { host: '127.0.0.1', port, maxBytes: 1 } },
  );
  const identifier = [{ value: 'BAD', type: { coding: [{ code: 'MR' }] } }];
  ehr.patients.set('p', { resourceType: 'Patient', id: 'p', identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('own', { client_id: 'app', exp, patient: 'p', scope: 'patient/*.rs' });
  url = await gateway.app.listen({ port: 0, host: '127.0.0.1' });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  for (const proxy of Object.values(proxies ?? {})) await proxy.stop();
  for (const archive of archives ?? []) await archive.stop();
});
beforeEach(() => {
  for (const proxy of Object.values(proxies)) {
    // Connections that are kept alive carry the next requests.
    proxy.connections = proxy.connections.filter(({ open }) => open);
    for (const connection of proxy.connections) Object.assign(connection, { bytes: 0, sent: [] });
  }
});
afterEach(() => {
  for (const proxy of Object.values(proxies))
    Object.assign(proxy, { cutAfter: Infinity, bytesPerSecond: Infinity });
});

// Kept alive: with `connection: close` undici 7.25 takes a cut for the end of the answer.
const get = (source: string, [, path, accept]: Form, study = STUDY, signal?: AbortSignal) =>
  request(`${url}/${source}${path(study)}`, {
    headers: { authorization: 'Bearer own', accept },
    signal: signal ?? null,
  });

/** Returns the connections that carry images: far more bytes than any search or command. */
const carrying = () =>
  Object.values(proxies).flatMap(({ connections }) => connections.filter(({ bytes }) => bytes > 500_000));

/** Lists files that DIMSE retrievals left behind. */
function spooled(): string[] {
  const directory = join(gateway.dataDir, 'dimse');
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

const ROWS = SOURCES.flatMap((source) => FORMS.map((form) => ({ source, form, name: form[0] })));
const isUsual = ({ source, form }: (typeof ROWS)[number]) =>
  isInTurn([FORMS.indexOf(form), SOURCES.indexOf(source)], SOURCES.length);

describe('DW-15, DW-16 the client leaves: within a second the retrieval is ended and leaves no file', () => {
  testEach(ROWS, isUsual)('$source, $name', async ({ source, form }) => {
    for (const proxy of Object.values(proxies)) proxy.bytesPerSecond = 4_000_000;
    const leaving = new AbortController();
    const given = get(source, form, STUDY, leaving.signal).then(
      ({ body }) => body.on('error', () => undefined).resume(),
      () => undefined,
    );
    await vi.waitFor(() => expect(carrying()).toHaveLength(1), { timeout: 10_000 });
    const [connection] = carrying();
    expect(connection!.open).toBe(true);
    leaving.abort();
    await given;
    await vi.waitFor(
      () => {
        expect(connection!.open).toBe(false);
        expect(spooled()).toEqual([]);
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(connection!.bytes).toBeLessThan(BYTES);
    expect(carrying()).toHaveLength(1);
    if (!source.startsWith('c-')) return;
    // The archive gets a C-CANCEL, not only a closed connection.
    await vi.waitFor(() => expect(proxies.dimse.connections.some(({ open }) => open)).toBe(false), {
      timeout: 10_000,
    });
    expect(proxies.dimse.connections.some(({ sent }) => Buffer.concat(sent).includes(CANCEL))).toBe(true);
  });
});

describe('DW-13 the archive is cut off: never a short answer that looks complete', () => {
  /** Returns the answer as the client sees it; `ended` where it looks complete. */
  async function whole(source: string, form: Form, study = STUDY) {
    const chunks: Buffer[] = [];
    let status = 0;
    try {
      const { statusCode, body } = await get(source, form, study);
      status = statusCode;
      for await (const chunk of body) chunks.push(chunk as Buffer);
      return { status, ended: true, bytes: Buffer.concat(chunks) };
    } catch {
      return { status, ended: false, bytes: Buffer.concat(chunks) };
    }
  }

  testEach(ROWS, isUsual)(
    '$source, $name',
    async ({ source, form }) => {
      const [name] = form;
      for (const proxy of Object.values(proxies)) proxy.cutAfter = BYTES / 2;
      const { status, ended, bytes } = await whole(source, form);
      if (ended)
        expect([status, bytes.subarray(0, 500).toString()]).toEqual([
          503,
          expect.stringContaining('unavailable'),
        ]);
      // The status of an answer that has begun cannot be changed any more.
      else expect([status, STREAMED.some(([streamed]) => streamed === name)]).toEqual([200, true]);
      expect(bytes.subarray(-4).toString('latin1')).not.toBe('--\r\n');
      // Pixels may hold the signature by chance; a real end record is the last thing of a zip.
      expect(bytes.subarray(-100).includes(Buffer.from('PK\x05\x06'))).toBe(false);
      await vi.waitFor(() => expect(spooled()).toEqual([]), { timeout: 10_000 });
      for (const proxy of Object.values(proxies)) proxy.cutAfter = Infinity;
      // No part was cached: the next answer is complete.
      const next = await whole(source, form);
      const said = next.status === 200 ? '' : next.bytes.toString();
      expect(`${next.status} ${next.ended} ${said}`).toBe('200 true ');
      if (name !== 'rendered') expect(next.bytes.length).toBeGreaterThan(BYTES);
    },
    30_000,
  );

  testEach(FORMS, (_, row) => row % 3 === 0)(
    'DW-18 several, %s: a study of the other archive is complete',
    async (...form) => {
      proxies.http.cutAfter = BYTES / 2;
      const [cut, given] = await Promise.all([whole('several', form), whole('several', form, OTHER)]);
      expect(cut.ended && cut.status === 200).toBe(false);
      expect([given.status, given.ended]).toEqual([200, true]);
      if (form[0] !== 'rendered') expect(given.bytes.length).toBeGreaterThan(BYTES);
    },
    30_000,
  );
});
