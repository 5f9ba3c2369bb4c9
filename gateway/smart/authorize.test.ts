import { UnsecuredJWT } from 'jose';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MockAgent } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant, type Tenant } from '../../schema/tenant/tenant.ts';
import { authorizationServer, type AuthorizationServer } from '../test/authorization-server.ts';
import { outboundConnections } from '../outbound/connections.ts';
import { bearerToken } from './token/bearer.ts';
import { authorizer, type Authorizer } from './authorize.ts';
import { clientAssertion } from './token/backend-token.ts';
import { longTest } from '../test/setup/usual-run.ts';

const BASE = 'https://img.example.org';
const scope = 'openid patient/ImagingStudy.rs patient/Patient.r';

let server: AuthorizationServer;
let clock = 0;
let auth: Authorizer;
const in_ = (seconds: number) => Math.floor(clock / 1000) + seconds;

beforeAll(async () => {
  server = await authorizationServer();
  server.now = () => clock;
});
afterAll(() => server.close());
const connections = (hosts: string[]) =>
  outboundConnections({ dynamicHosts: new Set(hosts), log: console }).dispatcher;

beforeEach(() => {
  clock = Date.now();
  server.mode = server.patientMode = 'up';
  server.tokens.clear();
  server.assertions.length = 0;
  for (const name of Object.keys(server.calls)) server.calls[name] = 0;
  server.patients.set('p1', {
    resourceType: 'Patient',
    id: 'p1',
    birthDate: '1970-01-01',
    identifier: [{ type: { coding: [{ code: 'MR' }] }, value: 'MRN1' }],
    name: [{ family: 'Secret' }],
  });
  server.tokens.set('good', {
    scope,
    patient: 'p1',
    client_id: 'app',
    exp: in_(600),
    sub: 'u',
    fhirUser: 'Practitioner/7',
  });
  auth = authorizer({ dispatcher: connections([]), now: () => clock, baseUrl: BASE });
});

function tenant(authorization: object = {}, more: object = {}): Tenant {
  const json = {
    authorization: {
      type: 'smart-on-fhir',
      fhirBaseUrl: server.fhirBaseUrl,
      scope: 'system/Patient.read',
      client: server.client,
      ...authorization,
    },
    images: { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://127.0.0.1:1/' },
    ...more,
  };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/', environment: {} };
  return parseTenant(json, origin).tenant;
}

function request(authorization?: string | string[], url = '/t/graphql'): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message.url = url;
  const values = authorization === undefined ? [] : [authorization].flat();
  message.rawHeaders = values.flatMap((value) => ['Authorization', value]);
  return message;
}
const ask = async (token: string, t = tenant()) => auth.authorize(t, token);
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  );

test('an active token becomes an Access with only the needed data', async () => {
  expect(await ask('good')).toEqual({
    tenant: 't',
    client: 'app',
    user: 'Practitioner/7',
    patients: [
      {
        id: 'p1',
        identity: {
          id: 'p1',
          birthDate: '1970-01-01',
          identifier: [{ type: { coding: [{ code: 'MR' }] }, value: 'MRN1' }],
        },
      },
    ],
    permissions: [
      { level: 'patient', type: 'ImagingStudy', interactions: 'rs' },
      { level: 'patient', type: 'Patient', interactions: 'r' },
    ],
    expires: clock / 1000 + 60,
    tokenExpires: Math.floor(clock / 1000) + 600,
    clinicalToken: 'good',
    token: 'good',
    record: expect.any(String) as string,
  });
});

