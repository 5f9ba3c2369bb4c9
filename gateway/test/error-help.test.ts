/** What an error tells a developer: what is wrong, the next step, and the address of the page about it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULT_HELP, GRAPHQL_HELP, OAUTH_HELP } from '../../schema/fault/fault-help.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const SECRET = 'a-secret-of-this-test';
const PATIENT = 'demo-maria-alvarez';
let gateway: TestGateway;
let tokens: Record<'all' | 'narrow', string>;

beforeAll(async () => {
  gateway = await started();
  tokens = { all: await tokenFor('system/*.rs'), narrow: await tokenFor('system/Patient.rs') };
});
afterAll(async () => {
  await gateway?.close();
});

async function started(): Promise<TestGateway> {
  return buildTestGateway(
    ({ images, patients }) => ({
      demo: {
        authorization: {
          type: 'embedded',
          modes: ['app-launch', 'backend-services'],
          clients: [
            { client_id: 'app', redirect_uris: ['http://127.0.0.1:9/app'] },
            { client_id: 'analyst', client_secret: SECRET, scope: 'system/*.rs' },
          ],
          policy: [{ client_id: 'analyst', patients: [PATIENT] }],
        },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
        graphql: { introspection: true },
        mcp: { enabled: true },
      },
    }),
    undefined,
    undefined,
    { port: await freePort() },
  );
}

const grant = (scope: string) =>
  fetch(`${gateway.baseUrl}/demo/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`analyst:${SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  });

async function tokenFor(scope: string): Promise<string> {
  return ((await (await grant(scope)).json()) as { access_token: string }).access_token;
}

const bearer = (token?: string): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };
const help = (code: string) => `${gateway.baseUrl}/errors#${code}`;

interface GraphqlAnswer {
  errors: { message: string; extensions: Record<string, unknown> }[];
}

async function graphql(query: string, token?: string, tenant = 'demo') {
  const answer = await fetch(`${gateway.baseUrl}/${tenant}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(token) },
    body: JSON.stringify({ query }),
  });
  return ((await answer.json()) as GraphqlAnswer).errors[0]!;
}

describe('GraphQL: extensions.help', () => {
  test.each<[string, string, 'all' | 'narrow' | 'bad' | undefined, string, string]>([
    ['no token', '{ PatientList { id } }', undefined, 'unauthenticated', 'Authorization: Bearer'],
    [
      'a bad token',
      '{ PatientList { id } }',
      'bad',
      'invalid_token',
      'fhir/.well-known/smart-configuration of the tenant names',
    ],
    ['a narrowed token', '{ ObservationList { id } }', 'narrow', 'insufficient_scope', 'Get a token with it'],
    [
      'an unknown argument',
      '{ PatientList(_cuont: 1) { id } }',
      'all',
      'GRAPHQL_VALIDATION_FAILED',
      '"_count"',
    ],
    [
      'an unknown field',
      '{ PatientList { zzzz } }',
      'all',
      'GRAPHQL_VALIDATION_FAILED',
      'playground of the tenant completes its names',
    ],
    ['no GraphQL', '{ PatientList { id }', 'all', 'GRAPHQL_PARSE_FAILED', 'Expected Name'],
    [
      'an unknown patient',
      '{ Patient(id: "none") { id } }',
      'all',
      'forbidden',
      '"patient" of the token answer',
    ],
    ['an unknown id', '{ ImagingStudy(id: "1.2.3") { id } }', 'all', 'not_found', 'A search finds'],
  ])('%s', async (_what, query, which, code, next) => {
    const error = await graphql(query, which === 'bad' ? 'bad' : which && tokens[which]);
    expect(error.message).toContain(next);
    expect(error.extensions).toMatchObject({ code, help: help(code) });
  });

  test('an unknown tenant: how a path begins, and which one is the demonstration', async () => {
    const { message, extensions } = await graphql('{ PatientList { id } }', tokens.all, 'dmeo');
    expect(message).toContain('A path begins with the key of a tenant');
    expect(message).toContain('That of the demonstration is demo.');
    expect(extensions).toMatchObject({ code: 'not_found', help: help('not_found') });
  });
});

describe('REST: Link with the relation help, which a page of another origin may read', () => {
  test.each<[string, 'all' | 'narrow' | undefined, number, string, string]>([
    ['/demo/fhir/Observation', undefined, 401, 'unauthenticated', 'Authorization: Bearer'],
    ['/demo/fhir/Observation', 'narrow', 403, 'insufficient_scope', 'system/Observation.rs is needed. Get'],
    ['/demo/fhir/Patientt/1', 'all', 404, 'not_found', 'The nearest is \\"Patient\\"'],
    ['/demo/fhir/Condition/none', 'all', 404, 'not_found', 'A search finds'],
    ['/demo/fhir/Patient?_format=xml', 'all', 406, 'not_acceptable', 'application/fhir+json'],
    ['/demo/dicomweb/studies', 'narrow', 403, 'insufficient_scope', 'system/ImagingStudy.rs'],
    ['/demo/dicomweb/studies/1.2.3/metadata', 'all', 404, 'not_found', 'A search of studies finds'],
    ['/demo/none', 'all', 404, 'not_found', 'The APIs are at'],
    ['/nobody/fhir/Patient', undefined, 404, 'not_found', 'A path begins with'],
  ])('%s with %s: %i', async (path, token, status, code, next) => {
    const answer = await fetch(gateway.baseUrl + path, { headers: bearer(token && tokens[token]) });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('link')).toBe(`<${help(code)}>; rel="help"`);
    expect(answer.headers.get('access-control-expose-headers')).toContain('Link');
    expect(await answer.text()).toContain(next);
  });
});

describe('OAuth: error_uri', () => {
  test('invalid_scope names what the client can get', async () => {
    const answer = (await (await grant('patient/*.rs')).json()) as Record<string, string>;
    expect(answer).toMatchObject({ error: 'invalid_scope', error_uri: help('invalid_scope') });
    expect(answer['error_description']).toContain('this client can get: system/*.rs');
  });

  test('an app gets it in the address to which it is sent back', async () => {
    const parameters = new URLSearchParams({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: 'http://127.0.0.1:9/app',
      scope: 'system/*.rs',
      state: 's',
      aud: `${gateway.baseUrl}/demo/fhir`,
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    });
    const url = `${gateway.baseUrl}/demo/oauth/authorize?${parameters}`;
    const answer = await fetch(url, { redirect: 'manual' });
    const sentTo = new URL(answer.headers.get('location')!);
    expect(Object.fromEntries(sentTo.searchParams)).toMatchObject({
      error: 'invalid_scope',
      error_uri: help('invalid_scope'),
      state: 's',
    });
    expect(sentTo.searchParams.get('error_description')).toContain('launch/patient');
    expect(sentTo.searchParams.get('error_description')).toContain('patient/*.rs user/*.rs');
  });

  test('errors that are no faults and those that are', async () => {
    const wrong = await fetch(`${gateway.baseUrl}/demo/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'nobody' }),
    });
    expect(await wrong.json()).toMatchObject({ error: 'invalid_client', error_uri: help('invalid_client') });
    const unknown = await fetch(`${gateway.baseUrl}/demo/oauth/none`);
    expect(await unknown.json()).toMatchObject({ error_uri: expect.stringContaining('/errors#') });
  });
});

describe('registration of an app', () => {
  const register = (redirectUri: string, origin?: string) =>
    fetch(`${gateway.baseUrl}/demo/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(origin && { origin }) },
      body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
    });

  test.each([
    [
      'a page of a network',
      'http://192.168.1.9:5173',
      'http://192.168.1.9:5173/',
      403,
      'access_denied',
      'cross_site',
    ],
    ['an address of another page', 'http://localhost:5173', 'http://localhost:5999/', 400],
    ['a command, with http in a network', undefined, 'http://192.168.1.9:5173/', 400],
    ['a command, with no URL', undefined, 'none', 400],
  ] as const)('%s: its error_uri is the row about it', async (...row) => {
    const [, origin, uri, status, error = 'invalid_redirect_uri', code = error] = row;
    const answer = await register(uri, origin);
    expect([answer.status, await answer.json()]).toMatchObject([status, { error, error_uri: help(code) }]);
  });

  test('a page shows the redirect URI that is not registered, and links to its row', async () => {
    const shown = async (redirectUri: string) => {
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'app',
        redirect_uri: redirectUri,
      });
      const headers = { accept: 'text/html' };
      return (await fetch(`${gateway.baseUrl}/demo/oauth/authorize?${query}`, { headers })).text();
    };
    const html = await shown('http://127.0.0.1:9/app/<b>');
    expect(html).toContain('<code>http://127.0.0.1:9/app/&#60;b&#62;</code>');
    expect(html).toContain('exactly this address');
    expect(html).toContain(`href="${help('invalid_redirect_uri')}"`);
    expect(html).not.toContain('start again');
    // A sentence of another party is not shown as if it were ours.
    expect(await shown('Your account is locked: call 555')).not.toContain('locked');
  });
});

describe('MCP', () => {
  async function called(name: string, input: object) {
    const answer = await fetch(`${gateway.baseUrl}/demo/mcp`, {
      method: 'POST',
      headers: {
        ...bearer(tokens.all),
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name, arguments: input },
      }),
    });
    const { result } = (await answer.json()) as { result: Record<string, unknown> };
    return result;
  }
  const textOf = (result: Record<string, unknown>) => (result['content'] as { text: string }[])[0]!.text;

  test.each([
    ['query', { query: '{ PatientList { id } }' }],
    ['describe_schema', { type: 'Patient' }],
    ['search_timeline', { patient: PATIENT }],
  ])('%s gives its answer once', async (name, input) => {
    expect(Object.keys(await called(name, input))).toEqual(['content']);
  });

  test('an unknown argument: the nearest, and all that there are', async () => {
    const result = await called('query', { query: '{ PatientList { id } }', varaibles: {} });
    expect(result['isError']).toBe(true);
    expect(textOf(result)).toContain(
      'There is no argument "varaibles". Did you mean variables? The arguments are query, variables, operationName.',
    );
  });

  test('a name that is no plain name is not repeated', async () => {
    expect(textOf(await called('describe_schema', { 'Jane Doe': 1 }))).not.toContain('Jane');
  });
});

describe('the page', () => {
  test('has every code as an anchor, no script, and nothing of other servers', async () => {
    const answer = await fetch(`${gateway.baseUrl}/errors`);
    const html = await answer.text();
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    const codes = Object.keys({ ...FAULT_HELP, ...GRAPHQL_HELP, ...OAUTH_HELP });
    const anchors = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
    const listed = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id!);
    expect(listed).toContain('403');
    expect(anchors.toSorted()).toEqual([...codes, ...listed].toSorted());
    expect(html).not.toMatch(/<script|https?:|`/);
  });
});
