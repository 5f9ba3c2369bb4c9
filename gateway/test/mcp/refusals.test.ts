import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../../schema/access/audit.ts';
import { DEFAULT_LIMITS } from '../../federation/document/limits.ts';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';
import { textOf } from './assistant.ts';

const OTHER = 'demo-george-whitfield';
const MRN = '293ee354-f8ad-4345-b10c-759fdfdcc082';
const BASE = 'http://localhost';
let ehr: AuthorizationServer;
let gateway: TestGateway;
let events: AuditEvent[] = [];
let study: string;

beforeAll(async () => {
  ehr = await authorizationServer();
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
      return {
        smart: {
          authorization,
          clinical: { type: 'store', path: patients },
          images: folder,
          mcp: { enabled: true },
        },
      };
    },
    undefined,
    (_tenant, event) => events.push(event),
  );
  const identifier = [
    { system: 'http://hospital.smarthealthit.org', value: MRN, type: { coding: [{ code: 'MR' }] } },
  ];
  ehr.patients.set(DEMO_PATIENT, { resourceType: 'Patient', id: DEMO_PATIENT, identifier });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const launched = { client_id: 'assistant', sub: 'user-1', exp, patient: DEMO_PATIENT };
  ehr.tokens.set('record', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('patient-only', { ...launched, scope: 'patient/Patient.rs' });
  ehr.tokens.set('conditions', { ...launched, scope: 'patient/Patient.rs patient/Condition.rs' });
  ehr.tokens.set('user', { client_id: 'assistant', sub: 'user-1', exp, scope: 'user/*.rs' });
  ehr.tokens.set('expired', { ...launched, exp: 1, scope: 'patient/*.rs' });
  const { data } = jsonOf(await called('query', { query: '{ ImagingStudyList { id } }' }));
  [{ id: study }] = (data as { ImagingStudyList: [{ id: string }] }).ImagingStudyList;
});
beforeEach(() => {
  events = [];
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

const jsonOf = (result: CallToolResult) => JSON.parse(textOf(result)) as Record<string, unknown>;

const HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

function post(payload: object | string, headers: Record<string, string> = {}, token = 'record') {
  const authorization = `Bearer ${token}`;
  return gateway.app.inject({
    method: 'POST',
    url: '/smart/mcp',
    payload,
    headers: { ...HEADERS, authorization, ...headers },
  });
}

/** Calls a tool without a client, which checks arguments itself. */
async function called(name: string, input: object, token?: string): Promise<CallToolResult> {
  const { body } = await post(
    { ...LIST, method: 'tools/call', params: { name, arguments: input } },
    {},
    token,
  );
  return (JSON.parse(body) as { result: CallToolResult }).result;
}

describe('SM-20 requests against the protocol', () => {
  const tooLong = JSON.stringify({ ...LIST, params: { long: 'x'.repeat(DEFAULT_LIMITS.body) } });
  test.each<[string, object | string, Record<string, string>, number]>([
    ['a list of tools', LIST, {}, 200],
    ['a page of this server', LIST, { origin: BASE }, 200],
    ['a page of another site', LIST, { origin: 'https://evil.example' }, 403],
    ['a page that hides its origin', LIST, { origin: 'null' }, 403],
    ['a form of another site', LIST, { 'sec-fetch-site': 'cross-site' }, 403],
    ['another media type', JSON.stringify(LIST), { 'content-type': 'text/plain' }, 415],
    ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['Accept without streams', LIST, { accept: 'application/json' }, 406],
    ['a version that does not exist', LIST, { 'mcp-protocol-version': '1999-01-01' }, 400],
    ['the newest version', LIST, { 'mcp-protocol-version': '2025-11-25' }, 200],
    ['a batch', [LIST, LIST], {}, 400],
    ['an empty batch', [], {}, 400],
    ['malformed JSON', '{"jsonrpc":', {}, 400],
    ['JSON that is no message', { hello: 'world' }, {}, 400],
    ['a body over the limit', tooLong, {}, 413],
    ['a notification', { jsonrpc: '2.0', method: 'notifications/initialized' }, {}, 202],
  ])('%s', async (_what, payload, headers, status) => {
    const answer = await post(payload, headers);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['cache-control']).toBe('no-store');
    if (status < 400) return;
    const { jsonrpc, error } = JSON.parse(answer.body) as { jsonrpc: string; error: { message: string } };
    expect(jsonrpc).toBe('2.0');
    expect(error.message).not.toBe('');
    expect(answer.body).not.toMatch(/\bat .*\.[jt]s/);
  });

  test.each(['GET', 'DELETE', 'PUT', 'PATCH'] as const)(
    '%s: there are no streams or sessions',
    async (method) => {
      const headers = { accept: 'text/event-stream', authorization: 'Bearer record' };
      const answer = await gateway.app.inject({ method, url: '/smart/mcp', headers });
      expect([answer.statusCode, answer.headers['allow']]).toEqual([405, 'POST']);
    },
  );

  test('each message may be answered by another gateway: no session is given', async () => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'x', version: '1' },
    };
    const answer = await post({ ...LIST, method: 'initialize', params });
    expect(JSON.parse(answer.body)).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
  });
});

