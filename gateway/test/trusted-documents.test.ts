/** FG-13 trusted documents: what each setting does, by every way in. */
import { getIntrospectionQuery } from 'graphql';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import { documentIdOf, type ManifestFile } from '../../schema/graphql/trusted-manifest.ts';
import { logger } from '../http/logger.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { readTenants } from '../tenants/loading/tenants.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const own = JSON.parse(
  readFileSync(new URL('../../schema/trusted-documents.json', import.meta.url), 'utf8'),
) as ManifestFile;
/** Documents that only the operator trusts: for the graph, for a stream, for a resource at `$graphql`. */
const PATIENT = 'query Mine($id: ID!) { Patient(id: $id) { birthDate } }';
const ROWS = 'query Rows { ConditionConnection(_count: 3) { edges { resource { id } } } }';
const INSTANCE = 'query Instance { birthDate }';
const folder = mkdtempSync(join(tmpdir(), 'trusted-documents-'));
const expressions = new ExpressionPool();
let gateway: TestGateway;
let lines: string[] = [];

beforeAll(async () => {
  mkdirSync(join(folder, 'documents'));
  const operations = [PATIENT, ROWS, INSTANCE].map((body) => ({
    id: documentIdOf(body),
    name: body.split(/\W/)[1]!,
    type: 'query' as const,
    body,
  }));
  const manifest: ManifestFile = { format: 'apollo-persisted-query-manifest', version: 1, operations };
  writeFileSync(join(folder, 'documents/apps.json'), JSON.stringify(manifest));
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  gateway = await buildTestGateway(() => ({}), undefined, undefined, {
    log: logger('warn', sink),
    tenants: ({ images, patients }) => {
      const write = (key: string, graphql: object) => {
        const tenant = {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
          mcp: { enabled: true },
          graphql: {
            introspection: true,
            explain: true,
            trustedDocumentsFile: 'documents/apps.json',
            ...graphql,
          },
        };
        writeFileSync(join(folder, `${key}.json`), JSON.stringify(tenant));
      };
      write('off', {});
      write('log', { trustedDocuments: 'log' });
      write('enforce', { trustedDocuments: 'enforce' });
      write('older', { trustedDocumentsOnly: true });
      write('other', { trustedDocuments: 'enforce', trustedDocumentsFile: undefined });
      return readTenants({
        directory: folder,
        environment: {},
        demo: { images, patients },
        mockAllowed: true,
        dynamic: false,
        dynamicHosts: new Set(),
        expressions,
      });
    },
  });
}, 120_000);
beforeEach(() => (lines = []));
afterAll(async () => {
  await gateway?.close();
  await expressions.close();
  rmSync(folder, { recursive: true });
});

interface Sent {
  path: string;
  payload?: unknown;
  headers?: Record<string, string>;
  /** Parameters of a GET. */
  search?: Record<string, string> | [string, string][];
}

async function send(tenant: string, { path, payload, headers = {}, search }: Sent) {
  const query = search ? `?${new URLSearchParams(search).toString()}` : '';
  const { statusCode, body } = await gateway.app.inject({
    method: search ? 'GET' : 'POST',
    url: `/${tenant}${path}${query}`,
    headers: { authorization: 'Bearer x', ...headers },
    ...(payload !== undefined && { payload: payload as object }),
  });
  return { status: statusCode, body };
}

const id = DEMO_PATIENT;
const variables = { id };
/** A document that nobody trusts. */
const TEXT = 'query Unknown($id: ID!) { Patient(id: $id) { id birthDate } }';
const TEXT_ROWS = 'query UnknownRows { ConditionConnection(_count: 2) { edges { resource { id } } } }';
const persisted = (text: string, version = 1) => ({
  persistedQuery: { version, sha256Hash: documentIdOf(text) },
});
const inUrl = (object: object) => JSON.stringify(object);
const tool = (name: string, input: object): Sent => ({
  path: '/mcp',
  payload: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } },
  headers: { accept: 'application/json, text/event-stream' },
});
const parameters = (query: string) => ({
  resourceType: 'Parameters',
  parameter: [{ name: 'query', valueString: query }],
});

