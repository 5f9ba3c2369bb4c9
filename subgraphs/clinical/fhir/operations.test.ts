/** Patient/$everything, Observation/$lastn and batches over the small record. */
import type { Bundle, BundleEntry, Observation, OperationOutcome } from 'fhir/r4.js';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import { operationsApp, TestImages } from '../test/operations-app.ts';
import { accessOf, startClinical } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let app: FastifyInstance;
let audited: Operation[];
let access: Access;
const images = new TestImages();

const ANA = [
  'Condition/asthma',
  'Condition/flu',
  'DiagnosticReport/report-ehr-study',
  'DiagnosticReport/report-order',
  'DiagnosticReport/report-uid',
  'Encounter/visit',
  'ImagingStudy/1.2.840.1',
  'Observation/glucose',
  'Observation/weight',
  'Patient/ana',
  'RiskAssessment/risk',
  'ServiceRequest/order',
];

beforeAll(async () => {
  clinical = await startClinical();
  ({ app, audited } = operationsApp(clinical.subgraph, clinical.tenant, () => access, images));
});
afterAll(async () => {
  await app.close();
  await clinical.end();
});
beforeEach(() => {
  access = accessOf('patient/*.rs', ['ana']);
  audited.length = 0;
  images.failed = [];
});

const base = 'http://localhost:4000/test/fhir';
const get = (path: string, headers: Record<string, string> = {}) =>
  app.inject({ method: 'GET', url: `/test/fhir${path}`, headers });
const post = (path: string, payload: unknown, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url: `/test/fhir${path}`,
    payload: JSON.stringify(payload),
    headers: { 'content-type': 'application/fhir+json', ...headers },
  });
const named = ({ resource }: BundleEntry) => `${resource?.resourceType}/${resource?.id}`;
const entries = (bundle: Bundle, mode: string) =>
  (bundle.entry ?? []).filter(({ search }) => search?.mode === mode).map(named);

