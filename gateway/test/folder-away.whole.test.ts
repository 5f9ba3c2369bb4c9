/**
 * A folder of images that is moved away, replaced or emptied behind the whole gateway, over HTTP (DW-23): every
 * answer is 503 with Retry-After while it is away, and every study is complete within 5 s after it is back.
 */
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { smallObjects } from './setup/small-objects.ts';

const OWN = '1.6.1';
const SECOND = '1.6.2';
const FOREIGN = '1.6.3';
const ABSENT = '1.6.9';
const STUDIES = [
  { studyUid: OWN, patientId: 'MRN-A', instances: 4 },
  { studyUid: SECOND, patientId: 'MRN-A', instances: 2 },
  { studyUid: FOREIGN, patientId: 'MRN-B', instances: 3 },
];
const WITHIN = { timeout: 10_000, interval: 50 };

let ehr: AuthorizationServer;
let gateway: TestGateway;
let scratch: string;
let tenant: string;
let images: string;
let number = 0;

/** Tenants are made before the gateway: each test takes the next, with its own folder. */
const TENANTS = Array.from({ length: 16 }, (_, index) => `folder-${index}`);
const folderOf = (key: string) => join(scratch, key, 'images');

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'folder-away-'));
  ehr = await authorizationServer();
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  for (const key of TENANTS) await fill(folderOf(key));
  gateway = await buildTestGateway(
    () =>
      Object.fromEntries(
        TENANTS.map((key, index) => {
          const images = { type: 'folder', path: folderOf(key), lookup: 'studies-by-mrn' };
          return [key, { authorization, images: { ...images, ...(index % 2 === 1 && { emptyIsAway: 1 }) } }];
        }),
      ),
    { images: '', patients: '' },
    undefined,
    { port: await freePort(), waitForFolders: false },
  );
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const identifier = [{ value: 'MRN-A', type: { coding: [{ code: 'MR' }] } }];
  ehr.patients.set('a', { resourceType: 'Patient', id: 'a', identifier });
  ehr.tokens.set('a', { client_id: 'app', exp, patient: 'a', scope: 'patient/*.rs' });
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(scratch, { recursive: true, force: true });
});

async function fill(directory: string): Promise<void> {
  for (const study of STUDIES) {
    await mkdir(join(directory, study.studyUid), { recursive: true });
    for (const [index, file] of smallObjects(study).entries())
      await writeFile(join(directory, study.studyUid, `${index}.dcm`), file);
  }
}

/** Takes the next tenant with the default `emptyIsAway`, or with one second. */
function take(emptyIsAway: 300 | 1 = 300): void {
  if (number % 2 === (emptyIsAway === 300 ? 1 : 0)) number++;
  tenant = TENANTS[number++]!;
  images = folderOf(tenant);
}

async function get(path: string, accept = '*/*') {
  const headers = { authorization: 'Bearer a', accept };
  const answer = await fetch(`${gateway.baseUrl}/${tenant}${path}`, { headers });
  const body = Buffer.from(await answer.arrayBuffer()).toString('latin1');
  return { status: answer.status, retryAfter: Number(answer.headers.get('retry-after')), body };
}

const multipart = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const retrieve = (uid: string) => get(`/dicomweb/studies/${uid}`, multipart);
const objectsOf = async (uid: string) => (await retrieve(uid)).body.split('DICM').length - 1;

/** Counts the instances of the study in each kind of answer. */
async function counts(uid: string) {
  const [objects, zip, metadata, instances, list] = await Promise.all([
    retrieve(uid),
    get(`/dicomweb/studies/${uid}`, 'application/zip; transfer-syntax=*'),
    get(`/dicomweb/studies/${uid}/metadata`, 'application/dicom+json'),
    get(`/dicomweb/instances?StudyInstanceUID=${uid}&includefield=${number}${Math.random()}`),
    get(`/dicomweb/studies?StudyInstanceUID=${uid}`),
  ]);
  const rows = ({ status, body }: { status: number; body: string }) =>
    status === 200 ? (JSON.parse(body) as Record<string, { Value: unknown[] }>[]) : [];
  return [
    objects.body.split('DICM').length - 1,
    zip.body.split('DICM').length - 1,
    rows(metadata).length,
    rows(instances).length,
    rows(list)[0]?.['00201208']?.Value[0],
  ];
}

