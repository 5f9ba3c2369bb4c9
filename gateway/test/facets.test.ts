/** Values of connections, counted in the store and in the archive (FG-30), within the caller's reach. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

vi.setConfig({ testTimeout: 30_000, hookTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), 'facets-'));
const [IMAGES, RECORD] = [join(directory, 'images'), join(directory, 'record.ndjson')];
let ehr: AuthorizationServer;
let gateway: TestGateway;

const coding = (system: string, code: string, display?: string) => ({
  system,
  code,
  ...(display && { display }),
});
const observation = (patient: string, id: string, codings: object[], category = 'laboratory') => ({
  resourceType: 'Observation',
  id: `${patient}-${id}`,
  status: 'final',
  code: { coding: codings },
  subject: { reference: `Patient/${patient}` },
  category: [{ coding: [coding('urn:category', category)] }],
});
const [GLUCOSE, SODIUM] = [coding('urn:a', 'GLU', 'Glucose'), coding('urn:a', 'na')];
const patient = (id: string, gender: string) => ({
  resourceType: 'Patient',
  id,
  gender,
  identifier: [{ value: id, type: { coding: [{ code: 'MR' }] } }],
});

beforeAll(async () => {
  mkdirSync(IMAGES);
  const record = [
    patient('p1', 'female'),
    patient('p2', 'female'),
    patient('p3', 'male'),
    observation('p1', 'a', [GLUCOSE]),
    observation('p1', 'b', [GLUCOSE, coding('urn:b', 'glu', 'Glucose of another system')], 'vital-signs'),
    observation('p1', 'c', [SODIUM]),
    observation('p2', 'a', [GLUCOSE]),
    observation('p3', 'a', [GLUCOSE]),
  ];
  writeFileSync(RECORD, record.map((one) => JSON.stringify(one)).join('\n'));
  for (const [number, id] of ['p1', 'p2', 'p3'].entries()) {
    const [object] = smallObjects({ studyUid: `1.2.${number + 1}`, patientId: id });
    writeFileSync(join(IMAGES, `${id}.dcm`), object!);
  }
  ehr = await authorizationServer();
  for (const id of ['p1', 'p2', 'p3']) ehr.patients.set(id, patient(id, 'unknown'));
  const token = (scope: string) => ({
    client_id: 'analyst',
    scope,
    exp: Math.floor(Date.now() / 1000) + 3600,
  });
  ehr.tokens.set('two', token('system/*.rs'));
  ehr.tokens.set('vitals', token('system/Observation.rs?category=vital-signs'));
  const several = 'system/Observation.rs?category=vital-signs system/Observation.rs?code=na';
  ehr.tokens.set('several', token(several));
  ehr.tokens.set('patients', token('system/Patient.rs'));
  const images = { type: 'folder', path: IMAGES, lookup: 'studies-by-mrn' };
  gateway = await buildTestGateway(
    () => ({
      policy: {
        authorization: {
          type: 'smart-on-fhir',
          fhirBaseUrl: ehr.fhirBaseUrl,
          client: ehr.client,
          modes: ['backend-services'],
          policy: [{ client_id: 'analyst', patients: ['p1', 'p2'] }],
        },
        clinical: { type: 'store', path: RECORD },
        images,
      },
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'store', path: RECORD },
        images: { ...images, lookup: 'all-studies-on-server' },
      },
      ehr: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'fhir', baseUrl: ehr.fhirBaseUrl },
        images,
      },
    }),
    { images: IMAGES, patients: directory },
  );
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  rmSync(directory, { recursive: true });
});

type Found = Record<string, Record<string, unknown>>;

async function ask(query: string, token?: string, tenant = token ? 'policy' : 'open') {
  const { body } = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    payload: { query: `{ ${query} }` },
    ...(token && { headers: { authorization: `Bearer ${token}` } }),
  });
  return JSON.parse(body) as { data: Found; errors?: { message: string; extensions: { code: string } }[] };
}

/** Returns values with their counts: `GLU 4`. */
async function counted(connection: string, facets: string, token?: string): Promise<string[]> {
  const { data, errors } = await ask(`${connection} { facets(${facets}) { value count others } }`, token);
  expect(errors).toBeUndefined();
  const list = Object.values(data)[0]!['facets'] as { value: string; count: number; others: number }[];
  return list.map(({ value, count, others }) => `${value ?? `${others} others`} ${count}`);
}

