import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import type { Breakage } from './stand-in-subgraphs.ts';

const QUERY = `{ Patient(id: "p1") { id birthDate ConditionList { id code { text } } ImagingStudyList { id series { uid } } } }`;
const broken: Breakage = {};
let gateway: GatewayAlone;

beforeAll(async () => {
  gateway = await startGatewayAlone({ broken });
});
afterAll(() => gateway.close());

async function ask(body: unknown, options: { path?: string; token?: string; init?: RequestInit } = {}) {
  const { path = '/open/graphql', token, init } = options;
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
    ...init,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: JSON.parse(text) as Answer };
}
interface Answer {
  data?: { Patient?: Record<string, unknown> } & Record<string, unknown>;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

test('FG-3 one POST gives fields of both subgraphs', async () => {
  const { status, json } = await ask({ query: QUERY });
  expect(status).toBe(200);
  expect(json).toEqual({
    data: {
      Patient: {
        id: 'p1',
        birthDate: '1970-01-01',
        ConditionList: [{ id: 'c1', code: { text: 'CONFIDENTIAL cough' } }],
        ImagingStudyList: [{ id: '1.2.3', series: [{ uid: '1.2.3.4' }] }],
      },
    },
  });
});

describe('FG-10 when one side fails, the other is still answered', () => {
  test.each([
    ['imaging', 'ConditionList', 'ImagingStudyList'],
    ['clinical', 'ImagingStudyList', 'ConditionList'],
  ] as const)('%s down: %s stays, %s is null with code, service and path', async (side, stays, gone) => {
    broken[side] = new Fault('unavailable', 'Down.', { service: side, retryAfter: 3 });
    const { status, json } = await ask({ query: QUERY });
    delete broken[side];
    expect(status).toBe(200);
    expect(json.data?.Patient).toMatchObject({ id: 'p1', [stays]: expect.any(Array), [gone]: null });
    expect(json.errors).toContainEqual({
      message: 'Down.',
      path: ['Patient', gone],
      extensions: {
        code: 'unavailable',
        status: 503,
        service: side,
        retryAfter: 3,
        help: expect.stringMatching(/\/errors#unavailable$/) as string,
      },
    });
  });

  test('SM-14 hides the text of an unexpected error', async () => {
    broken.imaging = new Error('connect 10.1.2.3: patient Jane Doe');
    const { json } = await ask({ query: QUERY });
    delete broken.imaging;
    expect(json.errors).toMatchObject([
      { extensions: { code: 'internal', status: 500, service: 'imaging' } },
    ]);
    expect(JSON.stringify(json)).not.toMatch(/Jane|10\.1\.2\.3/);
  });
});

test('SM-6 a field that the scopes do not cover is null with an error, at 200', async () => {
  const { status, json } = await ask({ query: QUERY }, { path: '/smart/graphql', token: 'imaging-only' });
  expect(status).toBe(200);
  expect(json.data?.Patient).toEqual({
    id: 'p1',
    birthDate: null,
    ConditionList: null,
    ImagingStudyList: [{ id: '1.2.3', series: [{ uid: '1.2.3.4' }] }],
  });
  expect(json.errors?.map(({ extensions }) => [extensions['code'], extensions['scope']])).toEqual([
    ['insufficient_scope', 'patient/Patient.r'],
    ['insufficient_scope', 'patient/Condition.rs'],
  ]);
});

test('SM-6 with refusedFields: reject it is 403 without data', async () => {
  const { status, json } = await ask({ query: QUERY }, { path: '/rejecting/graphql', token: 'imaging-only' });
  expect(status).toBe(403);
  expect(json.data).toBeUndefined();
});

describe('FG-11 the addresses of FHIR, $graphql', () => {
  test.each(['/open/fhir/$graphql', '/open/fhir/%24graphql'])('%s', async (path) => {
    const { json } = await ask({ query: '{ Patient(id: "p1") { birthDate } }' }, { path });
    expect(json).toEqual({ data: { Patient: { birthDate: '1970-01-01' } } });
  });

  test.each(['$graphql', '%24graphql'])(
    'at instance level the selection starts at the resource: %s',
    async (end) => {
      const { json } = await ask({ query: '{ id birthDate }' }, { path: `/open/fhir/Patient/p1/${end}` });
      expect(json).toEqual({ data: { id: 'p1', birthDate: '1970-01-01' } });
    },
  );

  test('variables, fragments, GET and application/graphql', async () => {
    const path = '/open/fhir/Patient/p1/$graphql';
    const withFragment =
      'query Q($n: Int) { ...F ConditionList(_count: $n) { id } } fragment F on Patient { id }';
    const expected = { data: { id: 'p1', ConditionList: [{ id: 'c1' }] } };
    expect((await ask({ query: withFragment, variables: { n: 1 } }, { path })).json).toEqual(expected);
    const get = await fetch(`${gateway.url}${path}?query=${encodeURIComponent('{ id }')}`, {
      headers: { authorization: 'Bearer x' },
    });
    expect(await get.json()).toEqual({ data: { id: 'p1' } });
    const raw = { method: 'POST', headers: { 'content-type': 'application/graphql' }, body: '{ id }' };
    expect(await (await fetch(gateway.url + path, raw)).json()).toEqual({ data: { id: 'p1' } });
  });

  test('errors have an OperationOutcome, and their path starts at the resource', async () => {
    broken.clinical = new Fault('unavailable', 'Down.', { service: 'clinical' });
    const { json } = await ask({ query: '{ id birthDate }' }, { path: '/open/fhir/Patient/p1/$graphql' });
    delete broken.clinical;
    expect(json.errors).toMatchObject([
      {
        path: ['birthDate'],
        extensions: { resource: { resourceType: 'OperationOutcome', issue: [{ diagnostics: 'Down.' }] } },
      },
    ]);
  });
});

describe('FG-12 limits, FG-13 cross-site requests', () => {
  const deep = (levels: number) =>
    `${'{ partOf { resource { ... on Location '.repeat(levels)} { id } ${'}'.repeat(levels * 3)}`;
  const repeated = (n: number, field: (i: number) => string) =>
    Array.from({ length: n }, (_, i) => field(i)).join(' ');
  test.each<[string, string, RegExp]>([
    ['depth', `{ Location(id: "x") ${deep(20)} }`, /more than 30 levels/],
    ['aliases', `{ Patient(id: "p1") { ${repeated(101, (i) => `a${i}: id`)} } }`, /more than 100 aliases/],
    [
      'aliases in a fragment used often',
      `{ Patient(id: "p1") { ${'...F '.repeat(11)} } } fragment F on Patient { ${repeated(10, (i) => `a${i}: id`)} }`,
      /more than 100 aliases/,
    ],
    [
      'root fields',
      `{ ${repeated(31, (i) => `a${i}: Patient(id: "p1") { id }`)} }`,
      /more than 30 root fields/,
    ],
    [
      'directives',
      `{ Patient(id: "p1") { id ${'@include(if: true) '.repeat(1)} ${repeated(101, () => 'id @skip(if: false)')} } }`,
      /more than 100 directives/,
    ],
    [
      'fragments that double one another, as root fields',
      `{ ...F0 } ${repeated(60, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F60 on Query { __typename }`,
      /more than 30 root fields/,
    ],
    [
      'fragments that double one another, within a resource',
      `{ Patient(id: "p1") { ...F0 } } ${repeated(60, (i) => `fragment F${i} on Patient { ...F${i + 1} ...F${i + 1} }`)} fragment F60 on Patient { id }`,
      /more than 200 uses of fragments/,
    ],
    ['a mutation', 'mutation { x }', /Only queries/],
    ['a subscription', 'subscription { x }', /Only queries/],
    ['tokens', `{ Patient(id: "p1") { ${'id '.repeat(9000)} } }`, /token/i],
    [
      'cost',
      `{ PatientList(_count: 1000) { ConditionList(_count: 1000) { id } } }`,
      /ask for less with _count/,
    ],
    ['syntax', '{ Patient(', /Syntax/],
    ['unknown field', '{ Patient(id: "p1") { nosuch } }', /nosuch/],
  ])('%s', async (_what, query, message) => {
    const { status, json } = await ask({ query });
    expect(status).toBe(400);
    expect(json.errors?.some((error) => message.test(error.message))).toBe(true);
    expect(json.data).toBeUndefined();
  });

  test('counts root fields of the executed operation only', async () => {
    const operation = (i: number) =>
      `query Q${i} { ${repeated(4, (j) => `a${j}: Patient(id: "p1") { id }`)} }`;
    const { json } = await ask({ query: repeated(8, operation), operationName: 'Q7' });
    expect(json.errors).toBeUndefined();
    expect(Object.keys(json.data!)).toEqual(['a0', 'a1', 'a2', 'a3']);
  });

  test('FG-2 a flat list of 1,000 with many fields is within the cost limit', async () => {
    const fields =
      'id onsetDateTime code { text coding { code system display } } recordedDate clinicalStatus { text }';
    const { json } = await ask({
      query: `{ Patient(id: "p1") { ConditionList(_count: 1000) { ${fields} } } }`,
    });
    expect(json.errors).toBeUndefined();
  });

  test('FG-13 a persisted query is found by its own hash and by no other', async () => {
    const query = '{ Patient(id: "p1") { id } }';
    const hash = createHash('sha256').update(query).digest('hex');
    const persisted = (sha256Hash: string) => ({ persistedQuery: { version: 1, sha256Hash } });
    const wrong = await ask({ query, extensions: persisted('0'.repeat(64)) });
    expect([wrong.status, wrong.json.errors?.[0]?.extensions['code']]).toEqual([400, 'invalid_request']);
    const unknown = await ask({ extensions: persisted(hash) });
    expect(unknown.json.errors?.[0]?.extensions['code']).toBe('PERSISTED_QUERY_NOT_FOUND');
    await ask({ query, extensions: persisted(hash) });
    expect((await ask({ extensions: persisted(hash) })).json.data).toEqual({ Patient: { id: 'p1' } });
    expect(gateway.logged()).not.toContain('does not match');
  });

  test('FG-13 at instance level only the text of the request is executed, never one found by a hash', async () => {
    const path = '/open/fhir/Patient/p1/$graphql';
    const query = '{ id }';
    const atRoot = '{ Patient(id: "p1") { id birthDate } }';
    const persisted = (text: string) => ({
      persistedQuery: { version: 1, sha256Hash: createHash('sha256').update(text).digest('hex') },
    });
    await ask({ query: atRoot, extensions: persisted(atRoot) });
    expect((await ask({ query, extensions: persisted(query) }, { path })).json).toEqual({
      data: { id: 'p1' },
    });
    const inUrl = new URLSearchParams({ extensions: JSON.stringify(persisted(atRoot)) }).toString();
    const got = { method: 'GET', body: null, headers: { 'apollo-require-preflight': '1' } };
    for (const answer of [
      await ask({ extensions: persisted(atRoot) }, { path }),
      await ask({}, { path: `${path}?${inUrl}`, init: got }),
    ]) {
      expect([answer.status, JSON.stringify(answer.json)]).toEqual([
        400,
        expect.stringContaining('Send the text of the query'),
      ]);
    }
  });

  test('a body above the limit: 413', async () => {
    const { status, json } = await ask({ query: QUERY, variables: { x: 'x'.repeat(300_000) } });
    expect([status, json.errors?.[0]?.extensions['code']]).toEqual([413, 'too_large']);
  });

  test.each<[string, RequestInit, number]>([
    [
      'a form post without our headers',
      { headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ query: QUERY }) },
      400,
    ],
    ['malformed JSON', { headers: { 'content-type': 'application/json' }, body: '{' }, 400],
    [
      'several at once',
      { headers: { 'content-type': 'application/json' }, body: JSON.stringify([{ query: QUERY }]) },
      400,
    ],
    ['another method', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' }, 405],
  ])('%s', async (_what, init, status) => {
    const answer = await ask({}, { init: { method: 'POST', ...init } });
    expect(answer.status).toBe(status);
    expect(answer.json.errors).toHaveLength(1);
  });

  test('FG-13 GET needs a header that a page of another site cannot send', async () => {
    const url = `${gateway.url}/open/graphql?query=${encodeURIComponent('{ Patient(id: "p1") { id } }')}`;
    expect((await fetch(url)).status).toBe(400);
    expect((await fetch(url, { headers: { authorization: 'Bearer x' } })).status).toBe(200);
  });

  test('introspection works where the tenant allows it, and is refused at every place of a query where not', async () => {
    const query = '{ __schema { queryType { name } } }';
    expect((await ask({ query }, { path: '/introspectable/graphql' })).json.data).toEqual({
      __schema: { queryType: { name: 'Query' } },
    });
    const hidden = 'query { ...F } fragment F on Query { ... on Query { __type(name: "Patient") { name } } }';
    for (const query of ['{ __schema { queryType { name } } }', hidden]) {
      expect(await ask({ query })).toMatchObject({
        status: 400,
        json: { errors: [{ extensions: { code: 'invalid_request' } }] },
      });
    }
    expect((await ask({ query: '{ Patient(id: "p1") { __typename } }' })).status).toBe(200);
  });
});

describe('FG-12 time', () => {
  let quick: GatewayAlone;
  const waiting: Breakage = {};
  beforeAll(async () => {
    quick = await startGatewayAlone({ broken: waiting, limits: { ...DEFAULT_LIMITS, seconds: 0.2 } });
    // The first plan takes longer than this limit.
    await vi.waitFor(async () => expect((await post())[0]).toBe(200), 20_000);
  }, 30_000);
  afterAll(() => quick.close());
  const post = async () => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ query: QUERY }) };
    const response = await fetch(`${quick.url}/open/graphql`, init);
    return [response.status, (await response.json()) as Answer] as const;
  };

  test('logs no failure when the caller has left', async () => {
    // The limit is long here: the caller ends the request, once the field has begun.
    const caller = new AbortController();
    const gone = new Promise<void>((done) => {
      broken.conditions = (signal) =>
        new Promise((_, reject) => {
          signal!.addEventListener('abort', () => {
            reject(new Error('aborted'));
            setTimeout(done, 20);
          });
          caller.abort();
        });
    });
    const before = gateway.logged().length;
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ query: QUERY }) };
    try {
      await expect(
        fetch(`${gateway.url}/open/graphql`, { ...init, signal: caller.signal }),
      ).rejects.toThrow();
      await gone;
    } finally {
      delete broken.conditions;
    }
    expect(gateway.logged().slice(before)).not.toMatch(/"level":(40|50)/);
  });

  test('a field that stops at the limit is null with its code, the others are given', async () => {
    waiting.conditions = (signal) =>
      new Promise((_, reject) => signal!.addEventListener('abort', () => reject(new Error('aborted'))));
    const [status, { data, errors }] = await post();
    expect(status).toBe(200);
    expect(data?.Patient).toMatchObject({ id: 'p1', birthDate: '1970-01-01', ConditionList: null });
    expect(errors).toContainEqual({
      message: expect.stringContaining('0.2 seconds') as string,
      path: ['Patient', 'ConditionList'],
      extensions: expect.objectContaining({
        code: 'gateway_timeout',
        status: 504,
        service: 'clinical',
      }) as object,
    });
    expect(quick.logged()).not.toContain('stack');
  });

  test('a field that does not stop ends the request', async () => {
    waiting.conditions = () => new Promise(() => undefined);
    const [status, { errors }] = await post();
    expect(status).toBe(504);
    expect(errors).toMatchObject([{ extensions: { code: 'gateway_timeout', status: 504 } }]);
  });
});

test('concurrent requests do not mix their results', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask({ query: QUERY })));
  expect(answers[0]!.json.data?.Patient).toMatchObject({ id: 'p1', birthDate: '1970-01-01' });
  expect(new Set(answers.map(({ json }) => JSON.stringify(json))).size).toBe(1);
});