describe('Patient/$everything', () => {
  it.each([
    '/Patient/ana/$everything?_summary=true',
    '/Observation/$lastn?patient=ana&code=3141-9&_summary=true',
  ])('%s says that it gives no summary', async (path) => {
    const { entry = [] } = (await get(path)).json<Bundle>();
    const outcomes = entry.filter(({ search }) => search?.mode === 'outcome');
    expect(JSON.stringify(outcomes)).toContain('_summary');
  });

  it('gives the patient, the compartment, the images, and what these refer to, each once', async () => {
    const response = await get('/Patient/ana/$everything');
    expect(response.statusCode).toBe(200);
    const bundle = response.json<Bundle>();
    expect(bundle).toMatchObject({ type: 'searchset', total: ANA.length });
    expect(entries(bundle, 'match').toSorted()).toEqual(ANA);
    expect(bundle.entry?.[0]?.resource?.resourceType).toBe('Patient');
    expect(entries(bundle, 'include')).toEqual(['Practitioner/dr', 'Endpoint/dicomweb']);
    expect(bundle.entry?.[0]?.fullUrl).toBe(`${base}/Patient/ana`);
    expect(audited).toEqual([
      {
        action: 'search',
        type: 'Patient',
        patient: 'ana',
        query: 'Patient/$everything',
        outcome: { kind: 'allowed' },
      },
    ]);
  });

  it('gives the same by POST, by the type for a token of one patient, and to a token of more patients', async () => {
    const first = (await get('/Patient/ana/$everything')).body;
    const posted = await post('/Patient/ana/$everything', { resourceType: 'Parameters', parameter: [] });
    expect(posted.body).toBe(first);
    expect((await get('/Patient/$everything')).body).toBe(first);
    for (const patients of [['ana', 'bob'], 'all'] as const) {
      access = accessOf('system/*.rs', patients);
      expect((await get('/Patient/ana/$everything')).body).toBe(first);
      expect((await get('/Patient/$everything')).statusCode).toBe(400);
    }
  });

  it.each([1, 2, 5])('pages of %i lead to each match exactly once', async (count) => {
    const found: string[] = [];
    let url: string | undefined = `${base}/Patient/ana/$everything?_count=${count}`;
    for (let pages = 0; url && pages < 30; pages++) {
      const bundle: Bundle = (await get(url.slice(base.length))).json();
      const matches = entries(bundle, 'match');
      expect(matches.length).toBeLessThanOrEqual(count);
      found.push(...matches);
      url = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    }
    expect(found.toSorted()).toEqual(ANA);
  });

  const selections: [query: string, ids: string[]][] = [
    ['_type=Condition,Patient', ['Condition/asthma', 'Condition/flu', 'Patient/ana']],
    ['_type=ImagingStudy', ['ImagingStudy/1.2.840.1']],
    ['_type=Condition&start=2019-06&end=2020', ['Condition/flu']],
    ['_type=Observation,ImagingStudy&start=2021-02', ['Observation/glucose', 'Observation/weight']],
    ['_type=Patient&_since=2026-02-01T10:00:01Z', []],
    ['_type=Patient&_since=2026-02-01T11:00:00%2B01:00', ['Patient/ana']],
    // Without a time of change it may have changed.
    ['_type=RiskAssessment&_since=2026-03-01', ['RiskAssessment/risk']],
  ];
  it.each(selections)('%s: %j', async (query, ids) => {
    const bundle = (await get(`/Patient/ana/$everything?${query}`)).json<Bundle>();
    expect(entries(bundle, 'match').toSorted()).toEqual(ids);
    expect(bundle.link?.[0]?.url).toContain(query.split('&')[0]!.replaceAll(',', '%2C'));
  });

  it('takes the parameters of a Parameters resource', async () => {
    const parameter = [
      { name: '_type', valueCode: 'Condition' },
      { name: '_count', valueInteger: 1 },
    ];
    const bundle = (await post('/Patient/ana/$everything', { resourceType: 'Parameters', parameter })).json();
    expect(entries(bundle as Bundle, 'match')).toEqual(['Condition/asthma']);
  });

  const refusals: [scope: string, path: string, headers: Record<string, string>, status: number][] = [
    ['patient/*.rs', '/Patient/bob/$everything', {}, 403],
    ['patient/*.rs', '/Patient/nobody/$everything', {}, 403],
    ['patient/Observation.rs', '/Patient/ana/$everything', {}, 403],
    ['patient/Patient.rs', '/Patient/ana/$everything?_type=Condition', {}, 403],
    ['patient/*.rs', '/Patient/ana/$everything?_type=Group', {}, 400],
    ['patient/*.rs', '/Patient/ana/$everything?_since=soon', {}, 400],
    ['patient/*.rs', '/Patient/ana/$everything?_cursor=R3JvdXAuMA', {}, 400],
    ['patient/*.rs', '/Patient/ana/$everything?colour=blue', { prefer: 'handling=strict' }, 400],
    ['patient/*.rs', '/Patient/ana/$everything', { accept: 'application/fhir+xml' }, 406],
  ];
  it.each(refusals)('SM-6 IA-7 %s at %s: refused', async (scope, path, headers, status) => {
    access = accessOf(scope, ['ana']);
    const response = await get(path, headers);
    expect(response.statusCode).toBe(status);
    expect(response.json<OperationOutcome>().resourceType).toBe('OperationOutcome');
  });

  it('SM-6 gives only types of the scopes', async () => {
    access = accessOf('patient/Patient.r patient/Observation.rs?category=laboratory', ['ana']);
    const bundle = (await get('/Patient/ana/$everything')).json<Bundle>();
    expect(bundle.entry?.map(named)).toEqual(['Patient/ana', 'Observation/glucose']);
  });

  it('names an ignored parameter and a source that did not answer, and then gives no total', async () => {
    images.failed = [new Fault('unavailable', 'One image source did not answer.')];
    const bundle = (await get('/Patient/ana/$everything?colour=blue')).json<Bundle>();
    expect(bundle.total).toBeUndefined();
    expect(bundle.link?.[0]?.url).not.toContain('colour');
    const outcomes = (bundle.entry ?? []).filter(({ search }) => search?.mode === 'outcome');
    expect(JSON.stringify(outcomes)).toMatch(/colour.*One image source did not answer/s);
  });
});

