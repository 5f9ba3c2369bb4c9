/** Documents that are sent to do harm: each is refused at once, and nobody else notices. The whole gateway, built. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';
import { processorTimeOf } from './setup/processor-time.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** Milliseconds of the processors that a refusal may cost. */
const AT_ONCE = 50;
/** The cheapest of these counts: the gateway does other things too. */
const ATTEMPTS = 7;

interface Hostile {
  query?: string;
  variables?: unknown;
  /** In place of a JSON body with the query. */
  body?: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  path?: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const times = (count: number, part: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => part(at));
const PATIENT = 'Patient(id: "1")';

const HOSTILE: Record<string, Hostile> = {
  'a document as deep as a body allows': { query: `${'{ a '.repeat(40_000)}${'}'.repeat(40_000)}` },
  'a document deeper than the limit': {
    query: `{ ${PATIENT} { ${'ObservationList { hasMember { resource { ... on Observation { '.repeat(20)} id ${'} } } }'.repeat(20)} } }`,
  },
  'a document as wide as a body allows': { query: `{ ${times(60_000, (at) => `a${at}`).join(' ')} }` },
  'an alias bomb of one list': {
    query: `{ ${PATIENT} { ${times(900, (at) => `a${at}: ObservationList { id }`).join(' ')} } }`,
  },
  'an alias bomb of the whole archive': {
    query: `{ ${times(400, (at) => `a${at}: ImagingStudyList { id series { instance { uid } } }`).join(' ')} }`,
  },
  'a field ten thousand times': { query: `{ ${PATIENT} { ${'id '.repeat(10_000)} } }` },
  'a fragment that spreads itself': { query: 'query { ...A } fragment A on Query { ...A }' },
  'a cycle of fragments': {
    query: `query { ...F0 } ${times(200, (at) => `fragment F${at} on Query { ...F${(at + 1) % 200} }`).join(' ')}`,
  },
  'fragments that double at each step': {
    query: `query { ...F0 } ${times(30, (at) => `fragment F${at} on Query { ...F${at + 1} ...F${at + 1} }`).join(' ')} fragment F30 on Query { __typename }`,
  },
  'a string of a megabyte': { query: `{ Patient(id: "${'x'.repeat(1_000_000)}") { id } }` },
  'a block string of a megabyte': { query: `{ Patient(id: """${' \n'.repeat(400_000)}""") { id } }` },
  'a name of a megabyte': { query: `{ ${'x'.repeat(1_000_000)} }` },
  'a comment of a megabyte': { query: `#${'x'.repeat(1_000_000)}\n{ nothing }` },
  'a number of a megabyte': {
    query: `{ ${PATIENT} { ObservationList(_count: ${'9'.repeat(900_000)}) { id } } }`,
  },
  'a list that is nested 5,000 times': {
    query: `{ Patient(id: ${'['.repeat(3000)}${']'.repeat(3000)}) { id } }`,
  },
  'a variable that is nested 5,000 times': {
    query: 'query ($id: ID!) { Patient(id: $id) { id } }',
    body: `{"query":"query ($id: ID!) { Patient(id: $id) { id } }","variables":{"id":${'['.repeat(5000)}${']'.repeat(5000)}}}`,
  },
  'a variable of a megabyte that no operation has': {
    query: 'query ($id: ID!) { Patient(id: $id) { id } }',
    variables: { other: 'x'.repeat(1_000_000) },
  },
  'five thousand directives': { query: `{ ${PATIENT} ${'@include(if: true) '.repeat(5000)} { id } }` },
  'five thousand unknown directives': {
    query: `{ ${PATIENT} ${times(1500, (at) => `@d${at}`).join(' ')} { id } }`,
  },
  'a thousand operations': { query: times(1000, (at) => `query Q${at} { __typename }`).join(' ') },
  'an introspection where it is off': { query: '{ __schema { types { name } } }' },
  'the fields of one type where introspection is off': {
    query: '{ __type(name: "Patient") { fields { name } } }',
  },
  'nested introspections': {
    query: `{ __schema { types { ${'fields { type { ofType { '.repeat(8)} name ${'} } } '.repeat(8)} } } }`,
  },
  'a flood in one batch': {
    body: JSON.stringify(times(5000, () => '').map(() => ({ query: '{ __typename }' }))),
  },
  'a batch of one': { body: '[{"query":"{ __typename }"}]' },
  'no JSON': { body: '{"query": ' },
  'JSON that is no object': { body: '"query"' },
  'a query that is a list': { body: '{"query":["{ __typename }"]}' },
  'a content type of a form': { body: 'query={__typename}', headers: { 'content-type': 'text/plain' } },
  'a content type of files': {
    body: '--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  },
  'a mutation': { query: 'mutation { delete }' },
  'a mutation by GET': { method: 'GET', path: '?query=mutation%7Bdelete%7D' },
  'a subscription': { query: 'subscription { all }' },
  'a name in other letters': { query: '{ Р\u0430tient(id: "1") { id } }' },
  'a name with an invisible character': { query: '{ Pati\u200bent(id: "1") { id } }' },
  'text that turns around': { query: '{ \u202etneitaP }' },
  'half of a character': { body: '{"query":"{ Patient(id: \\"\\ud800\\") { \\udc00 } }"}' },
  zeros: { query: '{ Patient(id: "1")\u0000 { id } }' },
  'bytes that are no UTF-8': { body: Buffer.from('{"query":"{ \xff }"}', 'latin1').toString('latin1') },
  'a field of every object': { query: '{ constructor { prototype } }' },
  'the prototype as a field': { query: '{ __proto__ { id } }' },
  'the prototype as an argument': { query: '{ Patient(__proto__: { id: "1" }) { id } }' },
  'the prototype as a query': { body: '{"__proto__":{"query":"{ __typename }"}}' },
  'the prototype as variables': {
    body: '{"query":"query ($id: ID!) { Patient(id: $id) { id } }","variables":{"__proto__":{"id":"1"},"constructor":{"prototype":{"id":"1"}}}}',
  },
  'the prototype as an operation name': {
    body: '{"query":"query A { __typename } query B { __typename }","operationName":"__proto__"}',
  },
};

const patients = join(import.meta.dirname, '../demo/patients');
const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
let gateway: WatchedGateway;
beforeAll(async () => {
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: patients },
    images: { type: 'folder', path: folder, lookup: 'all-studies-on-server' },
    graphql: { introspection: false },
  };
  gateway = await startWatchedGateway({ tenants: { t: tenant } });
  // Code that is loaded once is no harm.
  await vi.waitFor(
    async () => expect((await send({ query: '{ PatientList(_count: 1) { id } }' })).status).toBe(200),
    { timeout: 60_000 },
  );
  for (const hostile of Object.values(HOSTILE)) await send(hostile);
});
afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