describe('SM-12: a JWT that the server calls active, without naming its kind', () => {
  test.each<[string, object, string]>([
    ['an id_token for the app', { aud: 'app' }, 'invalid_token'],
    ['an id_token for several apps', { aud: ['x', 'app'] }, 'invalid_token'],
    ['an id_token for another app, with its azp', { aud: 'y', azp: 'y' }, 'invalid_token'],
    ['an id_token of a sign-in', { aud: 'z', nonce: 'n' }, 'invalid_token'],
    ['an access token without scopes in it', { aud: 'urn:oid:1.2.3' }, 'allowed'],
    ['an access token with scopes in it', { aud: 'app', scope }, 'allowed'],
    ['an access token with token_use', { aud: 'app', token_use: 'access' }, 'allowed'],
  ])('%s', async (_what, claims, expected) => {
    const token = new UnsecuredJWT({ iss: 'https://ehr.example.org', sub: 'u', ...claims }).encode();
    server.tokens.set(token, { scope, patient: 'p1', client_id: 'app', exp: in_(600) });
    expect(await code(ask(token))).toBe(expected);
  });
});

describe('IA-5 and SM-12: requirements for a token', () => {
  const now = () => in_(0);
  test.each<[string, () => object | undefined, string]>([
    ['unknown or revoked', () => undefined, 'invalid_token'],
    ['expired', () => ({ scope, patient: 'p1', exp: now() - 6 }), 'invalid_token'],
    ['expired by a clock that is 4 s behind', () => ({ scope, patient: 'p1', exp: now() - 4 }), 'allowed'],
    ['valid by a clock that is 4 s ahead', () => ({ scope, patient: 'p1', nbf: now() + 4 }), 'allowed'],
    ['not valid for another 6 s', () => ({ scope, patient: 'p1', nbf: now() + 6 }), 'invalid_token'],
    ['a bearer token', () => ({ scope, patient: 'p1', token_type: 'Bearer' }), 'allowed'],
    ['an access token', () => ({ scope, patient: 'p1', token_type: 'access_token' }), 'allowed'],
    ['a refresh token', () => ({ scope, patient: 'p1', token_type: 'refresh_token' }), 'invalid_token'],
    ['a refresh token by token_use', () => ({ scope, patient: 'p1', token_use: 'refresh' }), 'invalid_token'],
    ['a refresh token of Keycloak', () => ({ scope, patient: 'p1', typ: 'Refresh' }), 'invalid_token'],
    ['an id token', () => ({ scope, patient: 'p1', token_use: 'id' }), 'invalid_token'],
    ['a DPoP token without its proof', () => ({ scope, patient: 'p1', token_type: 'DPoP' }), 'invalid_token'],
    ['of a kind that is no text', () => ({ scope, patient: 'p1', token_type: 7 }), 'invalid_token'],
    ['of a kind that is null', () => ({ scope, patient: 'p1', token_type: null }), 'allowed'],
    ['not yet valid', () => ({ scope, patient: 'p1', nbf: now() + 60 }), 'invalid_token'],
    [
      'for another server',
      () => ({ scope, patient: 'p1', aud: 'https://other.example.org' }),
      'invalid_token',
    ],
    ['for the FHIR base', () => ({ scope, patient: 'p1', aud: `${BASE}/t/fhir` }), 'allowed'],
    ['for the tenant base', () => ({ scope, patient: 'p1', aud: `${BASE}/t/` }), 'allowed'],
    ['for another tenant', () => ({ scope, patient: 'p1', aud: `${BASE}/u` }), 'invalid_token'],
    [
      'for the EHR, among others',
      () => ({ scope, patient: 'p1', aud: ['x', server.fhirBaseUrl] }),
      'allowed',
    ],
    ['of another issuer', () => ({ scope, patient: 'p1', iss: 'https://evil.example.org' }), 'invalid_token'],
    ['of the issuer, with a slash', () => ({ scope, patient: 'p1', iss: `${server.issuer}/` }), 'allowed'],
    ['with no scope (IA-9)', () => ({ patient: 'p1' }), 'insufficient_scope'],
    ['with no clinical scope', () => ({ patient: 'p1', scope: 'openid' }), 'insufficient_scope'],
    ['with no patient (SM-6)', () => ({ scope }), 'insufficient_scope'],
    ['with an invalid patient id', () => ({ scope, patient: '../x' }), 'insufficient_scope'],
    ['with the patient id ..', () => ({ scope, patient: '..' }), 'insufficient_scope'],
    ['with the patient id .', () => ({ scope, patient: '.' }), 'insufficient_scope'],
    [
      'with system/ scopes while only app-launch is on (IA-4)',
      () => ({ scope: 'system/*.rs', client_id: 'b' }),
      // They count in Backend Services mode only (IA-6).
      'insufficient_scope',
    ],
    ['with a scope of the wrong type', () => ({ scope: ['a'], patient: 'p1' }), 'bad_gateway'],
    ['with active as text', () => ({ active: 'true', scope, patient: 'p1' }), 'bad_gateway'],
    [
      'with nulls and unknown fields',
      () => ({ scope, patient: 'p1', aud: null, need_patient_banner: true }),
      'allowed',
    ],
  ])('%s → %#', async (_what, record, expected) => {
    const said = record();
    if (said) server.tokens.set('x', { ...said });
    expect(await code(ask('x'))).toBe(expected);
  });

  test('accepts further audiences in the tenant’s configuration', async () => {
    server.tokens.set('x', { scope, patient: 'p1', aud: 'https://imaging.hospital' });
    expect(await code(ask('x', tenant({ audience: ['https://imaging.hospital'] })))).toBe('allowed');
  });

  test.each<[string, object, object, string]>([
    ['an access token', { typ: 'at+jwt' }, {}, 'allowed'],
    ['a JWT', { typ: 'JWT' }, {}, 'allowed'],
    ['a logout token', { typ: 'logout+jwt' }, {}, 'invalid_token'],
    ['an event', { typ: 'JWT' }, { events: {} }, 'invalid_token'],
    ['a refresh token', { typ: 'JWT' }, { typ: 'Refresh' }, 'invalid_token'],
    ['an id token', { typ: 'JWT' }, { token_use: 'id' }, 'invalid_token'],
  ])('an active JWT that says it is %s', async (_what, header, claims, expected) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256', ...header })}.${part({ sub: 'u', ...claims })}.AAAA`;
    server.tokens.set(token, { scope, patient: 'p1' });
    expect(await code(ask(token))).toBe(expected);
  });

  test('an Access can be used that was made within the clock tolerance after exp', async () => {
    server.tokens.set('x', { scope, patient: 'p1', exp: in_(-3) });
    expect((await ask('x')).expires).toBeGreaterThan(clock / 1000);
    clock += 3000;
    expect(await code(ask('x'))).toBe('invalid_token');
  });

  test('IA-12 refuses a client assertion, even if the server calls it active', async () => {
    await ask('good');
    const [sent] = server.assertions;
    const own = await clientAssertion(server.client as never, 'https://elsewhere', clock);
    for (const assertion of [sent!, own]) {
      server.tokens.set(assertion, { scope, patient: 'p1' });
      expect(await code(ask(assertion))).toBe('invalid_token');
    }
    expect(server.calls['introspect']).toBe(1);
  });
});

