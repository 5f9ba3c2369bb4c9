import { buildSchema, executeSync, getIntrospectionQuery, parse, print, visit } from 'graphql';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { request } from 'undici';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';
import { testEach } from './setup/usual-run.ts';

/**
 * Introspection of the built gateway (FG-12, FG-24): `open` allows it, `hardcoded-patient` does not, `demo` requires
 * a token.
 */

let gateway: WatchedGateway;
/** The first of two requests after the start that is answered. */
let first: string;
beforeAll(async () => {
  gateway = await startWatchedGateway();
  // Starts the thread that describes the schema.
  const other = ask('{ __schema { types { name kind } } }').then(() => 'of a form that is not usual');
  const usual = ask(getIntrospectionQuery(), { headers: { 'accept-encoding': 'br' } }).then(
    () => 'the usual',
  );
  first = await Promise.race([other, usual]);
  await other;
}, 120_000);
afterAll(() => gateway?.stop());

const schema = buildSchema(readFileSync(new URL('../../schema/api.graphql', import.meta.url), 'utf8'));
const expected = (query: string): unknown =>
  JSON.parse(JSON.stringify(executeSync({ schema, document: parse(query) })));

interface Options {
  path?: string;
  headers?: Record<string, string>;
  get?: boolean;
}

async function ask(query: string, { path = '/open/graphql', headers = {}, get = false }: Options = {}) {
  const url = get ? `${gateway.url}${path}?query=${encodeURIComponent(query)}` : gateway.url + path;
  const response = await request(url, {
    method: get ? 'GET' : 'POST',
    headers: { ...(!get && { 'content-type': 'application/json' }), ...headers },
    body: get ? null : JSON.stringify({ query }),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    bytes: Buffer.from(await response.body.arrayBuffer()),
  };
}

/** The query that graphql-js sent before version 16.10, and that tools in other languages still send. */
const older = getIntrospectionQuery({ typeDepth: 7 }).replaceAll('{ name kind }', '{ name }');

/** Apollo Client adds `__typename` to every selection except the outermost. */
const withTypenames = print(
  visit(parse(getIntrospectionQuery()), {
    SelectionSet(set, _key, parent) {
      if (parent && 'kind' in parent && parent.kind === 'OperationDefinition') return undefined;
      const typename = parse('{ __typename }').definitions[0] as unknown as { selectionSet: typeof set };
      return { ...set, selections: [...set.selections, ...typename.selectionSet.selections] };
    },
  }),
);

const usual: [string, string][] = [
  ['graphql-js, graphql-codegen, urql', getIntrospectionQuery()],
  ['GraphiQL', getIntrospectionQuery({ schemaDescription: true, inputValueDeprecation: true })],
  ['GraphiQL, without subscriptions', getIntrospectionQuery().replace('subscriptionType { name kind }', '')],
  [
    'every option',
    getIntrospectionQuery({
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      oneOf: true,
    }),
  ],
  ['no descriptions', getIntrospectionQuery({ descriptions: false })],
  ['older graphql-js, and tools in other languages', older],
  ['Apollo Client', withTypenames],
  ['another name and layout', print(parse(getIntrospectionQuery())).replace('IntrospectionQuery', 'Schema')],
  ['only the names of types', '{ __schema { types { name } } }'],
];

test('FG-24 the first introspection after a start is answered from a file of the build', () => {
  // The thread, which answered the one that was asked before it, takes more than a second to start.
  expect(first).toBe('the usual');
});

test.each(usual.slice(0, 2))(
  'FG-24 the introspection of %s has less than 100 KB on the wire',
  async (_tool, query) => {
    const { headers, bytes } = await ask(query, { headers: { 'accept-encoding': 'gzip, deflate, br' } });
    expect(headers['content-encoding']).toBe('br');
    expect(bytes.length).toBeLessThan(100_000);
  },
);

test('FG-24 /schema.graphql is compressed, and 304 to clients that have it', async () => {
  const get = async (headers: Record<string, string>) => {
    const { statusCode, headers: sent, body } = await request(`${gateway.url}/schema.graphql`, { headers });
    return { statusCode, sent, bytes: Buffer.from(await body.arrayBuffer()) };
  };
  const plain = await get({});
  const packed = await get({ 'accept-encoding': 'br' });
  expect(brotliDecompressSync(packed.bytes).equals(plain.bytes)).toBe(true);
  expect(packed.bytes.length).toBeLessThan(150_000);
  const tag = String(plain.sent['etag']);
  expect(tag).toMatch(/^W\/"[\w-]+"$/);
  expect(packed.sent['etag']).toBe(tag);
  const held = await get({ 'if-none-match': tag });
  expect([held.statusCode, held.bytes.length, held.sent['etag']]).toEqual([304, 0, tag]);
  expect((await get({ 'if-none-match': 'W/"other"' })).statusCode).toBe(200);
});

test('FG-24 the usual introspection is answered at once, whatever other forms are requested', async () => {
  const names = ['name', 'kind', 'description', 'specifiedByURL', '__typename', 'isOneOf'];
  // Other fields, or the same fields in another order, make another form.
  const forms = Array.from({ length: 48 }, (_, i) => {
    const some = names.filter((_, bit) => ((i % 24) + 8) & (1 << bit));
    return `{ __schema { types { ${(i < 24 ? some : some.toReversed()).join(' ')} } } }`;
  });
  for (let i = 0; i < forms.length; i += 12)
    await Promise.all(forms.slice(i, i + 12).map((form) => ask(form)));
  const depths = Array.from({ length: 8 }, (_, i) => getIntrospectionQuery({ typeDepth: i + 1 }));
  const flood = Promise.all(depths.map((query) => ask(query)));
  const first = await Promise.race([flood.then(() => 'the flood'), ask(getIntrospectionQuery())]);
  expect(first).toMatchObject({ status: 200 });
  await flood;
});

testEach(usual, (_, row) => row % 6 === 0)(
  'FG-24 the introspection of %s is answered completely',
  async (_tool, query) => {
    const { status, bytes } = await ask(query);
    expect([status, bytes.toString().slice(0, 300)]).toEqual([200, expect.stringMatching(/^\{"data"/)]);
    // Compared without a diff: the runner should not print megabytes.
    expect(isDeepStrictEqual(JSON.parse(bytes.toString()), expected(query))).toBe(true);
  },
);

test('FG-24 it is compressed, and 304 to clients that have it', async () => {
  const query = getIntrospectionQuery();
  const plain = await ask(query);
  for (const [coding, open] of [
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ] as const) {
    const { headers, bytes } = await ask(query, { headers: { 'accept-encoding': coding } });
    expect(headers['content-encoding']).toBe(coding);
    expect(headers['vary']).toContain('Accept-Encoding');
    expect(open(bytes).equals(plain.bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(250_000);
  }
  const refused = await ask(query, { headers: { 'accept-encoding': 'br;q=0, gzip;q=0' } });
  expect(refused.headers['content-encoding']).toBeUndefined();

  const tag = String(plain.headers['etag']);
  for (const get of [false, true]) {
    for (const held of [tag, `"other", ${tag}`, '*']) {
      const { status, bytes } = await ask(query, {
        get,
        headers: { 'if-none-match': held, 'apollo-require-preflight': '1' },
      });
      expect([get, held, status, bytes.length]).toEqual([get, held, 304, 0]);
    }
  }
  for (const other of ['"other"', '"other", *', ''])
    expect([other, (await ask(query, { headers: { 'if-none-match': other } })).status]).toEqual([other, 200]);
  expect((await ask('{ __schema { types { name } } }', { headers: { 'if-none-match': tag } })).status).toBe(
    200,
  );
});

describe('FG-12 introspection is refused', () => {
  test.each<[string, string, Options, number, RegExp]>([
    [
      'where the tenant does not allow it',
      getIntrospectionQuery(),
      { path: '/hardcoded-patient/graphql' },
      400,
      /Introspection is off/,
    ],
    ['without a token', getIntrospectionQuery(), { path: '/demo/graphql' }, 401, /token/],
    [
      'with a GET that a page of another site could send',
      getIntrospectionQuery(),
      { get: true },
      400,
      /CSRF|Request Forgery/,
    ],
  ])('%s', async (_what, query, options, status, says) => {
    const answer = await ask(query, options);
    expect([answer.status, answer.bytes.toString()]).toEqual([status, expect.stringMatching(says)]);
  });
});

const one = 'types { name fields { name args { name type { name } } type { name } } }';
const tooMuch = /more than 10000 fields about the schema.*getIntrospectionQuery.*\/schema\.graphql/;

test('FG-24 the size of any other introspection is estimated before it is answered', async () => {
  const answers: [string, number, string][] = [];
  const refused: [string, RegExp][] = [
    [
      `{ ${Array.from({ length: 28 }, (_, i) => `a${i}: __schema { ${one} }`).join(' ')} }`,
      /more than 1 __schema/,
    ],
    [
      '{ ...A ...B } fragment A on Query { __schema { __typename } } fragment B on Query { b: __schema { __typename } }',
      /more than 1 __schema/,
    ],
    [`{ a: __schema { ${one} } }`, tooMuch],
    ['{ __schema { types { fields { type { fields { name } } } } } }', tooMuch],
    [
      `query($n: String! = "Patient") { ${Array.from({ length: 28 }, (_, i) => `a${i}: __type(name: $n) { fields { name args { name type { name } } } }`).join(' ')} }`,
      tooMuch,
    ],
  ];
  const harm = await harmOf(gateway, async () => {
    for (const [query] of refused) {
      const { status, bytes } = await ask(query);
      answers.push([query, status, bytes.toString().slice(0, 1000)]);
    }
    await Promise.all(usual.map(([, query]) => ask(query, { headers: { 'accept-encoding': 'br' } })));
  });
  expect(answers).toEqual(refused.map(([query, says]) => [query, 400, expect.stringMatching(says)]));
  expectUnharmed(harm);
}, 120_000);

test.each([
  '{ __type(name: "Patient") { kind fields { name args { name } type { name kind ofType { name } } } } }',
  '{ a: __schema { types { name } } b: __type(name: "Endpoint") { name } }',
])('FG-24 a small introspection is answered: %s', async (query) => {
  const { status, bytes } = await ask(query);
  expect(status).toBe(200);
  const [answer, wanted] = [JSON.parse(bytes.toString()) as unknown, expected(query)].map(inOrder);
  expect(isDeepStrictEqual(answer, wanted)).toBe(true);
});

/** Sorts types and arguments: the gateway has them in another order than the schema file. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    const text = (item: unknown) => JSON.stringify(item);
    return value.map(inOrder).sort((a, b) => (text(a) < text(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, inOrder(child)]));
}
