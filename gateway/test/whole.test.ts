import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { studyUid } from '../demo/stories.ts';
import { FIRST_REQUEST, DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { complaints } from '../../subgraphs/imaging/test/fhir-judges.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const OTHER = 'demo-tomas-novak';
const NOWHERE = 'http://127.0.0.1:9';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let own: string;
let foreign: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  const all = { type: 'mock', disableAuthzChecks: true };
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const mrn = { system: 'http://hospital.smarthealthit.org', value: '293ee354-f8ad-4345-b10c-759fdfdcc082' };
  const identifier = [{ ...mrn, type: { coding: [{ code: 'MR' }] } }];
  const patient = { resourceType: 'Patient', id: DEMO_PATIENT, identifier };
  gateway = await buildTestGateway(({ images, patients }) => {
    const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
    const clinical = { type: 'store', path: patients };
    return {
      demo: { authorization: all, clinical, images: folder },
      smart: { authorization: smart, clinical, images: folder },
      'no-images': {
        authorization: all,
        clinical,
        images: { type: 'dicom-web', endpoint: NOWHERE, lookup: 'studies-by-mrn' },
      },
      'no-record': {
        authorization: { type: 'mock', patient },
        clinical: { type: 'fhir', baseUrl: NOWHERE },
        images: folder,
      },
    };
  });
  ehr.patients.set(DEMO_PATIENT, patient);
  ehr.patients.set('somebody-else', {
    ...patient,
    id: 'somebody-else',
    identifier: [{ ...identifier[0], value: 'nobody' }],
  });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'app', exp, patient: DEMO_PATIENT };
  ehr.tokens.set('whole-record', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('imaging', { ...launched, scope: 'patient/ImagingStudy.rs' });
  ehr.tokens.set('search-only', { ...launched, scope: 'patient/ImagingStudy.s' });
  ehr.tokens.set('read-only', { ...launched, scope: 'patient/ImagingStudy.r' });
  ehr.tokens.set('record-only', { ...launched, scope: 'patient/Patient.rs patient/Condition.rs' });
  ehr.tokens.set('other-patient', { ...launched, scope: 'patient/*.rs', patient: 'somebody-else' });
  ehr.tokens.set('expired', { ...launched, scope: 'patient/*.rs', exp: exp - 9999 });
  own = await firstStudy(DEMO_PATIENT);
  foreign = await firstStudy(OTHER);
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

async function firstStudy(patient: string): Promise<string> {
  const { body } = await gateway.app.inject(`/demo/fhir/ImagingStudy?patient=${patient}`);
  return (JSON.parse(body) as { entry: [{ resource: { id: string } }] }).entry[0].resource.id;
}

interface Answer {
  data: { Patient: Record<string, unknown[]> & { name: unknown } };
  errors?: { message: string; path: unknown[]; extensions: { code: string; service: string } }[];
}
async function ask(tenant: string, query: string, variables: object = {}, token?: string) {
  const response = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    headers: token ? { authorization: `Bearer ${token}` } : {},
    payload: { query, variables },
  });
  return { status: response.statusCode, json: response.json<Answer>() };
}