describe('RFC 6750 §2 the place of the token', () => {
  test.each<[string, string | string[] | undefined, string, string]>([
    ['none', undefined, '/', 'unauthenticated'],
    ['empty', '', '/', 'unauthenticated'],
    ['another scheme', 'Basic dTpw', '/', 'unauthenticated'],
    ['any case', 'bearer good', '/', 'allowed'],
    ['no token', 'Bearer', '/', 'invalid_request'],
    ['two tokens', 'Bearer good good', '/', 'invalid_request'],
    ['invalid characters', 'Bearer go"od', '/', 'invalid_request'],
    ['two headers', ['Bearer good', 'Bearer good'], '/', 'invalid_request'],
    ['in the query', undefined, '/t/fhir?access_token=good', 'invalid_request'],
    ['in both', 'Bearer good', '/t/fhir?x=1&access_token=good', 'invalid_request'],
  ])('%s', async (_what, header, url, expected) => {
    const asked = async () => auth.authorize(tenant(), bearerToken(request(header, url)));
    expect(await code(asked())).toBe(expected);
  });
});

describe('IA-8 Backend Services', () => {
  const both = { modes: ['app-launch', 'backend-services'] };
  const policy = [
    { client_id: 'b', patients: ['p1'], studies: ['1.2'] },
    { client_id: 'b', patients: ['p2'] },
    { client_id: 'b', patients: ['p1'], studies: ['1.3'] },
    { client_id: 'c', patients: ['p9'] },
  ];

  test('reaches what the policy gives the client', async () => {
    server.patients.set('p2', { resourceType: 'Patient', id: 'p2' });
    server.tokens.set('s', { scope: 'system/ImagingStudy.rs', client_id: 'b' });
    const access = await ask('s', tenant({ modes: ['backend-services'], policy }));
    expect(access.patients).toMatchObject([{ id: 'p1', studies: ['1.2', '1.3'] }, { id: 'p2' }]);
    expect((access.patients as object[])[1]).not.toHaveProperty('studies');
  });

  test.each<[string, object]>([
    ['a client without rows', { client_id: 'z' }],
    ['no client at all', {}],
  ])('%s reaches no patient', async (_who, more) => {
    server.tokens.set('s', { scope: 'system/*.rs', ...more });
    expect((await ask('s', tenant({ modes: ['backend-services'], policy }))).patients).toEqual([]);
  });

  test('IA-9 never combines the scopes of one grant with the context of another', async () => {
    server.tokens.set('mixed', { scope: 'system/*.cruds patient/Patient.r', patient: 'p1', client_id: 'b' });
    const launched = await ask('mixed', tenant({ ...both, policy }));
    expect(launched.patients).toMatchObject([{ id: 'p1' }]);
    expect(launched.permissions).toEqual([{ level: 'patient', type: 'Patient', interactions: 'r' }]);

    server.tokens.set('contextless', { scope: 'system/Patient.r patient/*.cruds', client_id: 'b' });
    const backend = await ask('contextless', tenant({ ...both, policy }));
    expect(backend.permissions).toEqual([{ level: 'system', type: 'Patient', interactions: 'r' }]);
  });

  test('IA-4 the scopes of App Launch do not count when it is off', async () => {
    expect(await code(ask('good', tenant({ modes: ['backend-services'], policy })))).toBe(
      'insufficient_scope',
    );
  });
});

