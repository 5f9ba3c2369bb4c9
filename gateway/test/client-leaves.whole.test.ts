import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from '../audit/audit-event.ts';
import { logger } from '../http/logger.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/**
 * A client that leaves before it has its answer is no failure of the server: the audit says "client left" (outcome 4), and
 * no line of the log is above level 30. Way × arrangement; the sources hang until the client is gone.
 */

const PATIENT = DEMO_PATIENT;
const UID = '1.2.3';

const JSON_TYPE = { 'content-type': 'application/json' };
const graphql = (query: string, headers = {}) => ({
  method: 'POST',
  path: 'graphql',
  body: { query },
  headers: { ...JSON_TYPE, ...headers },
});
interface Way {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: object;
}
const WAYS: Record<string, Way> = {
  'GraphQL, a read': graphql(`{ Patient(id: "${PATIENT}") { birthDate } }`),
  'GraphQL, a search': graphql(`{ ObservationList(patient: "${PATIENT}") { id } }`),
  'GraphQL, images': graphql(`{ ImagingStudyList(patient: "${PATIENT}") { id } }`),
  'GraphQL, a join': graphql(
    `{ Patient(id: "${PATIENT}") { timeline { entries { title } } ImagingStudyList { id } } }`,
  ),
  'rows as a stream': graphql(
    `{ ObservationConnection(patient: "${PATIENT}") { edges { resource { id } } } }`,
    { accept: 'application/x-ndjson' },
  ),
  $graphql: { ...graphql(`{ Patient(id: "${PATIENT}") { birthDate } }`), path: 'fhir/$graphql' },
  'FHIR read': { path: `fhir/Patient/${PATIENT}` },
  'FHIR search': { path: `fhir/Observation?patient=${PATIENT}` },
  'FHIR batch': {
    method: 'POST',
    path: 'fhir',
    headers: { 'content-type': 'application/fhir+json' },
    body: {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'GET', url: `Patient/${PATIENT}` } }],
    },
  },
  $everything: { path: `fhir/Patient/${PATIENT}/$everything` },
  'ImagingStudy search': { path: `fhir/ImagingStudy?patient=${PATIENT}` },
  'ImagingStudy read': { path: `fhir/ImagingStudy/${UID}` },
  'QIDO-RS': { path: 'dicomweb/studies' },
  'WADO-RS study': { path: `dicomweb/studies/${UID}` },
  'WADO-RS zip': { path: `dicomweb/studies/${UID}`, headers: { accept: 'application/zip' } },
  'WADO-RS metadata': { path: `dicomweb/studies/${UID}/metadata` },
  'WADO-RS frames': { path: `dicomweb/studies/${UID}/series/1.2/instances/1.3/frames/1` },
  'WADO-RS rendered': { path: `dicomweb/studies/${UID}/rendered` },
  'WADO-URI': { path: `wado-uri?requestType=WADO&studyUID=${UID}&seriesUID=1.2&objectUID=1.3` },
  'a link': { method: 'POST', path: 'wado/links', body: { path: `studies/${UID}` }, headers: JSON_TYPE },
  MCP: {
    method: 'POST',
    path: 'mcp',
    headers: { ...JSON_TYPE, accept: 'application/json, text/event-stream' },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'query', arguments: { query: `{ Patient(id: "${PATIENT}") { birthDate } }` } },
    },
  },
};

/** Starts an EHR and archive that answers no search and no read. */
async function hungSource() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/fhir/metadata') return void response.writeHead(404).end();
    asked.push(request.url!);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe.each([
  ['one process', false],
  ['three processes', true],
])('%s', (_arrangement, split) => {
  let gateway: TestGateway;
  // Each way has its own: what one client has left must not be what the next one waits for.
  let sources: Awaited<ReturnType<typeof hungSource>>[];
  const events: AuditEvent[] = [];
  const lines: { level: number; code?: string }[] = [];

  beforeAll(async () => {
    sources = await Promise.all(Object.keys(WAYS).map(hungSource));
    const log = new Writable({
      write(chunk: Buffer, _encoding, done) {
        for (const line of chunk.toString().trim().split('\n'))
          lines.push(JSON.parse(line) as (typeof lines)[0]);
        done();
      },
    });
    const tenant = ({ url }: (typeof sources)[0], index: number) => [
      `way-${index}`,
      {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'fhir', baseUrl: `${url}/fhir` },
        images: { type: 'dicom-web', endpoint: `${url}/dicom-web`, lookup: 'all-studies-on-server' },
        mcp: { enabled: true },
      },
    ];
    gateway = await buildTestGateway(
      () => Object.fromEntries(sources.map(tenant)) as Record<string, unknown>,
      { images: '', patients: '' },
      (_tenant, event) => events.push(event),
      { port: await freePort(), split, log: logger('info', log) },
    );
  }, 60_000);
  afterAll(async () => {
    for (const { server } of sources) server.closeAllConnections();
    await gateway?.close();
    for (const { server } of sources) server.close();
  });
  beforeEach(() => {
    events.length = lines.length = 0;
  });

  test.each(Object.keys(WAYS))('IA-30 %s', async (way) => {
    const { method = 'GET', path, headers = {}, body } = WAYS[way]!;
    const index = Object.keys(WAYS).indexOf(way);
    const { server, asked } = sources[index]!;
    const request = send(`${gateway.baseUrl}/way-${index}/${path}`, { method, headers });
    request.on('error', () => undefined);
    request.end(body && JSON.stringify(body));
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBeGreaterThan(0);
    request.destroy();
    const connections = promisify(gateway.app.server.getConnections.bind(gateway.app.server));
    await expect.poll(connections, { timeout: 10_000 }).toBe(0);
    // What still waits for the source fails now.
    server.closeAllConnections();
    server.close();
    await expect.poll(() => events.length, { timeout: 5000 }).toBeGreaterThan(0);
    await new Promise((done) => setTimeout(done, 100));
    const outcomes = new Set(events.map(({ outcome }) => outcome.kind));
    // That the source has failed is true, and may be said.
    const failures = lines.filter(({ level, code }) => level > 30 && code !== 'unavailable');
    expect([[...outcomes], failures]).toEqual([['left'], []]);
  });
});

test('IA-30 the AuditEvent of a client that left is a minor failure with its reason', () => {
  const event = balpAuditEvent(
    {
      action: 'search',
      type: 'Observation',
      outcome: { kind: 'left' },
      tenant: 't',
      client: 'app',
      request: 'r',
      time: '2026-01-01T00:00:00Z',
    },
    'http://localhost/t',
  );
  expect(event).toMatchObject({ outcome: '4', outcomeDesc: 'client left' });
  expect(event.meta).toBeUndefined();
  const [request] = event.entity!;
  expect(request!.detail).toEqual([
    { type: 'transfer', valueString: expect.stringContaining('closed') as string },
  ]);
});
