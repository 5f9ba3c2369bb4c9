/** Accession numbers of two issuers, and a record that does not answer (FG-9, FG-10), in both directions. */
import type { Bundle, OperationOutcome } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { smallObjects } from '../setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';

/** Two hospitals gave the same number; a third study does not say whose it is. */
const [OF_A, OF_B, OF_NOBODY] = ['1.6.1', '1.6.2', '1.6.3'] as const;
const [A, B, C] = ['1.9.1', '1.9.2', '1.9.3'];
const NUMBER = 'ACC-7';

const patient = {
  resourceType: 'Patient',
  id: 'ana',
  identifier: [{ value: 'MRN-ana', type: { coding: [{ code: 'MR' }] } }],
};
const report = (id: string, issuer?: string) => ({
  resourceType: 'DiagnosticReport',
  id,
  status: 'final',
  code: { text: id },
  subject: { reference: 'Patient/ana' },
  identifier: [
    {
      type: { coding: [{ code: 'ACSN' }] },
      value: NUMBER,
      ...(issuer !== undefined && { system: `urn:oid:${issuer}` }),
    },
  ],
});
const REPORTS: readonly [id: string, issuer: string | undefined, studies: string[]][] = [
  ['of-a', A, [OF_A, OF_NOBODY]],
  ['of-b', B, [OF_B, OF_NOBODY]],
  ['of-c', C, [OF_NOBODY]],
  ['of-nobody', undefined, [OF_A, OF_B, OF_NOBODY]],
];

let directory: string;
let ehr: AuthorizationServer;
let gateway: TestGateway;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'two-issuers-'));
  const data = { images: join(directory, 'images'), patients: join(directory, 'record.ndjson') };
  await mkdir(data.images);
  const studies = [
    { studyUid: OF_A, accessionIssuer: A! },
    { studyUid: OF_B, accessionIssuer: B! },
    { studyUid: OF_NOBODY },
  ];
  for (const study of studies) {
    const [bytes] = smallObjects({ ...study, patientId: 'MRN-ana', accessionNumber: NUMBER });
    await writeFile(join(data.images, `${study.studyUid}.dcm`), bytes!);
  }
  const record = [patient, ...REPORTS.map(([id, issuer]) => report(id, issuer))];
  await writeFile(data.patients, record.map((one) => JSON.stringify(one)).join('\n'));
  ehr = await authorizationServer();
  const { fhirBaseUrl, client } = ehr;
  gateway = await buildTestGateway(({ images: path, patients }) => {
    const own = {
      authorization: { type: 'smart-on-fhir', fhirBaseUrl, client },
      images: { type: 'folder', path, lookup: 'studies-by-mrn' },
    };
    return {
      whole: { ...own, clinical: { type: 'store', path: patients } },
      'record-away': { ...own, clinical: { type: 'fhir', baseUrl: 'http://127.0.0.1:1/fhir' } },
    };
  }, data);
  ehr.patients.set('ana', patient as never);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('ana', { client_id: 'app', patient: 'ana', scope: 'patient/*.rs', exp });
  // The graph starts with the first request.
  await graph('whole', '{ DiagnosticReport(id: "of-a") { ImagingStudyList { id } } }');
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});

interface Answer {
  data: { [name: string]: unknown };
  errors?: { message: string; path: string[]; extensions: { code: string; service: string } }[];
}
const headers = { authorization: 'Bearer ana' };
async function graph(tenant: string, query: string) {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers,
    payload: { query },
  });
  return answer.json<Answer>();
}
const ids = (list: unknown) => (list as { id: string }[]).map(({ id }) => id).sort();

