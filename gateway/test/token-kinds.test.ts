import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { capabilityKey, sealCapability, tokenHash } from '../smart/capability/capability.ts';
import { SEALING_SECRET, startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';

/**
 * Kind of token × kind of tenant × API → status, challenge, and no data in a refusal (SM-10, SM-12, IA-5, IA-12,
 * IA-25).
 */

let gateway: GatewayAlone;
const tokens: Record<string, string> = {};
const keys: object[] = [];
const issuer = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
});

beforeAll(async () => {
  await new Promise<void>((done) => issuer.listen(0, '127.0.0.1', done));
  const iss = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const images = {
    type: 'dicom-web',
    lookup: 'all-studies-on-server',
    endpoint: 'http://127.0.0.1:1',
    retrieve: 'capability',
  };
  const jwt = { type: 'smart-on-fhir-jwt', fhirBaseUrl: `${iss}/fhir`, issuer: iss, jwksUri: `${iss}/jwks` };
  gateway = await startGatewayAlone({
    retrieve: 'capability',
    more: { jwt: { authorization: jwt, images } },
  });
  const own = await generateKeyPair('RS256', { extractable: true });
  const foreign = await generateKeyPair('RS256');
  keys.push({ ...(await exportJWK(own.publicKey)), kid: 'k' });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss,
    aud: 'http://localhost/jwt',
    sub: 'u',
    client_id: 'app',
    exp: now + 600,
    scope: 'patient/*.rs',
    patient: 'p1',
  };
  const header = { alg: 'RS256', kid: 'k', typ: 'at+jwt' };
  const sign = (more: object, head: object = {}, key: Parameters<SignJWT['sign']>[0] = own.privateKey) =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ ...header, ...head }).sign(key);
  const secret = new TextEncoder().encode(await exportSPKI(own.publicKey));
  Object.assign(tokens, {
    opaque: 'everything',
    signed: await sign({}),
    unsigned: new UnsecuredJWT(claims).encode(),
    hmac: await sign({}, { alg: 'HS256' }, secret),
    'foreign key': await sign({}, {}, foreign.privateKey),
    'foreign issuer': await sign({ iss: 'https://evil.example.org' }),
    expired: await sign({ exp: now - 60 }),
    'expired, foreign key': await sign({ exp: now - 60 }, {}, foreign.privateKey),
    'not yet valid': await sign({ nbf: now + 600 }),
    'for another tenant': await sign({ aud: 'http://localhost/smart' }),
    'an id token': await sign({ aud: 'app' }, { typ: 'JWT' }),
    'a refresh token': await sign({ token_use: 'refresh' }),
    'a logout token': await sign({ events: {} }, { typ: 'logout+jwt' }),
    'of the folder above': await sign({ patient: '..' }),
    'opaque refresh': 'opaque-refresh',
    'an assertion': await sign({ iss: 'app', sub: 'app' }, { typ: 'JWT' }),
    'without patient': await sign({ patient: undefined }),
    'scope short': await sign({ scope: 'openid' }),
  });
  gateway.ehr.tokens.set('opaque-refresh', {
    ...gateway.ehr.tokens.get('everything'),
    token_type: 'refresh_token',
  });
});
afterAll(async () => {
  await gateway.close();
  await new Promise((done) => issuer.close(done));
});

const FACES = {
  graphql: () => '/graphql',
  fhir: () => '/fhir/Patient/p1',
  dicomweb: () => '/dicomweb/studies',
  capability: async (tenant: string, token = '') =>
    `/wado/${await capability(tenant, token)}/studies/1.2.3/metadata`,
};
type Face = keyof typeof FACES;

/** Makes a capability for exactly this token in this tenant, as if it had been valid then. */
function capability(tenant: string, token: string): Promise<string> {
  const client = { client: 'app', ...(tenant === 'jwt' && { user: 'u' }) };
  const known = tenant === 'open' ? { user: 'mock' } : client;
  const study = { tenant, studyUid: '1.2.3', operations: 'rs', expires: Date.now() / 1000 + 100 } as const;
  const hash = tokenHash(tenant === 'open' ? '' : token);
  return sealCapability({ ...study, ...known, tokenHash: hash }, [capabilityKey(SEALING_SECRET)]);
}

