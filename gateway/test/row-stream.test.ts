/** Rows of a connection as a stream (FG-29), under a policy of half of the patients, over HTTP. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { freePort } from './setup/free-port.ts';
import { LONG } from './setup/long.ts';
import { CODES, OBSERVATIONS, PATIENTS, writeRecord } from './setup/streamed-record.ts';
import { isSplit } from './split-arrangement.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

vi.setConfig({ testTimeout: LONG ? 300_000 : 60_000, hookTimeout: 300_000 });

const NDJSON = 'application/x-ndjson';
const directory = mkdtempSync(join(tmpdir(), 'row-stream-'));
let ehr: AuthorizationServer;
let gateway: TestGateway;
let events: AuditEvent[] = [];

const HALF = Array.from({ length: PATIENTS }, (_, at) => `p${at}`).filter((_, at) => at % 2 === 0);
const WANTED = new Set(HALF.flatMap((id) => Array.from({ length: OBSERVATIONS }, (_, at) => `${id}-${at}`)));

beforeAll(async () => {
  writeRecord(join(directory, 'record.ndjson'));
  ehr = await authorizationServer();
  const backend = { client_id: 'analyst', scope: 'system/*.rs' };
  const exp = () => Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('half', { ...backend, exp: exp() });
  ehr.tokens.set('vitals', { ...backend, scope: 'system/Observation.rs?category=vital-signs', exp: exp() });
  ehr.tokens.set('patients', { ...backend, scope: 'system/Patient.rs', exp: exp() });
  gateway = await buildTestGateway(
    () => ({
      t: {
        authorization: {
          type: 'smart-on-fhir',
          fhirBaseUrl: ehr.fhirBaseUrl,
          client: ehr.client,
          modes: ['backend-services'],
          policy: [{ client_id: 'analyst', patients: HALF }],
        },
        clinical: { type: 'store', path: join(directory, 'record.ndjson') },
        images: { type: 'folder', path: directory, lookup: 'studies-by-mrn' },
      },
    }),
    { images: directory, patients: directory },
    (_tenant, event) => events.push(event),
    { port: await freePort() },
  );
  const isLoaded = async () => {
    const { statusCode, body } = await ask(rows('id', '(_id: "p0-0")'));
    await body.dump();
    expect(statusCode).toBe(200);
  };
  await vi.waitFor(isLoaded, { timeout: 240_000, interval: 500 });
});
beforeEach(() => (events = []));
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  rmSync(directory, { recursive: true });
});

const ask = (query: string, { accept = NDJSON, token = 'half', variables = {} } = {}) =>
  request(`${gateway.baseUrl}/t/graphql`, {
    method: 'POST',
    headers: { accept, authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });

const rows = (fields: string, args = '') =>
  `{ ObservationConnection${args} { edges { resource { ${fields} } } } }`;

interface Row {
  id: string;
  _next?: string;
  _error?: { code: string; message: string };
}
const parsed = (text: string): Row[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);

/** Reads up to the end, or until the transfer breaks. */
async function received(body: AsyncIterable<Buffer>, enough = (_text: string): boolean => false) {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      if (enough(text)) break;
    }
  } catch (broken) {
    return { text, broken };
  }
  return { text, broken: undefined };
}

