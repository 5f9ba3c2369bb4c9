import type { Bundle, Endpoint, ImagingStudy } from 'fhir/r4.js';
import { request as httpRequest } from 'node:http';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logger } from '../http/logger.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

let gateway: TestGateway;
let ehr: AuthorizationServer;
let url: string;
let late = 0;
const lines: string[] = [];
const now = () => Date.now() + late;
const exp = () => Math.floor(now() / 1000) + 3600;
const auth = (token: string) => ({ authorization: `Bearer ${token}` });

beforeAll(async () => {
  ehr = await authorizationServer();
  ehr.now = now;
  const sink = new Writable({ write: (chunk: Buffer, _e, done) => (lines.push(String(chunk)), done()) });
  gateway = await buildTestGateway(
    (demo) => {
      const smart = {
        type: 'smart-on-fhir',
        fhirBaseUrl: ehr.fhirBaseUrl,
        client: ehr.client,
        introspectionTtl: 0,
        capabilityTtl: 100,
      };
      const images = { type: 'folder', path: demo.images, lookup: 'all-studies-on-server' };
      const tenant = (retrieve: string) => ({ authorization: smart, images: { ...images, retrieve } });
      return {
        token: tenant('token'),
        slow: { authorization: smart, images: { ...images, delay: { retrieveUntil: 4e9 } } },
        bound: tenant('capability'),
        other: tenant('capability'),
        bearer: tenant('bearer-capability'),
        mock: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          images: { ...images, retrieve: 'capability' },
        },
      };
    },
    undefined,
    undefined,
    { now, log: logger('debug', sink) },
  );
  url = await gateway.app.listen({ port: 0, host: '127.0.0.1' });
  give('good');
  give('another');
}, 120_000);
afterAll(async () => {
  await gateway.close();
  await ehr.close();
});

function give(token: string, more: object = {}): void {
  ehr.tokens.set(token, { client_id: 'app', patient: 'p1', scope: 'patient/*.rs', exp: exp(), ...more });
}