describe('IA-8 a policy for users', () => {
  const USER = 'https://ehr.example.org/fhir/Practitioner/7';
  const policy = [
    { user: USER, patients: ['p1'], studies: ['1.2'] },
    { user: USER, client_id: 'notebook', patients: ['p2'] },
    { user: 'https://ehr.example.org/fhir/Practitioner/70', patients: ['p3'] },
    { client_id: 'b', patients: ['p4'] },
  ];
  const modes = ['app-launch', 'backend-services'];
  const user = { scope: 'user/ImagingStudy.rs user/Patient.rs', fhirUser: USER, client_id: 'app' };
  beforeEach(() => {
    for (const id of ['p2', 'p3', 'p4']) server.patients.set(id, { resourceType: 'Patient', id });
  });

  test.each<[string, Record<string, unknown>, object[]]>([
    ['the user', user, [{ id: 'p1', studies: ['1.2'] }]],
    [
      'the user in the app that a row names',
      { ...user, client_id: 'notebook' },
      [{ id: 'p1', studies: ['1.2'] }, { id: 'p2' }],
    ],
    ['the user without a known app', { ...user, client_id: undefined }, [{ id: 'p1' }]],
    ['another user', { ...user, fhirUser: 'https://ehr.example.org/fhir/Practitioner/8' }, []],
    ['a relative user', { ...user, fhirUser: 'Practitioner/7' }, []],
    ['the same user of another server', { ...user, fhirUser: USER.replace('ehr', 'other') }, []],
    ['another case', { ...user, fhirUser: USER.toUpperCase() }, []],
    ['a subject that looks like the user', { ...user, fhirUser: undefined, sub: USER }, []],
    ['no user', { ...user, fhirUser: undefined }, []],
    ['the app of a backend row', { ...user, fhirUser: undefined, client_id: 'b' }, []],
    [
      'system scopes with the client of a row for a user',
      { ...user, scope: 'system/*.rs', client_id: 'notebook' },
      [],
    ],
    [
      'system scopes with the client of a backend row',
      { ...user, scope: 'system/*.rs', client_id: 'b' },
      [{ id: 'p4' }],
    ],
  ])('%s', async (_who, token, patients) => {
    server.tokens.set('u', token);
    const access = await ask('u', tenant({ modes, policy }));
    expect(access.patients).toHaveLength(patients.length);
    expect(access.patients).toMatchObject(patients);
  });

  test('IA-9 only user/ scopes count for them, and a patient in context stays the only one', async () => {
    server.tokens.set('u', { ...user, scope: `${user.scope} patient/*.cruds` });
    const { permissions } = await ask('u', tenant({ modes, policy }));
    expect(permissions.map(({ level, type }) => `${level}/${type}`)).toEqual([
      'user/ImagingStudy',
      'user/Patient',
    ]);
    server.tokens.set('launched', { ...user, patient: 'p2' });
    expect((await ask('launched', tenant({ modes, policy }))).patients).toMatchObject([{ id: 'p2' }]);
  });

  test.each<[string, Record<string, unknown>, object]>([
    ['patient/ scopes without a patient', { ...user, scope: 'patient/*.rs' }, { modes, policy }],
    ['IA-4 App Launch is off', user, { modes: ['backend-services'], policy }],
  ])('%s: refused', async (_why, token, authorization) => {
    server.tokens.set('u', token);
    expect(await code(ask('u', tenant(authorization)))).toBe('insufficient_scope');
  });

  test.each(['p1', 'p2', 'p3'])(
    'IA-9 the EHR is not asked for more patients than the policy names: %s',
    async (patient) => {
      server.tokens.set('u', user);
      const of = tenant({ modes, policy });
      const access = await ask('u', of);
      const named = () => ({ patients: [patient], studies: [], runs: true });
      expect(await auth.reach(of, access, named)).toBe(access);
    },
  );
});

