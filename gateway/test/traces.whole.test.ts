/** Traces of the built gateway, as a collector receives them. The EHR and the archive are servers of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as forward, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { startTraceCollector, type TraceCollector } from './setup/trace-collector.ts';

const TOKEN = 'token-of-the-app-0123456789';
const PATIENT = 'patient-4711';
const MRN = 'MRN-0815';
const STUDY = '1.2.3.4711.1';
const FAMILY = 'Castellanos-Ruiz';
const SECRETS = [TOKEN, PATIENT, MRN, STUDY, FAMILY, '1970-03-04', 'CHEST', 'a-vendor'];
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

const directory = mkdtempSync(join(tmpdir(), 'traces-'));
const heard: IncomingHttpHeaders[] = [];
/** The archive, with an ear on the headers of its requests. */
const ear = createServer((asked, answer) => {
  heard.push(asked.headers);
  const { method, url, headers } = asked;
  const sent = forward(new URL(url!, orthanc.url), { method, headers }, (answered) => {
    answer.writeHead(answered.statusCode!, answered.headers);
    answered.pipe(answer);
  });
  asked.pipe(sent);
});
let ehr: AuthorizationServer;
let orthanc: Orthanc;
let collector: TraceCollector;
let gateway: GatewayProcess;

beforeAll(async () => {
  const study = smallObjects({ studyUid: STUDY, patientId: MRN, birthDate: '19700304', bodyPart: 'CHEST' });
  [ehr, orthanc, collector] = await Promise.all([
    authorizationServer(),
    startOrthanc({ files: study }),
    startTraceCollector(),
  ]);
  await new Promise<void>((done) => ear.listen(0, '127.0.0.1', done));
  ehr.patients.set(PATIENT, {
    resourceType: 'Patient',
    id: PATIENT,
    birthDate: '1970-03-04',
    identifier: [{ value: MRN }],
    name: [{ family: FAMILY }],
  });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set(TOKEN, { client_id: 'app', patient: PATIENT, exp, scope: 'patient/*.rs' });
  const { fhirBaseUrl, client } = ehr;
  const { username, password } = orthanc;
  const authentication = { type: 'http-basic', username, password };
  const lookup = 'studies-by-mrn';
  const web = `http://127.0.0.1:${(ear.address() as AddressInfo).port}/dicom-web`;
  const dimse = `dimse://127.0.0.1:${orthanc.dicomPort}`;
  const tenant = {
    authorization: { type: 'smart-on-fhir', fhirBaseUrl, client },
    clinical: { type: 'fhir', baseUrl: fhirBaseUrl },
    images: [
      { type: 'dicom-web', lookup, endpoint: web, authentication },
      { type: 'dicom-dimse', lookup, endpoint: dimse, calledAe: orthanc.aet },
      { type: 'folder', lookup, path: directory },
    ],
  };
  const stored = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: join(import.meta.dirname, '../demo/patients') },
    images: { type: 'folder', lookup: 'all-studies-on-server', path: directory },
  };
  for (const [key, file] of Object.entries({ hospital: tenant, stored }))
    writeFileSync(join(directory, `${key}.json`), JSON.stringify(file));
  gateway = await startGateway({
    TENANTS_DIR: directory,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await Promise.all([collector?.close(), ehr?.close(), orthanc?.stop()]);
  ear.close();
  rmSync(directory, { recursive: true, force: true });
});

const DOCUMENT = `query Chart($id: ID!) { Patient(id: $id) { name { family } ImagingStudyList { id } } }`;
interface Asking {
  payload?: object;
  headers?: Record<string, string>;
}
async function ask(path: string, { payload, headers = {} }: Asking = {}) {
  const authorization = `Bearer ${TOKEN}`;
  const { statusCode, body } = await request(`${gateway.url}/${path}`, {
    method: payload ? 'POST' : 'GET',
    headers: { authorization, ...(payload && { 'content-type': 'application/json' }), ...headers },
    body: payload ? JSON.stringify(payload) : null,
  });
  return { status: statusCode, text: await body.text() };
}
const chart = (headers: Record<string, string>) =>
  ask('hospital/graphql', { payload: { query: DOCUMENT, variables: { id: PATIENT } }, headers });

