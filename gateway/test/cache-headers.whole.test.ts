import type { LightMyRequestResponse } from 'fastify';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIRST_REQUEST } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { smallObjects } from './setup/small-objects.ts';

/** `Cache-Control` of every route of the gateway, for answers and refusals (DW-14). */

const NO_STORE = 'no-store';
const PRIVATE = 'private, no-cache';
const PUBLIC = 'public, max-age=300';
const REVALIDATE = 'no-cache';
const STUDY = '1.2.3';
/** Values for the parameters of paths. */
const VALUES: Record<string, string> = {
  studyUid: STUDY,
  seriesUid: `${STUDY}.1`,
  instanceUid: `${STUDY}.1.1`,
  frames: '1',
  type: 'Patient',
  id: 'p1',
  version: '1',
  tenant: 'open',
};

let gateway: TestGateway;
let ehr: AuthorizationServer;
let folder: string;
let routes: Route[];

interface Route {
  /** As it is declared: `/:tenant/graphql`. */
  pattern: string;
  methods: string[];
}

beforeAll(async () => {
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'app', patient: 'p1', exp };
  ehr.tokens.set('good', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('imaging-only', { ...launched, scope: 'patient/ImagingStudy.rs' });
  folder = await mkdtemp(join(tmpdir(), 'cache-headers-'));
  const [images, patients] = [join(folder, 'images'), join(folder, 'patients')];
  await Promise.all([images, patients].map((path) => mkdir(path)));
  await writeFile(join(images, 'image.dcm'), smallObjects({ studyUid: STUDY, patientId: 'p1' })[0]!);
  await writeFile(join(patients, 'p1.json'), '{"resourceType":"Patient","id":"p1","meta":{"versionId":"1"}}');
  gateway = await buildTestGateway(
    () => {
      const sources = {
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'all-studies-on-server' },
        organization: { name: 'Test hospital' },
      };
      const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
      return {
        open: { authorization: { type: 'mock', disableAuthzChecks: true }, ...sources },
        smart: { authorization: smart, ...sources },
        bound: {
          authorization: smart,
          clinical: sources.clinical,
          images: { ...sources.images, retrieve: 'bearer-capability' },
          organization: sources.organization,
        },
        own: { authorization: { type: 'embedded' }, ...sources },
      };
    },
    { images, patients },
    undefined,
    { baseUrl: 'https://imaging.example.org' },
  );
  await gateway.app.ready();
  routes = routesIn(gateway.app.printRoutes({ commonPrefix: false }));
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Reads the tree that Fastify prints: each path continues the path of the line above it. */
function routesIn(tree: string): Route[] {
  const above: string[] = [];
  const found: Route[] = [];
  for (const line of tree.split('\n')) {
    const [, indent, path, methods] = /^([│ ]*)[├└]── (.+?) \((.+)\)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const depth = indent!.length / 4;
    const pattern = (above[depth - 1] ?? '') + path;
    above.splice(depth, Infinity, pattern);
    found.push({ pattern, methods: methods!.split(', ') });
  }
  return found;
}

const urlOf = (pattern: string, tenant: string, values = VALUES) =>
  pattern.replace(/:(\w+)(\([^)]*\))?/g, (_all, name: string) => ({ ...values, tenant })[name] ?? 'x');

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const get = (url: string, headers: Record<string, string> = {}) => gateway.app.inject({ url, headers });
const kept = ({ statusCode, headers }: LightMyRequestResponse) => [statusCode, headers['cache-control']];

/** Returns the `Cache-Control` that a successful GET of a route must have. */
function cacheControlOf(pattern: string): string {
  if (/^\/:tenant\/(dicomweb|wado-uri|wado\/:capability)/.test(pattern)) return PRIVATE;
  if (
    /\/fhir\/(metadata|OperationDefinition\/.*)$|\/\.well-known\/|^\/schema\.graphql$|smart-style/.test(
      pattern,
    )
  )
    return PUBLIC;
  return pattern === '/errors' ? REVALIDATE : NO_STORE;
}