/** Expects the same refusal for every UID and every form. */
async function expectAway(): Promise<void> {
  const paths = [OWN, FOREIGN, ABSENT].flatMap((uid) => [
    `/dicomweb/studies/${uid}`,
    `/dicomweb/studies/${uid}/metadata`,
    `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`,
  ]);
  const answers = await Promise.all(paths.map((path) => get(path)));
  for (const answer of answers) expect(answer).toEqual({ ...answers[0], status: 503, retryAfter: 5 });
}

/** Forgets cached searches: their 10 s are long for a test. */
const forget = () => gateway.forget();

async function expectWhole(): Promise<void> {
  forget();
  await expect.poll(() => counts(OWN), WITHIN).toEqual([4, 4, 4, 4, 4]);
  expect(await counts(SECOND)).toEqual([2, 2, 2, 2, 2]);
}

describe('DW-23 a folder', () => {
  beforeEach(async () => {
    take();
    await expectWhole();
    forget();
  });

  test('that is moved away and back', async () => {
    await rename(images, `${images}-away`);
    await expectAway();
    expect(await get('/dicomweb/studies')).toMatchObject({ status: 503, retryAfter: 5 });
    await rename(`${images}-away`, images);
    await expectWhole();
  });

  test('replaced by an empty directory, as after an unmount', async () => {
    await rename(images, `${images}-away`);
    await mkdir(images);
    await expectAway();
    await rm(images, { recursive: true });
    await rename(`${images}-away`, images);
    await expectWhole();
  });

  test('that is emptied and filled again', { timeout: 20_000 }, async () => {
    const inside = await readdir(images);
    await mkdir(`${images}-away`);
    for (const name of inside) await rename(join(images, name), join(`${images}-away`, name));
    const answers = new Set<number>();
    await expect
      .poll(async () => {
        forget();
        const { status } = await retrieve(ABSENT);
        answers.add((await retrieve(OWN)).status);
        return status;
      }, WITHIN)
      .toBe(503);
    await expectAway();
    expect([...answers]).toEqual([503]);
    for (const name of inside) await rename(join(`${images}-away`, name), join(images, name));
    await expectWhole();
  });

  test('replaced by a copy of its files', async () => {
    await rename(images, `${images}-away`);
    await expectAway();
    await fill(images);
    await expectWhole();
  });
});

test('DW-23 a folder that stays empty counts as empty after emptyIsAway', { timeout: 20_000 }, async () => {
  take(1);
  await expectWhole();
  for (const name of await readdir(images)) await rm(join(images, name), { recursive: true });
  const statuses: number[] = [];
  await expect
    .poll(async () => statuses[statuses.push((await retrieve(OWN)).status) - 1], {
      timeout: 15_000,
      interval: 50,
    })
    .toBe(404);
  expect([...new Set(statuses)]).toEqual([503, 404]);
  forget();
  expect(await get('/dicomweb/studies')).toMatchObject({ status: 200, body: '[]' });
});

test('DW-23 a folder that is missing at the start is found later', async () => {
  take();
  await rename(images, `${images}-away`);
  await expectAway();
  await rename(`${images}-away`, images);
  await expectWhole();
});

test('DW-23 a folder that is empty at the start, as before a mount, is read again', async () => {
  take();
  await rename(images, `${images}-away`);
  await mkdir(images);
  expect(await get('/dicomweb/studies')).toMatchObject({ status: 200, body: '[]' });
  await rename(images, `${images}-mount-point`);
  await rename(`${images}-away`, images);
  await expect.poll(() => objectsOf(OWN), WITHIN).toBe(4);
  await expectWhole();
});

test(
  'DW-23 a file that disappears: 503 until it counts as deleted, then the study without it',
  { timeout: 20_000 },
  async () => {
    take();
    await expectWhole();
    await rm(join(images, OWN, '0.dcm'));
    const first = await retrieve(OWN).catch(() => undefined);
    expect(first?.status ?? 503).toBe(503);
    const one = `/dicomweb/studies/${OWN}/series/${OWN}.1/instances/${OWN}.1.1`;
    const statuses: number[] = [];
    await expect
      .poll(async () => statuses[statuses.push((await get(one)).status) - 1], {
        timeout: 10_000,
        interval: 50,
      })
      .toBe(404);
    expect([...new Set(statuses)]).toEqual([503, 404]);
    forget();
    await expect.poll(() => counts(OWN), WITHIN).toEqual([3, 3, 3, 3, 3]);
  },
);