describe('Observation/$lastn', () => {
  const coding = (code: string) => ({ system: 'http://loinc.org', code });
  const observation = (id: string, codes: string[], effective: object, patient = 'ana'): Observation => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    category: [{ coding: [{ code: 'laboratory' }] }],
    code: { coding: codes.map(coding) },
    subject: { reference: `Patient/${patient}` },
    ...effective,
  });
  const at = (effectiveDateTime: string) => ({ effectiveDateTime });
  const recorded = [
    observation('a1', ['A'], at('2020-01-01T10:00:00Z')),
    observation('a2', ['A', 'A-local'], at('2020-01-01T12:30:00+02:00')),
    observation('a3', ['A-local'], { effectivePeriod: { start: '2019-01-01', end: '2022' } }),
    observation('b1', ['B'], at('2021-05')),
    observation('b2', ['B'], {}),
    observation('c1', ['C'], at('2020-06-01'), 'bob'),
    { ...observation('t1', [], at('2018')), code: { text: 'Mood ' } },
    { ...observation('t2', [], at('2019')), code: { text: 'mood' } },
  ];
  let lastn: FastifyInstance;
  beforeAll(async () => {
    const patients = ['ana', 'bob'].map((id) => ({ resourceType: 'Patient', id }));
    const lines = [...patients, ...recorded].map((line) => JSON.stringify(line)).join('\n');
    const tenant = await clinical.tenantOver(lines);
    lastn = operationsApp(clinical.subgraph, tenant, () => access).app;
  });
  afterAll(() => lastn.close());
  const ask = (query: string, headers: Record<string, string> = {}) =>
    lastn.inject({ url: `/test/fhir/Observation/$lastn?${query}`, headers });

  it.each([
    ['patient=ana&category=laboratory', ['a3', 'b1', 't2']],
    ['subject=Patient/ana&category=laboratory&max=2', ['a3', 'a2', 'b1', 'b2', 't2', 't1']],
    ['patient=ana&code=http://loinc.org|A', ['a2']],
    // The period of a3 began before.
    ['patient=ana&category=laboratory&date=lt2021&max=9', ['a3', 'a2', 'a1', 't2', 't1']],
    ['patient=ana&category=none', []],
  ])('%s: %j', async (query, ids) => {
    const bundle = (await ask(query)).json<Bundle>();
    expect((bundle.entry ?? []).map(({ resource }) => resource?.id)).toEqual(ids);
    expect(bundle).toMatchObject({ type: 'searchset', total: ids.length });
  });

  it.each([
    ['category=laboratory', {}, 400],
    ['patient=ana', {}, 400],
    ['patient=ana&category=laboratory&max=0', {}, 400],
    ['patient=ana&category=laboratory&colour=blue', { prefer: 'handling=strict' }, 400],
    ['patient=bob&category=laboratory', {}, 403],
  ])('%s %j: %i', async (query, headers, status) => {
    expect((await ask(query, headers as Record<string, string>)).statusCode).toBe(status);
  });

  it('says which parameter was ignored', async () => {
    const bundle = (await ask('patient=ana&code=http://loinc.org|B&colour=blue')).json<Bundle>();
    expect(bundle.entry?.map(({ search }) => search?.mode)).toEqual(['match', 'outcome']);
    expect(bundle.link?.[0]?.url).not.toContain('colour');
  });
});