describe('DW-14 Cache-Control of answers', () => {
  /** Routes that a plain GET cannot read. */
  const NOTHING = /\/oauth\/|\*$|\/_search$|self-test$|graphql$|capability|^\/app|\/(playground|mcp)$|links$/;

  /**
   * Endpoints cannot be searched, the base of an API is no resource, operations need parameters, and a tenant that shares
   * nothing has no links. The address of a link leads to the page that opens it.
   */
  const NOT_200: Record<string, number> = {
    '/share': 302,
    '/:tenant/share': 404,
    '/:tenant/shl/:link/f/:ticket': 404,
    '/:tenant/fhir/Patient/$everything': 400,
    '/:tenant/fhir/Observation/$lastn': 400,
    '/:tenant/fhir/Patient/$export': 400,
    '/:tenant/fhir/Group/:id/$export': 400,
    // A tenant without tables.
    '/:tenant/fhir/$sql-run': 404,
    '/:tenant/fhir/$sql-export': 404,
    '/:tenant/fhir/$sql-export-status/:job': 404,
    '/:tenant/fhir/$sql-export-result/:job': 404,
    '/:tenant/fhir/OperationDefinition/sql-run': 404,
    '/:tenant/fhir/OperationDefinition/sql-export': 404,
    '/:tenant/fhir/$export-status/:job': 404,
    '/:tenant/fhir/$export-file/:job/:file': 404,
    '/:tenant/fhir/Endpoint': 405,
    '/:tenant/dicomweb': 404,
    '/:tenant/fhir': 404,
    '/:tenant/oauth': 404,
  };

  test('every route that needs nothing but its path', async () => {
    const plain = routes.filter(
      ({ pattern, methods }) =>
        methods.includes('GET') && !NOTHING.test(pattern) && !pattern.startsWith('/dyn/'),
    );
    expect(plain.length).toBeGreaterThan(30);
    for (const { pattern } of plain) {
      const id = /ImagingStudy/.test(pattern) ? STUDY : /Endpoint/.test(pattern) ? 'dicomweb' : 'p1';
      const question = pattern.endsWith('wado-uri')
        ? `?requestType=WADO&studyUID=${STUDY}&seriesUID=${STUDY}.1&objectUID=${STUDY}.1.1`
        : '';
      const studies = pattern.endsWith('/Patient/:id/ImagingStudy') && { id: 'p1' };
      const answer = await get(urlOf(pattern, 'open', { ...VALUES, id, ...studies }) + question);
      const other = NOT_200[pattern];
      const expected = other ? [other, NO_STORE] : [200, cacheControlOf(pattern)];
      expect([pattern, ...kept(answer)]).toEqual([pattern, ...expected]);
      if (expected[1] === PRIVATE) {
        expect([pattern, answer.headers['vary']]).toEqual([
          pattern,
          expect.stringMatching(/Authorization, Accept/),
        ]);
      }
    }
  });

  test.each<[string, number, string]>([
    ['/open/graphql?query={__typename}', 200, NO_STORE],
    ['/open/fhir/$graphql?query={__typename}', 200, NO_STORE],
    ['/.well-known/oauth-protected-resource/open', 200, PUBLIC],
    ['/.well-known/oauth-authorization-server/own/oauth', 200, PUBLIC],
    ['/own/oauth/.well-known/openid-configuration', 200, PUBLIC],
    ['/own/oauth/jwks', 200, PUBLIC],
    ['/own/oauth/smart-style.json', 200, PUBLIC],
    ['/own/oauth/authorize', 400, NO_STORE],
    ['/own/oauth/interaction/x', 400, NO_STORE],
    ['/app', 308, NO_STORE],
  ])('%s → %i %s', async (url, status, expected) => {
    expect(kept(await get(url, { 'apollo-require-preflight': '1' }))).toEqual([status, expected]);
  });

  test('304 Not Modified', async () => {
    for (const [url, expected] of [
      [`/open/dicomweb/studies`, PRIVATE],
      [`/open/dicomweb/studies/${STUDY}/metadata`, PRIVATE],
      [`/open/dicomweb/studies/${STUDY}`, PRIVATE],
      ['/open/fhir/Patient/p1', NO_STORE],
      [`/open/fhir/ImagingStudy/${STUDY}`, NO_STORE],
      ['/open/fhir/Endpoint/dicomweb', NO_STORE],
    ] as const) {
      const { etag } = (await get(url)).headers;
      expect([url, ...kept(await get(url, { 'if-none-match': String(etag) }))]).toEqual([url, 304, expected]);
    }
  });

  test('answers to POST', async () => {
    const payload = FIRST_REQUEST;
    expect(kept(await gateway.app.inject({ method: 'POST', url: '/open/graphql', payload }))).toEqual([
      200,
      NO_STORE,
    ]);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const type of ['Patient', 'ImagingStudy']) {
      const url = `/open/fhir/${type}/_search`;
      const answer = await gateway.app.inject({ method: 'POST', url, headers: form, payload: '' });
      expect([type, ...kept(answer)]).toEqual([type, 200, NO_STORE]);
    }
    const token = await gateway.app.inject({ method: 'POST', url: '/own/oauth/token', headers: form });
    expect(kept(token)).toEqual([400, NO_STORE]);
  });

  test('a capability URL is private, a one-use link is not stored', async () => {
    const { body } = await get('/bound/fhir/ImagingStudy?_include=ImagingStudy:endpoint', bearer('good'));
    const [, capability] = /\/bound\/wado\/([^/"]+)/.exec(body)!;
    for (const path of [`studies/${STUDY}`, `studies/${STUDY}/metadata`, `studies/${STUDY}/thumbnail`]) {
      const answer = await get(`/bound/wado/${capability}/${path}`);
      expect([path, ...kept(answer)]).toEqual([path, 200, PRIVATE]);
      const refused = await get(`/bound/wado/${capability}x/${path}`);
      expect([path, ...kept(refused)]).toEqual([path, 403, NO_STORE]);
    }
    const missing = await get(`/bound/wado/${capability}/studies/9.9`);
    expect(missing.headers['cache-control']).toBe(NO_STORE);

    const link = await gateway.app.inject({
      method: 'POST',
      url: '/bound/wado/links',
      headers: bearer('good'),
      payload: { path: `studies/${STUDY}` },
    });
    expect(kept(link)).toEqual([201, NO_STORE]);
    const { pathname, search } = new URL((link.json() as { url: string }).url);
    expect(kept(await get(pathname + search))).toEqual([200, NO_STORE]);
    expect(kept(await get(pathname + search))).toEqual([403, NO_STORE]);
  });
});

describe('DW-14 refusals are not stored', () => {
  test.each<[string, string, Record<string, string>]>([
    ['without a token', 'smart', {}],
    ['with an unknown token', 'smart', bearer('unknown')],
    ['with too few scopes, or of another study', 'smart', bearer('imaging-only')],
    ['of an unknown tenant', 'nowhere', bearer('good')],
    ['of resources that do not exist', 'smart', bearer('good')],
  ])('every route and method, %s', async (_what, tenant, headers) => {
    const statuses = new Set<number>();
    for (const { pattern, methods } of routes) {
      for (const method of methods.filter((name) => !['OPTIONS', 'TRACE', 'QUERY'].includes(name))) {
        const url = urlOf(pattern, tenant, { ...VALUES, studyUid: '9.9', id: '9.9' });
        const answer = await gateway.app.inject({ method: method as 'GET', url, headers });
        const expected = answer.statusCode >= 400 ? NO_STORE : cacheControlOf(pattern);
        expect([method, url, ...kept(answer)]).toEqual([method, url, answer.statusCode, expected]);
        statuses.add(answer.statusCode);
      }
    }
    expect(statuses).toContain(404);
  });

  test.each([
    ['/%zz', 400],
    ['/open/dicomweb/studies/LONG', 404],
    ['/nothing', 404],
    ['/app/missing.js', 404],
  ])('%s', async (url, status) => {
    expect(kept(await get(url.replace('LONG', '1'.repeat(20_000))))).toEqual([status, NO_STORE]);
  });
});

test('RFC 6797 every answer has Strict-Transport-Security where BASE_URL is https', async () => {
  const urls = [
    '/',
    '/metrics',
    '/open/graphql?query={__typename}',
    '/own/oauth/jwks',
    '/own/oauth/authorize',
    '/%zz',
    '/nothing',
    '/nowhere/graphql',
    '/smart/fhir/Patient',
    `/open/dicomweb/studies/${STUDY}`,
  ];
  for (const url of urls) {
    const { headers } = await get(url);
    expect([url, headers['strict-transport-security']]).toEqual([url, 'max-age=31536000']);
  }
});
