import { buildSchema, isObjectType } from 'graphql';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** The scopes that the descriptions of fields name are those that the fields need (FG-27). */

const STUDY = '1.2.3';
const [patient, study] = ['Patient(id: "p1")', 'Patient(id: "p1") { ImagingStudyList { id'];
const report = `DiagnosticReport(id: "r1") { priors { id } }`;

/** Field, query, scopes that the rest of the query needs. */
const FIELDS: [field: string, query: string, others: string[]][] = [
  ['Query.Patient', `{ ${patient} { birthDate } }`, []],
  ['Query.ConditionList', '{ ConditionList(patient: ["p1"]) { id } }', []],
  ['Query.ConditionConnection', '{ ConditionConnection(patient: ["p1"]) { edges { mode } } }', []],
  ['Query.ImagingStudy', `{ ImagingStudy(id: "${STUDY}") { id } }`, []],
  ['Query.Endpoint', `{ Endpoint(id: "study-${STUDY}") { id } }`, []],
  ['Patient.ConditionList', `{ ${patient} { ConditionList { id } } }`, ['Patient.r']],
  ['Patient.ImagingStudyList', `{ ${study} } } }`, ['Patient.r']],
  ['Patient.timeline', `{ ${patient} { timeline(types: [Encounter]) { next } } }`, ['Patient.r']],
  ['Patient.trend', `{ ${patient} { trend(code: ["1-1"]) { series { unit } } } }`, ['Patient.r']],
  ['ImagingStudy.measurements', `{ ${study} measurements { id } } } }`, ['Patient.r', 'ImagingStudy.s']],
  ['ImagingStudy.priors', `{ ImagingStudy(id: "${STUDY}") { priors { id } } }`, ['ImagingStudy.r']],
  [
    'ImagingStudy.DiagnosticReportList',
    `{ ${study} DiagnosticReportList { id } } } }`,
    ['Patient.r', 'ImagingStudy.s'],
  ],
  ['DiagnosticReport.priors', `{ ${report} }`, ['DiagnosticReport.r']],
];

let ehr: AuthorizationServer;
let folder: string;
let gateway: TestGateway;
let described: (field: string) => string;

beforeAll(async () => {
  ehr = await authorizationServer();
  const identifier = [{ system: 'urn:mrn', value: 'p1', type: { coding: [{ code: 'MR' }] } }];
  ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier });
  folder = await mkdtemp(join(tmpdir(), 'field-scopes-'));
  const [images, patients] = [join(folder, 'images'), join(folder, 'patients')];
  await Promise.all([images, patients].map((path) => mkdir(path)));
  await writeFile(join(images, 'image.dcm'), smallObjects({ studyUid: STUDY, patientId: 'p1' })[0]!);
  const record = [
    { resourceType: 'Patient', id: 'p1', identifier },
    {
      resourceType: 'DiagnosticReport',
      id: 'r1',
      status: 'final',
      code: {},
      subject: { reference: 'Patient/p1' },
      imagingStudy: [{ identifier: { system: 'urn:dicom:uid', value: `urn:oid:${STUDY}` } }],
    },
  ];
  const entry = record.map((resource) => ({ resource }));
  await writeFile(
    join(patients, 'p1.json'),
    JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry }),
  );
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const clinical = { type: 'store', path: patients };
  gateway = await buildTestGateway(
    () => ({
      t: { authorization, clinical, images: { type: 'folder', path: images, lookup: 'studies-by-mrn' } },
    }),
    { images, patients },
  );
  await gateway.app.ready();
  const sdl = await readFile(new URL('../../schema/api.graphql', import.meta.url), 'utf8');
  const schema = buildSchema(sdl);
  described = (field) => {
    const [parent = '', name = ''] = field.split('.');
    const type = schema.getType(parent);
    return (isObjectType(type) && type.getFields()[name]?.description) || '';
  };
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Asks with a token of these scopes. @returns codes of the errors */
async function codes(query: string, scopes: readonly string[]): Promise<unknown[]> {
  const scope = ['launch/patient', ...scopes.map((one) => `patient/${one}`)].join(' ');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = Buffer.from(scope).toString('base64url');
  ehr.tokens.set(token, { client_id: 'app', patient: 'p1', exp, scope });
  const answer = await gateway.app.inject({
    method: 'POST',
    url: '/t/graphql',
    payload: { query },
    headers: { authorization: `Bearer ${token}` },
  });
  const { errors = [] } = answer.json<{ errors?: { extensions: { code: string } }[] }>();
  return errors.map(({ extensions }) => extensions.code);
}

test.each(FIELDS)('FG-27 the scopes of %s', async (field, query, others) => {
  const [, line = ''] = /^Scope: (.*), with patient\/, user\/ or system\/$/m.exec(described(field)) ?? [];
  const needed = line.replace('.s of each type', 'Encounter.s').split(' and ');
  expect(await codes(query, [...others, ...needed])).not.toContain('insufficient_scope');
  for (const left of needed.filter((one) => !others.includes(one))) {
    const without = [...others, ...needed].filter((one) => one !== left);
    // A token without any scope of a patient's data is refused as a whole.
    expect([left, await codes(query, [...without, 'Flag.r'])]).toEqual([
      left,
      expect.arrayContaining(['insufficient_scope']),
    ]);
  }
});

test('FG-27 every field that leads to resources of a type names a scope', () => {
  for (const [field, scope] of [
    ['Query.Observation', 'Observation.r'],
    ['Query.EndpointList', undefined],
    ['Query.ObservationConnection', 'Observation.s'],
    ['Encounter.ObservationList', 'Observation.s'],
    ['DiagnosticReport.ImagingStudyList', 'ImagingStudy.s'],
    ['Reference.resource', '.r of its type'],
    ['Observation.status', undefined],
  ] as const)
    expect([field, /^Scope: (.*), with/m.exec(described(field))?.[1]]).toEqual([field, scope]);
});
