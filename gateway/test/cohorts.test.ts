/**
 * Searches that lead from the record to the images and back, by sets of patients: each finds what a client finds who lists
 * all patients and all studies that the same token shows, and intersects them.
 */
import type { Bundle, Resource } from 'fhir/r4.js';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MOST_PATIENTS } from '../../schema/fhir/search/patient-sets.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { freePort } from './setup/free-port.ts';
import { Random } from './setup/random.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const directory = mkdtempSync(join(tmpdir(), 'cohorts-'));
const [IMAGES, RECORD] = [join(directory, 'images'), join(directory, 'record.ndjson')];
const ids = Array.from({ length: 40 }, (_, at) => `p${at}`);
const CODES = ['44054006', '38341003', '195967001'];
const MODALITIES = ['CT', 'MR', 'US'];
const PARTS = ['HEAD', 'CHEST'];
const YEARS = ['2023', '2024'];
const random = new Random(40);
let ehr: AuthorizationServer;
let gateway: TestGateway;

const patients = ids.map((id) => ({
  resourceType: 'Patient' as const,
  id,
  gender: random.of(['female', 'male'] as const),
  identifier: [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }],
}));
const conditions = ids.flatMap((id) =>
  CODES.filter(() => random.chance(0.4)).map((code) => ({
    resourceType: 'Condition',
    id: `${id}-${code}`,
    subject: { reference: `Patient/${id}` },
    code: { coding: [{ system: 'http://snomed.info/sct', code }] },
  })),
);
/** The last study is of somebody whom the record does not know. */
const studies = [...ids.flatMap((id) => (random.chance(0.7) ? [id, id] : [])), 'nobody'].map((id, at) => ({
  studyUid: `1.2.${at + 1}`,
  patientId: `MRN-${id}`,
  modality: random.of(MODALITIES),
  bodyPart: random.of(PARTS),
  date: `${random.of(YEARS)}0101`,
}));

const half = (odd: number) => ids.filter((_, at) => at % 2 === odd);
const policy = [
  { client_id: 'one', patients: half(0) },
  { client_id: 'two', patients: half(1) },
  { client_id: 'few', patients: ids.slice(0, 3) },
  { client_id: 'some', patients: half(0), studies: studies.slice(0, 20).map(({ studyUid }) => studyUid) },
];
const SCOPES = {
  all: 'system/*.rs',
  'CT only': 'system/Patient.rs system/Condition.rs system/ImagingStudy.rs?modality=CT',
  'women only': 'system/Patient.rs?gender=female system/Condition.rs system/ImagingStudy.rs',
  'no images': 'system/Patient.rs system/Condition.rs',
  'no patients': 'system/ImagingStudy.rs',
};

beforeAll(async () => {
  mkdirSync(IMAGES);
  writeFileSync(RECORD, [...patients, ...conditions].map((one) => JSON.stringify(one)).join('\n'));
  for (const study of studies) writeFileSync(join(IMAGES, `${study.studyUid}.dcm`), smallObjects(study)[0]!);
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  for (const { client_id } of policy)
    for (const [name, scope] of Object.entries(SCOPES))
      ehr.tokens.set(`${client_id} ${name}`.replaceAll(' ', '-'), { client_id, scope, exp });
  for (const one of patients) ehr.patients.set(one.id, one);
  const port = await freePort();
  const store = { type: 'store', path: RECORD };
  const images = { type: 'folder', path: IMAGES, lookup: 'studies-by-mrn' };
  const smart = {
    type: 'smart-on-fhir',
    fhirBaseUrl: ehr.fhirBaseUrl,
    client: ehr.client,
    modes: ['backend-services'],
    policy,
  };
  const open = { type: 'mock', disableAuthzChecks: true };
  gateway = await buildTestGateway(
    () => ({
      policy: { authorization: smart, clinical: store, images },
      withheld: { authorization: { ...smart, withhold: [{ modality: ['MR'] }] }, clinical: store, images },
      open: { authorization: open, clinical: store, images },
      late: { authorization: open, clinical: store, images: { ...images, delay: { lookupUntil: exp } } },
      remote: {
        authorization: open,
        clinical: { type: 'fhir', baseUrl: `http://127.0.0.1:${port}/open/fhir` },
        images,
      },
    }),
    { images: IMAGES, patients: directory },
    undefined,
    { port },
  );
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  rmSync(directory, { recursive: true });
});

type Pairs = readonly (readonly [name: string, value: string])[];
interface Asking {
  tenant: string;
  token?: string;
}

const request = ({ tenant, token }: Asking, type: string, pairs: Pairs) =>
  gateway.app.inject({
    url: `/${tenant}/fhir/${type}?${new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString()}`,
    headers: { prefer: 'handling=strict', ...(token && { authorization: `Bearer ${token}` }) },
  });

