import type { Bundle, Endpoint, ImagingStudy } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { complaints } from '../test/fhir-judges.ts';
import {
  BASE_URL,
  patient,
  testAccess,
  testSubgraph,
  testTenant,
  type TestSubgraph,
} from '../test/subgraph.ts';

describeWithSharedData('the FHIR API over a real folder', () => {
  const all = new Set(
    sharedDicomFiles()
      .map(({ studyUid }) => studyUid)
      .filter(Boolean),
  );
  const byMrn = groupByPatientId();
  /** The patient with most studies, among those with a usable PatientID. */
  const [mrn, own] = [...byMrn].sort(([, a], [, b]) => b.size - a.size)[0] ?? ['', new Set<string>()];
  const [otherMrn, other] = [...byMrn].find(([id]) => id !== mrn) ?? ['', new Set<string>()];
  const [uid = ''] = own;
  const [foreignUid = ''] = other;

  let test_: TestSubgraph;
  beforeAll(async () => {
    const folder = { type: 'folder', path: sharedDataPath('dicom') };
    const tenants = [
      testTenant({ ...folder, lookup: 'all-studies-on-server' }, 'open'),
      testTenant({ ...folder, lookup: 'studies-by-mrn' }, 'strict'),
      testTenant({ ...folder, lookup: 'studies-by-mrn', endpointStyle: 'included' }, 'included'),
      testTenant({ ...folder, lookup: 'studies-by-mrn', delay: { lookupUntil: 4_000_000_000 } }, 'delayed'),
    ];
    test_ = await testSubgraph(tenants, {
      all: testAccess('all'),
      mine: testAccess([patient('p1', mrn)]),
      both: testAccess([patient('p1', mrn), patient('p2', otherMrn)], 'system/ImagingStudy.rs'),
      limited: testAccess([patient('p1', mrn, { studies: [] })]),
      nobody: testAccess([]),
      read: testAccess([patient('p1', mrn)], 'patient/ImagingStudy.r'),
      search: testAccess([patient('p1', mrn)], 'patient/ImagingStudy.s'),
      observations: testAccess([patient('p1', mrn)], 'patient/Observation.rs'),
    });
  }, 60_000);
  afterAll(() => test_.close());

  function groupByPatientId(): Map<string, Set<string>> {
    const groups = new Map<string, Set<string>>();
    for (const { patientId, studyUid } of sharedDicomFiles()) {
      if (!studyUid || !patientId || /[*?,\\]/.test(patientId)) continue;
      groups.set(patientId, (groups.get(patientId) ?? new Set()).add(studyUid));
    }
    return groups;
  }

  const get = (path: string, token = 'mine', headers: Record<string, string> = {}) =>
    test_.app.inject({ url: path, headers: { authorization: `Bearer ${token}`, ...headers } });
  const ids = (bundle: Bundle) =>
    (bundle.entry ?? []).filter(({ search }) => search?.mode === 'match').map(({ resource }) => resource!.id);

  test.each<[token: string, path: string, status: number]>([
    ['mine', '/strict/fhir/ImagingStudy', 200],
    ['mine', '/strict/fhir/ImagingStudy?patient=p1', 200],
    ['mine', '/strict/fhir/ImagingStudy?patient=Patient/p1', 200],
    ['mine', `/strict/fhir/ImagingStudy?patient=${BASE_URL}/strict/fhir/Patient/p1`, 200],
    ['mine', `/strict/fhir/ImagingStudy?patient.identifier=urn:mrn|${mrn}`, 200],
    ['mine', `/strict/fhir/ImagingStudy?subject.identifier=${mrn}`, 200],
    ['mine', '/strict/fhir/ImagingStudy?patient=p2', 403],
    ['mine', '/strict/fhir/ImagingStudy?patient=p1,p2', 403],
    ['mine', '/strict/fhir/ImagingStudy?patient=p1&subject=p2', 403],
    ['mine', '/strict/fhir/ImagingStudy?patient=https://elsewhere.example/fhir/Patient/p1', 403],
    ['mine', `/strict/fhir/ImagingStudy?patient.identifier=urn:mrn|${otherMrn}`, 403],
    ['both', '/strict/fhir/ImagingStudy?patient=p2', 200],
    ['both', '/strict/fhir/ImagingStudy?patient=p3', 403],
    ['nobody', '/strict/fhir/ImagingStudy', 403],
    ['read', '/strict/fhir/ImagingStudy', 403],
    ['search', '/strict/fhir/ImagingStudy', 200],
    ['observations', '/strict/fhir/ImagingStudy', 403],
    ['read', `/strict/fhir/ImagingStudy/${uid}`, 200],
    ['search', `/strict/fhir/ImagingStudy/${uid}`, 403],
    ['mine', `/strict/fhir/ImagingStudy/${uid}`, 200],
    ['mine', `/strict/fhir/ImagingStudy/${foreignUid}`, 404],
    ['limited', `/strict/fhir/ImagingStudy/${uid}`, 404],
    ['mine', '/strict/fhir/ImagingStudy/1.2.3', 404],
    ['mine', '/strict/fhir/ImagingStudy/not-a-uid', 404],
    ['mine', '/strict/fhir/ImagingStudy/..%2f..%2fetc', 404],
    ['mine', '/strict/fhir/Endpoint/dicomweb', 200],
    ['mine', '/strict/fhir/Endpoint/other', 404],
    ['observations', '/strict/fhir/Endpoint/dicomweb', 403],
    ['mine', '/strict/fhir/ImagingStudy?patient=', 400],
    ['mine', '/strict/fhir/ImagingStudy?started=tomorrow', 400],
    ['mine', '/strict/fhir/ImagingStudy?_format=xml', 406],
    ['mine', '/strict/fhir/ImagingStudy?_format=application/fhir%2Bjson', 200],
    ['mine', '/strict/fhir/ImagingStudy?color=red', 200],
    ['mine', '/delayed/fhir/ImagingStudy', 503],
    ['stranger', '/strict/fhir/ImagingStudy', 401],
  ])('IA-7 IA-13 %s × %s → %i', async (token, path, status) => {
    const response = await get(path, token);
    expect(response.statusCode).toBe(status);
    if (token === 'stranger') return;
    expect(response.headers['content-type']).toBe('application/fhir+json; charset=utf-8');
    if (status >= 400) expect(response.json().resourceType).toBe('OperationOutcome');
  });

  test('IA-7 answers the same bytes for a foreign study and an absent one', async () => {
    const [foreign, missing] = await Promise.all([
      get(`/strict/fhir/ImagingStudy/${foreignUid}`),
      get('/strict/fhir/ImagingStudy/1.2.3'),
    ]);
    expect(foreign.body).toBe(missing.body);
    expect(foreign.headers['content-type']).toBe(missing.headers['content-type']);
  });

  test('SM-12 the refusal names the missing scope, and where to get it', async () => {
    const challenge = (await get('/strict/fhir/ImagingStudy', 'observations')).headers['www-authenticate'];
    expect(challenge).toContain('error="insufficient_scope", scope="patient/ImagingStudy.rs"');
    expect(challenge).toContain('/.well-known/oauth-protected-resource/prefix/strict"');
  });

  test('IA-13 handling=strict refuses parameters that are otherwise ignored', async () => {
    const path = '/strict/fhir/ImagingStudy?color=red';
    const response = await get(path, 'mine', { prefer: 'handling=strict' });
    expect(response.statusCode).toBe(400);
    expect(response.json().issue[0]).toMatchObject({ severity: 'error', code: 'not-supported' });
  });

  test('IA-13 says what it ignored otherwise', async () => {
    const bundle = (await get('/strict/fhir/ImagingStudy?color=red&_count=1')).json<Bundle>();
    expect(bundle.entry!.at(-1)).toMatchObject({
      resource: { resourceType: 'OperationOutcome', issue: [{ severity: 'warning', code: 'not-supported' }] },
      search: { mode: 'outcome' },
    });
    expect(bundle.link![0]!.url).toBe(`${BASE_URL}/strict/fhir/ImagingStudy?_count=1`);
    expect(complaints(bundle)).toEqual([]);
  });

  test.each<[path: string, status: number]>([
    ['Patient/p1/ImagingStudy', 200],
    ['Patient/p2/ImagingStudy', 403],
    ['Patient/p1/ImagingStudy?patient=p2', 403],
    ['Patient/a_b/ImagingStudy', 400],
  ])('IA-7 searches the compartment of a patient: %s → %i', async (path, status) => {
    const response = await get(`/strict/fhir/${path}`);
    expect(response.statusCode).toBe(status);
    if (status === 200) expect(new Set(ids(response.json()))).toEqual(own);
  });

  test('IA-19 answers Retry-After for a source that is not ready', async () => {
    const response = await get('/delayed/fhir/ImagingStudy');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('IA-20 the searchset holds exactly the patient’s studies, and is valid', async () => {
    const response = await get('/strict/fhir/ImagingStudy?patient=p1');
    const bundle = response.json<Bundle<ImagingStudy>>();
    expect(new Set(ids(bundle))).toEqual(own);
    expect(bundle).toMatchObject({
      resourceType: 'Bundle',
      type: 'searchset',
      total: own.size,
      link: [{ relation: 'self', url: `${BASE_URL}/strict/fhir/ImagingStudy?patient=p1` }],
    });
    for (const { resource, fullUrl, search } of bundle.entry!) {
      expect(fullUrl).toBe(`${BASE_URL}/strict/fhir/ImagingStudy/${resource!.id}`);
      expect(search?.mode).toBe('match');
      expect(resource!.subject.reference).toBe('Patient/p1');
      expect(resource!.identifier![0]).toEqual({ system: 'urn:dicom:uid', value: `urn:oid:${resource!.id}` });
    }
    expect(complaints(bundle)).toEqual([]);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  test('IA-13 a caller who reaches all patients gets every study', async () => {
    const bundle = (await get('/open/fhir/ImagingStudy?patient=Patient/87a339d0', 'all')).json<Bundle>();
    expect(new Set(ids(bundle))).toEqual(all);
    expect(complaints(bundle)).toEqual([]);
  }, 60_000);

  test.each(['ImagingStudy:endpoint', '*'])(
    'IA-14 _include=%s adds the Endpoint to every page',
    async (value) => {
      let url = `/strict/fhir/ImagingStudy?_include=${value}&_count=1`;
      for (let page = 0; page < own.size; page++) {
        const bundle = (await get(url)).json<Bundle>();
        const included = bundle.entry!.filter(({ search }) => search?.mode === 'include');
        expect(included.map(({ fullUrl }) => fullUrl)).toEqual([`${BASE_URL}/strict/fhir/Endpoint/dicomweb`]);
        const study = bundle.entry![0]!.resource as ImagingStudy;
        expect(study.endpoint).toMatchObject([{ reference: 'Endpoint/dicomweb' }]);
        expect(study).not.toHaveProperty('contained');
        const next = bundle.link!.find(({ relation }) => relation === 'next');
        url = next ? next.url.slice(BASE_URL.length) : '';
      }
      expect(url).toBe('');
    },
  );

  test('IA-18 the Endpoint is contained by default, and a reference if the tenant says so', async () => {
    const contained = (await get(`/strict/fhir/ImagingStudy/${uid}`)).json<ImagingStudy>();
    expect(contained.contained?.[0]).toMatchObject({ id: 'e', address: `${BASE_URL}/strict/dicomweb` });
    const included = (await get(`/included/fhir/ImagingStudy/${uid}`)).json<ImagingStudy>();
    expect(included.endpoint).toMatchObject([{ reference: 'Endpoint/dicomweb' }]);
    const endpoint = (await get('/included/fhir/Endpoint/dicomweb')).json<Endpoint>();
    expect(endpoint.address).toBe(`${BASE_URL}/included/dicomweb`);
  });

  test('IA-17 the address of the Endpoint leads to the study', async () => {
    const study = (await get(`/strict/fhir/ImagingStudy/${uid}`)).json<ImagingStudy>();
    const { address } = study.contained![0] as Endpoint;
    const path = `${address.slice(BASE_URL.length)}/studies/${study.id}/metadata`;
    expect((await get(path)).statusCode).toBe(200);
  });

  describe('paging', () => {
    test('IA-13 pages give every study once', async () => {
      const seen: (string | undefined)[] = [];
      let url: string | undefined = '/open/fhir/ImagingStudy?_count=10&_sort=started&_summary=true';
      let pages = 0;
      while (url) {
        const bundle: Bundle = (await get(url, 'all')).json();
        expect(bundle.total).toBe(all.size);
        seen.push(...ids(bundle));
        url = bundle.link!.find(({ relation }) => relation === 'next')?.url.slice(BASE_URL.length);
        pages += 1;
      }
      expect(pages).toBe(Math.ceil(all.size / 10));
      expect(seen.length).toBe(all.size);
      expect(new Set(seen)).toEqual(all);
    });

    test.each([
      ['_count=0', 0],
      ['_summary=count', 0],
      ['_count=2', 2],
      ['_count=2&_offset=1000', 0],
    ])('IA-13 %s → %i entries, and the full total', async (query, entries) => {
      const bundle = (await get(`/open/fhir/ImagingStudy?${query}`, 'all')).json<Bundle>();
      expect(bundle.total).toBe(all.size);
      expect(bundle.entry?.length ?? 0).toBe(entries);
      expect(complaints(bundle)).toEqual([]);
    });

    test('IA-13 _total=none leaves the total out', async () => {
      expect((await get('/strict/fhir/ImagingStudy?_total=none')).json()).not.toHaveProperty('total');
    });
  });

  describe('parts', () => {
    const study = async (query: string) =>
      (await get(`/strict/fhir/ImagingStudy?_id=${uid}&${query}`)).json<Bundle<ImagingStudy>>().entry![0]!
        .resource!;
    const subsetted = (one: ImagingStudy) => one.meta?.tag?.some(({ code }) => code === 'SUBSETTED') ?? false;

    test.each<[query: string, instances: boolean, subsetted: boolean]>([
      ['', true, false],
      ['_summary=false', true, false],
      ['_summary=data', true, false],
      ['_summary=true', false, true],
      ['_elements=series', true, true],
      ['_elements=series.instance', true, true],
      ['_elements=series.uid', false, true],
    ])('IA-16 %s: instances %s, SUBSETTED %s', async (query, instances, tagged) => {
      const one = await study(query);
      expect(one.series![0]!.instance !== undefined).toBe(instances);
      expect(subsetted(one)).toBe(tagged);
      expect(complaints(one)).toEqual([]);
    });

    test('IA-13 _elements=description,endpoint keeps the contained Endpoint', async () => {
      const one = await study('_elements=description,endpoint');
      const names = [
        'resourceType',
        'id',
        'meta',
        'status',
        'subject',
        'description',
        'endpoint',
        'contained',
      ];
      expect(names).toEqual(expect.arrayContaining(Object.keys(one)));
      expect(one).toHaveProperty('contained');
      expect(one).not.toHaveProperty('identifier');
    });

    test('IA-13 _pretty indents the answer', async () => {
      expect((await get('/strict/fhir/ImagingStudy?_pretty=true')).body).toContain('\n  "resourceType"');
    });
  });

  test('IA-13 meta.lastUpdated stays, and a client that syncs from it misses nothing', async () => {
    const first = (await get('/strict/fhir/ImagingStudy')).json<Bundle<ImagingStudy>>();
    const instant = first.entry![0]!.resource!.meta!.lastUpdated!;
    expect(instant).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const since = (await get(`/strict/fhir/ImagingStudy?_lastUpdated=ge${instant}`)).json<Bundle>();
    expect(ids(since)).toContain(first.entry![0]!.resource!.id);
    const before = (await get(`/strict/fhir/ImagingStudy?_lastUpdated=lt2020`)).json<Bundle>();
    expect(before.total).toBe(0);
    expect(complaints(before)).toEqual([]);
  });

  describe('POST _search', () => {
    const post = (url: string, type: string | undefined, payload: string) =>
      test_.app.inject({
        method: 'POST',
        url,
        headers: { authorization: 'Bearer mine', ...(type && { 'content-type': type }) },
        payload,
      });
    const form = 'application/x-www-form-urlencoded';

    test.each([
      ['form', form, `patient=p1&identifier=urn:oid:${uid}`, 200, 1],
      ['form with charset', `${form}; charset=UTF-8`, `_id=${uid}`, 200, 1],
      ['wrong patient', form, 'patient=p2', 403, undefined],
      ['JSON', 'application/json', '{"patient":"p1"}', 415, undefined],
      ['nothing', undefined, '', 200, own.size],
    ])('IA-13 %s (%s) → %i', async (_, type, payload, status, total) => {
      const response = await post('/strict/fhir/ImagingStudy/_search', type, payload);
      expect(response.statusCode).toBe(status);
      if (total !== undefined) expect(response.json().total).toBe(total);
    });

    test('IA-13 _pretty works in the form', async () => {
      const pretty = await post('/strict/fhir/ImagingStudy/_search', form, '_pretty=true');
      expect(pretty.body).toBe((await get('/strict/fhir/ImagingStudy?_pretty=true')).body);
      expect(pretty.body).toContain('\n  ');
    });

    test('IA-13 applies the parameters of the URL and of the form', async () => {
      const response = await post('/strict/fhir/ImagingStudy/_search?patient=p1', form, '_id=1.2.3');
      expect(response.json()).toMatchObject({ total: 0 });
    });
  });

  test.each([
    ['POST', '/strict/fhir/ImagingStudy', 'GET, HEAD'],
    ['PUT', `/strict/fhir/ImagingStudy/${uid}`, 'GET, HEAD'],
    ['DELETE', `/strict/fhir/ImagingStudy/${uid}`, 'GET, HEAD'],
    ['PATCH', '/strict/fhir/Endpoint/dicomweb', 'GET, HEAD'],
    ['GET', '/strict/fhir/Endpoint', 'OPTIONS'],
    ['GET', '/strict/fhir/Endpoint?_id=dicomweb', 'OPTIONS'],
    ['POST', '/strict/fhir/Endpoint/_search', 'OPTIONS'],
    ['GET', '/strict/fhir/ImagingStudy/_search', 'POST'],
  ] as const)('%s %s → 405, allowed %s', async (method, url, allow) => {
    const response = await test_.app.inject({
      method,
      url,
      headers: { authorization: 'Bearer mine', 'content-type': 'application/fhir+json' },
      ...(method !== 'GET' && { payload: '{"resourceType":' }),
    });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe(allow);
    expect(response.json().resourceType).toBe('OperationOutcome');
  });

  test('HEAD answers as GET does, without a body', async () => {
    const response = await test_.app.inject({
      method: 'HEAD',
      url: '/strict/fhir/ImagingStudy',
      headers: { authorization: 'Bearer mine' },
    });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('application/fhir+json');
    expect(response.body).toBe('');
  });

  test.each<[accept: string, status: number]>([
    ['application/fhir+json', 200],
    ['application/json', 200],
    ['*/*', 200],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 200],
    ['application/fhir+json; fhirVersion=4.0', 200],
    ['application/fhir+xml', 406],
    ['application/fhir+xml, application/fhir+json;q=0.5', 200],
    ['text/html', 406],
  ])('IA-20 Accept %s → %i', async (accept, status) => {
    expect((await get('/strict/fhir/ImagingStudy', 'mine', { accept })).statusCode).toBe(status);
  });
});