async function ask(tenant: string, face: Face, token: string | undefined) {
  const graphql = face === 'graphql';
  const response = await fetch(`${gateway.url}/${tenant}${await FACES[face](tenant, token)}`, {
    method: graphql ? 'POST' : 'GET',
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(graphql && { 'content-type': 'application/json' }),
    },
    ...(graphql && { body: '{"query":"{ Patient(id: \\"p1\\") { ImagingStudyList { description } } }"}' }),
  });
  const challenge = response.headers.get('www-authenticate');
  return { status: response.status, challenge, body: await response.text() };
}

const rows: [tenant: string, kind: string | undefined, status: number, error?: string][] = [
  ['jwt', undefined, 401],
  ['jwt', 'signed', 200],
  ['jwt', 'opaque', 401, 'invalid_token'],
  ['jwt', 'unsigned', 401, 'invalid_token'],
  ['jwt', 'hmac', 401, 'invalid_token'],
  ['jwt', 'foreign key', 401, 'invalid_token'],
  ['jwt', 'foreign issuer', 401, 'invalid_token'],
  ['jwt', 'expired', 401, 'invalid_token'],
  ['jwt', 'not yet valid', 401, 'invalid_token'],
  ['jwt', 'for another tenant', 401, 'invalid_token'],
  ['jwt', 'an id token', 401, 'invalid_token'],
  ['jwt', 'an assertion', 401, 'invalid_token'],
  ['jwt', 'a refresh token', 401, 'invalid_token'],
  ['jwt', 'a logout token', 401, 'invalid_token'],
  ['jwt', 'of the folder above', 403, 'insufficient_scope'],
  ['jwt', 'without patient', 403, 'insufficient_scope'],
  ['jwt', 'scope short', 403, 'insufficient_scope'],
  ['smart', undefined, 401],
  ['smart', 'opaque', 200],
  ['smart', 'opaque refresh', 401, 'invalid_token'],
  ['smart', 'signed', 401, 'invalid_token'],
  ['smart', 'unsigned', 401, 'invalid_token'],
  ['smart', 'an assertion', 401, 'invalid_token'],
  ['backend', 'opaque', 403, 'insufficient_scope'],
  ['backend', 'signed', 401, 'invalid_token'],
  ['open', undefined, 200],
  ['open', 'unsigned', 200],
];

describe.each(Object.keys(FACES) as Face[])('SM-10, SM-12, IA-5, IA-12 %s', (face) => {
  test.each(rows)('%s with %s → %i %s', async (tenant, kind, status, error) => {
    const answer = await ask(tenant, face, kind && tokens[kind]);
    expect(answer.body.includes('CONFIDENTIAL')).toBe(status === 200);
    if (status === 200) {
      expect(answer.status).toBe(200);
      return void expect(answer.challenge).toBeNull();
    }
    for (const datum of ['p1', '1.2.3', 'CONFIDENTIAL']) expect(answer.body).not.toContain(datum);
    // IA-25: the capability has ended with its token, and another token does not change that.
    if (face === 'capability' && error === 'invalid_token') {
      expect(answer).toMatchObject({ status: 403, challenge: null });
      return void expect(JSON.parse(answer.body)).toEqual({
        error: 'forbidden',
        message: expect.any(String),
      });
    }
    expect(answer.status).toBe(status);
    expect(answer.challenge).toContain(`Bearer realm="http://localhost/${tenant}"`);
    expect(answer.challenge).toContain(`oauth-protected-resource/${tenant}"`);
    expect(/error="(.*?)"/.exec(answer.challenge ?? '')?.[1]).toBe(error);
  });
});

test.each([
  ['expired', 'The access token has expired. Get a new one'],
  ['expired, foreign key', 'is expired, revoked, or not meant for this tenant. Get one from'],
])('only a token of the issuer is said to have expired: %s', async (kind, message) => {
  for (const face of ['graphql', 'fhir'] as const)
    expect((await ask('jwt', face, tokens[kind])).body).toContain(message);
});

test('SM-14 no token and no secret part of one is in the log', () => {
  expect(gateway.logged()).toContain('"route":"/:tenant/graphql"');
  for (const token of Object.values(tokens)) {
    for (const part of token.split('.').filter(({ length }) => length > 20)) {
      expect(gateway.logged()).not.toContain(part);
    }
  }
});
