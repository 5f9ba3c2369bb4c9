/** Lists of studies whose selection needs instances: asked for once with the list, and kept only as long as they are true. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { writePatients } from '../bench/data/large-patient.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const STUDIES = 10;
const QUERY = '{ Patient(id: "p1") { ImagingStudyList { id series { uid instance { uid wadoUrl } } } } }';

const directory = mkdtempSync(join(tmpdir(), 'instances-of-lists-'));
let orthanc: Orthanc;
let archive: Server;
let gateway: TestGateway;
/** Searches of instances that the archive got. */
let searches = 0;
/** Whether the archive refuses searches of instances. */
let refuses = false;
/** Instances that the archive leaves out of its answers. */
let hidden = 0;

beforeAll(async () => {
  const data = await writePatients(directory, { resources: 1, instances: 2 });
  const files = readdirSync(data.images, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  orthanc = await startOrthanc({ files });
  const authorization = `Basic ${btoa(`${orthanc.username}:${orthanc.password}`)}`;
  archive = createServer((incoming, response) => {
    void (async () => {
      const isOfInstances = new URL(incoming.url!, 'http://archive').pathname.endsWith('/instances');
      if (isOfInstances) searches++;
      if (isOfInstances && refuses) return response.writeHead(503).end();
      const headers = { authorization, accept: incoming.headers.accept ?? '*/*' };
      const { statusCode, body } = await request(`${orthanc.url}${incoming.url}`, { headers });
      const rows = (await body.json()) as unknown[];
      response.writeHead(statusCode, { 'content-type': 'application/dicom+json' });
      return response.end(JSON.stringify(isOfInstances ? rows.slice(hidden) : rows));
    })();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => archive.once('listening', resolve));
  const endpoint = `http://127.0.0.1:${(archive.address() as AddressInfo).port}/dicom-web`;
  gateway = await buildTestGateway(
    ({ patients }) => ({
      t: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'store', path: patients },
        images: { type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' },
      },
    }),
    data,
  );
}, 90_000);
beforeEach(() => {
  gateway.forget();
  [searches, refuses, hidden] = [0, false, 0];
});
afterAll(async () => {
  await gateway?.close();
  archive?.close();
  await orthanc?.stop();
  rmSync(directory, { recursive: true });
});

interface Answer {
  data: { Patient: { ImagingStudyList: { series: { instance: { uid: string }[] | null }[] }[] } };
  errors?: { path: (string | number)[]; extensions: { code: string } }[];
}

async function ask(query = QUERY): Promise<Answer> {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: '/t/graphql',
    payload: { query },
    headers: { 'content-type': 'application/json' },
  });
  return answer.json();
}

const seriesOf = ({ data }: Answer) => data.Patient.ImagingStudyList.flatMap(({ series }) => series);
const instancesOf = (answer: Answer) => seriesOf(answer).flatMap(({ instance }) => instance ?? []);

test('the instances of all studies are one search, and the next request has them at hand', async () => {
  const answer = await ask();
  expect(answer.errors).toBeUndefined();
  expect(instancesOf(answer)).toHaveLength(STUDIES * 3 * 2);
  expect(await ask()).toEqual(answer);
  expect(searches).toBe(1);
});

test('a list without fields of instances searches for none, also where a condition leaves them out', async () => {
  await ask('{ Patient(id: "p1") { ImagingStudyList { id series { uid } } } }');
  await ask(
    '{ Patient(id: "p1") { ImagingStudyList { id series { uid instance @include(if: false) { uid } } } } }',
  );
  expect(searches).toBe(0);
});

test('without an answer about instances, each field of them fails by itself; the next request has all', async () => {
  refuses = true;
  const answer = await ask();
  expect(seriesOf(answer)).toHaveLength(STUDIES * 3);
  expect(instancesOf(answer)).toEqual([]);
  const errors = Array.from({ length: STUDIES * 3 }, (_, at) => ({
    path: ['Patient', 'ImagingStudyList', Math.floor(at / 3), 'series', at % 3, 'instance'],
    extensions: { code: 'unavailable' },
  }));
  expect(answer.errors).toMatchObject(errors);
  const asked = searches;
  refuses = false;
  expect(instancesOf(await ask())).toHaveLength(STUDIES * 3 * 2);
  expect(searches).toBe(asked + 1);
});

test('what was written of instances is not given when the archive has others', async () => {
  hidden = 1;
  expect(instancesOf(await ask())).toHaveLength(STUDIES * 3 * 2 - 1);
  expect(instancesOf(await ask())).toHaveLength(STUDIES * 3 * 2 - 1);
  hidden = 0;
  gateway.forget();
  expect(instancesOf(await ask())).toHaveLength(STUDIES * 3 * 2);
});

test('a connection gives the same', async () => {
  const query =
    '{ Patient(id: "p1") { ImagingStudyConnection { edges { resource { series { instance { uid } } } } } } }';
  const { data } = (await ask(query)) as unknown as {
    data: {
      Patient: { ImagingStudyConnection: { edges: { resource: { series: { instance: object[] }[] } }[] } };
    };
  };
  const { edges } = data.Patient.ImagingStudyConnection;
  expect(edges.flatMap(({ resource }) => resource.series.flatMap(({ instance }) => instance))).toHaveLength(
    STUDIES * 3 * 2,
  );
  expect(searches).toBe(1);
});
