import { graphql, type GraphQLError } from 'graphql';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import {
  orthancImages,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import { startCountingProxy, startUpstream, type Upstream } from '../test/upstream.ts';

/**
 * A tenant with a folder and an Orthanc (DW-18): some studies are in one of them, some in both, one in both of
 * different patients.
 */

const MRN = 'MRN-1';
const FOLDER_ONLY = '1.2.1';
const ORTHANC_ONLY = '1.2.2';
const MOST_IN_FOLDER = '1.2.3';
const MOST_IN_ORTHANC = '1.2.4';
const OF_TWO_PATIENTS = '1.2.5';
const FOREIGN = '1.2.6';
const ABSENT = '1.2.999';

const inFolder = [
  { studyUid: FOLDER_ONLY, patientId: MRN, instances: 2 },
  { studyUid: MOST_IN_FOLDER, patientId: MRN, instances: 3 },
  { studyUid: MOST_IN_ORTHANC, patientId: MRN, instances: 1 },
  { studyUid: OF_TWO_PATIENTS, patientId: MRN },
];
const inOrthanc = [
  { studyUid: ORTHANC_ONLY, patientId: MRN, instances: 2, modality: 'MR' },
  { studyUid: MOST_IN_FOLDER, patientId: MRN, instances: 1, modality: 'SR' },
  { studyUid: MOST_IN_ORTHANC, patientId: MRN, instances: 4 },
  { studyUid: OF_TWO_PATIENTS, patientId: 'OTHER' },
  { studyUid: FOREIGN, patientId: 'OTHER' },
];
const COUNTS: Record<string, number> = {
  [FOLDER_ONLY]: 2,
  [ORTHANC_ONLY]: 2,
  [MOST_IN_FOLDER]: 3,
  [MOST_IN_ORTHANC]: 4,
};

describe('DW-18 a tenant with a folder and an Orthanc', () => {
  let orthanc: Orthanc;
  let counter: Upstream;
  let silent: Upstream;
  let directory: string;
  let served: TestSubgraph;
  const logged: object[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'several-'));
    for (const [index, file] of inFolder.flatMap(smallObjects).entries()) {
      await writeFile(join(directory, `${index}.dcm`), file);
    }
    orthanc = await startOrthanc({ files: inOrthanc.flatMap(smallObjects) });
    counter = await startCountingProxy(orthanc.url);
    silent = await startUpstream(() => undefined);
    const folder = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
    const archive = orthancImages(orthanc);
    const dead = { ...archive, endpoint: `http://127.0.0.1:${await freePort()}/dicom-web` };
    const slow = { ...archive, endpoint: silent.url, patience: 0.3 };
    served = await testSubgraph(
      [
        testTenant([folder, archive], 'both'),
        testTenant([archive, folder], 'turned'),
        testTenant([folder, orthancImages(orthanc, { endpoint: `${counter.url}/dicom-web` })], 'counted'),
        testTenant([folder, dead], 'half'),
        testTenant([slow, folder], 'slow'),
        testTenant([dead, { ...dead, endpoint: `${dead.endpoint}/other` }], 'dead'),
        testTenant(
          [
            { ...folder, mrn: ["identifier.where(system='urn:other').value"] },
            { ...archive, matchBirthDate: true },
          ],
          'own-ways',
        ),
        withholding('withholding', [folder, archive]),
        testTenant([folder, { ...archive, delay: { lookupUntil: 4e9, retrieveUntil: 4e9 } }], 'delayed'),
      ],
      {
        own: testAccess([patient('own', MRN)]),
        reports: testAccess([patient('own', MRN)], 'patient/ImagingStudy.rs?modality=SR'),
        other: testAccess([patient('other', 'OTHER')]),
        system: testAccess('all', 'system/ImagingStudy.rs'),
      },
    );
    served.app.log.warn = (details: object) => void logged.push(details);
  }, 60_000);
  afterAll(async () => {
    await served?.close();
    await silent?.close();
    await counter?.close();
    await orthanc?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** Withholds reports. Of one study the Orthanc has a report, and the folder has more instances. */
  const withholding = (key: string, images: object) => {
    const tenant = testTenant(images, key);
    const rule = { modality: ['SR'], for: 'everyone' as const, unlabelled: 'withhold' as const };
    return { ...tenant, authorization: { ...tenant.authorization, withhold: [rule] } };
  };

  const get = (path: string, tenant = 'both', token = 'own', headers = {}) =>
    served.app.inject({
      url: `/${tenant}${path}`,
      headers: { authorization: `Bearer ${token}`, accept: '*/*', ...headers },
    });
  const rows = async (path: string, tenant?: string) =>
    (await get(`/dicomweb${path}`, tenant)).json<DicomJson[]>();
  const studyUid = (row: DicomJson) => text(row, Tag.StudyInstanceUID)!;

  it.each(['both', 'turned'])(
    'lists a study once, from the source that has most of it (%s)',
    async (tenant) => {
      const found = await rows('/studies', tenant);
      expect(Object.fromEntries(found.map((row) => [studyUid(row), row]))).toMatchObject(
        Object.fromEntries(
          Object.entries(COUNTS).map(([uid, count]) => [
            uid,
            { [Tag.NumberOfStudyRelatedInstances]: { Value: [count] } },
          ]),
        ),
      );
      expect(found).toHaveLength(Object.keys(COUNTS).length);
      const bundle = (await get('/fhir/ImagingStudy?patient=own', tenant)).json();
      expect(bundle.total).toBe(found.length);
      expect(bundle.entry.every(({ search }: { search: { mode: string } }) => search.mode === 'match')).toBe(
        true,
      );
    },
  );

  it.each(['both', 'turned'])(
    'takes series, instances and objects from the same source (%s)',
    async (tenant) => {
      const instances = await rows('/instances', tenant);
      // The last study is of two patients: it is neither listed nor retrieved.
      for (const [uid, expected] of [...Object.entries(COUNTS), [OF_TWO_PATIENTS, undefined] as const]) {
        expect(instances.filter((row) => studyUid(row) === uid)).toHaveLength(expected ?? 0);
        if (expected !== undefined) {
          expect(await rows(`/studies/${uid}/instances`, tenant)).toHaveLength(expected);
          expect(await rows(`/studies/${uid}/metadata`, tenant)).toHaveLength(expected);
        }
        const retrieved = await get(`/dicomweb/studies/${uid}`, tenant);
        expect(retrieved.statusCode).toBe(expected === undefined ? 404 : 200);
        if (expected !== undefined) expect(retrieved.payload.split('DICM')).toHaveLength(expected + 1);
        const frame = await get(
          `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`,
          tenant,
        );
        expect(frame.statusCode).toBe(expected === undefined ? 404 : 200);
      }
    },
  );

  it('pages over all studies, each once', async () => {
    const seen: string[] = [];
    for (let offset = 0; offset < 4; offset += 2) {
      const answer = await get(`/dicomweb/studies?limit=2&offset=${offset}`);
      seen.push(...answer.json<DicomJson[]>().map(studyUid));
      expect(String(answer.headers['warning'] ?? '')).toMatch(offset < 2 ? /additional results/ : /^$/);
    }
    expect(seen.sort()).toEqual(Object.keys(COUNTS).sort());
  });

  it('IA-24 answers 404 for a UID of two patients, and logs it', async () => {
    logged.length = 0;
    for (const token of ['own', 'other']) {
      for (const tail of [
        '',
        '/metadata',
        '/series',
        `/series/${OF_TWO_PATIENTS}.1/instances/${OF_TWO_PATIENTS}.1.1`,
      ]) {
        expect((await get(`/dicomweb/studies/${OF_TWO_PATIENTS}${tail}`, 'both', token)).statusCode).toBe(
          404,
        );
      }
    }
    expect(logged).toContainEqual({ tenant: 'both', studyUid: OF_TWO_PATIENTS });
  });

  it('IA-7 answers the same bytes for foreign and absent studies', async () => {
    for (const tail of ['', '/metadata', '/series', '/series/1/instances/2/frames/1']) {
      const answers = await Promise.all(
        [FOREIGN, OF_TWO_PATIENTS, ABSENT].map((uid) => get(`/dicomweb/studies/${uid}${tail}`)),
      );
      const [first, ...others] = answers.map(({ statusCode, payload }) => [statusCode, payload]);
      expect(first![0]).toBe(404);
      for (const other of others) expect(other).toEqual(first);
    }
  });

  it('SM-5 applies a granular scope to each source and to one caller', async () => {
    served.subgraph.invalidate();
    const instances = async (token: string) =>
      (await get(`/dicomweb/studies/${MOST_IN_FOLDER}/metadata`, 'both', token)).json<DicomJson[]>().length;
    expect([await instances('reports'), await instances('own')]).toEqual([1, 3]);
    expect((await get(`/dicomweb/studies/${FOLDER_ONLY}`, 'both', 'reports')).statusCode).toBe(404);
  });

  it('IA-31 a study that is withheld in one source is withheld in all', async () => {
    const expected = Object.keys(COUNTS).filter((uid) => uid !== MOST_IN_FOLDER);
    expect((await rows('/studies', 'withholding')).map(studyUid).sort()).toEqual(expected);
    const bundle = (await get('/fhir/ImagingStudy', 'withholding')).json();
    expect(bundle.entry.map(({ resource }: { resource: { id: string } }) => resource.id).sort()).toEqual(
      expected,
    );
    for (const tail of ['', '/metadata', '/series']) {
      const withheld = await get(`/dicomweb/studies/${MOST_IN_FOLDER}${tail}`, 'withholding');
      const absent = await get(`/dicomweb/studies/${ABSENT}${tail}`, 'withholding');
      expect([withheld.statusCode, withheld.payload]).toEqual([404, absent.payload]);
    }
  });

  it('does not ask a source without the study for each frame', async () => {
    served.subgraph.invalidate();
    const frame = `/dicomweb/studies/${FOLDER_ONLY}/series/${FOLDER_ONLY}.1/instances/${FOLDER_ONLY}.1.1/frames/1`;
    const before = counter.asked.length;
    for (let time = 0; time < 10; time++) expect((await get(frame, 'counted')).statusCode).toBe(200);
    // One call for the study, one to check that the archive without it answers.
    expect(counter.asked.length - before).toBe(2);
    // A study out of reach costs as many calls as an absent one.
    for (const uid of [FOREIGN, ABSENT]) {
      const asked = counter.asked.length;
      for (let time = 0; time < 3; time++) await get(`/dicomweb/studies/${uid}`, 'counted');
      expect(counter.asked.length - asked).toBe(3 * 2);
    }
  });

  it.each([
    ['half', /cannot be reached/],
    ['slow', /slow/],
    ['delayed', /still being fetched/],
  ])('a source that fails hides no studies of the others, and is reported: %s', async (tenant, reason) => {
    const qido = await get('/dicomweb/studies', tenant);
    expect(qido.json<DicomJson[]>().map(studyUid).sort()).toEqual(inFolder.map((one) => one.studyUid).sort());
    expect(String(qido.headers['warning'])).toMatch(
      /^299 images\.example\.org "A source of images did not answer/,
    );
    expect(String(qido.headers['warning'])).toMatch(reason);

    const bundle = (await get('/fhir/ImagingStudy?patient=own', tenant)).json();
    expect(bundle.total).toBe(inFolder.length);
    const outcomes = bundle.entry.filter(
      ({ search }: { search: { mode: string } }) => search.mode === 'outcome',
    );
    expect(outcomes).toEqual([
      {
        resource: {
          resourceType: 'OperationOutcome',
          issue: [{ severity: 'warning', code: 'transient', diagnostics: expect.stringMatching(reason) }],
        },
        search: { mode: 'outcome' },
      },
    ]);

    const partial: GraphQLError[] = [];
    const { data, errors } = await graphql({
      schema: served.subgraph.schema,
      source: '{ ImagingStudyList { id } ImagingStudyConnection { count } }',
      contextValue: {
        imaging: served.subgraph.open(testTenantOf(tenant), testAccess([patient('own', MRN)])),
        partial,
      },
    });
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ ImagingStudyConnection: { count: inFolder.length } });
    const fields = partial.map(({ path }) => path!.join());
    expect(fields.sort()).toEqual(['ImagingStudyConnection', 'ImagingStudyList']);
    for (const error of partial) {
      expect(error.message).toMatch(reason);
      expect(error.extensions).toMatchObject({ service: 'imaging', code: expect.any(String) });
    }

    expect((await get(`/dicomweb/studies/${FOLDER_ONLY}`, tenant)).statusCode).toBe(200);
    // The source that does not answer may have it.
    const unknown = await get(`/dicomweb/studies/${ORTHANC_ONLY}`, tenant);
    expect(unknown.statusCode).toBeGreaterThanOrEqual(502);
    const foreign = await get(`/dicomweb/studies/${FOREIGN}`, tenant);
    expect([foreign.statusCode, foreign.payload]).toEqual([unknown.statusCode, unknown.payload]);
  });

  const testTenantOf = (key: string) => {
    const folder = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
    const { endpoint } = orthancImages(orthanc);
    const second = {
      half: { endpoint: 'http://127.0.0.1:1/dicom-web' },
      slow: { endpoint: silent.url, patience: 0.3 },
      delayed: { endpoint, delay: { lookupUntil: 4e9 } },
    }[key];
    return testTenant([folder, orthancImages(orthanc, second)], key);
  };

  it('answers 503 if all sources fail', async () => {
    for (const path of [
      '/dicomweb/studies',
      '/fhir/ImagingStudy?patient=own',
      `/dicomweb/studies/${FOLDER_ONLY}`,
    ]) {
      const { statusCode, headers } = await get(path, 'dead');
      expect([statusCode, headers['retry-after']]).toEqual([503, '5']);
    }
  });

  it('each source finds patients in its own way', async () => {
    // By the folder's identifier the patient has nothing there; the Orthanc gives the patient's studies.
    const uids = (await rows('/studies', 'own-ways')).map(studyUid);
    expect(uids).toEqual([ORTHANC_ONLY]);
    expect((await get(`/dicomweb/studies/${FOLDER_ONLY}`, 'own-ways')).statusCode).toBe(404);
    // The patient does not own the study of the folder, so it is neither given nor listed, whatever the Orthanc says.
    expect((await get(`/dicomweb/studies/${MOST_IN_FOLDER}`, 'own-ways')).statusCode).toBe(404);
    // A PatientID that is the caller's in either source is allowed; any other is refused.
    expect((await get(`/dicomweb/studies?PatientID=${MRN}`, 'own-ways')).statusCode).toBe(200);
    expect((await get('/dicomweb/studies?PatientID=OTHER', 'own-ways')).statusCode).toBe(403);
  });
});