describe('the federated request', () => {
  test('FG-3 the first request gives data in every list, and a link that works', async () => {
    const { status, json } = await ask('demo', FIRST_REQUEST.query, FIRST_REQUEST.variables);
    expect(status).toBe(200);
    expect(json.errors).toBeUndefined();
    const { Patient } = json.data;
    for (const list of [
      'ConditionList',
      'MedicationRequestList',
      'AllergyIntoleranceList',
      'DiagnosticReportList',
      'ImagingStudyList',
    ]) {
      expect([list, Patient[list]?.length]).not.toEqual([list, 0]);
    }
    const { entries } = Patient['timeline'] as unknown as { entries: { kind: string; studies: unknown[] }[] };
    expect(entries).toHaveLength(8);
    expect(entries.find(({ kind }) => kind === 'report')?.studies).not.toEqual([]);
    const [study] = Patient['ImagingStudyList'] as [
      { id: string; series: { instance: { wadoUrl: string }[] }[] },
    ];
    const url = study.series[0]!.instance[0]!.wadoUrl;
    const retrieved = await gateway.app.inject({
      url: new URL(url).pathname,
      headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
    });
    expect(retrieved.statusCode).toBe(200);
    expect(retrieved.rawPayload.includes('DICM')).toBe(true);
  });

  test('FG-9 report, order and images find each other in both directions', async () => {
    const query = `query($id: ID!) { Patient(id: $id) { ImagingStudyList { id
      DiagnosticReportList { id conclusion ImagingStudyList { id } } ServiceRequestList { id ImagingStudyList { id } } } } }`;
    const { json } = await ask('demo', query, { id: DEMO_PATIENT });
    expect(json.errors).toBeUndefined();
    type Linked = { id: string; ImagingStudyList: { id: string }[] }[];
    const studies = json.data.Patient['ImagingStudyList'] as {
      id: string;
      DiagnosticReportList: Linked;
      ServiceRequestList: Linked;
    }[];
    expect(studies.length).toBeGreaterThan(1);
    for (const { id, DiagnosticReportList, ServiceRequestList } of studies) {
      expect(DiagnosticReportList.length).toBeGreaterThan(0);
      expect(ServiceRequestList.length).toBeGreaterThan(0);
      for (const { ImagingStudyList } of [...DiagnosticReportList, ...ServiceRequestList]) {
        expect(ImagingStudyList.map((study) => study.id)).toContain(id);
      }
    }
  });
});

test('IA-13 basedon=ServiceRequest/{id} finds the studies of an order by its accession number', async () => {
  const query = 'query($id: ID!) { Patient(id: $id) { ServiceRequestList { id ImagingStudyList { id } } } }';
  const { json } = await ask('demo', query, { id: DEMO_PATIENT });
  const orders = json.data.Patient['ServiceRequestList'] as {
    id: string;
    ImagingStudyList: { id: string }[];
  }[];
  const found = async (search: string) => {
    const answer = await gateway.app.inject({ url: `/demo/fhir/ImagingStudy?${search}` });
    expect(answer.statusCode).toBe(200);
    return ((answer.json().entry ?? []) as { resource: { id: string } }[]).map(({ resource }) => resource.id);
  };
  expect(orders.some(({ ImagingStudyList }) => ImagingStudyList.length > 0)).toBe(true);
  for (const { id, ImagingStudyList } of orders) {
    const studies = ImagingStudyList.map((study) => study.id);
    expect(await found(`basedon=ServiceRequest/${id}`)).toEqual(studies);
    expect(await found(`basedon:ServiceRequest=${id}`)).toEqual(studies);
  }
  expect(await found('basedon=ServiceRequest/nobody')).toEqual([]);
});

test('DW-21 a patient whose record was merged has the images of both records, also found by the old number', async () => {
  const survivor = 'demo-ruth-lindqvist';
  const mrn = 'http://hospital.smarthealthit.org|MRN-0048815';
  const searches = [
    `patient=${survivor}`,
    `patient=${survivor}-2`,
    `patient.identifier=${encodeURIComponent(mrn)}`,
    `_id=${studyUid('lindqvist-ct-planning-2025')},${studyUid('lindqvist-mr-head-2026')}`,
  ];
  const subjects = await Promise.all(
    searches.map(async (search) => {
      const { body } = await gateway.app.inject(`/demo/fhir/ImagingStudy?${search}`);
      const { entry } = JSON.parse(body) as { entry: { resource: { subject: { reference: string } } }[] };
      return entry.map(({ resource }) => resource.subject.reference);
    }),
  );
  const of = (id: string) => [`Patient/${id}`, `Patient/${id}`];
  expect(subjects).toEqual([of(survivor), of(`${survivor}-2`), of(survivor), of(survivor)]);
});