describe('FG-9 one accession number of two issuers', () => {
  test.each(REPORTS)('the report %s (issuer %s) has its studies', async (id, _issuer, studies) => {
    const { data, errors } = await graph(
      'whole',
      `{ DiagnosticReport(id: "${id}") { ImagingStudyList { id } } }`,
    );
    expect(errors).toBeUndefined();
    expect(ids((data['DiagnosticReport'] as Record<string, unknown>)['ImagingStudyList'])).toEqual(studies);
  });

  test.each([
    [OF_A, ['of-a', 'of-nobody'], [OF_NOBODY]],
    [OF_B, ['of-b', 'of-nobody'], [OF_NOBODY]],
    [OF_NOBODY, ['of-a', 'of-b', 'of-c', 'of-nobody'], [OF_A, OF_B]],
  ])(
    'the study %s has its reports, and is marked beside those that may be meant',
    async (id, reports, same) => {
      const { data, errors } = await graph(
        'whole',
        `{ ImagingStudy(id: "${id}") { DiagnosticReportList { id } sameAccession { id } } }`,
      );
      expect(errors).toBeUndefined();
      const study = data['ImagingStudy'] as Record<string, unknown>;
      expect(ids(study['DiagnosticReportList'])).toEqual(reports);
      expect(ids(study['sameAccession'])).toEqual(same);
    },
  );

  test('REST searches a number of one issuer', async () => {
    const found = async (identifier: string) => {
      const url = `/whole/fhir/ImagingStudy?identifier=${encodeURIComponent(identifier)}`;
      const { entry = [] } = (await gateway.app.inject({ url, headers })).json<Bundle>();
      return entry.filter(({ search }) => search?.mode === 'match').map(({ resource }) => resource!.id);
    };
    expect((await found(NUMBER)).sort()).toEqual([OF_A, OF_B, OF_NOBODY]);
    expect(await found(`urn:oid:${A}|${NUMBER}`)).toEqual([OF_A]);
    expect(await found(`urn:oid:${C}|${NUMBER}`)).toEqual([]);
  });
});

describe('FG-10 a record that does not answer', () => {
  test('leaves the images by GraphQL, with an error for each list of the record', async () => {
    const { data, errors } = await graph(
      'record-away',
      `{ ImagingStudy(id: "${OF_A}") { series { uid } DiagnosticReportList { id } EncounterList { id } }
         Patient(id: "ana") { id birthDate ImagingStudyList { id } timeline { entries { kind } missing { type } } } }`,
    );
    expect(data['ImagingStudy']).toEqual({
      series: [{ uid: `${OF_A}.1` }],
      DiagnosticReportList: null,
      EncounterList: null,
    });
    expect(data['Patient']).toMatchObject({ id: 'ana', birthDate: null });
    expect(ids((data['Patient'] as Record<string, unknown>)['ImagingStudyList'])).toEqual([
      OF_A,
      OF_B,
      OF_NOBODY,
    ]);
    const { entries, missing } = (data['Patient'] as { timeline: Record<string, { kind: string }[]> })
      .timeline;
    expect(entries!.map(({ kind }) => kind)).toEqual(['study', 'study', 'study']);
    expect(missing!.length).toBeGreaterThan(5);
    const failed = errors!.map(({ path, extensions }) => [
      path.join('.'),
      extensions.code,
      extensions.service,
    ]);
    for (const path of [
      'ImagingStudy.DiagnosticReportList',
      'ImagingStudy.EncounterList',
      'Patient.birthDate',
    ])
      expect(failed).toContainEqual([path, 'unavailable', 'clinical']);
    expect(JSON.stringify(errors)).not.toContain('127.0.0.1');
  });

  test('leaves the images by REST, with a notice', async () => {
    const search = await gateway.app.inject({ url: '/record-away/fhir/ImagingStudy?patient=ana', headers });
    const { entry = [] } = search.json<Bundle>();
    const of = (mode: string) => entry.filter(({ search }) => search?.mode === mode);
    expect(
      of('match')
        .map(({ resource }) => resource!.id)
        .sort(),
    ).toEqual([OF_A, OF_B, OF_NOBODY]);
    const outcomes = of('outcome').map(({ resource }) => (resource as OperationOutcome).issue[0]!.code);
    // The second says that the studies have one number.
    expect(outcomes).toEqual(['transient', 'informational']);
    const read = await gateway.app.inject({ url: `/record-away/fhir/ImagingStudy/${OF_A}`, headers });
    expect([read.statusCode, read.json<{ id: string }>().id]).toEqual([200, OF_A]);
    expect(String(read.headers['warning'])).toMatch(/The clinical record did not say/);
  });
});