describe('SM-9 caches', () => {
  test('a cached token needs no call', async () => {
    await ask('good');
    const calls = { ...server.calls };
    expect(calls).toEqual({ configuration: 1, token: 1, introspect: 1, patient: 1 });
    await ask('good');
    expect(server.calls).toEqual(calls);
  });

  test('a thousand simultaneous requests make one introspection and one Patient read', async () => {
    // One tenant: to read its file a thousand times would keep the server, which runs in this process, from answering.
    const one = tenant();
    await Promise.all(Array.from({ length: 1000 }, () => ask('good', one)));
    expect(server.calls).toEqual({ configuration: 1, token: 1, introspect: 1, patient: 1 });
  });

  test.each<[string, object, number, boolean]>([
    ['before introspectionTtl', {}, 29, false],
    ['after introspectionTtl', {}, 31, true],
    ['after exp, which comes first', { exp: 10 }, 11, true],
    ['no exp: the shortest time', { exp: undefined }, 4, true],
  ])('a revoked token is refused: %s (%j, %i s) → %s', async (_when, more, after, effective) => {
    const { exp } = more as { exp?: number };
    const record = {
      scope,
      patient: 'p1',
      ...('exp' in more ? (exp ? { exp: in_(exp) } : {}) : { exp: in_(600) }),
    };
    server.tokens.set('x', record);
    await ask('x');
    server.tokens.delete('x');
    clock += after * 1000;
    expect(await code(ask('x'))).toBe(effective ? 'invalid_token' : 'allowed');
  });

  test('a refusal is kept for only three seconds', async () => {
    expect(await code(ask('late'))).toBe('invalid_token');
    server.tokens.set('late', { scope, patient: 'p1' });
    clock += 2900;
    expect(await code(ask('late'))).toBe('invalid_token');
    clock += 200;
    expect(await code(ask('late'))).toBe('allowed');
  });

  test.each([
    ['down', 'unavailable'],
    ['failing', 'unavailable'],
    ['nonsense', 'bad_gateway'],
  ] as const)(
    'IA-9 a server that is %s gives %s, accepts no token, and is asked again after a second',
    async (mode, expected) => {
      server.mode = mode;
      expect(await code(ask('good'))).toBe(expected);
      server.mode = 'up';
      clock += 1001;
      expect(await code(ask('good'))).toBe('allowed');
    },
  );

  test('allows a known token until the cache expires while the server fails, then refuses it', async () => {
    await ask('good');
    server.mode = 'down';
    expect(await code(ask('good'))).toBe('allowed');
    clock += 31_000;
    expect(await code(ask('good'))).toBe('unavailable');
  });

  test('tenants do not share their caches', async () => {
    await ask('good');
    await ask('good', { ...tenant(), key: 'u', cacheKey: 'u', path: 'u' });
    expect(server.calls['introspect']).toBe(2);
  });

  test('replaces our own revoked token once', async () => {
    await ask('good');
    server.revokeBackendTokens();
    server.tokens.set('second', { scope, patient: 'p1' });
    expect(await code(ask('second'))).toBe('allowed');
    expect(server.calls['token']).toBe(2);
  });

  longTest(
    '10,000 tokens stay within 20 MB',
    async () => {
      const long = Array.from(
        { length: 30 },
        (_, i) => `patient/Type${'ABCDEFGHIJKLMNOPQRSTUVWXYZABCD'[i]}.rs`,
      ).join(' ');
      const agent = new MockAgent();
      const answers = {
        statusCode: 200,
        responseOptions: { headers: { 'content-type': 'application/json' } },
      };
      const intercepted = { path: () => true, method: () => true };
      agent
        .get(() => true)
        .intercept(intercepted)
        .reply(({ path }) => {
          const introspection = {
            active: true,
            scope: long,
            patient: `p${Math.random()}`,
            client_id: 'app',
            sub: crypto.randomUUID(),
            exp: in_(9999),
          };
          const other = {
            access_token: 'x',
            expires_in: 9999,
            token_endpoint: 'http://a/token',
            introspection_endpoint: 'http://a/introspect',
          };
          return { ...answers, data: path.endsWith('introspect') ? introspection : other };
        })
        .persist();
      const auth = authorizer({ baseUrl: BASE, now: () => clock, dispatcher: () => agent });
      const all = {
        images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' },
      };
      const t = tenant({}, all);
      const send = async (i: number) => auth.authorize(t, `${'t'.repeat(1200)}${i}`);
      await send(-1);
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc') as () => void;
      gc();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < 10_000; i++) {
        await send(i);
        // Nothing here waits for I/O: without a pause, expired connections would be used again.
        if (i % 100 === 0) await new Promise(setImmediate);
      }
      gc();
      const grown = (process.memoryUsage().heapUsed - before) / 1e6;
      expect(grown).toBeLessThan(20);
    },
    60_000,
  );
});