const LAB = 'category: ["laboratory"]';
test.each([
  ['all', 'ObservationConnection', 'by: code', undefined, ['GLU 4', 'na 1', 'glu 1']],
  ['a search', `ObservationConnection(${LAB})`, 'by: code', undefined, ['GLU 3', 'na 1']],
  ['a filter', 'ObservationConnection(_filter: "code ne na")', 'by: code', undefined, ['GLU 4', 'glu 1']],
  ['the most frequent', 'ObservationConnection', 'by: code, _count: 1', undefined, ['GLU 4', '2 others 2']],
  ['a policy', 'ObservationConnection', 'by: code', 'two', ['GLU 3', 'na 1', 'glu 1']],
  ['a policy and a search', `ObservationConnection(${LAB})`, 'by: code', 'two', ['GLU 2', 'na 1']],
  ['patients of a policy', 'PatientConnection', 'by: gender', 'two', ['female 2']],
  ['a granular scope', 'ObservationConnection', 'by: code', 'vitals', ['GLU 1', 'glu 1']],
  ['ids', 'ObservationConnection(_id: ["p1-c"])', 'by: status', undefined, ['final 1']],
  ['nothing', 'ObservationConnection(_id: ["x"])', 'by: status', undefined, []],
  ['a type without resources', 'ConditionConnection', 'by: code', undefined, []],
  ['studies', 'ImagingStudyConnection', 'by: modality', undefined, ['CT 3']],
  ['studies by year', 'ImagingStudyConnection', 'by: startedYear', undefined, ['2024 3']],
  ['studies of a policy', 'ImagingStudyConnection(_count: 1)', 'by: modality', 'two', ['CT 2']],
] as const)('of %s: %s facets(%s)', async (_what, connection, facets, token, wanted) => {
  expect((await counted(connection, facets, token)).toSorted()).toEqual([...wanted].toSorted());
});

test('below a patient, those that refer to it, with system and display, beside its page', async () => {
  const query = `Patient(id: "p1") { ObservationConnection(_count: 1) {
    count edges { resource { id } } facets(by: code, _count: 1) { value system display count } } }`;
  const { data } = await ask(query);
  expect(data['Patient']!['ObservationConnection']).toEqual({
    count: 3,
    edges: [{ resource: { id: 'p1-a' } }],
    facets: [
      { value: 'GLU', system: 'urn:a', display: 'Glucose', count: 2 },
      { value: null, system: null, display: null, count: 2 },
    ],
  });
});

const CODES = 'facets(by: code) { count }';
test.each([
  ['a patient out of reach', `ObservationConnection(patient: ["p3"]) { ${CODES} }`, 'two', 'forbidden'],
  ['a scope of another type', `ObservationConnection { ${CODES} }`, 'patients', 'insufficient_scope'],
  ['several narrow scopes', `ObservationConnection { ${CODES} }`, 'several', 'not_implemented'],
  ['an expression', `ObservationConnection(fhirpath: "true") { ${CODES} }`, 'two', 'invalid_request'],
  ['no values', 'ObservationConnection { facets(by: code, _count: 0) { count } }', 'two', 'invalid_request'],
  [
    'no values of studies',
    'ImagingStudyConnection { facets(by: status, _count: 0) { count } }',
    'two',
    'invalid_request',
  ],
])('%s is refused', async (_what, query, token, code) => {
  const { errors } = await ask(query, token);
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual([code]);
});

test('a FHIR server does not count', async () => {
  const { errors } = await ask(`ObservationConnection { ${CODES} }`, undefined, 'ehr');
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['not_implemented']);
  expect(errors?.[0]?.message).toMatch(/does not count/);
});