describe('batch', () => {
  const batch = (urls: string[], request: object = {}) => ({
    resourceType: 'Bundle',
    type: 'batch',
    entry: urls.map((url) => ({ request: { method: 'GET', url, ...request } })),
  });

  it('answers each entry like the single request, and records it alone', async () => {
    const urls = [
      'Patient/ana',
      'Condition?patient=ana&_count=1',
      'Patient/bob',
      'Condition/none',
      'Condition?code:below=1',
      'Patient/ana/$everything',
      '/Patient/ana',
      `${base}/Patient/ana`,
      'Spaceship/1',
      'Observation?patient=bob',
    ];
    const response = await post('', batch(urls));
    expect(response.statusCode).toBe(200);
    const together = [...audited];
    audited.length = 0;
    const { entry = [], type } = response.json<Bundle>();
    expect(type).toBe('batch-response');
    for (const [index, url] of urls.entries()) {
      const single = await get(`/${url.replace(`${base}/`, '').replace(/^\//, '')}`);
      const { resource, response: answered } = entry[index]!;
      expect(answered?.status).toBe(String(single.statusCode));
      expect(single.statusCode < 400 ? resource : answered?.outcome).toEqual(single.json());
      expect(answered?.etag).toBe(single.headers.etag);
    }
    const sorted = (operations: Operation[]) => operations.map((one) => JSON.stringify(one)).toSorted();
    expect(sorted(together)).toEqual(sorted(audited));
  });

  it('keeps decimals as they were written, and answers 304', async () => {
    const written = '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.10}}';
    const tenant = await clinical.tenantOver(
      `${written}\n{"resourceType":"Patient","id":"ana","meta":{"versionId":"3"}}`,
    );
    access = accessOf('system/*.rs');
    const other = operationsApp(clinical.subgraph, tenant, () => access).app;
    const payload = batch(['Observation/o', 'Patient/ana'], { ifNoneMatch: 'W/"3"' });
    const response = await other.inject({
      method: 'POST',
      url: '/test/fhir/',
      payload: JSON.stringify(payload),
      headers: { 'content-type': 'application/json' },
    });
    expect(response.body).toContain(`"resource":${written}`);
    expect(response.json<Bundle>().entry?.[1]).toEqual({ response: { status: '304', etag: 'W/"3"' } });
    await other.close();
  });

  it.each([
    [{ method: 'POST', url: 'Patient' }, '405'],
    [{ method: 'POST', url: '' }, '405'],
    [{ method: 'DELETE', url: 'Patient/ana' }, '405'],
    [{ method: 'GET', url: '' }, '400'],
    [{ method: 'GET' }, '400'],
    [{}, '405'],
    [{ method: 'GET', url: '../other/fhir/Patient/ana' }, '400'],
    [{ method: 'GET', url: 'Patient/%2e%2e/%2e%2e/x' }, '400'],
    [{ method: 'GET', url: '//evil.example/Patient/ana' }, '400'],
    [{ method: 'GET', url: 'http://evil.example/test/fhir/Patient/ana' }, '400'],
    [{ method: 'GET', url: 'Patient/ana\r\nX: 1' }, '400'],
    [{ method: 'GET', url: 'Patient/$export' }, '400'],
    [{ method: 'GET', url: 'Patient/%24export' }, '400'],
    [{ method: 'GET', url: '$graphql?query={x}' }, '400'],
    [{ method: 'GET', url: '$export-status/0' }, '400'],
  ])('an entry %j: %s, and the next one is answered', async (request, status) => {
    const body = { ...batch(['Patient/ana']), entry: [{ request }, ...batch(['Patient/ana']).entry] };
    const { entry = [] } = (await post('', body)).json<Bundle>();
    expect(entry.map(({ response }) => response?.status)).toEqual([status, '200']);
    expect(entry[0]).toMatchObject({ response: { outcome: { resourceType: 'OperationOutcome' } } });
  });

  it.each([
    ['a transaction', { ...batch([]), type: 'transaction' }, 400],
    ['another Bundle', { ...batch([]), type: 'searchset' }, 400],
    ['another resource', { resourceType: 'Patient' }, 400],
    ['too many entries', batch(Array.from({ length: 51 }, () => 'Patient/ana')), 413],
    ['a list', [], 400],
    ['entries that are none', { ...batch([]), entry: {} }, 400],
    ['no entries', batch([]), 200],
  ] as const)('%s', async (_, body, status) => {
    expect((await post('', body)).statusCode).toBe(status);
  });

  it('refuses XML, and an answer in XML', async () => {
    const headers = { 'content-type': 'application/fhir+xml' };
    expect((await post('', batch([]), headers)).statusCode).toBe(415);
    expect((await post('', batch([]), { accept: 'application/fhir+xml' })).statusCode).toBe(406);
  });
});
