/**
 * Fields that the scopes do not cover (FG-31): null with an error, or a refusal of the whole request, before any source is
 * asked for them; by every way in, compiled and planned.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const MRN = '293ee354-f8ad-4345-b10c-759fdfdcc082';
const ACCEPT_PARTS = 'multipart/mixed;deferSpec=20220824, application/json';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let events: AuditEvent[] = [];

beforeAll(async () => {
  ehr = await authorizationServer();
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const sources = {
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
        graphql: { explain: true, introspection: true },
        mcp: { enabled: true },
      };
      return {
        smart: { authorization, ...sources },
        rejecting: { authorization: { ...authorization, refusedFields: 'reject' }, ...sources },
      };
    },
    undefined,
    (_tenant, event) => events.push(event),
  );
  const identifier = [
    { system: 'http://hospital.smarthealthit.org', value: MRN, type: { coding: [{ code: 'MR' }] } },
  ];
  ehr.patients.set(DEMO_PATIENT, { resourceType: 'Patient', id: DEMO_PATIENT, identifier });
}, 60_000);
beforeEach(() => {
  events = [];
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

interface Asked {
  scope?: string;
  path?: string;
  accept?: string;
  explain?: 'run';
  payload?: object;
}
interface Answer {
  data?: Record<string, unknown>;
  errors?: { message: string; path?: unknown[]; extensions: { code: string; scope?: string } }[];
  extensions?: { explain: { plan: { kind: string }; calls: { request: string }[] } };
}

async function send(query: string, asked: Asked = {}) {
  const { scope = 'Observation.rs', path = '/smart/graphql', accept, explain } = asked;
  const granted = scope.split(' ').map((one) => `patient/${one}`);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = Buffer.from(scope).toString('base64url');
  const known = { client_id: 'app', patient: DEMO_PATIENT, exp, scope: granted.join(' ') };
  ehr.tokens.set(token, known);
  return gateway.app.inject({
    method: 'POST',
    url: path,
    headers: { authorization: `Bearer ${token}`, ...(accept && { accept }) },
    payload: asked.payload ?? { query, ...(explain && { extensions: { explain } }) },
  });
}
async function ask(query: string, asked?: Asked) {
  const answer = await send(query, asked);
  return { status: answer.statusCode, ...answer.json<Answer>() };
}

/** Returns path and missing scope of each error, sorted. */
const refusals = ({ errors = [] }: Answer): string[] =>
  errors.map(({ path = [], extensions: { code, scope } }) => `${path.join('.')} ${code} ${scope}`).sort();
const RECORDED = ({ action, type, patient, outcome }: AuditEvent) =>
  [action, type, patient === DEMO_PATIENT ? 'own' : patient, 'code' in outcome ? outcome.code : ''].join(' ');

const RECORD = `a: Patient(id: "${DEMO_PATIENT}") { id birthDate ConditionList { id }
  ObservationList(_count: 2) { id subject { resource { ... on Patient { id gender } } } ImagingStudyList { id } }
  ImagingStudyList { id } timeline(types: [Observation], _count: 1) { entries { kind studies { id } } } }
  ConditionConnection { count facets(by: code) { count } } ImagingStudy(id: "1.2.3") { id DiagnosticReportList { id } } Endpoint(id: "1.2.3") { address }`;

