import type { Bundle, ImagingStudy, Patient } from 'fhir/r4.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { smallObjects } from '../../../gateway/test/setup/small-objects.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { faultsOf, locationOf, partsOf, PROFILES, resourceOf } from '../test/mado-profiles.ts';
import {
  BASE_URL,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';
import type { RecordJoins } from './joins/record-joins.ts';

const STUDY = '1.2.47.1';
const ISSUED = '1.2.47.2';
const FOREIGN = '1.2.47.3';
const ABSENT = '1.2.47.999';

const organization = {
  name: 'City hospital',
  identifier: { system: 'urn:ietf:rfc:3986', value: 'urn:oid:1.2' },
};
const named = (tenant: Tenant, more: object = {}): Tenant => ({
  ...tenant,
  organization: { ...organization, ...more },
});

/** Each series with the instances that are listed. */
const listed = ({ series = [] }: ImagingStudy) =>
  new Map(series.map(({ uid, instance = [] }) => [uid, instance.map((one) => one.uid).sort()]));

describe('IA-47 $mado', () => {
  let served: TestSubgraph;
  let directory: string;
  const asked: string[] = [];
  /** The record knows one patient, with more than a manifest tells. */
  const record = {
    included: async (_caller: unknown, [study]: readonly { _patientId?: string }[]) => {
      asked.push(study!._patientId ?? 'nobody');
      const known: Patient = {
        resourceType: 'Patient',
        id: 'p1',
        identifier: [{ system: 'urn:mrn', value: 'MRN-1', assigner: { reference: 'Organization/o' } }],
        name: [{ family: 'Weiß & Söhne', given: ['Ida'] }],
        birthDate: '1950-02-03',
        gender: 'female',
        telecom: [{ system: 'phone', value: '555' }],
      };
      return study!._patientId === 'p1'
        ? { resources: [known], missing: [] }
        : { resources: [], missing: [] };
    },
  } as unknown as RecordJoins;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mado-'));
    const objects = [
      ...smallObjects({ studyUid: STUDY, patientId: 'MRN-1', instances: 3, description: 'Chest <CT>' }),
      ...smallObjects({ studyUid: STUDY, patientId: 'MRN-1', instances: 2, series: 2, modality: 'SR' }),
      ...smallObjects({
        studyUid: ISSUED,
        patientId: 'MRN-2',
        birthDate: '19600102',
        accessionNumber: 'A-1',
        accessionIssuer: '1.2.3',
      }),
      ...smallObjects({ studyUid: FOREIGN, patientId: 'MRN-3' }),
    ];
    for (const [index, bytes] of objects.entries()) await writeFile(join(directory, `${index}.dcm`), bytes);
    const images = { type: 'folder', path: directory, lookup: 'studies-by-mrn' };
    const withheld = named(testTenant(images, 'withheld'));
    const withhold = [{ modality: ['SR'], for: 'everyone' as const, unlabelled: 'withhold' as const }];
    served = await testSubgraph(
      [
        named(testTenant(images, 'own')),
        named(testTenant(images, 'located'), { locationUid: '1.2.840.99' }),
        testTenant(images, 'unnamed'),
        { ...withheld, authorization: { ...withheld.authorization, withhold } },
      ],
      {
        mine: testAccess([patient('p1', 'MRN-1')]),
        second: testAccess([patient('p2', 'MRN-2')]),
        search: testAccess([patient('p1', 'MRN-1')], 'patient/ImagingStudy.s'),
        record: testAccess([patient('p1', 'MRN-1')], 'patient/Observation.rs'),
      },
      { record },
    );
  }, 60_000);
  afterAll(async () => {
    await served?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const ask = (id: string, tenant = 'own', token = 'mine', more: object = {}) =>
    served.app.inject({
      url: `/${tenant}/fhir/ImagingStudy/${id}/$mado`,
      headers: { authorization: `Bearer ${token}` },
      ...more,
    });
  const manifest = async (id: string, tenant = 'own', token = 'mine') => {
    const answer = await ask(id, tenant, token);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('application/fhir+json; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-store');
    return answer.json<Bundle>();
  };

  test('has every required element, every series and every instance', async () => {
    const bundle = await manifest(STUDY);
    expect(faultsOf(bundle)).toEqual([]);
    const study = resourceOf<ImagingStudy>(bundle, 'ImagingStudy');
    expect(listed(study)).toEqual(
      new Map([
        [`${STUDY}.1`, [1, 2, 3].map((number) => `${STUDY}.1.${number}`)],
        [`${STUDY}.2`, [1, 2].map((number) => `${STUDY}.2.${number}`)],
      ]),
    );
    expect(study).toMatchObject({ numberOfSeries: 2, numberOfInstances: 5 });
    expect(partsOf(bundle).endpoints.map(({ address }) => address)).toEqual([
      `${BASE_URL}/own/dicomweb`,
      `${BASE_URL}/own/dicomweb`,
    ]);
  });

  test('names the patient as the record does, and tells no more of it', async () => {
    const bundle = await manifest(STUDY);
    expect(resourceOf<Patient>(bundle, 'Patient')).toEqual({
      resourceType: 'Patient',
      id: 'p1',
      meta: { profile: [`${PROFILES}MadoPatient`] },
      identifier: [{ system: 'urn:mrn', value: 'MRN-1' }],
      name: [{ family: 'Weiß & Söhne', given: ['Ida'] }],
      gender: 'female',
      birthDate: '1950-02-03',
    });
    const [composition] = bundle.entry!;
    expect(JSON.stringify(composition)).toContain('Ida Weiß &amp; Söhne');
    expect(JSON.stringify(composition)).toContain('Chest &lt;CT&gt;');
    expect(asked.at(-1)).toBe('p1');
  });

  test('names the patient as the archive does where the record says nothing', async () => {
    const bundle = await manifest(ISSUED, 'own', 'second');
    expect(faultsOf(bundle)).toEqual([]);
    expect(resourceOf<Patient>(bundle, 'Patient')).toMatchObject({
      id: 'p2',
      identifier: [{ value: 'MRN-2' }],
      name: [{ text: 'Person Test' }],
      birthDate: '1960-01-02',
    });
    expect(resourceOf<ImagingStudy>(bundle, 'ImagingStudy').basedOn).toMatchObject([
      { type: 'ServiceRequest', identifier: { system: 'urn:oid:1.2.3', value: 'A-1' } },
    ]);
  });

  test('is another document each time, from the same location', async () => {
    const [one, other] = [await manifest(STUDY), await manifest(STUDY)];
    expect(one.identifier!.value).toMatch(/^urn:oid:2\.25\.\d{1,39}$/);
    expect(other.identifier!.value).not.toBe(one.identifier!.value);
    const location = (bundle: Bundle) => locationOf(partsOf(bundle).endpoints[0]!);
    expect(location(other)).toBe(location(one));
    expect(location(await manifest(STUDY, 'located'))).toBe('1.2.840.99');
  });

  test.each<[id: string, tenant: string, token: string, status: number]>([
    [FOREIGN, 'own', 'mine', 404],
    [ABSENT, 'own', 'mine', 404],
    ['not-a-uid', 'own', 'mine', 404],
    [STUDY, 'own', 'second', 404],
    [STUDY, 'withheld', 'mine', 404],
    [STUDY, 'own', 'search', 403],
    [STUDY, 'own', 'record', 403],
    [STUDY, 'own', 'stranger', 401],
    [STUDY, 'unnamed', 'mine', 501],
  ])('IA-7 %s of %s with %s → %i', async (id, tenant, token, status) => {
    const answer = await ask(id, tenant, token);
    expect(answer.statusCode).toBe(status);
    if (status === 501) expect(answer.body).toContain('\\"organization\\"');
  });

  test('IA-7 a foreign study, one that is withheld and an absent one get the same bytes', async () => {
    const answers = await Promise.all([ask(FOREIGN), ask(STUDY, 'withheld'), ask(ABSENT)]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
  });

  test.each<[what: string, more: object, status: number]>([
    ['nothing', { method: 'POST' }, 200],
    ['Parameters', { method: 'POST', payload: { resourceType: 'Parameters' } }, 200],
    ['another resource', { method: 'POST', payload: { resourceType: 'Patient' } }, 400],
    ['a deletion', { method: 'DELETE' }, 405],
    ['a change', { method: 'PUT', payload: {} }, 405],
  ])('takes %s', async (_what, more, status) => {
    const answer = await ask(STUDY, 'own', 'mine', more);
    expect(answer.statusCode).toBe(status);
    if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD, POST');
  });
});

describeWithSharedData('IA-47 $mado of real studies', () => {
  let served: TestSubgraph;
  beforeAll(async () => {
    const images = { type: 'folder', path: sharedDataPath('dicom'), lookup: 'all-studies-on-server' };
    served = await testSubgraph([named(testTenant(images, 'open'))], { all: testAccess('all') });
  }, 60_000);
  afterAll(() => served.close());

  const headers = { authorization: 'Bearer all' };
  const files = sharedDicomFiles().filter(({ studyUid, seriesUid }) => studyUid && seriesUid);
  const studies = [...new Set(files.map(({ studyUid }) => studyUid!))];

  test('every study has a manifest with all series, instances and frames', async () => {
    expect(studies.length).toBeGreaterThan(20);
    for (const id of studies) {
      const url = `/open/fhir/ImagingStudy/${id}`;
      const study = (await served.app.inject({ url, headers })).json<ImagingStudy>();
      const answer = await served.app.inject({ url: `${url}/$mado`, headers });
      expect([id, answer.statusCode]).toEqual([id, 200]);
      const bundle = answer.json<Bundle>();
      expect([id, faultsOf(bundle)]).toEqual([id, []]);
      const manifest = resourceOf<ImagingStudy>(bundle, 'ImagingStudy');
      expect(listed(manifest)).toEqual(listed(study));
      const frames = new Map(
        manifest.series!.flatMap(({ instance = [] }) =>
          instance.map((one) => [one.uid, one.extension?.[0]?.valueInteger ?? 1] as const),
        ),
      );
      for (const one of files.filter(({ studyUid, frames }) => studyUid === id && frames > 1))
        expect([one.file, frames.get(one.sopInstanceUid)]).toEqual([one.file, one.frames]);
    }
  }, 120_000);
});
