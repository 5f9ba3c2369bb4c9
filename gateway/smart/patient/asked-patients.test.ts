import { fastify } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askedRequest, type AskedRequest, type Served } from '../../../schema/http/served.ts';
import { parseTenant, type Tenant } from '../../../schema/tenant/tenant.ts';
import { DEFAULT_LIMITS } from '../../federation/document/limits.ts';
import { vendorServer, type VendorServer } from '../../test/vendor-server.ts';
import { authorizer, type Authorizer } from '../authorize.ts';
import { namedIn, namedPatients, namedStudies } from './named-patients.ts';
import { processorTime } from '../../test/setup/processor-time.ts';

let ehr: VendorServer;
let auth: Authorizer;
let tenant: Tenant;
let clock: number;
const scope = 'user/Patient.rs user/ImagingStudy.rs';

beforeAll(async () => {
  ehr = await vendorServer('meditech');
});
afterAll(() => ehr.close());
beforeEach(() => {
  clock = Date.now();
  ehr.up = true;
  ehr.seen.length = 0;
  ehr.tokens.clear();
  ehr.tokens.set('doctor', { active: true, scope, exp: clock / 1000 + 3600 });
  ehr.tokens.set('both', {
    active: true,
    scope: `${scope} patient/Condition.rs`,
    patient: 'p1',
    exp: clock / 1000 + 3600,
  });
  ehr.readers.clear();
  ehr.readers.set('p1', new Set(['doctor', 'both']));
  ehr.readers.set('p2', new Set(['doctor', 'both']));
  ehr.readers.set('p3', new Set(['nurse']));
  auth = authorizer({ dispatcher: () => undefined, now: () => clock, baseUrl: 'https://img.example.org' });
  tenant = parseTenant(
    {
      authorization: {
        type: 'smart-on-fhir',
        fhirBaseUrl: ehr.fhirBaseUrl,
        client: { client_id: 'imaging', client_secret: 's3cr+t:/ä' },
      },
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' },
    },
    { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
  ).tenant;
});

/** The routes of the gateway. */
const ROUTES: readonly [url: string, serves: Served][] = [
  ['/t/graphql', { interaction: 'graphql' }],
  ['/t/fhir/$graphql', { interaction: 'graphql' }],
  [
    '/t/fhir/ImagingStudy/:id/$graphql',
    { interaction: 'graphql', resource: 'ImagingStudy', studyFrom: { path: 'id' } },
  ],
  ['/t/fhir/:type/:id/$graphql', { interaction: 'graphql' }],
  ['/t/fhir/:type', { interaction: 'search' }],
  ['/t/fhir/:type/_search', { interaction: 'search' }],
  ['/t/fhir/:type/:id', { interaction: 'read' }],
  ['/t/fhir/:type/:id/_history/:version', { interaction: 'read' }],
  ['/t/fhir/Patient/:id/:type', { interaction: 'search', patientFrom: { path: 'id' } }],
  ...['ImagingStudy', 'Endpoint'].map((resource): [string, Served] => [
    `/t/fhir/${resource}/:id`,
    { interaction: 'read', resource, studyFrom: { path: 'id' } },
  ]),
  ['/t/dicomweb/studies', { interaction: 'search', resource: 'ImagingStudy' }],
  [
    '/t/dicomweb/studies/:studyUid/*',
    { interaction: 'retrieve', resource: 'ImagingStudy', studyFrom: { path: 'studyUid' } },
  ],
  ['/t/wado-uri', { interaction: 'retrieve', resource: 'ImagingStudy', studyFrom: { query: 'studyUID' } }],
  ['/t/wado/links', { interaction: 'operation', studyFrom: { body: 'path' } }],
];

/** Returns what a request with this URL and body asks for; undefined when no route matches. */
async function askedAt(url: string, body?: unknown): Promise<AskedRequest | undefined> {
  const app = fastify();
  let asked: AskedRequest | undefined;
  for (const [url, serves] of ROUTES)
    app.get(url, { config: { serves } }, async (request) => {
      asked = askedRequest(request);
    });
  await app.inject(url);
  return asked && { ...asked, body };
}
const patientsAt = async (url: string, body?: unknown) => {
  const asked = await askedAt(url, body);
  return asked ? namedPatients(asked) : [];
};
const studiesAt = async (url: string, body?: unknown) => {
  const asked = await askedAt(url, body);
  return asked ? namedStudies(asked) : [];
};

async function reach(token: string, url: string, body?: unknown) {
  const asked = await askedAt(url, body);
  return auth.reach(tenant, await auth.authorize(tenant, token), () => namedIn(asked!));
}
const outcome = (promise: ReturnType<typeof reach>) =>
  promise.then(
    ({ patients }) => (patients as { id: string }[]).map(({ id }) => id).join(),
    (error: { code: string }) => error.code,
  );
const reads = () => ehr.seen.filter((line) => line.includes('/Patient/')).length;

describe('user/ scopes reach the patients whom the EHR lets the caller read', () => {
  test.each<[string, string, unknown, string]>([
    ['doctor', '/t/fhir/Patient/p1', undefined, 'p1'],
    ['doctor', '/t/fhir/ImagingStudy?patient=Patient/p2', undefined, 'p2'],
    ['doctor', '/t/graphql', { query: '{ Patient(id: "p1") { id } }' }, 'p1'],
    ['doctor', '/t/fhir/Patient/p3', undefined, 'forbidden'],
    ['doctor', '/t/fhir/Patient/nobody', undefined, 'forbidden'],
    ['doctor', '/t/fhir/ImagingStudy', undefined, 'forbidden'],
    ['doctor', '/t/dicomweb/studies', undefined, 'forbidden'],
    ['doctor', '/t/fhir/ImagingStudy?patient=p1,p3', undefined, 'p1'],
    ['both', '/t/fhir/ImagingStudy', undefined, 'p1'],
    ['both', '/t/fhir/ImagingStudy?patient=p3', undefined, 'p1'],
    ['both', '/t/fhir/ImagingStudy?patient=p2', undefined, 'p1,p2'],
  ])('%s %s %j → %s', async (token, url, body, expected) => {
    expect(await outcome(reach(token, url, body))).toBe(expected);
  });

  test('no patient is in reach before the request names one', async () => {
    expect((await auth.authorize(tenant, 'doctor')).patients).toEqual([]);
  });

  test('IA-9 only user/ scopes count for patients other than the one in context', async () => {
    const levels = async (url: string) =>
      new Set((await reach('both', url)).permissions.map(({ level }) => level));
    expect(await levels('/t/fhir/Condition?patient=p1')).toEqual(new Set(['user', 'patient']));
    expect(await levels('/t/fhir/Condition?patient=p2')).toEqual(new Set(['user']));
  });

  test('asks with the caller’s token, and keeps an answer for a minute, a refusal for three seconds', async () => {
    await reach('doctor', '/t/fhir/Patient/p1');
    await reach('doctor', '/t/fhir/Patient/p1');
    expect(reads()).toBe(1);
    expect(ehr.seen.at(-1)).toMatch(/Patient\/p1 Bearer doctor$/);
    ehr.readers.delete('p1');
    clock += 61_000;
    expect(await outcome(reach('doctor', '/t/fhir/Patient/p1'))).toBe('forbidden');
    ehr.readers.set('p1', new Set(['doctor']));
    clock += 3001;
    expect(await outcome(reach('doctor', '/t/fhir/Patient/p1'))).toBe('p1');
  });

  test('asks again for another token', async () => {
    ehr.tokens.set('nurse', { active: true, scope, exp: clock / 1000 + 3600 });
    await reach('doctor', '/t/fhir/Patient/p1');
    expect(await outcome(reach('nurse', '/t/fhir/Patient/p1'))).toBe('forbidden');
  });

  test('IA-9 answers unavailable while the EHR does not answer, but a patient in context stays in reach', async () => {
    await reach('doctor', '/t/fhir/Patient/p2');
    await reach('both', '/t/fhir/ImagingStudy');
    ehr.up = false;
    expect(await outcome(reach('doctor', '/t/fhir/Patient/p1'))).toBe('unavailable');
    expect(await outcome(reach('both', '/t/fhir/ImagingStudy?patient=p2'))).toBe('p1');
  });

  test('reads at most ten patients for a request', async () => {
    const many = Array.from({ length: 50 }, (_, i) => `x${i}`).join();
    expect(await outcome(reach('doctor', `/t/fhir/ImagingStudy?patient=${many}`))).toBe('forbidden');
    expect(reads()).toBe(10);
  });
});

test.each<[string, unknown, string[]]>([
  ['/t/fhir/Patient/p1', undefined, ['p1']],
  ['/t/fhir/Patient/p1/_history/2', undefined, ['p1']],
  ['/t/fhir/Patient/p1/Condition', undefined, ['p1']],
  ['/t/fhir/Patient/p1/Condition?subject=p2', undefined, ['p1', 'p2']],
  ['/t/fhir/Patient/p1/$graphql', undefined, ['p1']],
  ['/t/fhir/Condition/p1/$graphql', undefined, []],
  [
    '/t/fhir/$graphql',
    { query: '{ Patient(id: p1) { id } ConditionList(patient: [p2, 3]) { id } }' },
    ['p1', 'p2', '3'],
  ],
  ['/t/fhir/Patient?_id=p1,p2', undefined, ['p1', 'p2']],
  ['/t/fhir/Condition?_id=c1', undefined, []],
  ['/t/fhir/Condition?subject=https://ehr.example.org/fhir/Patient/p1', undefined, ['p1']],
  ['/t/fhir/Condition?subject:Patient=p1&patient=p1', undefined, ['p1']],
  ['/t/fhir/ImagingStudy/_search', 'patient=p1&status=available', ['p1']],
  ['/t/fhir/ImagingStudy/_search', [['subject', 'Patient/p1']], ['p1']],
  ['/t/fhir/ImagingStudy?patient.identifier=x|p1', undefined, []],
  ['/t/fhir/ImagingStudy?patient=../metadata', undefined, []],
  ['/t/fhir/ImagingStudy?patient=..', undefined, []],
  ['/t/fhir/Patient/..', undefined, []],
  [
    '/t/graphql',
    { query: 'query($p: ID!) { Patient(id: $p) { id } }', variables: { p: 'p1', n: 3 } },
    ['p1'],
  ],
  ['/t/graphql', { query: '{ ImagingStudyList(patient: "Patient/p1") { id } }' }, ['p1']],
  ['/t/graphql', { query: '{ Condition(id: "c1") { id } }' }, []],
  ['/t/graphql', { query: '{ Patient(id: "p1"' }, []],
  ['/t/graphql', { extensions: { persistedQuery: {} }, variables: { id: 'p1' } }, ['p1']],
  ['/t/graphql?query={Patient(id:"p1"){id}}', undefined, ['p1']],
  ['/t/graphql?variables={"p":"p1"}', undefined, ['p1']],
  ['/t/graphql?variables={', undefined, []],
  ['/t/graphql', 'null', []],
  ['/t/fhir/Patient/%2e%2e', undefined, []],
  ['/t/fhir/Patient/p%31', undefined, ['p1']],
  ['/t/fhir/Patient/%zz', undefined, []],
  ['/t/wado/links', { query: '{ Patient(id: "p1") { id } }' }, []],
])('patients that %s %j names', async (url, body, expected) => {
  expect(await patientsAt(url, body)).toEqual(expected);
});

/** All ways to write a value that graphql-js accepts. */
test.each<[query: string, variables: object | undefined, expected: string[]]>([
  ['{ ConditionList(patient: ["p1", "Patient/p2"]) { id } }', undefined, ['p1', 'p2']],
  ['{ ConditionList(patient: "p1,p2") { id } }', undefined, ['p1', 'p2']],
  ['{ PatientList(_id: ["p1"]) { id } }', undefined, ['p1']],
  ['{ PatientConnection(_id: "p1") { edges { resource { id } } } }', undefined, ['p1']],
  ['{ ConditionList(_id: "c1") { id } }', undefined, []],
  ['{ Patient(id: 12) { id } }', undefined, ['12']],
  ['query($p: ID!) { Patient(id: $p) { id } }', { p: 12 }, ['12']],
  ['query($p: ID = "p1") { Patient(id: $p) { id } }', undefined, ['p1']],
  ['query($p: [String!] = ["p1"]) { ConditionList(patient: $p) { id } }', {}, ['p1']],
  ['query($p: [String!]) { ConditionList(patient: $p) { id } }', { p: ['p1', 'p2'] }, ['p1', 'p2']],
  ['query($p: String!) { ConditionList(patient: [$p]) { id } }', { p: 'p1' }, ['p1']],
  ['{ ...F } fragment F on Query { a: Patient(id: "p1") { id } }', undefined, ['p1']],
])('patients that the document %s with %j names', async (query, variables, expected) => {
  expect(await patientsAt('/t/graphql', { query, ...(variables && { variables }) })).toEqual(expected);
  const address = new URLSearchParams({ query, ...(variables && { variables: JSON.stringify(variables) }) });
  expect(await patientsAt(`/t/fhir/$graphql?${address.toString()}`, undefined)).toEqual(expected);
});

test('reads a document only up to the limit for documents that are executed', async () => {
  const query = (fields: number) => `{ Patient(id: "p1") { ${'id '.repeat(fields)} } }`;
  expect(await patientsAt('/t/graphql', { query: query(7000) })).toEqual(['p1']);
  expect(await patientsAt('/t/graphql', { query: query(DEFAULT_LIMITS.tokens) })).toEqual([]);
});

test('reads the patients of the operation that runs', async () => {
  const query = `query A { Patient(id: "p1") { id } } query B { Patient(id: "p2") { ...F } }
    fragment F on Patient { id }`;
  expect(await patientsAt('/t/graphql', { query, operationName: 'B' })).toEqual(['p2']);
  expect(await patientsAt('/t/graphql', { query })).toEqual(['p1', 'p2']);
});

test('reads a variable with many values once, even if it is used many times', async () => {
  const uses = Array.from({ length: 800 }, (_, n) => `a${n}: ConditionList(patient: $p) { id }`).join(' ');
  const body = { query: `query($p: [String!]) { ${uses} }`, variables: { p: Array(60_000).fill('x') } };
  const read = async () => expect(await patientsAt('/t/graphql', body)).toEqual(['x']);
  expect(await processorTime(read)).toBeLessThan(10_000);
});

test.each<[string, unknown, string[]]>([
  ['/t/dicomweb/studies/1.2.3/series/4.5/metadata', undefined, ['1.2.3']],
  ['/t/dicomweb/studies?StudyInstanceUID=1.2.3', undefined, []],
  ['/t/wado-uri?requestType=WADO&studyUID=1.2.3&seriesUID=4.5', undefined, ['1.2.3']],
  ['/t/wado-uri?requestType=WADO', undefined, []],
  ['/t/fhir/ImagingStudy/1.2.3', undefined, ['1.2.3']],
  ['/t/fhir/Endpoint/1.2.3', undefined, ['1.2.3']],
  ['/t/fhir/Endpoint/dicomweb', undefined, []],
  ['/t/fhir/ImagingStudy/..', undefined, []],
  ['/t/fhir/ImagingStudy/of-the-record', undefined, ['of-the-record']],
  ['/t/fhir/ImagingStudy/of-the-record/$graphql', undefined, ['of-the-record']],
  ['/t/dicomweb/studies/of-the-record/metadata', undefined, []],
  ['/t/graphql', { query: '{ ImagingStudy(id: "of-the-record") { id } }' }, ['of-the-record']],
  ['/t/graphql', { query: '{ Patient(id: "p1") { id } Endpoint(id: "e") { id } }' }, []],
  [
    '/t/graphql',
    { query: 'query($s: ID = "s1", $p: ID = "p1") { ImagingStudy(id: $s) { id } Patient(id: $p) { id } }' },
    ['s1'],
  ],
  [
    '/t/graphql',
    {
      query: 'query($s: ID, $p: ID) { ImagingStudy(id: $s) { id } Patient(id: $p) { id } }',
      variables: { s: 's1', p: 'p1' },
    },
    ['s1'],
  ],
  ['/t/fhir/ImagingStudy/1.2.3/$graphql', undefined, ['1.2.3']],
  ['/t/dicomweb/studies/%2e%2e/metadata', undefined, []],
  ['/t/dicomweb/studies/1%2E2.3/metadata', undefined, ['1.2.3']],
  ['/t/wado/links', { path: 'studies/1.2.3/rendered?accept=image%2Fpng' }, ['1.2.3']],
  ['/t/wado/links', { path: 'https://a.example/t/dicomweb/studies/1.2.3/series/4' }, ['1.2.3']],
  ['/t/wado/links', { path: 7 }, []],
  ['/t/graphql', { query: '{ ImagingStudy(id: "1.2.3") { id } }' }, ['1.2.3']],
  [
    '/t/graphql',
    { query: 'query($u: ID!) { ImagingStudy(id: $u) { id } }', variables: { u: '1.2.3' } },
    ['1.2.3'],
  ],
  ['/t/graphql?query={ImagingStudy(id:"1.2.3"){id}}', undefined, ['1.2.3']],
  [
    '/t/graphql',
    {
      query: `{ ${Array.from({ length: 50 }, (_, n) => `a${n}: ImagingStudy(id: "1.${n}") { id }`).join(' ')} }`,
    },
    Array.from({ length: 10 }, (_, n) => `1.${n}`),
  ],
])('studies that %s %j names', async (url, body, studies) => {
  expect(await studiesAt(url, body)).toEqual(studies);
});