describe('FG-31 a token for observations', () => {
  const refused = [
    'ConditionConnection insufficient_scope patient/Condition.rs',
    'Endpoint insufficient_scope patient/ImagingStudy.r',
    'ImagingStudy insufficient_scope patient/ImagingStudy.r',
    'a.ConditionList insufficient_scope patient/Condition.rs',
    'a.ImagingStudyList insufficient_scope patient/ImagingStudy.rs',
    'a.ObservationList.0.ImagingStudyList insufficient_scope patient/ImagingStudy.rs',
    'a.ObservationList.0.subject.resource.gender insufficient_scope patient/Patient.r',
    'a.ObservationList.1.ImagingStudyList insufficient_scope patient/ImagingStudy.rs',
    'a.ObservationList.1.subject.resource.gender insufficient_scope patient/Patient.r',
    'a.birthDate insufficient_scope patient/Patient.r',
  ];
  const observation = {
    id: expect.any(String),
    subject: { resource: { id: DEMO_PATIENT, gender: null } },
    ImagingStudyList: null,
  };
  const data = {
    a: {
      id: DEMO_PATIENT,
      birthDate: null,
      ConditionList: null,
      ImagingStudyList: null,
      ObservationList: [observation, observation],
      timeline: { entries: [{ kind: expect.any(String), studies: expect.anything() }] },
    },
    ConditionConnection: null,
    ImagingStudy: null,
    Endpoint: null,
  };
  data.a.timeline.entries[0]!.studies = null;

  const recorded = [
    ...['read ImagingStudy', 'read Patient', 'search Condition', 'search ImagingStudy'].map(
      (what) => `${what} own insufficient_scope`,
    ),
    'search Observation own ',
  ];

  test.each([
    ['compiled', `{ ${RECORD} }`],
    ['planned', `{ ${RECORD} __schema { queryType { name } } }`],
  ])('%s: other fields are null with an error, and in the audit trail', async (_what, query) => {
    const answer = await ask(query);
    expect([answer.status, answer.data, refusals(answer)]).toMatchObject([200, data, refused]);
    expect([...new Set(events.map(RECORDED))].sort()).toEqual(recorded);
  });

  test('no source is asked for other fields', async () => {
    const { plan, calls } = (await ask(`{ ${RECORD} }`, { explain: 'run' })).extensions!.explain;
    expect(plan.kind).toBe('direct');
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter(({ request }) => !request.includes('Observation'))).toEqual([]);
  });

  test('the same again, as an operation that is known', async () => {
    const [first, again] = [await ask(`{ ${RECORD} }`), await ask(`{ ${RECORD} }`)];
    expect(refusals(again)).toEqual(refused);
    expect(again).toEqual(first);
    const all = await ask('{ ConditionList(_count: 1) { id } }', { scope: '*.rs' });
    expect(all.errors).toBeUndefined();
    expect(refusals(await ask('{ ConditionList(_count: 1) { id } }'))).toEqual([
      'ConditionList insufficient_scope patient/Condition.rs',
    ]);
    expect(await ask('{ ConditionList(_count: 1) { id } }', { scope: '*.rs' })).toEqual(all);
  });

  test('at $graphql each error has an OperationOutcome', async () => {
    const { errors } = await ask('{ ConditionList { id } }', { path: '/smart/fhir/$graphql' });
    expect(errors).toMatchObject([
      { extensions: { code: 'insufficient_scope', resource: { resourceType: 'OperationOutcome' } } },
    ]);
  });

  test('a part that comes later has its own refusals', async () => {
    const query = `{ Patient(id: "${DEMO_PATIENT}") { ObservationList(_count: 1) { id } ... @defer { id ConditionList { id } } } }`;
    const { body } = await send(query, { accept: ACCEPT_PARTS });
    const [first, later] = [...body.matchAll(/^\{.*\}$/gm)].map(([part]) => JSON.parse(part) as Answer);
    expect([first!.errors, later]).toMatchObject([
      undefined,
      {
        incremental: [
          {
            data: { id: DEMO_PATIENT, ConditionList: null },
            errors: [{ path: ['Patient', 'ConditionList'], extensions: { code: 'insufficient_scope' } }],
          },
        ],
      },
    ]);
  });

  test.each(['text/csv', 'application/x-ndjson'])(
    '%s: a stream is refused before its first row',
    async (accept) => {
      const rows = (fields: string) => `{ ObservationConnection { edges { resource { id ${fields} } } } }`;
      const answer = await ask(rows('ImagingStudyList { id }'), { accept });
      expect([answer.status, refusals(answer)]).toEqual([
        403,
        [expect.stringContaining('insufficient_scope patient/ImagingStudy.rs')],
      ]);
      expect(events.map(RECORDED)).toEqual(['search ImagingStudy own insufficient_scope']);
      expect((await send(rows('status'), { accept })).statusCode).toBe(200);
    },
  );

  test('an assistant is told', async () => {
    const call = { name: 'query', arguments: { query: '{ ConditionList { id } }' } };
    const payload = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: call };
    const accept = 'application/json, text/event-stream';
    const { body } = await send('', { path: '/smart/mcp', accept, payload });
    expect(body).toContain('patient/Condition.rs is needed');
  });
});

describe('FG-31 a tenant that refuses the whole request', () => {
  const path = '/rejecting/graphql';
  test('names all missing scopes, and asks no source', async () => {
    const query = `{ ObservationList { id } Patient(id: "${DEMO_PATIENT}") { id birthDate ConditionList { id } } }`;
    const { status, data, errors } = await ask(query, { path });
    const scope = 'patient/Patient.r patient/Condition.rs';
    expect([status, data, errors]).toMatchObject([
      403,
      undefined,
      [
        {
          message: `The token's scopes do not cover this request: ${scope} are needed. Get a token with them.`,
          path: ['Patient', 'birthDate'],
          extensions: { code: 'insufficient_scope', status: 403, scope },
        },
      ],
    ]);
    expect(events.map(RECORDED)).toEqual(['search Condition own insufficient_scope']);
    // Also when the operation is known.
    expect((await ask(query, { path, scope: '*.rs' })).status).toBe(200);
    expect((await ask(query, { path })).status).toBe(403);
  });

  test('answers where conditions leave the fields out', async () => {
    const query =
      'query ($wide: Boolean = false) { ObservationList(_count: 1) { id } ConditionList @include(if: $wide) { id } }';
    expect((await ask(query, { path })).status).toBe(200);
    const payload = { query, variables: { wide: true } };
    expect((await ask('', { path, payload })).status).toBe(403);
  });

  test('also refuses what only the value tells: the type of a reference', async () => {
    const query = '{ DiagnosticReportList { imagingStudy { resource { ... on ImagingStudy { id } } } } }';
    expect(await ask(query, { path, scope: 'DiagnosticReport.rs' })).toMatchObject({ status: 403 });
  });
});

test('FG-31 a reference to a type that the scopes do not cover', async () => {
  const query =
    '{ DiagnosticReportList { id imagingStudy { resource { __typename ... on ImagingStudy { id } } } } }';
  const { data, errors } = await ask(query, { scope: 'DiagnosticReport.rs' });
  expect(JSON.stringify(data)).not.toContain('"__typename"');
  const error = {
    path: ['DiagnosticReportList', expect.any(Number), 'imagingStudy', 0, 'resource'],
    extensions: { code: 'insufficient_scope' },
  };
  expect(errors).toMatchObject([error, error]);
});

test('FG-31 a granular scope covers its type', async () => {
  const scope = 'Observation.rs?category=laboratory';
  const { data, errors } = await ask('{ ObservationList(_count: 1) { id } }', { scope });
  expect([errors, data]).toEqual([undefined, { ObservationList: [{ id: expect.any(String) }] }]);
});
