import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startClinical, startFhirServer, tenantOf } from '../../subgraphs/clinical/test/servers.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * Access with one SMART token to an EHR whose FHIR server filters nothing: the tests show the restrictions that the
 * gateway adds.
 */
const OTHER = 'demo-tomas-novak';
let ehr: AuthorizationServer;
let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let forgetful: typeof server;
/** Returns what the EHR's answer to a path waits for. */
let hold: (path: string) => Promise<unknown> | undefined;
let gateway: TestGateway;

beforeAll(async () => {
  ehr = await authorizationServer();
  clinical = await startClinical();
  const patients = join(import.meta.dirname, '../demo/patients');
  server = await startFhirServer(clinical.subgraph, tenantOf({ type: 'store', path: patients }), {
    hold: (path) => hold(path),
  });
  const store = tenantOf({ type: 'store', path: patients });
  forgetful = await startFhirServer(clinical.subgraph, store, { ignored: ['category', 'clinical-status'] });
  gateway = await buildTestGateway(({ images }) => {
    const over = ({ base }: typeof server) => ({
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
      clinical: { type: 'fhir', baseUrl: base },
      images: { type: 'folder', path: images, lookup: 'all-studies-on-server' },
    });
    return { t: over(server), forgetful: over(forgetful) };
  });
  ehr.patients.set(DEMO_PATIENT, { resourceType: 'Patient', id: DEMO_PATIENT });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'app', exp, patient: DEMO_PATIENT };
  ehr.tokens.set('all', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('active', {
    ...launched,
    scope: 'patient/Patient.r patient/Condition.rs?clinical-status=active',
  });
  ehr.tokens.set('laboratory', {
    ...launched,
    scope: 'patient/Patient.r patient/Observation.rs?category=laboratory',
  });
});
afterAll(async () => {
  await gateway?.close();
  await Promise.all([server?.end(), forgetful?.end(), ehr?.close()]);
  await clinical?.end();
});
beforeEach(() => {
  server.requests.length = server.answered.length = 0;
  hold = () => undefined;
});

interface Answer {
  data: { Patient: Record<string, unknown[]> };
  errors: { extensions: { code: string } }[];
}

async function ask(token: string, query: string, tenant = 't') {
  const { body } = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers: { authorization: `Bearer ${token}` },
    payload: { query },
  });
  return JSON.parse(body) as Answer;
}

const ORDERS = /^\/ServiceRequest\?patient=/;
const ORDER = /^\/ServiceRequest\/|^\/ServiceRequest\?_id=/;
/** Holds the answer to a path until the EHR has another path in one of its lists. */
const until = (held: RegExp, list: () => readonly string[], other: RegExp) => (path: string) =>
  held.test(path) ? expect.poll(list).toContainEqual(expect.stringMatching(other)) : undefined;

// Orders are listed below a study and named by a report: those that have been listed are not read.
test.each([
  [9, 'when orders are listed first', until(/^\/DiagnosticReport/, () => server.answered, ORDERS)],
  [10, 'when a report names an order first', until(ORDERS, () => server.requests, ORDER)],
])(
  'FG-6, SM-17 a record four levels deep takes %i calls to the EHR %s, each made once',
  async (count, _, held) => {
    hold = held;
    const query = `{ Patient(id: "${DEMO_PATIENT}") { name { family } ConditionList { id } AllergyIntoleranceList { id }
    ImagingStudyList { id DiagnosticReportList { id } ServiceRequestList { id } }
    DiagnosticReportList {
      performer { resource { ... on Organization { id } } } result { resource { ... on Observation { id } } }
      basedOn { resource { ... on ServiceRequest { requester { resource { ... on Practitioner { id } } } } } }
    } } }`;
    const { errors, data } = await ask('all', query);
    expect(errors).toBeUndefined();
    expect(data.Patient['ImagingStudyList']?.length).toBeGreaterThan(1);
    const calls = server.requests.map((path) => /^\/(\w+)/.exec(path)?.[1]).toSorted();
    expect(new Set(server.requests).size).toBe(calls.length);
    // One call for each list, one for all reads of a type at a level.
    const types = [
      'AllergyIntolerance',
      'Condition',
      'DiagnosticReport',
      'ImagingStudy',
      'Observation',
      'Organization',
      'Patient',
      'Practitioner',
      'ServiceRequest',
      'ServiceRequest',
    ];
    expect(calls).toEqual(types.slice(0, count));
  },
);