async function send({ query, variables, body, method = 'POST', headers = JSON_TYPE, path = '' }: Hostile) {
  const answer = await request(`${gateway.url}/t/graphql${path}`, {
    method,
    headers,
    ...(method === 'POST' && { body: body ?? JSON.stringify({ query, variables }) }),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, text };
}

test.each(Object.entries(HOSTILE))('%s is refused at once', async (_, hostile) => {
  const refused = async () => {
    const { status, text } = await send(hostile);
    expect([status, text.slice(0, 300)]).toEqual([
      expect.toSatisfy(isRefusal),
      expect.stringContaining('"message"'),
    ]);
    expect(text.length).toBeLessThan(100_000);
  };
  let cheapest = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && cheapest > AT_ONCE; attempt++)
    cheapest = Math.min(cheapest, await processorTimeOf(gateway.pid, refused));
  expect(cheapest).toBeLessThanOrEqual(AT_ONCE);
});

const isRefusal = (status: number) => status >= 400 && status < 500;

test('eight callers who send all of them harm nobody', async () => {
  const harm = await harmOf(gateway, async () => {
    const waiting = Object.values(HOSTILE);
    const caller = async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) await send(next);
    };
    await Promise.all(Array.from({ length: 8 }, caller));
  });
  expectUnharmed(harm);
});

describe('names of the prototype of every object', () => {
  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s may be an alias',
    async (name) => {
      const { status, text } = await send({ query: `{ ${name}: PatientList(_count: 1) { ${name}: id } }` });
      expect(status).toBe(200);
      // `JSON.parse` makes a property of its own of every name.
      const { data } = JSON.parse(text) as { data: object };
      expect(Object.keys(data)).toEqual([name]);
      const [first] = Object.values(data)[0] as object[];
      expect(Object.entries(first!)).toEqual([[name, expect.stringMatching(/^[\w-]+$/)]]);
    },
  );
});