/** Waits for the span of a request, and returns all spans of its trace. */
async function traceOf(requestId: string) {
  return vi.waitFor(
    () => {
      const root = collector.spans.find(({ attributes }) => attributes['request.id'] === requestId);
      expect(root).toBeDefined();
      const spans = collector.spans.filter(({ traceId }) => traceId === root!.traceId);
      return { root: root!, spans };
    },
    { timeout: 10_000, interval: 50 },
  );
}

describe('a federated request is one trace', () => {
  test('that continues the trace of the caller, through the operation, to each source', async () => {
    const answer = await chart({
      traceparent: `00-${TRACE}-${CALLER}-01`,
      tracestate: 'vendor=a-vendor',
      baggage: 'of=a-vendor',
      'x-request-id': 'request-one',
    });
    expect(answer).toMatchObject({ status: 200, text: expect.not.stringContaining('"errors"') });
    expect(answer.text).toContain(STUDY);

    const { root, spans } = await traceOf('request-one');
    expect(root).toMatchObject({ traceId: TRACE, parentSpanId: CALLER, name: 'POST /:tenant/graphql' });
    expect(root.attributes).toMatchObject({
      'http.route': '/:tenant/graphql',
      'http.response.status_code': 200,
      'gateway.tenant': 'hospital',
    });
    const operation = spans.find(({ name }) => name === 'query Chart');
    expect(operation).toMatchObject({ parentSpanId: root.spanId });
    const ofType = (type: string) =>
      spans.filter(({ attributes }) => attributes['gateway.source.type'] === type);
    // Authorization comes before the operation.
    expect(ofType('ehr').map(({ name }) => name)).toContain('POST ehr');
    for (const { parentSpanId } of ofType('ehr')) expect(parentSpanId).toBe(root.spanId);
    for (const type of ['dicom-web', 'dicom-dimse', 'folder']) {
      expect([type, ...ofType(type).map(({ name }) => name)]).toContain('search studies');
      for (const { parentSpanId } of ofType(type)) expect(parentSpanId).toBe(operation!.spanId);
    }
    const [read] = ofType('fhir');
    expect(read).toMatchObject({ name: 'read Patient by its id', parentSpanId: operation!.spanId });

    // Their servers are told which call is theirs, and nothing else that the caller sent.
    const told = ({ spanId }: { spanId: string }) => `00-${TRACE}-${spanId}-01`;
    expect(ofType('ehr').map(told)).toContain(ehr.traceparents.get('/introspect'));
    expect([...ofType('ehr'), ...ofType('fhir')].map(told)).toContain(
      ehr.traceparents.get(`/fhir/Patient/${PATIENT}`),
    );
    const tellings = new Set(ofType('dicom-web').map(told));
    expect(new Set(heard.map(({ traceparent }) => traceparent))).toEqual(tellings);
    expect(heard.flatMap(Object.keys)).not.toContain('tracestate');
    expect(heard.flatMap(Object.keys)).not.toContain('baggage');
    expect([...collector.services]).toEqual(['smart-imaging-gateway']);
  });

  test.each([
    ['of zeros', `00-${'0'.repeat(32)}-${CALLER}-01`],
    ['too short', `00-${TRACE.slice(1)}-${CALLER}-01`],
    ['of an unknown form', `ff-${TRACE}-${CALLER}-01`],
    ['with more behind it', `00-${TRACE}-${CALLER}-01-more`],
    ['that is no such header', 'a-vendor'],
  ])('that begins here where the caller’s traceparent is %s', async (what, traceparent) => {
    const id = `bad-${what.replaceAll(' ', '-')}`;
    expect(
      (await ask('hospital/fhir/metadata', { headers: { traceparent, 'x-request-id': id } })).status,
    ).toBe(200);
    const { root } = await traceOf(id);
    expect(root.traceId).not.toBe(TRACE);
    expect(root.parentSpanId ?? '').toBe('');
  });

  test('that is not exported where the caller does not sample it', async () => {
    const unsampled = 'a'.repeat(32);
    await chart({ traceparent: `00-${unsampled}-${CALLER}-00` });
    await chart({ 'x-request-id': 'after-unsampled' });
    await traceOf('after-unsampled');
    expect(collector.spans.filter(({ traceId }) => traceId === unsampled)).toEqual([]);
  });

  test('also over the store of records, with the failure of a source', async () => {
    const id = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
    const headers = { 'x-request-id': 'of-the-store' };
    const answer = await ask('stored/graphql', { payload: { query: DOCUMENT, variables: { id } }, headers });
    expect(answer.status).toBe(200);
    const { spans } = await traceOf('of-the-store');
    expect(spans.map(({ attributes }) => attributes['gateway.source'])).toContain('clinical (store)');

    ehr.instead.set(`/fhir/Patient/${PATIENT}`, [500, {}]);
    await ask(`hospital/fhir/Patient/${PATIENT}`, { headers: { 'x-request-id': 'of-a-failure' } });
    ehr.instead.clear();
    const failed = (await traceOf('of-a-failure')).spans.find(({ status }) => status.code === 2);
    expect(failed?.attributes).toMatchObject({
      'error.type': expect.stringMatching(/^(bad_gateway|unavailable)$/),
    });
  });
});

