/**
 * A study whose series lie in two archives (IA-35): each series has its endpoint, which is checked like that of the study, and
 * the study is retrieved as a whole (DW-18).
 */
import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const SPLIT = '1.2.35.1';
/** The second archive has a part of the first one's series, and no other. */
const PART = '1.2.35.2';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let directory: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  directory = await mkdtemp(join(tmpdir(), 'split-study-'));
  const of = (studyUid: string, more: object) => smallObjects({ studyUid, patientId: 'MRN-p', ...more });
  const objects = {
    one: [...of(SPLIT, { instances: 3 }), ...of(PART, { instances: 3 })],
    two: [...of(SPLIT, { series: 2, instances: 2 }), ...of(PART, { instances: 1 })],
  };
  const images: object[] = [];
  for (const [name, files] of Object.entries(objects)) {
    const path = join(directory, name);
    await mkdir(path);
    for (const [index, bytes] of files.entries()) await writeFile(join(path, `${index}.dcm`), bytes);
    images.push({ type: 'folder', path, lookup: 'studies-by-mrn' });
  }
  const [one, two] = images;
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const capability = { retrieve: 'capability' };
  gateway = await buildTestGateway(
    () => ({
      own: { authorization, images },
      capability: {
        authorization,
        images: [
          { ...one, ...capability },
          { ...two, ...capability },
        ],
      },
    }),
    { images: '', patients: '' },
  );
  for (const id of ['p', 'q']) {
    const identifier = [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    const exp = Math.floor(Date.now() / 1000) + 3600;
    ehr.tokens.set(id, { client_id: 'app', exp, patient: id, scope: 'patient/*.rs' });
  }
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});

const get = (url: string, token = 'p') =>
  gateway.app.inject({ url, headers: { authorization: `Bearer ${token}`, accept: '*/*' } });

test('IA-35 the study and each of its series have an endpoint', async () => {
  const read = (await get(`/own/fhir/ImagingStudy/${SPLIT}`)).json<ImagingStudy>();
  const { entry } = (await get('/own/fhir/ImagingStudy?patient=p')).json<Bundle>();
  const listed = entry!.find(({ resource }) => resource!.id === SPLIT)!.resource;
  for (const study of [read, listed]) {
    expect(study).toMatchObject({
      numberOfSeries: 2,
      numberOfInstances: 5,
      contained: [{ resourceType: 'Endpoint', id: 'e' }],
      series: [
        { uid: `${SPLIT}.1`, endpoint: [{ reference: '#e' }], instance: { length: 3 } },
        { uid: `${SPLIT}.2`, endpoint: [{ reference: '#e' }], instance: { length: 2 } },
      ],
    });
    expect((study as ImagingStudy).endpoint).toMatchObject([{ reference: '#e' }]);
  }
  const query = `{ ImagingStudy(id: "${SPLIT}") { endpoint { resource { ... on Endpoint { address } } } series { numberOfInstances endpoint { resource { ... on Endpoint { address } } } } } }`;
  const headers = { authorization: 'Bearer p' };
  const graph = await gateway.app.inject({
    method: 'POST',
    url: '/own/graphql',
    headers,
    payload: { query },
  });
  const endpoint = [{ resource: { address: 'http://localhost/own/dicomweb' } }];
  expect(graph.json()).toEqual({
    data: {
      ImagingStudy: {
        endpoint,
        series: [
          { numberOfInstances: 3, endpoint },
          { numberOfInstances: 2, endpoint },
        ],
      },
    },
  });
});

test.each([
  [`${SPLIT}/series/${SPLIT}.1`, 200],
  [`${SPLIT}/series/${SPLIT}.2`, 200],
  [`${SPLIT}/series/${SPLIT}.2/metadata`, 200],
  [`${SPLIT}/series/${SPLIT}.2/instances/${SPLIT}.2.1/frames/1`, 200],
  [`${SPLIT}/series/${SPLIT}.3`, 404],
  // The gateway joins the parts of both archives.
  [SPLIT, 200],
  [`${SPLIT}/metadata`, 200],
  [PART, 200],
])('IA-35 /studies/%s is answered with %i, and with 404 for another patient', async (path, status) => {
  const url = `/own/dicomweb/studies/${path}`;
  expect((await get(url)).statusCode).toBe(status);
  expect((await get(url, 'q')).statusCode).toBe(404);
});

test('IA-35 the endpoints of series have a capability where those of studies have one', async () => {
  const { entry = [] } = (await get('/capability/fhir/ImagingStudy?patient=p')).json<Bundle>();
  const study = entry.find(({ resource }) => resource!.id === SPLIT)!.resource as ImagingStudy;
  for (const { uid, endpoint } of study.series!) {
    const included = entry.find(({ fullUrl }) => fullUrl === endpoint![0]!.reference)!
      .resource as unknown as { address: string };
    const url = included.address.replace('http://localhost', '');
    expect((await get(`${url}/studies/${SPLIT}/series/${uid}`)).statusCode).toBe(200);
    expect((await get(`${url}/studies/${SPLIT}/series/${uid}`, 'q')).statusCode).toBe(403);
  }
});