/** Every way in, for a document that is not trusted. Each gives data where the tenant asks nothing. */
const WAYS: [way: string, sent: Sent, data: RegExp][] = [
  ['POST', { path: '/graphql', payload: { query: TEXT, variables } }, /birthDate":"/],
  [
    'POST, as the viewer accepts answers',
    {
      path: '/graphql',
      payload: { query: TEXT, variables },
      headers: { accept: 'application/graphql-response+json' },
    },
    /birthDate":"/,
  ],
  ['GET', { path: '/graphql', search: { query: TEXT, variables: inUrl(variables) } }, /birthDate":"/],
  [
    'registering a persisted query',
    { path: '/graphql', payload: { query: TEXT, variables, extensions: persisted(TEXT) } },
    /birthDate":"/,
  ],
  [
    'a persisted query that another tenant has registered',
    { path: '/graphql', payload: { variables, extensions: persisted(TEXT) } },
    /birthDate":"/,
  ],
  [
    'that persisted query by GET',
    { path: '/graphql', search: { variables: inUrl(variables), extensions: inUrl(persisted(TEXT)) } },
    /birthDate":"/,
  ],
  [
    'one of two operations',
    { path: '/graphql', payload: { query: `${TEXT} ${PATIENT}`, operationName: 'Mine', variables } },
    /birthDate":"/,
  ],
  [
    'a trusted document with another space',
    { path: '/graphql', payload: { query: `${PATIENT} `, variables } },
    /birthDate":"/,
  ],
  ['introspection', { path: '/graphql', payload: { query: getIntrospectionQuery() } }, /__schema/],
  [
    'a part of the schema',
    { path: '/graphql', payload: { query: '{ __type(name: "Patient") { name } }' } },
    /name":"Patient/,
  ],
  [
    'the cost alone',
    { path: '/graphql', payload: { query: TEXT, variables, extensions: { explain: 'cost' } } },
    /"cost":/,
  ],
  [
    'a stream of NDJSON',
    { path: '/graphql', payload: { query: TEXT_ROWS }, headers: { accept: 'application/x-ndjson' } },
    /^\{"id":"/,
  ],
  [
    'a stream of CSV by GET',
    { path: '/graphql', search: { query: TEXT_ROWS }, headers: { accept: 'text/csv' } },
    /^id/,
  ],
  ['$graphql', { path: '/fhir/$graphql', payload: { query: TEXT, variables } }, /birthDate":"/],
  [
    '$graphql by GET',
    { path: '/fhir/%24graphql', search: { query: TEXT, variables: inUrl(variables) } },
    /birthDate":"/,
  ],
  [
    '$graphql in a form that is rewritten',
    { path: '/fhir/$graphql', payload: { query: `{ Patient(id: "${id}") { name @first { family } } }` } },
    /family":"/,
  ],
  [
    '$graphql with the text as the body',
    {
      path: '/fhir/$graphql',
      payload: `{ Patient(id: "${id}") { birthDate } }`,
      headers: { 'content-type': 'application/graphql' },
    },
    /birthDate":"/,
  ],
  [
    '$graphql with Parameters',
    {
      path: '/fhir/$graphql',
      payload: JSON.stringify(parameters(`{ Patient(id: "${id}") { birthDate } }`)),
      headers: { 'content-type': 'application/fhir+json' },
    },
    /birthDate":"/,
  ],
  [
    '$graphql at a resource',
    { path: `/fhir/Patient/${id}/$graphql`, payload: { query: '{ birthDate }' } },
    /birthDate":"/,
  ],
  ['the tool query', tool('query', { query: TEXT, variables }), /birthDate/],
];

describe('a document that is not trusted', () => {
  test.each(WAYS)(
    '%s: executed if the tenant asks nothing, refused if it wants only trusted ones',
    async (_way, sent, data) => {
      // Twice: the second time it may be a known operation.
      for (let time = 0; time < 2; time++) {
        const { status, body } = await send('off', sent);
        expect([status, body]).toEqual([200, expect.stringMatching(data)]);
      }
      for (const tenant of ['enforce', 'older']) {
        const { status, body } = await send(tenant, sent);
        expect(status).toBe(sent.path === '/mcp' ? 200 : 403);
        expect(body).toContain('forbidden');
        expect(body).toMatch(/executes only trusted documents.*documentId/s);
        expect(body).not.toMatch(/birthDate\\?":\\?"|"__schema"|"cost"|family":"/);
      }
    },
  );

  test('a batch has no way to send one', async () => {
    const url = `$graphql?query=${encodeURIComponent(`{ Patient(id: "${id}") { birthDate } }`)}`;
    const entry = [{ request: { method: 'GET', url } }];
    for (const tenant of ['off', 'enforce']) {
      const { body } = await send(tenant, {
        path: '/fhir',
        payload: { resourceType: 'Bundle', type: 'batch', entry },
      });
      expect(body).toMatch(/"status":"4\d\d/);
      expect(body).not.toContain('birthDate":"');
    }
  });

  test.each<[string, [string, string][]]>([
    [
      'first',
      [
        ['query', PATIENT],
        ['query', TEXT],
      ],
    ],
    [
      'last',
      [
        ['query', TEXT],
        ['query', PATIENT],
      ],
    ],
  ])('a trusted document beside it, %s in the URL, changes nothing', async (_place, twice) => {
    const search: [string, string][] = [...twice, ['variables', inUrl(variables)]];
    for (const path of ['/graphql', '/fhir/$graphql'])
      expect((await send('enforce', { path, search })).status).toBe(403);
  });

  test('a persisted query is refused where it is registered, and is no documentId', async () => {
    const text = 'query Registered { __typename }';
    const payload = { query: text, extensions: persisted(text) };
    expect((await send('enforce', { path: '/graphql', payload })).status).toBe(403);
    expect((await send('off', { path: '/graphql', payload })).status).toBe(200);
    for (const tenant of ['off', 'enforce']) {
      const byId = { path: '/graphql', payload: { documentId: documentIdOf(text) } };
      const { status, body } = await send(tenant, byId);
      expect([status, body]).toEqual([400, expect.stringMatching(/documentId names no trusted document/)]);
    }
  });

  test('an unknown persisted query is refused at once: to send its text would not help', async () => {
    const payload = { extensions: persisted('query Never { __typename }') };
    expect(await send('off', { path: '/graphql', payload })).toMatchObject({
      status: 200,
      body: expect.stringContaining('PERSISTED_QUERY_NOT_FOUND') as unknown,
    });
    expect((await send('enforce', { path: '/graphql', payload })).status).toBe(403);
  });

  test('log: it is executed, and each request is logged and counted without its text', async () => {
    const counted = async (tenant: string, decision: string) => {
      const { body } = await gateway.app.inject('/metrics');
      const line = `graphql_untrusted_documents_total{tenant="${tenant}",decision="${decision}"} `;
      return Number(body.split(line)[1]?.split('\n')[0] ?? 0);
    };
    const before = await counted('log', 'accepted');
    for (const [, sent, data] of WAYS) {
      lines = [];
      expect((await send('log', sent)).body).toMatch(data);
      const told = lines.filter((line) => line.includes('not trusted was accepted'));
      expect(told).toHaveLength(1);
      expect(told[0]).not.toMatch(/birthDate|ConditionConnection/);
      expect(told[0]).not.toContain(id);
    }
    expect(await counted('log', 'accepted')).toBe(before + WAYS.length);
    lines = [];
    await send('log', { path: '/graphql', payload: { query: TEXT, variables } });
    expect(JSON.parse(lines[0]!)).toMatchObject({
      tenant: 'log',
      document: documentIdOf(TEXT),
      operation: 'Unknown',
    });
    const refused = await counted('enforce', 'refused');
    await send('enforce', { path: '/graphql', payload: { query: TEXT, variables } });
    expect(await counted('enforce', 'refused')).toBe(refused + 1);
    expect(await counted('off', 'accepted')).toBe(0);
  });
});

describe('a trusted document', () => {
  const documentId = `sha256:${documentIdOf(PATIENT)}`;
  const accept = 'application/x-ndjson';
  const TRUSTED: [way: string, sent: Sent, data: RegExp][] = [
    ['its text', { path: '/graphql', payload: { query: PATIENT, variables } }, /birthDate":"/],
    [
      'its text by GET',
      { path: '/graphql', search: { query: PATIENT, variables: inUrl(variables) } },
      /birthDate":"/,
    ],
    ['documentId', { path: '/graphql', payload: { documentId, variables } }, /birthDate":"/],
    [
      'documentId without its prefix',
      { path: '/graphql', payload: { documentId: documentIdOf(PATIENT), variables, operationName: 'Mine' } },
      /birthDate":"/,
    ],
    [
      'documentId by GET',
      { path: '/graphql', search: { documentId, variables: inUrl(variables) } },
      /birthDate":"/,
    ],
    [
      'the hash of a persisted query',
      { path: '/graphql', payload: { extensions: persisted(PATIENT), variables } },
      /birthDate":"/,
    ],
    [
      'that hash by GET',
      { path: '/graphql', search: { extensions: inUrl(persisted(PATIENT)), variables: inUrl(variables) } },
      /birthDate":"/,
    ],
    [
      'its cost',
      { path: '/graphql', payload: { documentId, variables, extensions: { explain: 'cost' } } },
      /"cost":/,
    ],
    ['a stream', { path: '/graphql', payload: { query: ROWS }, headers: { accept } }, /^\{"id":"/],
    [
      'a stream by documentId',
      { path: '/graphql', search: { documentId: documentIdOf(ROWS) }, headers: { accept } },
      /^\{"id":"/,
    ],
    ['$graphql', { path: '/fhir/$graphql', payload: { documentId, variables } }, /birthDate":"/],
    [
      '$graphql at a resource',
      { path: `/fhir/Patient/${id}/$graphql`, payload: { query: INSTANCE } },
      /birthDate":"/,
    ],
    [
      '$graphql at a resource by documentId',
      { path: `/fhir/Patient/${id}/$graphql`, search: { documentId: documentIdOf(INSTANCE) } },
      /birthDate":"/,
    ],
    ['the tool query', tool('query', { query: PATIENT, variables }), /birthDate/],
    ['the tool search_timeline', tool('search_timeline', { patient: id, count: 1 }), /kind/],
    ['the tool describe_schema', tool('describe_schema', { type: 'Patient' }), /birthDate/],
  ];

  test.each(TRUSTED)('by %s, with every setting and without a line in the log', async (_way, sent, data) => {
    for (const tenant of ['off', 'log', 'enforce', 'older']) {
      const { status, body } = await send(tenant, sent);
      expect([status, body]).toEqual([200, expect.stringMatching(data)]);
      expect(body).not.toMatch(/"errors"|isError/);
    }
    expect(lines.filter((line) => line.includes('not trusted'))).toEqual([]);
  });

  test("of an operator is trusted only by that operator's tenant", async () => {
    for (const payload of [
      { query: PATIENT, variables },
      { extensions: persisted(PATIENT), variables },
    ])
      expect((await send('other', { path: '/graphql', payload })).status).toBe(403);
    expect((await send('other', { path: '/graphql', payload: { documentId, variables } })).status).toBe(400);
  });

  test.each(own.operations.map(({ name, body }) => [name, body] as const))(
    'of the pages and tools: %s',
    async (_name, query) => {
      const given = { id, uid: '1.2.3', patient: id, entries: 1, code: ['8310-5'] };
      const used = Object.entries(given).filter(([name]) => query.includes(`$${name}:`));
      const payload = { query, variables: Object.fromEntries(used) };
      const { status, body } = await send('enforce', { path: '/graphql', payload });
      expect([status, body]).toEqual([200, expect.stringContaining('"data":{')]);
    },
  );

  test('is named by documentId or sent as text, not both', async () => {
    const { status, body } = await send('off', {
      path: '/graphql',
      payload: { query: PATIENT, documentId, variables },
    });
    expect([status, body]).toEqual([400, expect.stringContaining('Send either query or documentId.')]);
  });
});