test('each page of a stream is an operation of its trace', async () => {
  const rows = 'query Rows { ObservationConnection(_count: 20) { edges { resource { id } } } }';
  const headers = { accept: 'application/x-ndjson', 'x-request-id': 'of-a-stream' };
  const { status, text } = await ask('stored/graphql', { payload: { query: rows }, headers });
  expect(status).toBe(200);
  const { root, spans } = await traceOf('of-a-stream');
  const pages = spans.filter(({ name }) => name === 'query Rows');
  expect(pages).toHaveLength(Math.ceil(text.trim().split('\n').length / 20));
  expect(pages.length).toBeGreaterThan(2);
  for (const { parentSpanId } of pages) expect(parentSpanId).toBe(root.spanId);
});

test('SM-14 no span has a token, a patient, a study or a value of a search', async () => {
  const inline = DOCUMENT.replace('($id: ID!)', '').replace('$id', `"${PATIENT}"`);
  const REQUESTS: [path: string, payload?: object][] = [
    ['hospital/graphql', { query: inline }],
    ['hospital/graphql', { query: `{ Patient(id: "${PATIENT}") { nonsense } }` }],
    [
      'hospital/graphql',
      { query: `{ __type(name: "${FAMILY}") { name } Patient(id: "${PATIENT}") { id } }` },
    ],
    [`hospital/fhir/Patient/${PATIENT}`],
    [`hospital/fhir/Patient?name=${FAMILY}&birthdate=1970-03-04`],
    [`hospital/fhir/ImagingStudy?patient=${PATIENT}&identifier=urn:oid:${STUDY}`],
    [`hospital/fhir/ImagingStudy/${STUDY}`],
    [`hospital/dicomweb/studies?PatientID=${MRN}&BodyPartExamined=CHEST`],
    [`hospital/dicomweb/studies/${STUDY}/metadata`],
    [`hospital/dicomweb/studies/${STUDY}/series/${STUDY}.1/instances/${STUDY}.1.1`],
    [`hospital/nowhere/${PATIENT}?access_token=${TOKEN}`],
    [`${PATIENT}/graphql`],
    [`%${PATIENT}`],
  ];
  for (const [path, payload] of REQUESTS) await ask(path, payload && { payload });
  await ask('hospital/fhir/metadata', { headers: { 'x-request-id': 'the-last-one' } });
  await traceOf('the-last-one');
  const all = collector.received.join('\n');
  expect(all).toContain('GET /:tenant/dicomweb/studies/:study');
  for (const secret of SECRETS) expect([secret, all.includes(secret)]).toEqual([secret, false]);
}, 60_000);
