import { createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/**
 * `.` and `..` are this folder and the one above in the path of a URL (RFC 3986 §5.2.4). Their characters are allowed
 * in an id and in a UID; the gateway refuses them as ids and UIDs, and no such request reaches a server behind it
 * (IA-23).
 */

let behind: Server;
/**
 * Method and path of every request to the clinical server and the archive, which answer every request with success.
 */
const seen: string[] = [];
let gateway: TestGateway;

beforeAll(async () => {
  behind = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    // A question that has no id: what the server can do.
    if (pathname !== '/fhir/metadata') seen.push(`${request.method} ${request.url}`);
    const uid = searchParams.get('0020000D') ?? '..';
    const [, type, id = '..'] = /^\/fhir\/([A-Za-z]*)(?:\/(.*))?$/.exec(pathname) ?? [];
    const rows = [{ '0020000D': { vr: 'UI', Value: [uid] }, '00100020': { vr: 'LO', Value: ['MRN1'] } }];
    const json = type === undefined ? rows : { resourceType: type || 'Patient', id };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json));
  });
  await new Promise<void>((done) => behind.listen(0, '127.0.0.1', done));
  const base = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`;
  const open = (more: object) => ({
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'fhir', baseUrl: `${base}/fhir` },
    images: { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: `${base}/dicom`, ...more },
  });
  gateway = await buildTestGateway(
    () => ({ open: open({}), capability: open({ retrieve: 'capability' }) }),
    { images: '/nowhere', patients: '/nowhere' },
    undefined,
    { port: await freePort() },
  );
});
afterAll(async () => {
  await gateway?.close();
  behind?.closeAllConnections();
  await new Promise((done) => behind?.close(done));
});
beforeEach(() => {
  seen.length = 0;
});

/** Sends the path unchanged: `fetch` would resolve its segments. */
function ask(path: string, body?: object): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(gateway.baseUrl);
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = send({ hostname, port, path, method: body ? 'POST' : 'GET', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
      );
    });
    sent.on('error', reject).end(body && JSON.stringify(body));
  });
}

const PATHS: [path: string, status: number][] = [
  ['/open/fhir/Patient/{id}', 404],
  ['/open/fhir/Observation/{id}', 404],
  ['/open/fhir/Patient/{id}/$graphql?query={birthDate}', 404],
  ['/open/fhir/ImagingStudy/{id}', 404],
  ['/capability/fhir/Endpoint/{id}', 404],
  ['/open/fhir/ImagingStudy?patient={id}', 400],
  ['/open/fhir/ImagingStudy?patient=Patient/{id}', 400],
  ['/open/dicomweb/studies/{id}', 400],
  ['/open/dicomweb/studies/{id}/metadata', 400],
  ['/open/dicomweb/studies/{id}/series', 400],
  ['/open/dicomweb/studies/1.2.3/series/{id}/metadata', 400],
  ['/open/dicomweb/studies/1.2.3/series/{id}/instances', 400],
  ['/open/dicomweb/studies/1.2.3/series/4.5/instances/{id}', 400],
  ['/open/dicomweb/studies/1.2.3/series/{id}/instances/{id}/frames/1', 400],
  ['/open/dicomweb/studies/1.2.3/series/{id}/instances/{id}/rendered', 400],
  ['/open/dicomweb/studies?StudyInstanceUID={id}', 400],
  ['/open/wado-uri?requestType=WADO&studyUID={id}&seriesUID=4.5&objectUID=6.7', 400],
  ['/open/wado-uri?requestType=WADO&studyUID=1.2.3&seriesUID={id}&objectUID={id}', 400],
];

test.each(PATHS)('IA-23 %s → %i', async (path, status) => {
  for (const id of ['..', '.', '%2e%2e', '%2E', '%2e.']) {
    const answer = await ask(path.replaceAll('{id}', id));
    expect([id, answer.status, seen]).toEqual([id, status, []]);
  }
});

test.each([
  ['Patient(id: "..") { birthDate }', undefined],
  ['Condition(id: "..") { id }', undefined],
  ['ImagingStudy(id: "..") { id }', undefined],
  ['Patient(id: $id) { birthDate }', { id: '.' }],
])('IA-23 GraphQL { %s } %j: null and an error', async (field, variables) => {
  const query = variables ? `query($id: ID!) { ${field} }` : `{ ${field} }`;
  const { status, text } = await ask('/open/graphql', { query, ...(variables && { variables }) });
  const { data, errors } = JSON.parse(text) as { data: Record<string, unknown>; errors: object[] };
  expect([status, Object.values(data), seen]).toEqual([200, [null], []]);
  expect(errors).toMatchObject([{ extensions: { code: 'not_found' } }]);
});

test.each(['studies/..', 'studies/1.2.3/series/..', 'studies/1.2.3/series/4.5/instances/.'])(
  'IA-23 a link to %s is 400',
  async (path) => {
    expect((await ask('/open/wado/links', { path })).status).toBe(400);
    expect(seen).toEqual([]);
  },
);

test('valid ids and UIDs reach the servers behind', async () => {
  expect((await ask('/open/fhir/Patient/a.b')).status).toBe(200);
  expect(seen).toEqual(['GET /fhir/Patient/a.b']);
  await ask('/open/dicomweb/studies/1.2.3/series/4.5/metadata');
  expect(seen.join()).toContain('GET /dicom/studies?0020000D=1.2.3');
});
