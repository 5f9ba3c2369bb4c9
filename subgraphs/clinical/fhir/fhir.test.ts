import type { Bundle, OperationOutcome, Resource } from 'fhir/r4.js';
import type { FastifyInstance } from 'fastify';
import { Client } from 'fhir-kit-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { records } from '../test/records.ts';
import { accessOf, fhirApp, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let app: FastifyInstance;
let access: Access;

beforeAll(async () => {
  clinical = await startClinical();
  app = fhirApp(clinical.subgraph, clinical.tenant, () => access);
  access = accessOf('patient/*.rs', ['ana']);
});
afterAll(async () => {
  await app.close();
  await clinical.end();
});

const base = 'http://localhost:4000/test/fhir';
const get = (path: string, headers: Record<string, string> = {}) =>
  app.inject({ method: 'GET', url: `/test/fhir${path}`, headers });

describe('FHIR REST', () => {
  const ana = records.find(({ resourceType, id }) => resourceType === 'Patient' && id === 'ana');

  it('reads a resource with its version', async () => {
    const response = await get('/Patient/ana');
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'application/fhir+json; charset=utf-8',
      etag: 'W/"3"',
      'last-modified': 'Sun, 01 Feb 2026 10:00:00 GMT',
      'cache-control': 'no-store',
    });
    expect(response.json()).toEqual(ana);
  });

  it('IA-20 answers a search with a searchset with total, links and absolute full URLs', async () => {
    const bundle = (await get('/Condition?patient=ana&clinical-status=active&colour=blue')).json<Bundle>();
    expect(bundle).toMatchObject({
      resourceType: 'Bundle',
      type: 'searchset',
      total: 1,
      entry: [
        { fullUrl: `${base}/Condition/asthma`, resource: { id: 'asthma' }, search: { mode: 'match' } },
        { search: { mode: 'outcome' } },
      ],
    });
    expect(bundle.link?.find(({ relation }) => relation === 'self')?.url).toBe(
      `${base}/Condition?patient=ana&clinical-status=active&_count=50`,
    );
  });

  it('answers a search by POST like one by GET', async () => {
    const posted = await app.inject({
      method: 'POST',
      url: '/test/fhir/Condition/_search?patient=ana',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'clinical-status=active',
    });
    expect(posted.json<Bundle>().entry?.map(({ resource }) => resource?.id)).toEqual(['asthma']);
  });

  it('links lead to all pages', async () => {
    const ids: (string | undefined)[] = [];
    let url: string | undefined = `${base}/Observation?_count=1&_sort=_id`;
    while (url) {
      const bundle: Bundle = (await get(url.slice(base.length))).json();
      ids.push(...(bundle.entry ?? []).map(({ resource }) => resource?.id));
      url = bundle.link?.find(({ relation }) => relation === 'next')?.url;
    }
    expect(ids).toEqual(['glucose', 'weight']);
  });

  it.each([
    ['_summary=count', { total: 2, entry: undefined }],
    ['_count=0', { total: 2, entry: undefined }],
  ])('returns only the total for %s', async (query, expected) => {
    const bundle = (await get(`/Condition?${query}`)).json<Bundle>();
    expect({ total: bundle.total, entry: bundle.entry }).toEqual(expected);
  });

  it('returns only the elements in _elements, with the tag SUBSETTED', async () => {
    const patient = (await get('/Patient/ana?_elements=birthDate')).json<Resource>();
    expect(Object.keys(patient).toSorted()).toEqual([
      '_birthDate',
      'birthDate',
      'id',
      'meta',
      'resourceType',
    ]);
    expect(patient.meta?.tag).toMatchObject([{ code: 'SUBSETTED' }]);
  });

  it('indents the JSON for _pretty=true', async () => {
    expect((await get('/Patient/ana?_pretty=true')).body).toContain('\n  "id": "ana"');
  });

  it('answers HEAD with headers and no body', async () => {
    const response = await app.inject({ method: 'HEAD', url: '/test/fhir/Patient/ana' });
    expect(response).toMatchObject({ statusCode: 200, body: '' });
  });

  it.each([
    [{ 'if-none-match': 'W/"3"' }, 304],
    [{ 'if-none-match': '"1", "3"' }, 304],
    [{ 'if-none-match': 'W/"2"' }, 200],
    [{ 'if-none-match': 'W/"2"', 'if-modified-since': 'Sun, 01 Feb 2026 10:00:00 GMT' }, 200],
    [{ 'if-modified-since': 'Sun, 01 Feb 2026 10:00:00 GMT' }, 304],
    [{ 'if-modified-since': 'Sun, 01 Feb 2026 09:59:59 GMT' }, 200],
    [{ 'if-modified-since': 'yesterday' }, 200],
  ])('a conditional read with %j: %i', async (headers, status) => {
    const response = await get('/Patient/ana', headers as Record<string, string>);
    expect(response.statusCode).toBe(status);
    expect(response.headers.etag).toBe('W/"3"');
    if (status === 304) expect(response.body).toBe('');
    // A resource with another version is modified; another patient's is not found.
    expect((await get('/Condition/asthma', headers as Record<string, string>)).statusCode).toBe(200);
    expect((await get('/Condition/bobs', headers as Record<string, string>)).statusCode).toBe(404);
  });

  it('an empty searchset has no empty array, and its links have only applied parameters', async () => {
    const bundle = (await get('/Condition?code=nothing&_sort=-_id')).json<Bundle>();
    expect(bundle).toMatchObject({ type: 'searchset', total: 0 });
    expect(bundle).not.toHaveProperty('entry');
    expect(bundle.link?.[0]).toEqual({
      relation: 'self',
      url: `${base}/Condition?code=nothing&_sort=-_id&_count=50`,
    });
  });

  const statuses: [request: string, headers: Record<string, string>, status: number, issue: string][] = [
    ['GET /Patient/bob', {}, 403, 'forbidden'],
    ['GET /Condition/bobs', {}, 404, 'not-found'],
    ['GET /Condition/none', {}, 404, 'not-found'],
    ['GET /Condition?patient=bob', {}, 403, 'forbidden'],
    ['GET /Practitioner', {}, 403, 'forbidden'],
    ['GET /Spaceship/1', {}, 404, 'not-found'],
    ['GET /Spaceship?x=1', {}, 404, 'not-found'],
    ['GET /Condition?onset-date=soon', {}, 400, 'invalid'],
    ['GET /Condition?code:below=1', {}, 400, 'not-supported'],
    ['GET /Condition?_count=many', {}, 400, 'invalid'],
    ['GET /Condition?_cursor=%00', {}, 400, 'invalid'],
    ['GET /Condition?colour=blue', { prefer: 'handling=strict' }, 400, 'not-supported'],
    ['GET /Condition?_sort=colour', { prefer: 'handling=strict' }, 400, 'not-supported'],
    ['GET /Condition?_include=Condition:colour', { prefer: 'handling=strict' }, 400, 'not-supported'],
    ['GET /Condition', { accept: 'application/fhir+xml' }, 406, 'not-supported'],
    ['GET /Condition?_format=xml', {}, 406, 'not-supported'],
    ['PUT /Condition/asthma', {}, 405, 'not-supported'],
    ['DELETE /Condition/asthma', {}, 405, 'not-supported'],
    ['PATCH /Condition/asthma', {}, 405, 'not-supported'],
    ['POST /Condition', { 'content-type': 'application/fhir+json' }, 405, 'not-supported'],
    ['POST /Condition/_search', { 'content-type': 'application/json' }, 415, 'not-supported'],
  ];
  it.each(statuses)('%s with %j: %i', async (request, headers, status, issue) => {
    const [method = '', path = ''] = request.split(' ');
    const payload = method === 'POST' ? '{}' : undefined;
    const response = await app.inject({
      method: method as 'GET',
      url: `/test/fhir${path}`,
      headers,
      ...(payload && { payload }),
    });
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toContain('application/fhir+json');
    const outcome = response.json<OperationOutcome>();
    expect(outcome).toMatchObject({
      resourceType: 'OperationOutcome',
      issue: [{ severity: 'error', code: issue }],
    });
    if (status === 405) expect(response.headers['allow']).toBe('GET, HEAD');
  });

  it.each([
    ['application/fhir+json', ''],
    ['application/json', ''],
    ['text/html, */*;q=0.8', ''],
    ['application/fhir+xml', '?_format=json'],
    ['', '?_format=application/fhir%2Bjson'],
    ['', '?_format=application/fhir+json'],
  ])('answers with JSON for Accept %s %s', async (accept, query) => {
    expect((await get(`/Patient/ana${query}`, accept ? { accept } : {})).statusCode).toBe(200);
  });

  it('SM-12 names the scope that is missing', async () => {
    access = accessOf('patient/Patient.rs', ['ana']);
    const response = await get('/Condition');
    access = accessOf('patient/*.rs', ['ana']);
    expect(response.statusCode).toBe(403);
    expect(response.headers['www-authenticate']).toContain(
      'error="insufficient_scope", scope="patient/Condition.rs"',
    );
  });

  it('answers 501 when there is no record, 503 with Retry-After when it cannot be reached', async () => {
    for (const [config, status] of [
      [{ type: 'none' }, 501],
      [{ type: 'fhir', baseUrl: 'http://127.0.0.1:9' }, 503],
    ] as const) {
      const other = fhirApp(clinical.subgraph, tenantOf(config), () => access);
      const { statusCode, headers } = await other.inject('/test/fhir/Condition');
      expect([statusCode, headers['retry-after']]).toEqual([status, status === 503 ? '5' : undefined]);
      await other.close();
    }
  });

  it('FG-4 returns decimals as they were written, from a store and from a FHIR server', async () => {
    const written = '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.10}}';
    const store = await clinical.tenantOver(written);
    const upstream = await startFhirServer(clinical.subgraph, store);
    for (const tenant of [store, tenantOf({ type: 'fhir', baseUrl: upstream.base })]) {
      const api = fhirApp(clinical.subgraph, tenant, () => accessOf('system/*.rs'));
      expect((await api.inject('/test/fhir/Observation/o')).body).toBe(written);
      const bundle = (await api.inject('/test/fhir/Observation?value-quantity=1.1')).body;
      expect(bundle).toContain('"valueQuantity":{"value":1.10}');
      await api.close();
    }
    await upstream.end();
  });

  it('works with an unmodified FHIR client (fhir-kit-client)', async () => {
    const server = await startFhirServer(clinical.subgraph, clinical.tenant);
    const client = new Client({ baseUrl: server.base });
    expect(await client.read({ resourceType: 'Patient', id: 'ana' })).toEqual(ana);
    const bundle = await client.search({ resourceType: 'Condition', searchParams: { patient: 'ana' } });
    expect(bundle).toMatchObject({ resourceType: 'Bundle', total: 2 });
    const found = await client.compartmentSearch({
      resourceType: 'Condition',
      compartment: { resourceType: 'Patient', id: 'ana' },
      searchParams: { 'clinical-status': 'active', _include: 'Condition:encounter' },
    });
    expect((found as unknown as Bundle).entry?.map(({ search }) => search?.mode)).toEqual([
      'match',
      'include',
    ]);
    expect(await client.vread({ resourceType: 'Patient', id: 'ana', version: '3' })).toEqual(ana);
    expect(await client.history({ resourceType: 'Patient', id: 'ana' })).toMatchObject({
      type: 'history',
      total: 1,
    });
    await expect(client.read({ resourceType: 'Patient', id: 'none' })).rejects.toMatchObject({
      response: { status: 404 },
    });
    await server.end();
  });
});