describe('FG-10 when one side is down', () => {
  test('images: the record is given, the studies are null with code, service and path', async () => {
    const { status, json } = await ask('no-images', FIRST_REQUEST.query, FIRST_REQUEST.variables);
    expect(status).toBe(200);
    expect(json.data.Patient['ConditionList']?.length).toBeGreaterThan(0);
    expect(json.data.Patient['ImagingStudyList']).toBeNull();
    const error = json.errors?.find(({ path }) => path.join('.') === 'Patient.ImagingStudyList');
    expect(error?.extensions).toMatchObject({ service: 'imaging', status: 503, retryAfter: 5 });
  });

  test('record: the images are given, each field that needs it has its error', async () => {
    const query =
      'query($id: ID!) { Patient(id: $id) { id birthDate ConditionList { id } ImagingStudyList { id } } }';
    const { status, json } = await ask('no-record', query, { id: DEMO_PATIENT });
    expect(status).toBe(200);
    expect(json.data.Patient).toMatchObject({ id: DEMO_PATIENT, birthDate: null, ConditionList: null });
    expect(json.data.Patient['ImagingStudyList']?.length).toBeGreaterThan(0);
    expect(json.errors?.map(({ path, extensions }) => [path.join('.'), extensions.service]).sort()).toEqual([
      ['Patient.ConditionList', 'clinical'],
      // What the record says of the studies is missing.
      ['Patient.ImagingStudyList', 'clinical'],
      ['Patient.birthDate', 'clinical'],
    ]);
  });
});

describe('SM-12 token × path → status, with the real APIs', () => {
  const paths: Record<string, () => string> = {
    'search own': () => `/fhir/ImagingStudy?patient=${DEMO_PATIENT}`,
    'search other': () => `/fhir/ImagingStudy?patient=${OTHER}`,
    'read own': () => `/fhir/ImagingStudy/${own}`,
    'read other': () => `/fhir/ImagingStudy/${foreign}`,
    'read unknown': () => '/fhir/ImagingStudy/1.2.3',
    qido: () => '/dicomweb/studies',
    'wado own': () => `/dicomweb/studies/${own}/metadata`,
    'wado other': () => `/dicomweb/studies/${foreign}/metadata`,
    'record own': () => `/fhir/Patient/${DEMO_PATIENT}`,
    'record other': () => `/fhir/Patient/${OTHER}`,
    conditions: () => `/fhir/Condition?patient=${DEMO_PATIENT}`,
  };
  const table: Record<string, Record<string, number>> = {
    none: Object.fromEntries(Object.keys(paths).map((path) => [path, 401])),
    'made-up': Object.fromEntries(Object.keys(paths).map((path) => [path, 401])),
    expired: Object.fromEntries(Object.keys(paths).map((path) => [path, 401])),
    'whole-record': {
      'search own': 200,
      'search other': 403,
      'read own': 200,
      'read other': 404,
      'read unknown': 404,
      qido: 200,
      'wado own': 200,
      'wado other': 404,
      'record own': 200,
      'record other': 403,
      conditions: 200,
    },
    imaging: {
      'search own': 200,
      'search other': 403,
      'read own': 200,
      'read other': 404,
      'read unknown': 404,
      qido: 200,
      'wado own': 200,
      'wado other': 404,
      'record own': 403,
      'record other': 403,
      conditions: 403,
    },
    'search-only': {
      'search own': 200,
      'search other': 403,
      'read own': 403,
      'read other': 403,
      qido: 200,
      'wado own': 403,
      'wado other': 403,
    },
    'read-only': {
      'search own': 403,
      'search other': 403,
      'read own': 200,
      'read other': 404,
      qido: 403,
      'wado own': 200,
      'wado other': 404,
    },
    'record-only': {
      'search own': 403,
      'read own': 403,
      qido: 403,
      'wado own': 403,
      'record own': 200,
      conditions: 200,
    },
    'other-patient': {
      'search own': 403,
      'read own': 404,
      'wado own': 404,
      'record own': 403,
      conditions: 403,
    },
  };
  const rows = Object.entries(table).flatMap(([token, row]) =>
    Object.entries(row).map(([path, status]) => [token, path, status] as const),
  );

  test.each(rows)('%s: %s → %i', async (token, path, status) => {
    const headers = token === 'none' ? {} : { authorization: `Bearer ${token}` };
    const response = await gateway.app.inject({ url: `/smart${paths[path]!()}`, headers });
    expect(response.statusCode).toBe(status);
    if (status === 200) return;
    expect(response.body).not.toMatch(/Castellanos|Novak|StudyInstanceUID|0020000D/);
    if (status === 401) {
      const error = token === 'none' ? '' : ', error="invalid_token"';
      expect(response.headers['www-authenticate']).toBe(
        `Bearer realm="http://localhost/smart"${error}, resource_metadata="http://localhost/.well-known/oauth-protected-resource/smart"`,
      );
    }
  });

  test('IA-7 a study of another patient and one that does not exist are refused alike, byte for byte', async () => {
    const headers = { authorization: 'Bearer whole-record' };
    for (const face of ['fhir/ImagingStudy', 'dicomweb/studies']) {
      const end = face.startsWith('dicomweb') ? '/metadata' : '';
      const [theirs, none] = await Promise.all(
        [foreign, '1.2.3.4.5'].map((uid) =>
          gateway.app.inject({ url: `/smart/${face}/${uid}${end}`, headers }),
        ),
      );
      expect(theirs!.body).toBe(none!.body);
      expect(theirs!.statusCode).toBe(none!.statusCode);
    }
  });

  test('SM-9 with a warm cache nothing is sent to the authorization server', async () => {
    const headers = { authorization: 'Bearer whole-record' };
    await gateway.app.inject({ url: `/smart/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, headers });
    const before = { ...ehr.calls };
    await gateway.app.inject({ url: `/smart/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, headers });
    await ask('smart', FIRST_REQUEST.query, FIRST_REQUEST.variables, 'whole-record');
    expect(ehr.calls).toEqual(before);
  });

  test('the federated request with a real token gives the own patient and refuses another', async () => {
    const { json } = await ask('smart', FIRST_REQUEST.query, FIRST_REQUEST.variables, 'whole-record');
    expect(json.errors).toBeUndefined();
    expect(json.data.Patient['ImagingStudyList']?.length).toBe(2);
    const other = await ask('smart', FIRST_REQUEST.query, { id: OTHER }, 'whole-record');
    expect(other.json.data.Patient).toBeNull();
    expect(other.json.errors?.[0]?.extensions.code).toBe('forbidden');
  });
});

