import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { graphql } from 'graphql';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { complaints } from '../test/fhir-judges.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startCountingProxy, type Upstream } from '../test/upstream.ts';

const files = sharedDicomFiles().filter(({ studyUid, importsInOrthanc }) => studyUid && importsInOrthanc);
const studies = new Set(files.map(({ studyUid }) => studyUid!));

describeWithSharedData('the FHIR and GraphQL APIs over Orthanc', () => {
  const ct = files.find(({ file }) => file.startsWith('ct-head-ge/'))!;
  const [late, ...early] = files.filter(({ studyUid }) => studyUid === ct.studyUid);
  const rest = files.filter(({ studyUid }) => studyUid !== ct.studyUid);
  const path = ({ file }: { file: string }) => sharedDataPath('dicom', file);

  let orthanc: Orthanc;
  let counter: Upstream;
  let served: TestSubgraph;
  const access = { all: testAccess('all'), ct: testAccess([patient('ct', ct.patientId!)]) };

  beforeAll(async () => {
    orthanc = await startOrthanc({ files: [...rest, ...early].map(path) });
    counter = await startCountingProxy(orthanc.url);
    const endpoint = `${counter.url}/dicom-web`;
    const tenants = [
      testTenant(orthancImages(orthanc, { endpoint, lookup: 'all-studies-on-server' }), 'all'),
      testTenant(orthancImages(orthanc, { endpoint }), 'mrn'),
      testTenant(orthancImages(orthanc, { patience: 2 }), 'direct'),
    ];
    served = await testSubgraph(tenants, access);
  }, 60_000);
  afterAll(async () => {
    await served.close();
    await counter.close();
    await orthanc.stop();
  });
  beforeEach(() => {
    served.subgraph.invalidate();
    counter.asked.length = 0;
  });

  const get = (url: string, token: keyof typeof access) =>
    served.app.inject({ url, headers: { authorization: `Bearer ${token}` } });

  test.each<[calls: number, token: 'all' | 'ct', url: string]>([
    [2, 'all', '/all/fhir/ImagingStudy?_summary=true'],
    [3, 'all', '/all/fhir/ImagingStudy'],
    [3, 'all', '/all/fhir/ImagingStudy?_include=ImagingStudy:endpoint'],
    // One call checks whether the UID is another patient's too (IA-24).
    [3, 'ct', '/mrn/fhir/ImagingStudy?_elements=started'],
    [4, 'ct', '/mrn/fhir/ImagingStudy?patient=ct'],
    [4, 'ct', `/mrn/fhir/ImagingStudy?instance=${ct.sopInstanceUid}`],
    [3, 'ct', `/mrn/fhir/ImagingStudy/${ct.studyUid}`],
    [2, 'ct', `/mrn/fhir/ImagingStudy/${ct.studyUid}?_summary=true`],
    [0, 'ct', '/mrn/fhir/ImagingStudy?patient=other'],
    [0, 'ct', '/mrn/fhir/ImagingStudy?started=May'],
    [0, 'ct', '/mrn/fhir/Endpoint/dicomweb'],
  ])('IA-29 at most %i calls to the server, however many studies: %s %s', async (calls, token, url) => {
    await get(url, token);
    expect(counter.asked.length, counter.asked.join('\n')).toBeLessThanOrEqual(calls);
  });

  test.each<[calls: number, source: string]>([
    [3, '{ ImagingStudyList { id series { uid description } } }'],
    [4, '{ ImagingStudyList { id series { uid rows instance { uid } } } }'],
    [3, '{ ImagingStudyList { id } ImagingStudyConnection { count } }'],
    // Including the study's owner, and the metadata of its one series, however many instances there are.
    [5, '{ ImagingStudyList { series { instance { uid metadata(keywords: ["SliceThickness"]) } } } }'],
    [4, '{ ImagingStudyList { series { instance { metadata(keywords: ["Rows", "InstanceNumber"]) } } } }'],
    [4, `{ ImagingStudy(id: "${ct.studyUid}") { series { uid rows instance { uid numberOfFrames } } } }`],
    [
      3,
      `{ _entities(representations: [{ __typename: "Patient", id: "ct" }, { __typename: "ImagingStudy", id: "${ct.studyUid}" },
         { __typename: "DiagnosticReport", id: "r1", _patientId: "ct", _studyUids: ["${ct.studyUid}"], _accessionNumbers: [] },
         { __typename: "DiagnosticReport", id: "r2", _patientId: "ct", _studyUids: ["1.2"], _accessionNumbers: ["A"] }]) {
         ... on Patient { ImagingStudyList { id } } ... on ImagingStudy { id description }
         ... on DiagnosticReport { ImagingStudyList { id } } } }`,
    ],
  ])('FG-8 at most %i calls for one GraphQL fetch: %s', async (calls, source) => {
    const tenant = testTenant(orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` }), 'mrn');
    const contextValue = { imaging: served.subgraph.open(tenant, access.ct) };
    const { errors } = await graphql({ schema: served.subgraph.schema, source, contextValue });
    expect(errors).toBeUndefined();
    expect(counter.asked.length, counter.asked.join('\n')).toBeLessThanOrEqual(calls);
  });

  test('IA-15 IA-16 lists every study, valid and with the counts of the manifest', async () => {
    const bundle = (await get('/all/fhir/ImagingStudy', 'all')).json<Bundle<ImagingStudy>>();
    const found = bundle.entry!.map(({ resource }) => resource!);
    expect(new Set(found.map(({ id }) => id))).toEqual(studies);
    for (const study of found) {
      const own = files.filter(({ studyUid }) => studyUid === study.id);
      const missing = study.id === ct.studyUid ? 1 : 0;
      expect(study.numberOfInstances).toBe(own.length - missing);
      expect(study.series!.flatMap(({ instance }) => instance ?? []).length).toBe(own.length - missing);
    }
    expect(complaints(bundle)).toEqual([]);
  }, 60_000);

  test('IA-13 a study that grows gets a later lastUpdated, and a client that syncs finds it', async () => {
    const read = async () => (await get(`/mrn/fhir/ImagingStudy/${ct.studyUid}`, 'ct')).json<ImagingStudy>();
    const before = await read();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const between = new Date().toISOString();
    const search = `/mrn/fhir/ImagingStudy?_lastUpdated=gt${between}`;
    expect((await get(search, 'ct')).json().total).toBe(0);
    await orthanc.upload([path(late!)]);
    served.subgraph.invalidate();
    expect((await get(search, 'ct')).json().total).toBe(1);
    const after = await read();
    expect(after.numberOfInstances).toBe(before.numberOfInstances! + 1);
    expect(Date.parse(after.meta!.lastUpdated!)).toBeGreaterThan(Date.parse(before.meta!.lastUpdated!));
    expect((await read()).meta).toEqual(after.meta);
  });

  test('IA-19 IA-20 answers an OperationOutcome while the server hangs or is down, and recovers', async () => {
    await orthanc.freeze();
    const slow = await get('/direct/fhir/ImagingStudy', 'ct');
    orthanc.thaw();
    expect(slow.statusCode).toBe(503);
    expect(Number(slow.headers['retry-after'])).toBeGreaterThan(0);
    expect(slow.json()).toMatchObject({ resourceType: 'OperationOutcome' });

    await orthanc.kill();
    served.subgraph.invalidate();
    const dead = await get('/direct/fhir/ImagingStudy', 'ct');
    expect([502, 503]).toContain(dead.statusCode);
    expect(dead.json()).toMatchObject({ resourceType: 'OperationOutcome' });
    expect(dead.body).not.toContain('127.0.0.1');

    const tenant = testTenant(orthancImages(orthanc, { patience: 2 }), 'direct');
    const contextValue = { imaging: served.subgraph.open(tenant, access.ct) };
    const source = '{ ImagingStudyList { id } }';
    const { data, errors } = await graphql({ schema: served.subgraph.schema, source, contextValue });
    expect(data).toEqual({ ImagingStudyList: null });
    expect(errors![0]!.extensions).toMatchObject({
      service: 'imaging',
      code: expect.stringMatching(/bad_gateway|unavailable/),
    });

    await orthanc.restart();
    // A probe finds out that it is back.
    const status = async () => (await get('/direct/fhir/ImagingStudy', 'ct')).statusCode;
    await vi.waitFor(async () => expect(await status()).toBe(200), 10_000);
  }, 30_000);
});
