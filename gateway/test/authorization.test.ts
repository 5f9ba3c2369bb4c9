import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone();
  const now = Math.floor(Date.now() / 1000);
  const launched = { client_id: 'app', scope: 'patient/*.rs', exp: now + 3600 };
  const set = (token: string, record: object) => gateway.ehr.tokens.set(token, { ...record });
  set('expired', { ...launched, patient: 'p1', exp: now - 10 });
  set('wrong-audience', { ...launched, patient: 'p1', aud: 'https://other.example.org' });
  set('wrong-issuer', { ...launched, patient: 'p1', iss: 'https://other.example.org' });
  set('scope-short', { ...launched, patient: 'p1', scope: 'patient/Observation.rs' });
  set('no-scope', { ...launched, patient: 'p1', scope: 'openid' });
  set('no-patient', { ...launched });
  set('wrong-patient', { ...launched, patient: 'p2' });
  set('system', { client_id: 'b', scope: 'system/*.rs', exp: now + 3600 });
});
beforeEach(() => {
  gateway.ehr.mode = 'up';
});
afterAll(() => gateway.close());

const PATHS = { graphql: '/graphql', fhir: '/fhir/Patient/p1', dicomweb: '/dicomweb/studies' };
type Face = keyof typeof PATHS;

async function ask(face: Face, headers: Record<string, string>, tenant = 'smart') {
  const init: RequestInit =
    face === 'graphql'
      ? {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: '{"query":"{ Patient(id: \\"p1\\") { id birthDate ImagingStudyList { id description } } }"}',
        }
      : { headers };
  const response = await fetch(`${gateway.url}/${tenant}${PATHS[face]}`, init);
  return { response, status: response.status, body: await response.text() };
}

const realm = 'realm="http://localhost/smart"';
const metadata = 'resource_metadata="http://localhost/.well-known/oauth-protected-resource/smart"';
const CHALLENGE = {
  none: `Bearer ${realm}, ${metadata}`,
  invalid: `Bearer ${realm}, error="invalid_token", ${metadata}`,
  malformed: `Bearer ${realm}, error="invalid_request", ${metadata}`,
};

describe('SM-12, IA-5, IA-9: token × path → status, challenge, and no data', () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const rows: [string, Record<string, string>, number, string | undefined][] = [
    ['missing', {}, 401, CHALLENGE.none],
    ['another scheme', { authorization: 'Basic dTpw' }, 401, CHALLENGE.none],
    ['malformed', { authorization: 'Bearer a b' }, 400, CHALLENGE.malformed],
    ['empty', { authorization: 'Bearer ' }, 400, CHALLENGE.malformed],
    ['unknown', bearer('made-up'), 401, CHALLENGE.invalid],
    ['expired', bearer('expired'), 401, CHALLENGE.invalid],
    ['wrong audience', bearer('wrong-audience'), 401, CHALLENGE.invalid],
    ['wrong issuer', bearer('wrong-issuer'), 401, CHALLENGE.invalid],
    [
      'no scope',
      bearer('no-scope'),
      403,
      `Bearer ${realm}, error="insufficient_scope", scope="patient/ImagingStudy.rs", ${metadata}`,
    ],
    [
      'no patient',
      bearer('no-patient'),
      403,
      `Bearer ${realm}, error="insufficient_scope", scope="launch/patient", ${metadata}`,
    ],
    [
      'system scope, mode off (IA-4)',
      bearer('system'),
      403,
      `Bearer ${realm}, error="insufficient_scope", scope="patient/ImagingStudy.rs", ${metadata}`,
    ],
  ];
  for (const face of Object.keys(PATHS) as Face[]) {
    test.each(rows)(`${face}: %s, headers %o → %i`, async (_what, headers, status, challenge) => {
      const { response, status: got, body } = await ask(face, headers);
      expect(got).toBe(status);
      expect(response.headers.get('www-authenticate')).toBe(challenge);
      expect(body).not.toContain('CONFIDENTIAL');
    });
  }

  test.each<[Face, string, number]>([
    ['fhir', 'everything', 200],
    ['dicomweb', 'everything', 200],
    ['graphql', 'everything', 200],
    ['fhir', 'scope-short', 403],
    ['dicomweb', 'scope-short', 403],
    ['graphql', 'scope-short', 200],
    ['fhir', 'imaging-only', 403],
    ['dicomweb', 'imaging-only', 200],
    ['fhir', 'wrong-patient', 403],
    ['graphql', 'wrong-patient', 200],
  ])('%s: %s → %i', async (face, token, status) => {
    const { status: got, body } = await ask(face, bearer(token));
    expect(got).toBe(status);
    expect(body.includes('CONFIDENTIAL')).toBe(status === 200 && !/short|wrong/.test(token));
  });

  test('refuses a revoked token once its remembered introspection ends (SM-9)', async () => {
    gateway.ehr.tokens.set('brief', {
      scope: 'patient/*.rs',
      patient: 'p1',
      exp: Math.floor(Date.now() / 1000) + 1,
    });
    expect((await ask('fhir', bearer('brief'))).status).toBe(200);
    gateway.ehr.tokens.delete('brief');
    await new Promise((done) => setTimeout(done, 1100));
    expect((await ask('fhir', bearer('brief'))).status).toBe(401);
  });

  test.each(Object.keys(PATHS) as Face[])('%s: refuses a token in the query', async (face) => {
    for (const name of ['access_token', 'access%5Ftoken', 'x=1?&access_token']) {
      const response = await fetch(`${gateway.url}/smart${PATHS[face]}?${name}=everything`, {
        headers: { authorization: 'Bearer everything', 'apollo-require-preflight': '1' },
      });
      expect(response.status).toBe(400);
    }
  });

  test.each([
    ['down', 503],
    ['failing', 503],
    ['nonsense', 502],
  ] as const)('IA-9 authorization server %s → %i in every API, no data', async (mode, status) => {
    gateway.ehr.mode = mode;
    for (const face of Object.keys(PATHS) as Face[]) {
      const answer = await ask(face, bearer(`new-${mode}-${face}`));
      expect(answer.status).toBe(status);
      expect(answer.response.headers.get('www-authenticate')).toBeNull();
      expect(answer.body).not.toContain('CONFIDENTIAL');
    }
  });

  test('Backend Services: only the patients of the policy (IA-8)', async () => {
    expect((await ask('fhir', bearer('system'), 'backend')).status).toBe(200);
    expect((await ask('fhir', bearer('everything'), 'backend')).status).toBe(403);
  });
});