/** Sends the path unchanged: `fetch` would normalize it. */
function get(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const { hostname, port } = new URL(url);
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((done, failed) => {
    httpRequest({ hostname, port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        done({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', failed)
      .end();
  });
}

async function search(tenant: string, token = 'good', query = ''): Promise<Bundle> {
  const { body } = await get(`/${tenant}/fhir/ImagingStudy${query}`, auth(token));
  return JSON.parse(body.toString()) as Bundle;
}

/** Returns the path of the capability of the smallest or largest study, that study and another one. */
async function capability(
  tenant: string,
  token = 'good',
  which: 'smallest' | 'largest' = 'smallest',
): Promise<{ base: string; uid: string; other: string }> {
  const entries = (await search(tenant, token)).entry!;
  const studies = entries
    .filter((one) => one.search!.mode === 'match')
    .map((one) => one.resource as ImagingStudy)
    .sort((a, b) => a.numberOfInstances! - b.numberOfInstances!);
  if (which === 'largest') studies.reverse();
  const endpoint = entries.find(({ fullUrl }) => fullUrl === studies[0]!.endpoint![0]!.reference);
  const { pathname } = new URL((endpoint!.resource as Endpoint).address);
  return { base: pathname, uid: studies[0]!.id!, other: studies[1]!.id! };
}

describe('IA-18 the Endpoint of each study is on the same page', () => {
  test.each([
    ['bound', '', true],
    ['bound', '?_count=2&_offset=1', true],
    ['bearer', '?_include=ImagingStudy:endpoint', false],
  ])('%s %s, IA-26 requires-access-token %o', async (tenant, query, required) => {
    const entries = (await search(tenant, 'good', query)).entry!;
    const matches = entries.filter((one) => one.search!.mode === 'match');
    const named = matches.map(({ resource }) => (resource as ImagingStudy).endpoint![0]!.reference!);
    expect(new Set(named).size).toBe(matches.length);
    expect(matches.length).toBeGreaterThan(0);
    for (const reference of named) {
      expect(reference).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
      const { resource, search } = entries.find(({ fullUrl }) => fullUrl === reference)!;
      expect(search).toEqual({ mode: 'include' });
      const { address, extension } = resource as Endpoint;
      expect(address).toMatch(new RegExp(`^http://localhost/${tenant}/wado/[\\w-]+\\.\\.[\\w.-]+$`));
      expect(extension!.map(({ valueBoolean }) => valueBoolean)).toEqual([required, required]);
    }
    expect(entries).toHaveLength(2 * matches.length);
  });

  test('a read of a study names an Endpoint that can be read', async () => {
    const { uid } = await capability('bound');
    const { body } = await get(`/bound/fhir/ImagingStudy/${uid}`, auth('good'));
    const [reference] = (JSON.parse(body.toString()) as ImagingStudy).endpoint!;
    expect(reference!.reference).toBe(`Endpoint/${uid}`);
    const read = await get(`/bound/fhir/Endpoint/${uid}`, auth('good'));
    const { pathname } = new URL((JSON.parse(read.body.toString()) as Endpoint).address);
    expect((await get(`${pathname}/studies/${uid}/metadata`, auth('good'))).status).toBe(200);
    expect((await get('/bound/fhir/Endpoint/1.2.3', auth('good'))).status).toBe(404);
  });

  test('a tenant with `token` gives no capabilities and accepts none of another tenant (IA-26)', async () => {
    const text = JSON.stringify(await search('token'));
    expect(text).not.toContain('/wado/');
    const { base, uid } = await capability('bearer');
    const moved = base.replace('/bearer/', '/token/');
    expect((await get(`${moved}/studies/${uid}`, auth('good'))).status).toBe(403);
  });

  const addressed = async (tenant: string, token = 'good') => {
    const query = '{ ImagingStudyList { id series { wadoUrl instance { uid wadoUrl } } } }';
    const response = await fetch(`${url}/${tenant}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...auth(token) },
      body: JSON.stringify({ query }),
    });
    const { data } = (await response.json()) as {
      data: {
        ImagingStudyList: { id: string; series: { wadoUrl: string; instance: { wadoUrl: string }[] }[] }[];
      };
    };
    return data.ImagingStudyList;
  };

  test('IA-25 GraphQL addresses lie below a capability, one for each study', async () => {
    const [{ id, series }] = (await addressed('bound')) as [Awaited<ReturnType<typeof addressed>>[0]];
    const base = series[0]!.wadoUrl.split('/studies/')[0]!;
    expect(base).toContain('/bound/wado/');
    for (const one of series) {
      expect(one.wadoUrl.startsWith(`${base}/studies/${id}/series/`)).toBe(true);
      for (const { wadoUrl } of one.instance)
        expect(wadoUrl.startsWith(`${one.wadoUrl}/instances/`)).toBe(true);
    }
    expect((await get(`${new URL(series[0]!.wadoUrl).pathname}/metadata`, auth('good'))).status).toBe(200);
  });

  test('IA-25 no GraphQL address is that of another request, caller or tenant over the same images', async () => {
    const seen = new Set<string>();
    for (const [tenant, token] of [
      ['token', 'good'],
      ['bound', 'good'],
      ['bound', 'good'],
      ['bound', 'another'],
      ['bearer', 'good'],
      ['token', 'another'],
    ] as const) {
      const urls = (await addressed(tenant, token)).flatMap(({ series }) =>
        series.flatMap(({ wadoUrl, instance }) => [wadoUrl, ...instance.map((one) => one.wadoUrl)]),
      );
      expect(urls.length).toBeGreaterThan(10);
      const part = tenant === 'token' ? '/dicomweb/' : '/wado/';
      expect(urls.filter((one) => !one.startsWith(`http://localhost/${tenant}${part}`))).toEqual([]);
      if (tenant !== 'token') expect(urls.filter((one) => seen.has(one))).toEqual([]);
      for (const one of urls) seen.add(one);
    }
  });
});

describe('IA-25 what a capability opens, and for whom', () => {
  test('opens its study, with addresses below the same capability', async () => {
    const { base, uid } = await capability('bound');
    const study = await get(`${base}/studies/${uid}`, auth('good'));
    expect(study.status).toBe(200);
    expect(study.body.length).toBeGreaterThan(10_000);
    const series = await get(`${base}/studies/${uid}/series`, auth('good'));
    expect(JSON.parse(series.body.toString())[0]['00081190'].Value[0]).toContain(
      `${base}/studies/${uid}/series/`,
    );
    const metadata = await get(`${base}/studies/${uid}/metadata`, auth('good'));
    const addresses = metadata.body.toString().match(/"BulkDataURI":"[^"]+"/g) ?? [];
    expect(addresses).not.toEqual([]);
    for (const address of addresses) expect(address).toContain(base);
  });

  const swap = (base: string, at: number) =>
    base.slice(0, at) + (base[at] === 'A' ? 'B' : 'A') + base.slice(at + 1);
  type Made = Awaited<ReturnType<typeof capability>>;
  const attacks: [string, (made: Made) => string, Record<string, string>, number][] = [
    ['no token', ({ base, uid }) => `${base}/studies/${uid}`, {}, 401],
    ['another token of the same patient', ({ base, uid }) => `${base}/studies/${uid}`, auth('another'), 403],
    ['an unknown token', ({ base, uid }) => `${base}/studies/${uid}`, auth('made-up'), 403],
    ['another study', ({ base, other }) => `${base}/studies/${other}`, auth('good'), 403],
    ['an unknown study', ({ base }) => `${base}/studies/1.2.3`, auth('good'), 403],
    // Nothing beyond its study (IA-23).
    ['all studies', ({ base }) => `${base}/studies`, auth('good'), 403],
    ['all series', ({ base }) => `${base}/series`, auth('good'), 403],
    ['no path', ({ base }) => base, auth('good'), 403],
    ['../ to a study', ({ base, uid, other }) => `${base}/studies/${uid}/../${other}`, auth('good'), 403],
    ['../ to the tenant', ({ base, uid }) => `${base}/../../dicomweb/studies/${uid}`, auth('good'), 403],
    ['%2e%2e', ({ base, uid, other }) => `${base}/studies/${uid}/%2e%2e/${other}`, auth('good'), 403],
    ['encoded slash', ({ base, uid, other }) => `${base}/studies/${uid}%2F..%2F${other}`, auth('good'), 403],
    ['UID appended', ({ base, uid, other }) => `${base}/studies/${uid}/studies/${other}`, auth('good'), 403],
    [
      'another tenant',
      ({ base, uid }) => `${base.replace('/bound/', '/other/')}/studies/${uid}`,
      auth('good'),
      403,
    ],
    ['tampered end', ({ base, uid }) => `${swap(base, base.length - 3)}/studies/${uid}`, auth('good'), 403],
    [
      'tampered middle',
      ({ base, uid }) => `${swap(base, base.length - 60)}/studies/${uid}`,
      auth('good'),
      403,
    ],
    [
      'tampered header',
      ({ base, uid }) => `${swap(base, '/bound/wado/'.length + 12)}/studies/${uid}`,
      auth('good'),
      403,
    ],
    ['made up', ({ uid }) => `/bound/wado/abc/studies/${uid}`, auth('good'), 403],
  ];
  test.each(attacks)('%s', async (_what, path, headers, status) => {
    const made = await capability('bound');
    const answer = await get(path(made), headers);
    expect(answer.status).toBe(status);
    expect(Object.keys(JSON.parse(answer.body.toString()) as object).sort()).toEqual(['error', 'message']);
    expect(answer.headers['www-authenticate'] !== undefined).toBe(status === 401);
  });

  test.each(['bulkdata/../../../../../x', 'bulkdata/%2e%2e%2f%2e%2e%2fx'])(
    'does not open %s',
    async (way) => {
      const { base, uid } = await capability('bound');
      const answer = await get(`${base}/studies/${uid}/series/1.2/instances/1.2/${way}`, auth('good'));
      expect([400, 403, 404]).toContain(answer.status);
    },
  );

  test.each(['bound', 'bearer'])('%s: refused once its token is revoked', async (tenant) => {
    give('brief');
    const { base, uid } = await capability(tenant, 'brief');
    const headers: Record<string, string> = tenant === 'bound' ? auth('brief') : {};
    expect((await get(`${base}/studies/${uid}/metadata`, headers)).status).toBe(200);
    ehr.tokens.delete('brief');
    expect((await get(`${base}/studies/${uid}/metadata`, headers)).status).toBe(403);
  });

  test('no two are alike, and their content cannot be read', async () => {
    const [a, b] = [await capability('bound'), await capability('bound')];
    expect(a.base).not.toBe(b.base);
    const decoded = a.base
      .split(/[/.]/)
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join();
    for (const secret of [a.uid, 'p1', 'good', 'app']) expect(decoded.includes(`"${secret}"`)).toBe(false);
    expect(a.base.length).toBeLessThan(600);
  });

  test('a mock tenant needs no token for a capability either', async () => {
    const { base, uid, other } = await capability('mock');
    expect((await get(`${base}/studies/${uid}/metadata`)).status).toBe(200);
    expect((await get(`${base}/studies/${other}/metadata`)).status).toBe(403);
  });

  test('refused once it has expired; an answer that has begun is completed', async () => {
    const { base, uid } = await capability('bound', 'good', 'largest');
    const { hostname, port } = new URL(url);
    const begun = new Promise<Buffer>((done, failed) => {
      httpRequest({ hostname, port, path: `${base}/studies/${uid}`, headers: auth('good') }, (response) => {
        late += 101_000;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => done(Buffer.concat(chunks)));
      })
        .on('error', failed)
        .end();
    });
    expect((await begun).subarray(-8).toString()).toMatch(/--\r\n$|--$/);
    expect((await get(`${base}/studies/${uid}`, auth('good'))).status).toBe(403);
  });
});

describe('IA-33 one-use links', () => {
  async function link(body: unknown, token = 'good', tenant = 'token') {
    const response = await fetch(`${url}/${tenant}/wado/links`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...auth(token) },
      body: JSON.stringify(body),
    });
    return {
      status: response.status,
      headers: response.headers,
      json: (await response.json()) as Record<string, string>,
    };
  }

  test('gives one zip, once, without an Authorization header', async () => {
    const { uid } = await capability('bound');
    const { status, json, headers } = await link({ path: `studies/${uid}`, accept: 'application/zip' });
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(Date.parse(json['expires']!) - now()).toBeLessThanOrEqual(60_000);
    const { pathname, search } = new URL(json['url']!);
    expect((await get(pathname + search, {}, 'HEAD')).status).toBe(405);
    expect((await get(`${pathname}/metadata${search}`)).status).toBe(403);
    expect((await get(pathname)).status).toBe(403);
    const answers = await Promise.all([get(pathname + search), get(pathname + search)]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 403]);
    const answer = answers.find((one) => one.status === 200)!;
    expect(answer.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-disposition': `attachment; filename="${uid}.zip"`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    });
    expect(answer.body.subarray(0, 2).toString()).toBe('PK');
    expect((await get(pathname + search)).status).toBe(403);
  });

  test.each([
    ['no path', {}],
    ['another origin', { path: 'https://elsewhere.example/token/dicomweb/studies/1.2.3' }],
    ['another tenant', { path: 'http://localhost/other/dicomweb/studies/1.2.3' }],
    ['a tenant with a longer name', { path: 'http://localhost/token2/dicomweb/studies/1.2.3' }],
    ['another port', { path: 'http://localhost:9/token/dicomweb/studies/1.2.3' }],
    ['a host in the user part', { path: 'http://localhost@elsewhere.example/token/dicomweb/studies/1.2.3' }],
    ['another API', { path: 'http://localhost/token/fhir/studies/1.2.3' }],
    ['../ in an address', { path: 'http://localhost/token/dicomweb/../../other/dicomweb/studies/1.2.3' }],
    ['../', { path: 'studies/../secret' }],
    ['all studies', { path: 'studies' }],
    ['a bad media type', { path: 'studies/1.2.3', accept: 'zip' }],
    ['a line break', { path: 'studies/1.2.3', accept: 'application/zip\r\nX: y' }],
    ['another field', { path: 'studies/1.2.3', token: 'x' }],
  ])('%s: 400 that says what a path looks like', async (_what, body) => {
    const { status, json } = await link(body);
    expect([status, json['error']]).toEqual([400, 'invalid_request']);
    expect(json['message']).toContain('"path"');
    expect(json['message']).toContain('image/png');
  });

  test('takes an address of the tenant, such as a wadoUrl, with and without a capability in it', async () => {
    const { uid, base } = await capability('bound');
    for (const [tenant, address] of [
      ['token', `http://localhost/token/dicomweb/studies/${uid}`],
      ['bound', `http://localhost${base}/studies/${uid}`],
    ] as const) {
      const { status, json } = await link({ path: `${address}/metadata` }, 'good', tenant);
      expect([address, status]).toEqual([address, 201]);
      const { pathname, search } = new URL(json['url']!);
      expect(pathname).toMatch(new RegExp(`^/${tenant}/wado/[^/]+/studies/${uid}/metadata$`));
      expect((await get(pathname + search)).status).toBe(200);
      const used = await get(pathname + search);
      expect([used.status, JSON.parse(used.body.toString())]).toMatchObject([
        403,
        { message: expect.stringContaining('a link by POST /{tenant}/wado/links') as string },
      ]);
    }
  });

  test('is refused as the retrieval itself is', async () => {
    give('no-imaging', { scope: 'patient/Observation.rs' });
    expect((await link({ path: 'studies/1.2.3' })).status).toBe(404);
    expect((await link({ path: 'studies/1.2.3' }, 'made-up')).status).toBe(401);
    expect((await link({ path: 'studies/1.2.3' }, 'no-imaging')).status).toBe(403);
  });

  test('revoked, expired or at another tenant: 403; a link whose source failed may be used again', async () => {
    give('brief');
    give('short', { exp: Math.floor(now() / 1000) + 20 });
    const { uid } = await capability('bound');
    const path = `studies/${uid}`;
    const made = async (token: string, more = '') => {
      const { pathname, search } = new URL((await link({ path: path + more }, token)).json['url']!);
      return pathname + search;
    };
    const [revoked, old, moved, rendered] = [
      await made('brief'),
      await made('short'),
      await made('good'),
      await made('good', '/rendered'),
    ];
    ehr.tokens.delete('brief');
    expect((await get(revoked)).status).toBe(403);
    expect((await get(moved.replace('/token/', '/bound/'))).status).toBe(403);
    const { pathname } = new URL((await link({ path }, 'good', 'slow')).json['url']!);
    for (const _ of [1, 2]) expect((await get(pathname)).status).toBe(503);
    const picture = await get(rendered);
    expect([picture.status, picture.headers['content-type']]).toEqual([200, 'image/jpeg']);
    expect(picture.headers['content-disposition']).toBe(`attachment; filename="${uid}.jpg"`);
    expect((await get(rendered)).status).toBe(403);
    late += 21_000;
    expect((await get(old)).status).toBe(403);
    late += 60_000;
    expect((await get(moved)).status).toBe(403);
  });
});

test('SM-14 no capability, link or token reaches the log or a metric', async () => {
  expect((await capability('bound')).base).toContain('eyJhbGciOiJkaXIi');
  const logged = lines.join('') + (await get('/metrics')).body.toString();
  expect(logged).toContain('/wado/:capability/studies/:studyUid');
  expect(logged).not.toContain('eyJhbGciOiJkaXIi');
  expect(logged).not.toContain('Bearer good');
});
