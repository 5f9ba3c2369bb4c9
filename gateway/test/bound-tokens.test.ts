import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { capabilityKey, sealCapability, tokenHash } from '../smart/capability/capability.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * Way into the gateway × token that is bound to a key → 401 that says why, and no data (SM-21). No proof of possession is
 * checked yet, so such a token opens nothing: not as `Bearer` (RFC 9449 §7.2, RFC 8705 §3), and not as `DPoP`.
 */

const SECRET = 'a secret that seals capabilities in this test';
const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
let ehr: AuthorizationServer;
let gateway: TestGateway;
const tokens: Record<string, Record<string, string>> = { smart: {}, jwt: {} };
const keys: object[] = [];
const RETRIEVALS = ['token', 'capability', 'bearer-capability'];
const issuer = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
});

/** What the authorization server says of a token, by introspection or as claims. */
const BOUND: Record<string, object> = {
  'cnf.jkt': { cnf: { jkt: THUMBPRINT } },
  'cnf.jkt and token_type DPoP': { cnf: { jkt: THUMBPRINT }, token_type: 'DPoP' },
  'cnf.x5t#S256': { cnf: { 'x5t#S256': THUMBPRINT } },
  'two members of cnf': { cnf: { jkt: THUMBPRINT, 'x5t#S256': THUMBPRINT } },
  'cnf.jwk': { cnf: { jwk: { kty: 'EC' } } },
  'a member of cnf that is not known': { cnf: { new: 1 } },
  'an empty cnf': { cnf: {} },
  'a cnf that is text': { cnf: THUMBPRINT },
  'a cnf that is false': { cnf: false },
  'token_type DPoP without cnf': { token_type: 'DPoP' },
};

beforeAll(async () => {
  ehr = await authorizationServer();
  await new Promise<void>((done) => issuer.listen(0, '127.0.0.1', done));
  const iss = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const authorizations = {
    smart: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
    jwt: { type: 'smart-on-fhir-jwt', fhirBaseUrl: `${iss}/fhir`, issuer: iss, jwksUri: `${iss}/jwks` },
  };
  gateway = await buildTestGateway(
    ({ images, patients }) =>
      Object.fromEntries(
        Object.entries(authorizations).flatMap(([name, authorization]) =>
          RETRIEVALS.map((retrieve) => [
            `${name}-${retrieve}`,
            {
              authorization,
              clinical: { type: 'store', path: patients },
              images: { type: 'folder', path: images, lookup: 'all-studies-on-server', retrieve },
              mcp: { enabled: true },
            },
          ]),
        ),
      ),
    undefined,
    undefined,
    { secrets: [SECRET] },
  );
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  keys.push({ ...(await exportJWK(publicKey)), kid: 'k' });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { scope: 'patient/*.rs', patient: DEMO_PATIENT, client_id: 'app', exp };
  const claims = { iss, sub: 'u', ...launched };
  for (const [kind, said] of Object.entries({ unbound: {}, ...BOUND })) {
    tokens['smart']![kind] = `opaque-${Object.keys(tokens['smart']!).length}`;
    ehr.tokens.set(tokens['smart']![kind]!, { ...launched, ...said });
    tokens['jwt']![kind] = await new SignJWT({
      ...claims,
      aud: RETRIEVALS.map((one) => `http://localhost/jwt-${one}`),
      ...said,
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'k', typ: 'at+jwt' })
      .sign(privateKey);
  }
  // The server's description does not repeat what its token says.
  const silent = new UnsecuredJWT({ scope: 'patient/*.rs', cnf: { jkt: THUMBPRINT } }).encode();
  tokens['smart']!['cnf in the token alone'] = silent;
  ehr.tokens.set(silent, launched);
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr.close();
  await new Promise((done) => issuer.close(done));
});