describe('IA-20 an address that does not exist → an error in the format of its API', () => {
  const long = (length: number) => `/${'x'.repeat(length)}/graphql`;
  test.each<[string, number, string]>([
    ['/nobody/graphql', 404, 'errors'],
    ['/nobody/fhir/Patient/p1', 404, 'OperationOutcome'],
    ['/nobody/fhir/metadata', 404, 'OperationOutcome'],
    ['/nobody/dicomweb/studies', 404, 'not_found'],
    ['/dyn/e30/graphql', 404, 'errors'],
    ['/open/fhir/nothing/at/all', 404, 'OperationOutcome'],
    ['/open/nothing', 404, 'not_found'],
    ['/independent/fhir/Patient/p1', 501, 'OperationOutcome'],
    ['/independent/graphql', 501, 'not_implemented'],
    ['/independent/fhir/.well-known/smart-configuration', 501, 'not'],
    ['/independent/fhir/metadata', 200, 'CapabilityStatement'],
    ['/open/oauth/token', 501, 'not_implemented'],
    ['/%zz/graphql', 400, ''],
    [long(5000), 404, 'errors'],
    [long(20_000), 414, 'uri_too_long'],
  ])('%.60s → %i', async (path, status, body) => {
    const response = await fetch(gateway.url + path, { headers: { authorization: 'Bearer everything' } });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(body);
  });
});