describe('SM-20, IA-5, IA-6 tokens', () => {
  const metadata = `${BASE}/.well-known/oauth-protected-resource/smart/mcp`;
  test.each([
    ['no token', '', 'unauthenticated'],
    ['an unknown token', 'Bearer unknown', 'invalid_token'],
    ['an expired token', 'Bearer expired', 'invalid_token'],
  ])('%s: 401, with the place of the metadata', async (_what, authorization, code) => {
    const { authorization: _, ...rest } = { ...HEADERS, authorization };
    const headers = authorization ? { ...rest, authorization } : rest;
    const answer = await gateway.app.inject({ method: 'POST', url: '/smart/mcp', payload: LIST, headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['www-authenticate']).toContain(`resource_metadata="${metadata}"`);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { data: { code } } });
    const { body } = await gateway.app.inject(new URL(metadata).pathname);
    expect(JSON.parse(body)).toMatchObject({
      resource: `${BASE}/smart/mcp`,
      bearer_methods_supported: ['header'],
    });
  });

  test('a scope for less gives less', async () => {
    const images = await called('query', { query: '{ ImagingStudyList { id } }' }, 'patient-only');
    expect([images.isError, textOf(images)]).toEqual([true, expect.stringContaining('insufficient_scope')]);
    const picture = await called('rendered_image', { study }, 'patient-only');
    expect([picture.isError, textOf(picture)]).toEqual([
      true,
      expect.stringMatching(/^insufficient_scope: /),
    ]);
    const search = { patient: DEMO_PATIENT, kinds: ['condition', 'study'] };
    const timeline = await called('search_timeline', search, 'patient-only');
    expect([timeline.isError, textOf(timeline)]).toEqual([
      true,
      expect.stringMatching(/^insufficient_scope: /),
    ]);
    const found = await called('search_timeline', search, 'conditions');
    expect(jsonOf(found)).toMatchObject({
      entries: expect.arrayContaining([expect.objectContaining({ kind: 'condition' })]),
      missing: expect.arrayContaining([expect.objectContaining({ type: 'ImagingStudy' })]),
    });
    expect(textOf(found)).not.toContain('"kind":"study"');
  });

  test('a token of a user reaches the patients that the EHR shows, when a tool names them', async () => {
    const timeline = await called('search_timeline', { patient: DEMO_PATIENT, count: 1 }, 'user');
    expect(jsonOf(timeline)).toMatchObject({ entries: [expect.anything()] });
    // The EHR of this test cannot be searched for the patient of a study: DICOMweb says the same.
    const picture = await called('rendered_image', { study }, 'user');
    const url = `/smart/dicomweb/studies/${study}/rendered`;
    const { body } = await gateway.app.inject({ url, headers: { authorization: 'Bearer user' } });
    const { error, message } = JSON.parse(body) as { error: string; message: string };
    expect(textOf(picture)).toBe(`${error}: ${message}`);
    const variables = { id: DEMO_PATIENT };
    const query = 'query ($id: ID!) { Patient(id: $id) { id } }';
    expect(jsonOf(await called('query', { query, variables }, 'user'))).toEqual({
      data: { Patient: { id: DEMO_PATIENT } },
    });
    for (const refused of [
      await called('search_timeline', { patient: OTHER }, 'user'),
      await called('query', { query, variables: { id: OTHER } }, 'user'),
    ])
      expect(textOf(refused)).toBe(
        'forbidden: The EHR does not let this token read the patient that was asked for.',
      );
    const unnamed = await called('query', { query: '{ PatientList { id } }' }, 'user');
    expect(textOf(unnamed)).toMatch(/^forbidden: The token names no patient\. Name one/);
  });
});