describe('under a policy of half of the patients', () => {
  test('the stream has each Observation of theirs once, and no other', async () => {
    const { statusCode, headers, body } = await ask(rows('id subject { reference }'));
    expect([statusCode, headers['content-type']]).toEqual([200, NDJSON]);
    const { text } = await received(body);
    const seen = parsed(text).map(({ id }) => id);
    expect(seen).toHaveLength(WANTED.size);
    expect(new Set(seen)).toEqual(WANTED);
  });

  test.each([NDJSON, 'text/csv'])(
    '%s, killed midway and continued at its last _next, has every row',
    async (accept) => {
      const { body } = await ask(rows('id', '(_count: 100)'), { accept });
      const first = await received(body, (text) => text.length > 20_000);
      // Of a line that is not whole, the cursor is not whole.
      const whole = first.text.slice(0, first.text.lastIndexOf('\n') + 1);
      const next = accept === NDJSON ? /"_next":"(.+?)"/g : /,([\w-]{8,})\r\n/g;
      const cursor = [...whole.matchAll(next)].at(-1)![1]!;
      const kept = whole.slice(0, whole.indexOf(cursor));
      const rest = await ask(rows('id', `(_cursor: "${cursor}")`), { accept });
      const { text } = await received(rest.body);
      const ids = (part: string) => part.match(/p\d+-\d+/g)!;
      expect(ids(kept).length).toBeGreaterThan(99);
      expect(ids(kept).length + ids(text).length).toBe(WANTED.size);
      expect(new Set([...ids(kept), ...ids(text)])).toEqual(WANTED);
    },
  );

  test('it leaves one audit record, with its rows and patients', async () => {
    await received((await ask(rows('id'))).body);
    await vi.waitFor(() => expect(events).toHaveLength(1), 10_000);
    expect(events[0]).toMatchObject({
      action: 'search',
      type: 'Observation',
      client: 'analyst',
      rows: WANTED.size,
      patients: HALF.length,
      outcome: { kind: 'allowed' },
    });
  });

  test('a client that leaves ends the work, and the record says how many rows were sent', async () => {
    const { body } = await ask(rows('id', '(_count: 10)'));
    await received(body, (text) => text.length > 500);
    const ofStream = () => events.filter(({ rows }) => rows !== undefined);
    await vi.waitFor(() => expect(ofStream()).toHaveLength(1), 10_000);
    expect(ofStream()[0]!.rows).toBeLessThan(WANTED.size);
    expect(ofStream()[0]!.outcome.kind).toBe('left');
    // In three processes, the one that read when the client left records that itself, as work for the same request.
    expect(events.length).toBeLessThanOrEqual(isSplit ? 2 : 1);
    expect(new Set(events.map(({ request: id }) => id)).size).toBe(1);
  });

  test('below one patient it has the rows of that patient', async () => {
    const query = '{ Patient(id: "p2") { ObservationConnection(_count: 7) { edges { resource { id } } } } }';
    const { text } = await received((await ask(query)).body);
    expect(new Set(parsed(text).map(({ id }) => id.split('-')[0]))).toEqual(new Set(['p2']));
    expect(parsed(text)).toHaveLength(OBSERVATIONS);
  });

  test('a granular scope narrows it', async () => {
    const { text } = await received((await ask(rows('id', '(code: "c1")'), { token: 'vitals' })).body);
    const isVital = (id: string) => Number(id.split('-')[1]) % 2 === 0;
    const wanted = [...WANTED].filter((id) => isVital(id) && Number(id.split('-')[1]) % CODES === 1);
    expect(
      parsed(text)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(wanted.sort());
  });
});

describe('format', () => {
  test.each([
    [NDJSON, NDJSON],
    ['text/csv', 'text/csv; charset=utf-8; header=present'],
    [`application/json;q=0.5, ${NDJSON}`, NDJSON],
    [`application/json, ${NDJSON};q=0.9`, 'application/json; charset=utf-8'],
    ['text/csv;q=0.2, */*;q=0.1', 'text/csv; charset=utf-8; header=present'],
    ['*/*, text/csv;q=0.2', 'application/json; charset=utf-8'],
    ['text/csv;q=0, application/json', 'application/json; charset=utf-8'],
  ])('Accept: %s gets %s', async (accept, type) => {
    const { headers, body } = await ask(rows('id', '(_id: "p0-0")'), { accept });
    await body.dump();
    expect(headers['content-type']).toBe(type);
  });

  test('CSV has the leaves of the selection as columns, also without rows', async () => {
    const fields = 'id ...Code @include(if: true) status @skip(if: true) valueQuantity { amount: value }';
    const head = 'id,code.text,code.coding.code,valueQuantity.amount,category,_next\r\n';
    const query = `query($id: [String!]) ${rows(`${fields} category { text id }`, '(_id: $id)')}
      fragment Code on Observation { code { text coding { code } } }`;
    const csv = async (id: string) =>
      (await received((await ask(query, { accept: 'text/csv', variables: { id } })).body)).text;
    expect(await csv('nobody')).toBe(head);
    expect(await csv('p0-1')).toBe(
      `${head}p0-1,"'=code, 1",c1,1.10,"[{""text"":""other"",""id"":null}]",\r\n`,
    );
  });

  test('CSV has the columns of every type that a reference may lead to, beside each other', async () => {
    const target = 'resource { __typename ... on Group { id name } ... on Patient { gender id } }';
    const query = rows(`code { text } subject { ${target} } code { coding { code } }`, '(_id: "p0-2")');
    const { text } = await received((await ask(query, { accept: 'text/csv' })).body);
    const columns = ['__typename', 'id', 'name', 'gender'].map((name) => `subject.resource.${name}`);
    expect(text).toBe(
      `code.text,code.coding.code,${columns.join(',')},_next\r\n` + `"'=code, 2",c2,Patient,p0,,male,\r\n`,
    );
  });

  test('CSV has the values of the one field that is selected in a list as text, at any depth', async () => {
    const query = rows('category { coding { code } } code { coding { display } }', '(_id: "p0-2")');
    const { text } = await received((await ask(query, { accept: 'text/csv' })).body);
    const head = 'category.coding.code,code.coding.display,_next\r\n';
    expect(text).toBe(`${head}vital-signs,Code c2,\r\n`);
  });

  test('GET with a URL, and exact decimals', async () => {
    const query = encodeURIComponent(rows('valueQuantity { value }', '(_id: "p0-1")'));
    const { body } = await request(`${gateway.baseUrl}/t/graphql?query=${query}`, {
      headers: { accept: NDJSON, authorization: 'Bearer half' },
    });
    expect(await body.text()).toBe('{"valueQuantity":{"value":1.10}}\n');
  });
});

describe('refusals', () => {
  const patient = (fields: string) => `{ Patient(id: "p0") { ${fields} } }`;
  const edges = '{ edges { resource { id } } }';
  test.each([
    ['no connection', '{ ObservationList(_count: 1) { id } }', 400],
    ['two connections', `{ ObservationConnection ${edges} ConditionConnection ${edges} }`, 400],
    [
      'a connection in a row',
      `{ PatientConnection { edges { resource { ObservationConnection ${edges} } } } }`,
      400,
    ],
    ['a connection and another field', patient(`id ObservationConnection ${edges}`), 400],
    ['a connection without rows', '{ ObservationConnection { next } }', 400],
    ['a connection in a fragment', `{ ...F } fragment F on Query { ObservationConnection ${edges} }`, 400],
    ['a mutation', `mutation { ObservationConnection ${edges} }`, 400],
    ['no GraphQL', '{ ObservationConnection', 400],
    ['an unknown field', rows('nothing'), 400],
    ['a foreign cursor', rows('id', '(_cursor: "x")'), 400],
    ['a negative count', rows('id', '(_count: -1)'), 400],
    ['too many fields in one row', rows(`ImagingStudyList(_count: 1000) { ${'id '.repeat(60)} }`), 400],
    ['another patient', patient(`ObservationConnection ${edges}`).replace('p0', 'p1'), 403],
  ])('%s: %s is refused before the stream', async (_what, query, status) => {
    const { statusCode, headers, body } = await ask(query);
    const { errors } = (await body.json()) as { errors: { message: string }[] };
    expect([statusCode, headers['content-type']]).toEqual([
      status,
      expect.stringContaining('application/json'),
    ]);
    expect(errors[0]!.message.length).toBeGreaterThan(10);
  });

  test.each<[what: string, query: string, variables?: object]>([
    ['no GraphQL', '{ ObservationConnection'],
    ['unknown field', `query ${rows('nothing')}`],
    ['unknown argument', rows('id', '(nothing: 1)')],
    ['value of a variable', `query($id: [String!]) ${rows('id', '(_id: $id)')}`, { id: [{}] }],
  ])('an error of the document is the same as in JSON: %s', async (_what, query, variables = {}) => {
    const told = await Promise.all(
      [NDJSON, 'text/csv', 'application/json'].map(async (accept) => {
        const { statusCode, body } = await ask(query, { accept, variables });
        return [statusCode, await body.json()];
      }),
    );
    expect(told[2]).toEqual([400, { errors: [expect.objectContaining({ locations: expect.any(Array) })] }]);
    expect(told.slice(0, 2)).toEqual([told[2], told[2]]);
  });

  test('a scope that does not cover the type', async () => {
    const { statusCode, body } = await ask(rows('id'), { token: 'patients' });
    expect([statusCode, await body.text()]).toEqual([403, expect.stringContaining('insufficient_scope')]);
  });
});

describe('an error after the first page breaks the transfer', () => {
  test('NDJSON has it in its last line', async () => {
    // The last Observation of a patient refers to an Encounter that is not there.
    const { statusCode, body } = await ask(rows('id encounter { resource { __typename } }', '(_count: 10)'));
    const { text, broken } = await received(body);
    expect(statusCode).toBe(200);
    expect(broken).toBeDefined();
    expect(parsed(text).at(-1)).toEqual({
      _error: expect.objectContaining({ code: 'not_found', message: expect.any(String) }),
    });
    await vi.waitFor(
      () =>
        expect(events.find(({ rows }) => rows !== undefined)?.outcome).toEqual({
          kind: 'denied',
          code: 'not_found',
        }),
      10_000,
    );
  });

  test('CSV ends without the end of its transfer', async () => {
    const query = rows('id encounter { resource { __typename } }', '(_count: 10)');
    const { broken } = await received((await ask(query, { accept: 'text/csv' })).body);
    expect(broken).toBeDefined();
  });

  test('a token that expires meanwhile ends the stream', async () => {
    const { statusCode, body } = await ask(rows('id', '(_count: 1)'));
    expect(statusCode).toBe(200);
    const later = Date.now() + 7_200_000;
    const clock = vi.spyOn(Date, 'now').mockReturnValue(later);
    const { text, broken } = await received(body);
    clock.mockRestore();
    expect(broken).toBeDefined();
    expect(parsed(text).at(-1)!._error).toMatchObject({ code: 'invalid_token' });
  });
});