async function found(by: Asking, type: string, pairs: Pairs): Promise<Resource[]> {
  const answer = await request(by, type, [...pairs, ['_count', '1000'], ['_total', 'accurate']]);
  expect(answer.statusCode, answer.body).toBe(200);
  const { entry = [], total } = answer.json<Bundle>();
  const resources = entry.filter(({ search }) => search?.mode === 'match').map(({ resource }) => resource!);
  if (total !== undefined) expect(total).toBe(resources.length);
  return resources;
}

const subjectOf = (one: Resource) => (one as { subject?: { reference?: string } }).subject?.reference;
const named = (resources: readonly Resource[]) => resources.map(({ id }) => id!).toSorted();

/** Conditions on patients, as a search of them has them. A FHIR server is asked for no `_has`. */
const ofPatients = ({ tenant }: Asking): Pairs =>
  [
    ['gender', random.of(['female', 'male'])] as const,
    ['_has:Condition:patient:code', random.of(CODES)] as const,
    ['_has:Condition:patient:code', CODES.slice(0, 2).join(',')] as const,
  ].filter(([name]) => random.chance(0.5) && (tenant !== 'remote' || !name.startsWith('_has')));
const ofStudies = (): Pairs =>
  [
    ['modality', random.of(MODALITIES)] as const,
    ['modality:not', random.of(MODALITIES)] as const,
    ['bodysite', random.of(PARTS)] as const,
    ['started', random.of(YEARS)] as const,
  ].filter(() => random.chance(0.4));

/** Returns the references to the patients whom one search after the other finds, by a client's own lists. */
async function inAll(by: Asking, searches: readonly Pairs[], lists: 'Patient' | 'ImagingStudy') {
  const sets: Set<string | undefined>[] = [];
  for (const pairs of searches) {
    const list = await found(by, lists, pairs);
    sets.push(new Set(list.map((one) => (lists === 'Patient' ? `Patient/${one.id}` : subjectOf(one)))));
  }
  return (reference: string | undefined) => sets.every((set) => set.has(reference));
}

const CALLERS: Asking[] = [
  { tenant: 'open' },
  { tenant: 'remote' },
  ...['policy', 'withheld'].flatMap((tenant) =>
    policy.flatMap(({ client_id }) =>
      ['all', 'CT-only', 'women-only'].map((scope) => ({ tenant, token: `${client_id}-${scope}` })),
    ),
  ),
];

test.each(CALLERS)('patients by their studies, as by two lists: $tenant $token', async (by) => {
  for (let round = 0; round < 6; round++) {
    const [record, images] = [ofPatients(by), ofStudies()];
    const isIn = await inAll(
      by,
      images.map((one) => [one]),
      'ImagingStudy',
    );
    const wanted = (await found(by, 'Patient', record)).filter(({ id }) => isIn(`Patient/${id}`));
    const asked: Pairs = [
      ...record,
      ...images.map(([name, value]) => [`_has:ImagingStudy:patient:${name}`, value] as const),
    ];
    expect(named(await found(by, 'Patient', asked)), JSON.stringify(asked)).toEqual(named(wanted));
  }
});

test.each(CALLERS)('studies by their patients, as by two lists: $tenant $token', async (by) => {
  for (let round = 0; round < 6; round++) {
    const [record, images] = [ofPatients(by), ofStudies()];
    const isIn = await inAll(
      by,
      record.map((one) => [one]),
      'Patient',
    );
    const wanted = (await found(by, 'ImagingStudy', images)).filter((one) => isIn(subjectOf(one)));
    const asked: Pairs = [
      ...images,
      ...record.map(([name, value]) => [`subject:Patient.${name}`, value] as const),
    ];
    expect(named(await found(by, 'ImagingStudy', asked)), JSON.stringify(asked)).toEqual(named(wanted));
  }
});

test.each(CALLERS.filter(({ tenant }) => tenant !== 'remote'))(
  'another type by the studies of its patient: $tenant $token',
  async (by) => {
    const [modality, code] = [random.of(MODALITIES), random.of(CODES)];
    const isIn = await inAll(by, [[['modality', modality]]], 'ImagingStudy');
    const wanted = (await found(by, 'Condition', [['code', code]])).filter((one) => isIn(subjectOf(one)));
    const chained = [
      ['code', code] as const,
      [`patient._has:ImagingStudy:subject:modality`, modality] as const,
    ];
    expect(named(await found(by, 'Condition', chained))).toEqual(named(wanted));
  },
);

test('the data of these tests lead somewhere, and not everywhere', async () => {
  const by = { tenant: 'open' };
  const women = await found(by, 'ImagingStudy', [['subject:Patient.gender', 'female']]);
  const all = await found(by, 'ImagingStudy', []);
  expect(women.length).toBeGreaterThan(5);
  expect(women.length).toBeLessThan(all.length - 5);
});

async function graphql(by: Asking, query: string) {
  const { body } = await gateway.app.inject({
    method: 'POST',
    url: `/${by.tenant}/graphql`,
    payload: { query },
    ...(by.token && { headers: { authorization: `Bearer ${by.token}` } }),
  });
  return JSON.parse(body) as {
    data: Record<string, { count: number; edges: { resource: { id: string } }[] }>;
    errors?: { message: string; extensions: { code: string } }[];
  };
}