describe('discovery (SM-1 to SM-4, IA-1 to IA-4)', () => {
  const json = async (path: string) => {
    const response = await fetch(gateway.url + path, { headers: { origin: 'https://app.example.org' } });
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    return [response, (await response.json()) as Record<string, never>] as const;
  };

  test('SM-1, SM-2 gives the endpoints of the EHR with our capabilities, without a token', async () => {
    const [response, document] = await json('/smart/fhir/.well-known/smart-configuration');
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(document).toMatchObject({
      issuer: gateway.ehr.issuer,
      token_endpoint: `${gateway.ehr.url}/token`,
      authorization_endpoint: `${gateway.ehr.url}/authorize`,
      introspection_endpoint: `${gateway.ehr.url}/introspect`,
      code_challenge_methods_supported: ['S256'],
    });
    expect(document['capabilities']).toEqual(
      expect.arrayContaining([
        'launch-standalone',
        'smart-imaging-access',
        'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch',
      ]),
    );
    expect(JSON.stringify(document)).not.toContain('backend-services');
  });

  test('IA-1 the EHR and the gateway each list the other base that the same tokens open', async () => {
    const [, ours] = await json('/smart/fhir/.well-known/smart-configuration');
    expect(ours['associated_endpoints']).toEqual([
      { url: gateway.ehr.fhirBaseUrl, capabilities: expect.arrayContaining(['launch-standalone']) },
      { url: `${gateway.ehr.url}/other`, capabilities: ['permission-v2'] },
    ]);
    // An app at the EHR finds the imaging base in the EHR's list, and there the promised capabilities.
    const ehrs = await fetch(`${gateway.ehr.fhirBaseUrl}/.well-known/smart-configuration`);
    const { associated_endpoints: listed } = (await ehrs.json()) as {
      associated_endpoints: { url: string; capabilities: string[] }[];
    };
    const imaging = listed.find(({ capabilities }) => capabilities.includes('smart-imaging-access'));
    const { pathname } = new URL(imaging!.url);
    const [, found] = await json(`${pathname}/.well-known/smart-configuration`);
    expect(found['capabilities']).toEqual(expect.arrayContaining(imaging!.capabilities));
  });

  test('has RFC 8414 metadata only for our own authorization servers', async () => {
    for (const path of ['smart', 'smart/oauth', 'open/oauth', 'nobody/oauth', 'oauth', '']) {
      const response = await fetch(`${gateway.url}/.well-known/oauth-authorization-server/${path}`);
      expect([path, response.status]).toEqual([path, 404]);
    }
  });

  test('IA-3, IA-4 advertises Backend Services alone where only that is on', async () => {
    const [, document] = await json('/backend/fhir/.well-known/smart-configuration');
    expect(document['capabilities']).toContain(
      'http://fhir.org/argonaut/smart-imaging/capabilities/backend-services',
    );
    expect(document['capabilities']).not.toContain(
      'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch',
    );
    expect(document).toMatchObject({
      grant_types_supported: expect.arrayContaining(['client_credentials']),
      scopes_supported: expect.arrayContaining(['system/ImagingStudy.rs']),
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    });
  });

  test('SM-4 the CapabilityStatement lists endpoints, resources and search parameters', async () => {
    const [response, statement] = await json('/smart/fhir/metadata');
    expect(response.headers.get('content-type')).toContain('application/fhir+json');
    expect(statement).toMatchObject({
      resourceType: 'CapabilityStatement',
      fhirVersion: '4.0.1',
      kind: 'instance',
    });
    const [rest] = statement['rest'] as unknown as [
      {
        security: { extension: [{ extension: object[] }] };
        resource: { type: string; searchParam?: { name: string }[] }[];
      },
    ];
    expect(rest.security.extension[0].extension).toEqual(
      expect.arrayContaining(
        ['authorize', 'token', 'introspect', 'revoke', 'register', 'manage'].map((url) => ({
          url,
          valueUri: `${gateway.ehr.url}/${url}`,
        })),
      ),
    );
    const imaging = rest.resource.find(({ type }) => type === 'ImagingStudy');
    expect(imaging?.searchParam?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['patient', '_lastUpdated', 'identifier']),
    );
    expect(rest.resource.map(({ type }) => type)).toContain('Endpoint');
  });

  test('SM-3 serves protected resource metadata at the address that challenges name', async () => {
    const [, document] = await json('/.well-known/oauth-protected-resource/smart');
    expect(document).toMatchObject({
      resource: 'http://localhost/smart',
      authorization_servers: [gateway.ehr.issuer],
      bearer_methods_supported: ['header'],
    });
    for (const path of ['nobody', 'smart/fhir', 'dyn/e30', '']) {
      // RFC 9728 §3.3: metadata names the resource that was asked about, so there is none about any other.
      const response = await fetch(`${gateway.url}/.well-known/oauth-protected-resource/${path}`);
      expect([path, response.status]).toEqual([path, 404]);
    }
  });
});

test('SM-13 a preflight allows any origin and our headers, without credentials', async () => {
  const response = await fetch(`${gateway.url}/smart/dicomweb/studies`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example.org',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-headers')).toContain('If-None-Match');
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
});