const UID = '1.2.3';
const QUERY = `{ Patient(id: "${DEMO_PATIENT}") { birthDate ImagingStudyList { id } } }`;
const ROWS = `{ ObservationConnection(patient: "${DEMO_PATIENT}") { edges { resource { id } } } }`;
const json = { 'content-type': 'application/json' };
const tools = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
interface Way {
  method?: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  payload?: object;
}
const WAYS: Record<string, Way> = {
  GraphQL: { path: 'graphql', method: 'POST', payload: { query: QUERY } },
  'GraphQL by GET': {
    path: `graphql?query=${encodeURIComponent(QUERY)}`,
    headers: { 'apollo-require-preflight': '1' },
  },
  'rows as a stream': {
    path: 'graphql',
    method: 'POST',
    payload: { query: ROWS },
    headers: { accept: 'application/x-ndjson' },
  },
  $graphql: { path: `fhir/Patient/${DEMO_PATIENT}/$graphql?query=${encodeURIComponent('{ id }')}` },
  'FHIR read': { path: `fhir/Patient/${DEMO_PATIENT}` },
  'FHIR search': { path: `fhir/Condition?patient=${DEMO_PATIENT}` },
  'FHIR batch': {
    path: 'fhir',
    method: 'POST',
    payload: { resourceType: 'Bundle', type: 'batch', entry: [] },
  },
  $everything: { path: `fhir/Patient/${DEMO_PATIENT}/$everything` },
  $export: { path: 'fhir/Patient/$export', headers: { prefer: 'respond-async' } },
  ImagingStudy: { path: 'fhir/ImagingStudy' },
  'QIDO-RS': { path: 'dicomweb/studies' },
  'WADO-RS': { path: `dicomweb/studies/${UID}/metadata` },
  'WADO-URI': { path: `wado-uri?requestType=WADO&studyUID=${UID}&seriesUID=1.2&objectUID=1.3` },
  'a link is asked for': { path: 'wado/links', method: 'POST', payload: { path: `studies/${UID}` } },
  MCP: {
    path: 'mcp',
    method: 'POST',
    payload: tools,
    headers: { accept: 'application/json, text/event-stream' },
  },
};

function ask(tenant: string, way: Way, authorization: string | undefined) {
  const { method = 'GET', path, headers, payload } = way;
  return gateway.app.inject({
    method,
    url: `/${tenant}/${path}`,
    ...(payload && { payload }),
    headers: { ...(payload && json), ...headers, ...(authorization && { authorization }) },
  });
}

type Answer = Awaited<ReturnType<typeof ask>>;

function expectRefused({ statusCode, headers, body }: Answer, reason: RegExp): void {
  expect(statusCode).toBe(401);
  const challenge = String(headers['www-authenticate']);
  expect(challenge).toMatch(/^Bearer realm="/);
  expect(challenge).toContain('error="invalid_token"');
  expect(/error_description="([^"\\]*)"/.exec(challenge)?.[1]).toMatch(reason);
  for (const datum of ['birthDate', 'Patient/', '0020000D', 'search_timeline'])
    expect(body).not.toContain(datum);
}

describe.each(Object.keys(WAYS))('SM-21 %s', (way) => {
  test.each(Object.keys(tokens))('%s: an unbound token is taken, a bound one never', async (type) => {
    const tenant = `${type}-token`;
    const given = await ask(tenant, WAYS[way]!, `Bearer ${tokens[type]!['unbound']}`);
    expect(given.statusCode).not.toBe(401);
    for (const [kind, token] of Object.entries(tokens[type]!)) {
      if (kind === 'unbound') continue;
      expectRefused(await ask(tenant, WAYS[way]!, `Bearer ${token}`), /bound to a key/);
    }
  });

  test.each(['DPoP', 'dpop'])(
    'the scheme %s is refused with its reason, whatever the token',
    async (scheme) => {
      for (const kind of ['unbound', 'cnf.jkt']) {
        const answer = await ask('smart-token', WAYS[way]!, `${scheme} ${tokens['smart']![kind]}`);
        expectRefused(answer, /DPoP is not supported yet/);
      }
    },
  );
});

describe.each(Object.keys(tokens))('SM-21, IA-25 %s: a capability or link', (type) => {
  const sealed = (tenant: string, more: object) =>
    sealCapability(
      {
        tenant,
        studyUid: UID,
        operations: 'rs',
        client: 'app',
        expires: Date.now() / 1000 + 100,
        ...(type === 'jwt' && { user: 'u' }),
        ...more,
      },
      [capabilityKey(SECRET)],
    );
  const path = (capability: string) => `wado/${capability}/studies/${UID}/metadata`;

  test('for the token in the header', async () => {
    for (const [kind, token] of Object.entries(tokens[type]!)) {
      const tenant = `${type}-capability`;
      const way = { path: path(await sealed(tenant, { tokenHash: tokenHash(token) })) };
      const answer = await ask(tenant, way, `Bearer ${token}`);
      if (kind === 'unbound') expect(answer.statusCode).toBe(404);
      else expectRefused(answer, /bound to a key/);
      expectRefused(await ask(tenant, way, `DPoP ${token}`), /DPoP is not supported yet/);
    }
  });

  test('with the token inside', async () => {
    for (const [kind, token] of Object.entries(tokens[type]!)) {
      const tenant = `${type}-bearer-capability`;
      const answer = await ask(tenant, { path: path(await sealed(tenant, { token })) }, undefined);
      if (kind === 'unbound') expect(answer.statusCode).toBe(404);
      else expectRefused(answer, /bound to a key/);
    }
  });
});