test.each(CALLERS)('GraphQL finds the same: $tenant $token', async (by) => {
  const chains: Pairs = [
    ['subject:Patient.gender', 'female'] as const,
    ['subject:Patient._has:Condition:patient:code', '44054006'] as const,
  ].slice(0, by.tenant === 'remote' ? 1 : 2);
  const chain = JSON.stringify(chains.map(([name, value]) => `${name}=${value}`));
  const { data, errors } = await graphql(
    by,
    `{
      patients: PatientConnection(gender: ["female"], _has: ["ImagingStudy:patient:modality=CT"], _count: 100) {
        count edges { resource { id } } }
      studies: ImagingStudyConnection(modality: ["CT"], _count: 100, _chain: ${chain}) {
        count edges { resource { id } } }
    }`,
  );
  expect(errors).toBeUndefined();
  const idsOf = (name: string) => data[name]!.edges.map(({ resource }) => resource).toSorted();
  const patientsFound = await found(by, 'Patient', [
    ['gender', 'female'],
    ['_has:ImagingStudy:patient:modality', 'CT'],
  ]);
  const studiesFound = await found(by, 'ImagingStudy', [['modality', 'CT'], ...chains]);
  expect(named(idsOf('patients') as Resource[])).toEqual(named(patientsFound));
  expect(named(idsOf('studies') as Resource[])).toEqual(named(studiesFound));
  if (by.tenant !== 'remote') expect(data['patients']!.count).toBe(patientsFound.length);
  expect(data['studies']!.count).toBe(studiesFound.length);
});

const HAS = '_has:ImagingStudy:patient';
const outside = half(1)[0]!;
test.each<[what: string, token: string, type: string, pairs: Pairs, status: number]>([
  ['images without a scope', 'one-no-images', 'Patient', [[`${HAS}:modality`, 'CT']], 403],
  ['patients without a scope', 'one-no-patients', 'ImagingStudy', [['patient.gender', 'female']], 403],
  ['a patient out of reach', 'one-all', 'Patient', [[`${HAS}:patient`, `Patient/${outside}`]], 403],
  ['an unknown parameter', 'one-all', 'Patient', [[`${HAS}:odd`, 'CT']], 400],
  ['a bad value', 'one-all', 'Patient', [[`${HAS}:started`, 'soon']], 400],
  ['a page', 'one-all', 'Patient', [[`${HAS}:_count`, '1']], 400],
  ['an include', 'one-all', 'Patient', [[`${HAS}:_include`, 'ImagingStudy:endpoint']], 400],
  ['another reference', 'one-all', 'Patient', [['_has:ImagingStudy:endpoint:modality', 'CT']], 400],
  ['there and back', 'one-all', 'Patient', [[`${HAS}:patient.${HAS}:modality`, 'CT']], 400],
  ['another type', 'one-all', 'Condition', [[`${HAS}:modality`, 'CT']], 400],
  ['many searches', 'one-all', 'Patient', Array.from({ length: 31 }, () => [`${HAS}:modality`, 'CT']), 400],
])('refused: %s', async (_, token, type, pairs, status) => {
  const answer = await request({ tenant: 'policy', token }, type, pairs);
  expect(answer.statusCode, answer.body).toBe(status);
});

test.each<[type: string, pair: Pairs[number]]>([
  ['Patient', [`${HAS}:modality`, 'CT,MR']],
  ['ImagingStudy', ['subject:Patient.gender', 'female,male']],
  ['Condition', [`patient.${HAS.replace('patient', 'subject')}:modality`, 'CT,MR']],
])('more patients than a set may have are refused: %s?%s', async (type, pair) => {
  const usual = { ...MOST_PATIENTS };
  Object.assign(MOST_PATIENTS, { local: 3, remote: 2 });
  try {
    for (const tenant of type === 'Condition' ? ['open'] : ['open', 'remote']) {
      const answer = await request({ tenant }, type, [pair]);
      expect([answer.statusCode, answer.body]).toEqual([
        413,
        expect.stringMatching(/more than \d patients: ask for fewer, or use \$sql-run/),
      ]);
    }
  } finally {
    Object.assign(MOST_PATIENTS, usual);
  }
  expect((await request({ tenant: 'open' }, type, [pair])).statusCode).toBe(200);
});

test('images that do not answer are no images that are not there', async () => {
  const answer = await request({ tenant: 'late' }, 'Patient', [[`${HAS}:modality`, 'CT']]);
  expect(answer.statusCode).toBe(503);
});

test('the self link has the search as it was sent', async () => {
  const by = { tenant: 'policy', token: 'one-all' };
  const { link = [] } = (await request(by, 'Patient', [[`${HAS}:modality`, 'CT,MR']])).json<Bundle>();
  const self = new URL(link.find(({ relation }) => relation === 'self')!.url);
  expect(self.searchParams.get(`${HAS}:modality`)).toBe('CT,MR');
  expect(self.searchParams.get('_id')).toBeNull();
});