describe('the patient’s identity', () => {
  test('IA-11 ignores the EHR’s answer for another patient', async () => {
    server.patients.set('p1', { resourceType: 'Patient', id: 'p2', identifier: [{ value: 'X' }] });
    expect((await ask('good')).patients).toEqual([{ id: 'p1' }]);
  });

  test('leaves out invalid identifiers', async () => {
    server.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier: [null, 'X', { value: 'Y' }] });
    expect((await ask('good')).patients).toMatchObject([{ identity: { identifier: [{ value: 'Y' }] } }]);
  });

  test('is missing while the EHR does not answer, and is requested again a second later', async () => {
    server.patientMode = 'down';
    expect((await ask('good')).patients).toEqual([{ id: 'p1', identityAway: true }]);
    server.patientMode = 'up';
    clock += 1001;
    expect((await ask('good')).patients).toMatchObject([{ identity: { id: 'p1' } }]);
  });

  test('stays known during an outage (SM-9)', async () => {
    await ask('good');
    server.patientMode = 'down';
    clock += 400_000;
    server.tokens.set('later', { scope, patient: 'p1' });
    expect((await ask('later')).patients).toMatchObject([{ identity: { id: 'p1' } }]);
  });

  test('IA-9 refuses a patient whom the EHR does not have (any more)', async () => {
    await ask('good');
    server.patients.delete('p1');
    clock += 400_000;
    server.tokens.set('later', { scope, patient: 'p1' });
    expect(await code(ask('later'))).toBe('forbidden');
    server.patientMode = 'down';
    clock += 4000;
    expect((await ask('later')).patients).toEqual([{ id: 'p1', identityAway: true }]);
  });

  test('IA-8 only patients of a client whom the EHR has are in reach', async () => {
    const policy = [{ client_id: 'b', patients: ['gone', 'p1'] }];
    server.tokens.set('backend', { scope: 'system/*.rs', client_id: 'b' });
    const { patients } = await ask('backend', tenant({ modes: ['backend-services'], policy }));
    expect(patients).toMatchObject([{ id: 'p1' }]);
  });

  test('is not requested when images are not found by it', async () => {
    const all = {
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' },
    };
    await ask('good', tenant({}, all));
    expect(server.calls['patient']).toBe(0);
  });
});

