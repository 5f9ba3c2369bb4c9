/** All metadata documents of our own authorization server are true: checked with openid-client and by hand. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { join } from 'node:path';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser, ticked } from '../smart/server/test/started.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

const REDIRECT = 'http://127.0.0.1:9/app';
const SECRET = 'a secret of this test, long enough';
const CLIENT_ALGORITHMS = ['ES384', 'RS384'];
const OTHERS = ['ES256', 'RS256', 'EdDSA'];
type Json = Record<string, unknown>;

let gateway: TestGateway;
let base: string;
let issuer: string;
const keys = new Map<string, CryptoKey>();

beforeAll(async () => {
  const jwks: object[] = [];
  for (const alg of [...CLIENT_ALGORITHMS, ...OTHERS]) {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    keys.set(alg, privateKey);
    jwks.push({ ...(await exportJWK(publicKey)), kid: alg, use: 'sig' });
  }
  const port = await freePort();
  const tenant = (modes: string[], patients: string) => ({
    authorization: {
      type: 'embedded',
      modes,
      clients: [
        { client_id: 'app', redirect_uris: [REDIRECT] },
        { client_id: 'secret-app', redirect_uris: [REDIRECT], client_secret: SECRET },
        ...(modes.length > 1 ? [{ client_id: 'service', jwks: { keys: jwks } }] : []),
      ],
    },
    clinical: { type: 'store', path: patients },
    images: { type: 'folder', path: patients, lookup: 'studies-by-mrn' },
  });
  gateway = await buildTestGateway(
    ({ patients }) => ({
      demo: tenant(['app-launch', 'backend-services'], patients),
      launched: tenant(['app-launch'], patients),
    }),
    { images: '', patients: join(import.meta.dirname, '../demo/patients') },
    undefined,
    { port },
  );
  base = `${gateway.baseUrl}/demo`;
  issuer = `${base}/oauth`;
}, 120_000);
afterAll(() => gateway.close());

const document = async (url: string) => {
  const answer = await fetch(url);
  expect([url, answer.status, answer.headers.get('content-type')]).toEqual([
    url,
    200,
    expect.stringContaining('application/json'),
  ]);
  return (await answer.json()) as Json;
};
const smart = () => document(`${base}/fhir/.well-known/smart-configuration`);

test.each(['demo', 'launched'])(
  'SM-2, SM-3 %s: all documents agree, apart from the capabilities of imaging',
  async (key) => {
    const own = `${gateway.baseUrl}/${key}`;
    const { capabilities, ...configuration } = await document(`${own}/fhir/.well-known/smart-configuration`);
    for (const url of [
      `${own}/oauth/.well-known/openid-configuration`,
      `${own}/oauth/.well-known/oauth-authorization-server`,
      `${gateway.baseUrl}/.well-known/oauth-authorization-server/${key}/oauth`,
    ]) {
      const { capabilities: ours, ...metadata } = await document(url);
      expect(metadata).toEqual(configuration);
      expect(capabilities).toEqual(expect.arrayContaining(ours as string[]));
    }
    const resource = await document(`${gateway.baseUrl}/.well-known/oauth-protected-resource/${key}`);
    expect(resource).toMatchObject({ resource: own, authorization_servers: [configuration['issuer']] });
    const scopes = configuration['scopes_supported'] as string[];
    expect(resource['scopes_supported']).toEqual(
      scopes.filter((scope) => /^(patient|user|system)\//.test(scope)),
    );
  },
);

test('SM-2 the SMART configuration has every required field (OpenID Connect Discovery §3, RFC 8414 §2)', async () => {
  const configuration = await smart();
  for (const name of [
    'issuer',
    'authorization_endpoint',
    'token_endpoint',
    'userinfo_endpoint',
    'jwks_uri',
    'registration_endpoint',
    'introspection_endpoint',
    'revocation_endpoint',
  ]) {
    expect(configuration[name], name).toMatch(new RegExp(`^${issuer}`));
  }
  expect(configuration).toMatchObject({
    issuer,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: expect.arrayContaining(['RS256']) as unknown,
    token_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS,
    code_challenge_methods_supported: ['S256'],
  });
});

test('every advertised endpoint answers', async () => {
  const configuration = await smart();
  const endpoints = Object.entries(configuration).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name));
  expect(endpoints.length).toBeGreaterThan(6);
  for (const [name, url] of endpoints) {
    const byGet = ['authorization_endpoint', 'userinfo_endpoint', 'jwks_uri'].includes(name);
    const answer = await fetch(String(url), { method: byGet ? 'GET' : 'POST' });
    expect([200, 400, 401, 415], name).toContain(answer.status);
  }
});

describe('client assertions', () => {
  const signedIn = async (alg: string, endpoint: string) => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'service',
      sub: 'service',
      aud: `${issuer}/token`,
      jti: crypto.randomUUID(),
      exp: now + 60,
    };
    const jwt = await new SignJWT(claims).setProtectedHeader({ alg, kid: alg }).sign(keys.get(alg)!);
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      scope: 'system/*.rs',
      token: 'x',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: jwt,
    });
    return fetch(endpoint, { method: 'POST', body });
  };
  const ENDPOINTS = ['token', 'introspection', 'revocation'];

  test.each(ENDPOINTS)('%s: accepts every advertised algorithm and no other', async (name) => {
    const configuration = await smart();
    const named = configuration[`${name}_endpoint_auth_signing_alg_values_supported`] as string[];
    const accepted: string[] = [];
    for (const alg of keys.keys()) {
      const answer = await signedIn(alg, String(configuration[`${name}_endpoint`]));
      if (answer.status === 200) accepted.push(alg);
      else
        expect([alg, answer.status, await answer.json()]).toMatchObject([
          alg,
          401,
          { error: 'invalid_client' },
        ]);
    }
    expect(accepted).toEqual(named);
  });
});

test('a client can register for every advertised id_token algorithm and no other', async () => {
  const { id_token_signing_alg_values_supported: named, registration_endpoint: registration } = await smart();
  const register = async (algorithm: string) =>
    fetch(String(registration), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [REDIRECT], id_token_signed_response_alg: algorithm }),
    });
  const accepted: string[] = [];
  for (const algorithm of ['RS256', 'RS384', 'ES384', 'ES256', 'PS256', 'EdDSA', 'HS256', 'none']) {
    if ((await register(algorithm)).status === 201) accepted.push(algorithm);
  }
  expect(accepted).toEqual(named);
});

describe.each<[client.ServerMetadata['issuer'], 'oidc' | 'oauth2']>([
  ['OpenID Connect discovery', 'oidc'],
  ['RFC 8414 metadata', 'oauth2'],
])('openid-client, unmodified, by %s', (_, algorithm) => {
  test.each(['app', 'secret-app'])(
    '%s: authorize, token, userinfo, refresh, introspect, revoke',
    async (id) => {
      const secret = id === 'app' ? undefined : SECRET;
      const authentication = secret === undefined ? client.None() : client.ClientSecretBasic(secret);
      const server = await client.discovery(new URL(issuer), id, undefined, authentication, {
        algorithm,
        execute: [client.allowInsecureRequests],
      });
      const verifier = client.randomPKCECodeVerifier();
      const state = client.randomState();
      const nonce = client.randomNonce();
      const { scopes_supported: supported = [] } = server.serverMetadata();
      const wanted = ['openid', 'fhirUser', 'profile', 'launch/patient', 'patient/*.rs', 'offline_access'];
      expect(supported).toEqual(expect.arrayContaining(wanted));
      const url = client.buildAuthorizationUrl(server, {
        redirect_uri: REDIRECT,
        scope: wanted.join(' '),
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        aud: `${base}/fhir`,
        state,
        nonce,
      });
      const browser = new Browser(base);
      const consent = await browser.submit(await browser.open(url.href), [
        ['account', `Patient/${DEMO_PATIENT}`],
      ]);
      const boxes = ticked(consent).map((scope): [string, string] => ['scope', scope]);
      const { url: back } = await browser.submit(consent, [...boxes, ['step', 'allow']]);

      const checks = {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      };
      const tokens = await client.authorizationCodeGrant(server, new URL(back), checks);
      expect(tokens).toMatchObject({ patient: DEMO_PATIENT, token_type: 'bearer' });
      const { sub, ...claims } = tokens.claims()!;
      const fhirUser = `${base}/fhir/Patient/${DEMO_PATIENT}`;
      expect(claims).toMatchObject({ fhirUser, name: expect.stringMatching(/./) });
      for (const claim of server.serverMetadata().claims_supported ?? []) {
        expect({ sub, ...claims }, claim).toHaveProperty(claim);
      }

      expect(await client.fetchUserInfo(server, tokens.access_token, sub)).toEqual({
        sub,
        fhirUser,
        name: claims['name'],
      });
      const refreshed = await client.refreshTokenGrant(server, tokens.refresh_token!);
      expect(refreshed.access_token).not.toBe(tokens.access_token);
      const said = await client.tokenIntrospection(server, refreshed.access_token);
      expect(said).toMatchObject({ active: true, client_id: id, sub, patient: DEMO_PATIENT });
      await client.tokenRevocation(server, refreshed.refresh_token ?? tokens.refresh_token!);
      expect(await client.tokenIntrospection(server, refreshed.access_token)).toEqual({ active: false });
      await expect(client.fetchUserInfo(server, refreshed.access_token, sub)).rejects.toThrow();
    },
  );
});

test('openid-client registers an app at the advertised endpoint, and the sign-in page names it', async () => {
  const options = { execute: [client.allowInsecureRequests] };
  const metadata = {
    redirect_uris: [REDIRECT],
    client_name: 'Registered',
    token_endpoint_auth_method: 'none',
  };
  const server = await client.dynamicClientRegistration(new URL(issuer), metadata, client.None(), options);
  const url = client.buildAuthorizationUrl(server, {
    redirect_uri: REDIRECT,
    scope: 'openid',
    aud: base,
    code_challenge_method: 'S256',
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
  });
  expect((await new Browser(base).open(url.href)).html).toContain('Registered');
});