describe('SM-13 errors before routing have CORS headers and a JSON body', () => {
  test.each<[string, string, number]>([
    ['a path that cannot be decoded', 'GET /smart/fhir/%E0%A4%A HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['no HTTP', 'SMART / on FHIR\r\n\r\n', 400],
    [
      'two lengths',
      'POST /smart/graphql HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    ['endless headers', `GET /smart/graphql HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 431],
  ])('%s', async (_what, bytes, status) => {
    const answer = await sent(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\naccess-control-allow-origin: \*\r\n/i);
    expect(answer).toMatch(/\r\naccess-control-expose-headers: .*Retry-After/i);
    const { error, message } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Record<string, string>;
    expect([typeof error, typeof message]).toEqual(['string', 'string']);
  });

  /** Returns all that the server answers to these bytes. */
  function sent(bytes: string): Promise<string> {
    const { hostname, port } = new URL(gateway.url);
    return new Promise((done, fail) => {
      let answer = '';
      const socket = connect(Number(port), hostname, () => socket.write(bytes));
      socket.setTimeout(1000, () => socket.end());
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('close', () => done(answer));
      socket.on('error', fail);
    });
  }
});

test('the CapabilityStatement is JSON; other formats are 406 (R4 §3.1.0.1.11)', async () => {
  for (const [query, accept, status] of [
    ['', '*/*', 200],
    ['?_format=json', 'application/fhir+xml', 200],
    ['?_format=xml', '*/*', 406],
    ['', 'application/fhir+xml', 406],
  ] as const) {
    const response = await fetch(`${gateway.url}/smart/fhir/metadata${query}`, { headers: { accept } });
    expect([query, accept, response.status]).toEqual([query, accept, status]);
    const { resourceType } = (await response.json()) as { resourceType: string };
    expect(resourceType).toBe(status === 200 ? 'CapabilityStatement' : 'OperationOutcome');
  }
});

test('serves pages, schema, health and metrics without a token', async () => {
  for (const [path, status, text] of [
    ['/', 200, 'href="smart/playground"'],
    ['/open/playground', 404, 'not built'],
    ['/schema.graphql', 200, 'type Query'],
    ['/health/live', 200, 'ok'],
    ['/health/ready', 200, 'ready'],
    ['/metrics', 200, 'http_request_duration_seconds'],
    ['/app/', 404, 'not built'],
  ] as const) {
    const response = await fetch(gateway.url + path);
    expect([path, response.status]).toEqual([path, status]);
    expect(await response.text()).toContain(text);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test('SM-14 no token, query or patient reaches the log or the metrics', async () => {
  await fetch(`${gateway.url}/smart/fhir/Patient/p1?name=Jane`, {
    headers: { authorization: 'Bearer everything' },
  });
  await fetch(`${gateway.url}/smart/fhir/Patient/JaneDoe`, {
    headers: { authorization: 'Bearer everything' },
  });
  await fetch(`${gateway.url}/no/such/JanePath?x=Jane`);
  const logged = gateway.logged() + (await (await fetch(`${gateway.url}/metrics`)).text());
  expect(logged).toContain('"route":"/:tenant/fhir/Patient/:id"');
  for (const secret of [...gateway.ehr.tokens.keys(), ...gateway.ehr.assertions].filter(
    (t) => t.length > 6 && t !== 'expired',
  )) {
    expect(logged.includes(secret), secret).toBe(false);
  }
  expect(logged).not.toMatch(/Jane|made-up|backend-1|private/);
});

test('SM-14 no request can forge a line of the log', async () => {
  const forged = '{"level":30,"msg":"answered","tenant":"forged","status":200}';
  const before = gateway.logged().length;
  for (const [path, headers] of [
    [`/smart/fhir/Patient/p1%0A${encodeURIComponent(forged)}`, {}],
    [`/smart/fhir/Observation?code=%0D%0A${encodeURIComponent(forged)}`, {}],
    [`/smart%0A${encodeURIComponent(forged)}/fhir/Patient`, {}],
    ['/smart/fhir/Patient/p1', { 'x-request-id': forged }],
    ['/smart/fhir/Patient/p1', { authorization: `Bearer everything", "tenant":"forged` }],
    ['/smart/wado/links', { 'user-agent': forged }],
  ] as const) {
    await fetch(gateway.url + path, { headers: { authorization: 'Bearer everything', ...headers } });
  }
  const lines = gateway.logged().slice(before).trim().split('\n');
  expect(lines.length).toBeGreaterThanOrEqual(6);
  for (const line of lines) {
    const { tenant, reqId } = JSON.parse(line) as { tenant?: string; reqId?: string };
    expect(tenant).not.toBe('forged');
    expect(reqId).toMatch(/^[0-9a-f-]{36}$/);
  }
});