describe('other types of tenants', () => {
  const patient = { resourceType: 'Patient', id: 'p1', identifier: [{ value: 'X' }] };
  const mock = (more: object) => {
    const { authorization } = parseTenant(
      {
        authorization: { type: 'mock', ...more },
        images: { type: 'folder', lookup: 'studies-by-mrn', path: '/x' },
      },
      { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
    ).tenant;
    return { ...tenant(), cacheKey: JSON.stringify(authorization), authorization };
  };

  test.each<[string, object, unknown]>([
    ['with a patient', { patient }, [{ id: 'p1', identity: { id: 'p1', identifier: [{ value: 'X' }] } }]],
    ['without one', {}, []],
    ['without checks', { patient, disableAuthzChecks: true }, 'all'],
  ])('SM-11 mock %s ignores the token', async (_what, more, patients) => {
    for (const token of [undefined, 'secret']) {
      const access = await auth.authorize(mock(more), token);
      expect(access.patients).toEqual(patients);
      expect(JSON.stringify(access)).not.toContain('secret');
    }
    expect(server.calls).toEqual({ configuration: 0, token: 0, introspect: 0, patient: 0 });
  });

  test.each(['smart-on-fhir-independent'])(
    '%s without our own authorization server answers 501',
    async (type) => {
      const t = tenant({ type });
      expect(await code(ask('good', t))).toBe('not_implemented');
    },
  );

  test('a client without a key answers 501', async () => {
    expect(await code(ask('good', tenant({ client: { client_id: 'c' } })))).toBe('not_implemented');
    expect(await code(ask('good', { ...tenant({ client: undefined }), key: 'u' }))).toBe('not_implemented');
  });

  test('SM-15 a dynamic tenant calls only allowed hosts', async () => {
    const t = { ...tenant(), key: 'dyn:1', dynamic: true };
    expect(await code(ask('good', t))).toBe('not_implemented');
    expect(server.calls['configuration']).toBe(0);
    auth = authorizer({ dispatcher: connections(['127.0.0.1']), now: () => clock, baseUrl: BASE });
    expect(await code(ask('good', t))).toBe('allowed');
  });
});
