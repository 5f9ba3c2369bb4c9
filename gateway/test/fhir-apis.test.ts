/** FHIR REST of the record and of the images: the same request means the same for Patient and for ImagingStudy. */
import type { Bundle, OperationOutcome } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { smallObjects } from './setup/small-objects.ts';

const NO_STORE = 'no-store';
const FORM = 'application/x-www-form-urlencoded';

let gateway: TestGateway;
let ehr: AuthorizationServer;
let folder: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  for (const id of ['p1', 'p2']) {
    const identifier = [{ value: id, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
  }
  const launched = { client_id: 'app', patient: 'p1', exp };
  ehr.tokens.set('p1', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('searching', { ...launched, scope: 'patient/*.s' });
  folder = await mkdtemp(join(tmpdir(), 'fhir-apis-'));
  const [images, patients] = [join(folder, 'images'), join(folder, 'patients')];
  await Promise.all([images, patients].map((path) => mkdir(path)));
  for (const [number, id] of ['p1', 'p2'].entries()) {
    const [object] = smallObjects({ studyUid: `1.2.${number + 1}`, patientId: id });
    await writeFile(join(images, `${id}.dcm`), object!);
    const patient = { resourceType: 'Patient', id, meta: { versionId: '1' }, birthDate: '2024-01-01' };
    await writeFile(join(patients, `${id}.json`), JSON.stringify(patient));
  }
  gateway = await buildTestGateway(
    () => ({
      t: {
        authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      },
    }),
    { images, patients },
  );
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Asked {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  token?: string;
  headers?: Record<string, string>;
  payload?: string;
}

const ask = (path: string, { method = 'GET', token = 'p1', headers = {}, payload }: Asked = {}) =>
  gateway.app.inject({
    method,
    url: `/t/fhir${path}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    ...(payload !== undefined && { payload }),
  });

/** A resource of the caller, one of another patient, and the date parameter of a search. */
const APIS = [
  { type: 'Patient', own: 'p1', foreign: 'p2', refused: 403, date: 'birthdate' },
  { type: 'ImagingStudy', own: '1.2.1', foreign: '1.2.2', refused: 404, date: 'started' },
];

describe.each(APIS)('a search of $type', ({ type, own, date }) => {
  test.each<[prefer: string | undefined, status: number]>([
    [undefined, 200],
    ['handling=lenient', 200],
    ['handling=strict', 400],
    ['handling="strict"', 400],
    ['Handling=Strict', 400],
    ['return=minimal, handling="strict"', 400],
    ['handling=stricter', 200],
  ])('RFC 7240 Prefer: %s, with an unknown parameter → %i', async (prefer, status) => {
    const headers: Record<string, string> = prefer === undefined ? {} : { prefer };
    const answer = await ask(`/${type}?colour=red`, { headers });
    expect(answer.statusCode).toBe(status);
    const posted = { 'content-type': FORM, ...headers };
    const form = await ask(`/${type}/_search`, { method: 'POST', headers: posted, payload: 'colour=red' });
    expect(form.statusCode).toBe(status);
  });

  test.each<[value: string, total: number | undefined]>([
    ['2024-01-01', 1],
    ['2024', 1],
    ['ge2024-01', 1],
    ['lt2024', 0],
    ['2024-02-29', 0],
    ['2024-02-30', undefined],
    ['2023-02-29', undefined],
    ['ge2024-04-31', undefined],
    ['2024-13', undefined],
    ['2024-01-01T24:00', undefined],
    ['2024-01-01T10:60:00Z', undefined],
    ['soon', undefined],
  ])('IA-13 by date %s finds %s, or is 400', async (value, total) => {
    const answer = await ask(`/${type}?${date}=${value}`);
    expect(answer.statusCode).toBe(total === undefined ? 400 : 200);
    if (total !== undefined) expect(answer.json<Bundle>().total).toBe(total);
    else expect(answer.json<OperationOutcome>().issue[0]).toMatchObject({ code: 'invalid' });
  });

  test.each<[query: string, lenient: number, strict: number]>([
    ['_count=many', 400, 400],
    ['_count=-1', 400, 400],
    ['_offset=x', 400, 400],
    ['_summary=some', 400, 400],
    ['_sort=colour', 200, 400],
    ['_total=maybe', 400, 400],
    ['_total=none', 200, 200],
    ['_include=Device:colour', 200, 400],
    ['_elements=meta&_pretty=true&_format=json', 200, 200],
    ['_format=xml', 406, 406],
  ])('%s → %i, under strict handling %i', async (query, lenient, strict) => {
    expect((await ask(`/${type}?${query}`)).statusCode).toBe(lenient);
    const headers = { prefer: 'handling=strict' };
    expect((await ask(`/${type}?${query}`, { headers })).statusCode).toBe(strict);
  });

  test('IA-20 has one link on a single page, and on a page beyond the end the links back', async () => {
    const relations = async (query: string) =>
      (await ask(`/${type}${query}`)).json<Bundle>().link!.map(({ relation }) => relation);
    expect(await relations('')).toEqual(['self']);
    expect(await relations('?_count=0')).toEqual(['self']);
    expect(await relations('?_count=1&_offset=1')).toEqual(['self', 'first', 'previous', 'last']);
    const { total, link } = (await ask(`/${type}?_count=1&_offset=1&_total=none`)).json<Bundle>();
    expect(total).toBeUndefined();
    expect(new URL(link![0]!.url).searchParams.get('_offset')).toBe('1');
  });

  test('a partial resource has the tag SUBSETTED', async () => {
    const { entry } = (await ask(`/${type}?_elements=identifier`)).json<Bundle>();
    expect(entry![0]!.resource).toMatchObject({ id: own, meta: { tag: [{ code: 'SUBSETTED' }] } });
  });
});

/** Reads of every kind; an Endpoint belongs to no patient, so there is no foreign one. */
const READS = [
  ...APIS.map(({ type, own, foreign, refused }) => ({
    type,
    path: `/${type}/${own}`,
    foreign: `/${type}/${foreign}`,
    refused,
  })),
  { type: 'Endpoint', path: '/Endpoint/dicomweb', foreign: '/Endpoint/other', refused: 404 },
];

describe.each(READS)('a conditional read of $type', ({ path, foreign, refused }) => {
  const tagOf = async () => String((await ask(path)).headers['etag']);

  test('has a weak entity tag that stays the same', async () => {
    expect(await tagOf()).toMatch(/^W\/"[^"]+"$/);
    expect(await tagOf()).toBe(await tagOf());
    expect(String((await ask(path, { method: 'HEAD' })).headers['etag'])).toBe(await tagOf());
  });

  test.each<[ifNoneMatch: string, status: number]>([
    ['TAG', 304],
    ['STRONG', 304],
    ['"x", TAG', 304],
    ['"x,y",STRONG ,"z"', 304],
    ['*', 304],
    ['"x"', 200],
    ['', 200],
    // A `*` stands alone (RFC 9110 §13.1.2).
    ['"x", *', 200],
    ['x', 200],
  ])('RFC 9110 §13.1.2 If-None-Match: %s → %i', async (form, status) => {
    const tag = await tagOf();
    const ifNoneMatch = form.replace('TAG', tag).replace('STRONG', tag.slice(2));
    for (const method of ['GET', 'HEAD'] as const) {
      const answer = await ask(path, { method, headers: { 'if-none-match': ifNoneMatch } });
      const { etag, 'cache-control': cacheControl } = answer.headers;
      expect([method, answer.statusCode, etag, cacheControl]).toEqual([method, status, tag, NO_STORE]);
      if (status === 304) expect(answer.body).toBe('');
    }
  });

  test('is authorized before the entity tag is compared', async () => {
    for (const ifNoneMatch of ['*', await tagOf()]) {
      const headers = { 'if-none-match': ifNoneMatch };
      expect((await ask(foreign, { headers })).statusCode).toBe(refused);
      expect((await ask(path, { headers, token: 'searching' })).statusCode).toBe(403);
      const stranger = await ask(path, { headers, token: 'stranger' });
      expect([stranger.statusCode, stranger.headers['etag']]).toEqual([401, undefined]);
    }
  });
});

test('another part of a study has another entity tag', async () => {
  const paths = ['', '?_summary=true', '?_elements=started'].map((query) => `/ImagingStudy/1.2.1${query}`);
  const tags = await Promise.all(paths.map(async (path) => (await ask(path)).headers['etag']));
  expect(new Set(tags).size).toBe(3);
});

describe.each(APIS)('IA-20 a refusal of $type', ({ type, own }) => {
  const json = { 'content-type': 'application/fhir+json' };

  test.each<[path: string, asked: Asked, status: number]>([
    [`/${type}?_count=x`, {}, 400],
    [`/${type}`, { token: 'stranger' }, 401],
    [`/${type}?patient=p2&_id=p2`, {}, 403],
    [`/${type}/9.9.9`, { token: 'searching' }, 403],
    [`/${type}/${own}`, { method: 'PUT', headers: json, payload: '{' }, 405],
    [`/${type}/${own}`, { method: 'DELETE' }, 405],
    [`/${type}`, { method: 'POST', headers: json, payload: '{' }, 405],
    [`/${type}/${own}`, { headers: { accept: 'application/fhir+xml' } }, 406],
    [`/${type}/_search`, { method: 'POST', headers: json, payload: '{}' }, 415],
    [`/${type}/_search`, { method: 'POST', headers: { 'content-type': 'text/plain' }, payload: 'x' }, 415],
  ])('%s %j → %i, an OperationOutcome with no-store', async (path, asked, status) => {
    const answer = await ask(path, asked);
    const { 'content-type': contentType, 'cache-control': cacheControl } = answer.headers;
    expect([answer.statusCode, contentType, cacheControl]).toEqual([
      status,
      'application/fhir+json; charset=utf-8',
      NO_STORE,
    ]);
    expect(answer.json()).toMatchObject({ resourceType: 'OperationOutcome' });
  });
});