describe('SM-20, FG-12 limits: the error says what to do', () => {
  test.each<[string, string, object, RegExp]>([
    [
      'too costly',
      'query',
      {
        query: `{ PatientList(_count: 1000) { ${'ObservationList(_count: 1000) { id code { text coding { code } } }'} } }`,
      },
      /could hold \d+ fields, more than 50000: ask for less with _count/,
    ],
    ['too deep', 'query', { query: `{${'a{'.repeat(200)}` }, /invalid_request: .* brackets/],
    ['a mutation', 'query', { query: 'mutation { x }' }, /Only queries are supported/],
    ['an introspection', 'query', { query: '{ __schema { types { name } } }' }, /Introspection is off/],
    ['a text that is no document', 'query', { query: 'hello' }, /Syntax Error/],
    [
      'an argument that does not exist',
      'query',
      { query: '{ __typename }', limit: 5 },
      /There is no argument "limit"\. .* The arguments are query/,
    ],
    ['a picture that is too large', 'rendered_image', { study: '1.2.3', size: 5000 }, /size/],
    ['a tool that does not exist', 'delete_everything', {}, /not found/],
  ])('%s', async (_what, name, input, message) => {
    const result = await called(name, input);
    expect(result.isError).toBe(true);
    expect(textOf(result)).toMatch(message);
    expect(textOf(result)).not.toMatch(/\bat .*\.[jt]s/);
    expect(events.at(-1)).toMatchObject({ outcome: { kind: 'denied' }, client: 'assistant' });
    expect(events.at(-1)!.tool).toBe(name === 'delete_everything' ? 'unknown' : name);
  });

  test('an answer that is too large', async () => {
    const codes = 'id status effectiveDateTime code { text coding { system code display } }';
    const lists = Array.from({ length: 20 }, (_, i) => `l${i}: ObservationList { ${codes} }`);
    const result = await called('query', { query: `{ ${lists.join(' ')} }` });
    expect([result.isError, textOf(result)]).toEqual([
      true,
      expect.stringMatching(
        /^too_large: The answer has \d+ characters, and a tool gives at most 100000\. Ask for less/,
      ),
    ]);
  });
});

describe('SM-20, IA-30 audit', () => {
  test.each([
    '{ Patient(id: "PATIENT") { ConditionList { id } ImagingStudyList { id } } }',
    `{ Patient(id: "${OTHER}") { id } }`,
    `{ ConditionList(patient: ["${OTHER}"]) { id } }`,
    '{ ImagingStudy(id: "1.2.3") { id } }',
    '{ unknown }',
  ])('%s leaves the records of /graphql, each with the tool', async (text) => {
    const query = text.replace('PATIENT', DEMO_PATIENT);
    const headers = { authorization: 'Bearer record' };
    await gateway.app.inject({ method: 'POST', url: '/smart/graphql', payload: { query }, headers });
    const expected = events
      .splice(0)
      .map(({ time: _, request: __, ...event }) => ({ ...event, tool: 'query' }));
    await called('query', { query });
    const found = events.map(({ time: _, request: __, ...event }) => event);
    // Lists of one query are searched at the same time.
    expect(found).toEqual(expect.arrayContaining(expected));
    expect(found).toHaveLength(expected.length);
    expect(found.length).toBeGreaterThan(0);
  });

  test('a picture leaves a retrieval, a description an operation, and a greeting no tool', async () => {
    await called('rendered_image', { study, size: 16 });
    expect(events).toMatchObject([
      { action: 'retrieve', study, tool: 'rendered_image', client: 'assistant' },
    ]);
    await called('describe_schema', { type: 'Patient' });
    expect(events.at(-1)).toMatchObject({
      action: 'operation',
      tool: 'describe_schema',
      outcome: { kind: 'allowed' },
    });
    await post(LIST);
    expect(events.at(-1)).toMatchObject({ action: 'operation', outcome: { kind: 'allowed' } });
    expect(events.at(-1)).not.toHaveProperty('tool');
    expect(events).toHaveLength(3);
  });
});