test('SM-16 lists below a practitioner have only resources of the patient', async () => {
  const query = `{ ServiceRequestList { requester { resource { ... on Practitioner {
    ServiceRequestList(_reference: requester) { subject { reference } }
    EncounterList(_reference: participant) { subject { reference } }
    PatientList(_reference: general_practitioner) { id } } } } } }`;
  const { errors, data } = await ask('all', query);
  expect(errors).toBeUndefined();
  const text = JSON.stringify(data);
  const patients = [...text.matchAll(/(?:Patient\/|"id":")([\w-]+)/g)].map(([, id]) => id);
  expect(patients.length).toBeGreaterThan(0);
  expect(new Set(patients)).toEqual(new Set([DEMO_PATIENT]));
});

test('IA-7 another patient is refused without a call to the EHR', async () => {
  const { data, errors } = await ask(
    'all',
    `{ Patient(id: "${OTHER}") { id } ConditionList(patient: "${OTHER}") { id } }`,
  );
  expect(data).toEqual({ Patient: null, ConditionList: null });
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['forbidden', 'forbidden']);
  expect(server.requests).toEqual([]);
});

test('SM-5 a granular scope filters where the EHR ignores its parameter, in GraphQL, search and read', async () => {
  const headers = { authorization: 'Bearer laboratory' };
  const fhir = async (path: string) =>
    (await gateway.app.inject({ url: `/forgetful/fhir/${path}`, headers })).json();
  const everything = { authorization: 'Bearer all' };
  const wide = await gateway.app.inject({
    url: '/forgetful/fhir/Observation?_count=1000',
    headers: everything,
  });
  const all = entriesOf(wide.json());
  const isLaboratory = ({ category }: Entry) =>
    category?.some(({ coding }) => coding.some(({ code }) => code === 'laboratory')) ?? false;
  const laboratory = all
    .filter(isLaboratory)
    .map(({ id }) => id)
    .sort();
  const others = all.filter((entry) => !isLaboratory(entry)).map(({ id }) => id);
  expect(Math.min(laboratory.length, others.length)).toBeGreaterThan(0);

  expect(
    entriesOf(await fhir('Observation?_count=1000'))
      .map(({ id }) => id)
      .sort(),
  ).toEqual(laboratory);
  const { data } = await ask(
    'laboratory',
    `{ Patient(id: "${DEMO_PATIENT}") { ObservationList { id } } }`,
    'forgetful',
  );
  expect((data.Patient['ObservationList'] as Entry[]).map(({ id }) => id).sort()).toEqual(laboratory);
  expect(await fhir(`Observation/${laboratory[0]}`)).toMatchObject({ id: laboratory[0] });
  expect(await fhir(`Observation/${others[0]}`)).toMatchObject({ resourceType: 'OperationOutcome' });
});

interface Entry {
  id: string;
  category?: { coding: { code: string }[] }[];
}

const entriesOf = (bundle: { entry?: { resource: Entry }[] }) =>
  (bundle.entry ?? []).map(({ resource }) => resource);

test('SM-5 a granular scope is sent to the EHR as a search parameter', async () => {
  const { data } = await ask(
    'active',
    `{ Patient(id: "${DEMO_PATIENT}") { ConditionList { id } ObservationList { id } } }`,
  );
  expect(data.Patient['ConditionList']?.length).toBeGreaterThan(0);
  expect(data.Patient['ObservationList']).toBeNull();
  const [search] = server.requests.filter((path) => path.startsWith('/Condition'));
  expect(search).toContain('clinical-status=active');
});
