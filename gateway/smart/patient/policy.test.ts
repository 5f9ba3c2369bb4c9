import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { outboundConnections } from '../../outbound/connections.ts';
import { authorizationServer, type AuthorizationServer } from '../../test/authorization-server.ts';
import { authorizer, type Authorizer } from '../authorize.ts';
import { grantsOf } from './policy.ts';

let ehr: AuthorizationServer;
let auth: Authorizer;
let clock: number;
let url: string;
let answer: { status: number; body: string } | 'down';
let questions: unknown[];

/** A decision service. */
const service = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => (text += chunk.toString()));
  request.on('end', () => {
    questions.push([request.method, request.headers['content-type'], JSON.parse(text)]);
    if (answer === 'down') return void response.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
});

beforeAll(async () => {
  ehr = await authorizationServer();
  ehr.now = () => clock;
  await new Promise<void>((done) => service.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/decide`;
});
afterAll(async () => {
  await ehr.close();
  await new Promise((done) => service.close(done));
});
beforeEach(() => {
  clock = Date.now();
  questions = [];
  answer = { status: 200, body: JSON.stringify({ rows: [{ patients: ['p1'], studies: ['1.2'] }] }) };
  ehr.tokens.clear();
  for (const token of ['a', 'b']) {
    ehr.tokens.set(token, { scope: 'system/*.rs', client_id: `client-${token}`, exp: clock / 1000 + 3600 });
  }
  ehr.tokens.set('nameless', { scope: 'system/*.rs', exp: clock / 1000 + 3600 });
  ehr.tokens.set('launched', { scope: 'patient/*.rs', patient: 'p7', exp: clock / 1000 + 3600 });
  auth = authorizer({ dispatcher: () => undefined, now: () => clock, baseUrl: 'https://img.example.org' });
});

async function ask(token: string, more: object = {}, dynamic = false) {
  const { tenant } = parseTenant(
    {
      authorization: {
        type: 'smart-on-fhir',
        fhirBaseUrl: ehr.fhirBaseUrl,
        client: ehr.client,
        modes: ['backend-services'],
        policy: { url },
        ...more,
      },
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1/' },
    },
    { key: 't', path: 't', dynamic, directory: '/', environment: {} },
  );
  return auth.authorize(tenant, token);
}
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  );

describe('IA-8 policy as a decision service', () => {
  test('gets the client and the tenant, and decides patients and studies', async () => {
    expect((await ask('a')).patients).toEqual([{ id: 'p1', studies: ['1.2'] }]);
    expect(questions).toEqual([['POST', 'application/json', { client_id: 'client-a', tenant: 't' }]]);
  });

  test('is asked once in half a minute for each client', async () => {
    await Promise.all([ask('a'), ask('a'), ask('b')]);
    expect(questions).toHaveLength(2);
    clock += 29_000;
    await ask('a');
    expect(questions).toHaveLength(2);
  });

  test('a change takes effect within a minute, however long the token is kept', async () => {
    await ask('a', { introspectionTtl: 3600 });
    answer = { status: 200, body: '{"rows":[]}' };
    clock += 60_001;
    expect((await ask('a', { introspectionTtl: 3600 })).patients).toEqual([]);
  });

  test('a token without a client reaches no patient, and the service is not asked', async () => {
    expect((await ask('nameless')).patients).toEqual([]);
    expect(questions).toEqual([]);
  });

  test('is not asked for App Launch', async () => {
    const { patients } = await ask('launched', { modes: ['app-launch', 'backend-services'] });
    expect(patients).toEqual([{ id: 'p7' }]);
    expect(questions).toEqual([]);
  });

  test.each<[string, typeof answer, string]>([
    ['down', 'down', 'unavailable'],
    ['failing', { status: 500, body: '{}' }, 'unavailable'],
    ['busy', { status: 429, body: '{}' }, 'unavailable'],
    ['refusing', { status: 403, body: '{"rows":[{"patients":["p1"]}]}' }, 'bad_gateway'],
    ['redirecting', { status: 302, body: '' }, 'unavailable'],
    ['answer is not JSON', { status: 200, body: '<html>' }, 'bad_gateway'],
    ['no rows', { status: 200, body: '{}' }, 'bad_gateway'],
    ['a list', { status: 200, body: '[{"patients":["p1"]}]' }, 'bad_gateway'],
    ['invalid rows', { status: 200, body: '{"rows":["p1"]}' }, 'bad_gateway'],
    ['patients as text', { status: 200, body: '{"rows":[{"patients":"p1"}]}' }, 'bad_gateway'],
    ['an invalid patient id', { status: 200, body: '{"rows":[{"patients":["*"]}]}' }, 'bad_gateway'],
    ['an unknown key', { status: 200, body: '{"rows":[{"patients":["p1"],"study":["1"]}]}' }, 'bad_gateway'],
    [
      'a study as a URN',
      { status: 200, body: '{"rows":[{"patients":["p1"],"studies":["urn:oid:1.2"]}]}' },
      'bad_gateway',
    ],
    ['an error beside the rows', { status: 200, body: '{"rows":[],"error":"down"}' }, 'bad_gateway'],
    [
      'studies as null',
      { status: 200, body: '{"rows":[{"patients":["p1"],"studies":null}]}' },
      'bad_gateway',
    ],
  ])('IA-9 fails closed: %s → %s', async (_what, said, expected) => {
    answer = said;
    expect(await code(ask('a'))).toBe(expected);
  });

  test.each<[string, typeof answer]>([
    ['down', 'down'],
    ['without a decision', { status: 200, body: '{}' }],
  ])(
    'a service that is %s is asked about a client once in a second, for all its tokens',
    async (_what, said) => {
      answer = said;
      await code(ask('a'));
      const asked = questions.length;
      for (const token of ['a2', 'a3']) {
        ehr.tokens.set(token, { scope: 'system/*.rs', client_id: 'client-a', exp: clock / 1000 + 3600 });
        expect(await code(ask(token))).toMatch(/^(unavailable|bad_gateway)$/);
      }
      expect(questions).toHaveLength(asked);
    },
  );

  test('an outage is forgotten within a second', async () => {
    answer = 'down';
    expect(await code(ask('a'))).toBe('unavailable');
    answer = { status: 200, body: '{"rows":[]}' };
    clock += 1001;
    expect(await code(ask('a'))).toBe('allowed');
  });

  test('SM-15 a dynamic tenant’s service is called through the guard', async () => {
    const dynamicHosts = new Set([new URL(ehr.url).host]);
    const { dispatcher } = outboundConnections({ dynamicHosts, log: console });
    auth = authorizer({ dispatcher, now: () => clock, baseUrl: 'https://img.example.org' });
    expect(await code(ask('a', {}, true))).toBe('not_implemented');
    expect(questions).toEqual([]);
  });
});

test.each([
  [[], []],
  [[{ patients: ['a'], studies: [] }], [{ id: 'a', studies: [] }]],
  [
    [{ patients: ['a'], studies: ['1'] }, { patients: ['a', 'b'] }],
    [{ id: 'a' }, { id: 'b' }],
  ],
  [[{ patients: ['a'] }, { patients: ['a'], studies: ['1'] }], [{ id: 'a' }]],
  [
    [
      { patients: ['a'], studies: ['1'] },
      { patients: ['a'], studies: ['2'] },
    ],
    [{ id: 'a', studies: ['1', '2'] }],
  ],
])('rows %j give %j', (rows, grants) => {
  expect(grantsOf(rows)).toEqual(grants);
});

test('grants a study once that many rows name; refuses too many pairs of patients and studies', () => {
  const row = { patients: ['a', 'a'], studies: ['1', '2', '1'] };
  expect(grantsOf(Array(1_000).fill(row))).toEqual([{ id: 'a', studies: ['1', '2'] }]);
  const many = (prefix: string) => Array.from({ length: 400 }, (_, index) => `${prefix}${index}`);
  const refusal = { code: 'bad_gateway', message: expect.stringContaining('more than 100000') };
  expect(() => grantsOf([{ patients: many('p'), studies: many('1.') }])).toThrow(
    expect.objectContaining(refusal),
  );
});