describe('SM-4 the CapabilityStatement is true', () => {
  type Statement = {
    resourceType: 'CapabilityStatement';
    rest: [{ resource: { type: string; searchParam?: { name: string; type: string }[] }[] }];
  };
  const statement = async () => (await gateway.app.inject('/demo/fhir/metadata')).json<Statement>();

  test('is valid, and names the one of the implementation guide', async () => {
    const resource = await statement();
    expect(complaints(resource as never)).toEqual([]);
    expect(resource).toMatchObject({
      instantiates: ['http://fhir.org/argonaut/smart-imaging/CapabilityStatement/smart-imaging-server'],
    });
  });

  test('every listed search parameter is accepted, also with strict handling', async () => {
    const values: Record<string, string> = {
      date: '2026',
      number: '1',
      quantity: '1',
      reference: 'Patient/x',
      uri: '1.2.3',
      composite: '1.2.3$2026',
    };
    const refused: string[] = [];
    for (const { type, searchParam = [] } of (await statement()).rest[0].resource) {
      for (const { name, type: kind } of searchParam) {
        const url = `/demo/fhir/${type}?${name}=${values[kind] ?? '1.2.3'}`;
        const response = await gateway.app.inject({ url, headers: { prefer: 'handling=strict' } });
        const link = /"relation":"self","url":"([^"]*)"/.exec(response.body)?.[1];
        if (response.statusCode !== 200 || !link?.includes(name))
          refused.push(`${url} ${response.statusCode}`);
      }
    }
    expect(refused).toEqual([]);
  });
});

test.each([
  ['ImagingStudy', 'application/x-www-form-urlencoded'],
  ['Condition', 'application/x-www-form-urlencoded'],
  ['ImagingStudy', 'Application/X-WWW-Form-URLEncoded; charset=UTF-8'],
])('a token in a form is refused by %s, sent as %s (RFC 6750 §2.2)', async (type, contentType) => {
  const response = await gateway.app.inject({
    method: 'POST',
    url: `/smart/fhir/${type}/_search`,
    headers: { authorization: 'Bearer whole-record', 'content-type': contentType },
    payload: `patient=${DEMO_PATIENT}&access_token=whole-record`,
  });
  expect(response.statusCode).toBe(400);
  expect(response.json()).toMatchObject({ resourceType: 'OperationOutcome' });
});
