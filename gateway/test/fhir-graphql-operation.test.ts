/**
 * How `$graphql` is called and answers (FHIR R4 §3.2.0, "Invoking GraphQL" and "Error Handling"). What it rewrites stays
 * within the limits, scopes and names of the graph.
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { processorTime } from './setup/processor-time.ts';

let gateway: GatewayAlone;

beforeAll(async () => {
  gateway = await startGatewayAlone({});
});
afterAll(() => gateway.close());

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

async function ask(query: string, { path = '/open/fhir/$graphql', token = '' } = {}) {
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  return { status: response.status, text, ...(JSON.parse(text) as Result) };
}

const ofPatient = (selection: string) => `{ Patient(id: "p1") { ${selection} } }`;
const many = (count: number, text: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ');
/** References within references, each to any type: each level is tried on each type. */
const nested = (levels: number) =>
  `${'extension { valueReference { resource { id '.repeat(levels)} id ${'} } }'.repeat(levels)}`;

describe('FG-12 limits count what is executed', () => {
  test.each<[what: string, query: string, refusal: RegExp]>([
    ['nested selections on any resource', ofPatient(nested(12)), /too many fields of any type/],
    [
      'many selections on any resource',
      ofPatient(many(60, (i) => `a${i}: extension { valueReference { resource { active } } }`)),
      /too many fields of any type/,
    ],
    [
      'directives',
      ofPatient(many(101, (i) => `a${i}: name @flatten { family }`)),
      /more than 100 directives/,
    ],
    [
      'fields that @slice adds',
      ofPatient(
        many(90, (i) => `a${i}: name @slice(path: "period.start") { family given use text period { end } }`),
      ),
      /more than/,
    ],
    [
      'cost below @flatten',
      `{ PatientList(_count: 1000) @flatten { ${many(60, (i) => `a${i}: id`)} } }`,
      /could hold/,
    ],
    [
      'depth of resources of a type',
      ofPatient(`${'generalPractitioner { resource(type: Patient) { '.repeat(16)} id ${'} }'.repeat(16)}`),
      /more than 30 levels/,
    ],
  ])('%s', async (_what, query, refusal) => {
    const refused = async () => {
      const { status, errors } = await ask(query);
      expect(status).toBe(400);
      expect(errors?.[0]?.message).toMatch(refusal);
    };
    expect(await processorTime(refused)).toBeLessThan(10_000);
  });

  test('a document of as many tokens as are allowed is rewritten or refused quickly', async () => {
    const selection = many((DEFAULT_LIMITS.tokens - 20) / 2, (i) => `a${i}:id`.replace(':', ': '));
    for (const query of [
      ofPatient(`extension { valueReference { resource { ${selection} } } }`),
      ofPatient(`managingOrganization @slice(path: "display") { ${selection} }`),
    ]) {
      const refused = async () => expect((await ask(query)).status).toBe(400);
      expect(await processorTime(refused)).toBeLessThan(10_000);
    }
  });
});

test.each([
  ['a list that is flattened', ofPatient('ConditionList @flatten { id }')],
  ['an element by which is sliced', ofPatient('ConditionList @slice(path: "code.text") @flatten { id }')],
])('SM-6 a field that the scopes do not cover stays refused: %s', async (_what, query) => {
  const { status, data, errors } = await ask(query, { path: '/smart/fhir/$graphql', token: 'imaging-only' });
  expect(status).toBe(200);
  expect(JSON.stringify(data)).not.toMatch(/cough|c1/);
  expect(errors?.map(({ extensions }) => extensions['code'])).toContain('insufficient_scope');
  expect(JSON.stringify(errors)).not.toContain('slice0');
});

describe('names of JavaScript objects are only names', () => {
  test.each(['/open/graphql', '/open/fhir/$graphql'])('%s', async (path) => {
    for (const planned of ['', ' name(fhirpath: "true") { family }']) {
      const { text, errors } = await ask(
        ofPatient(`__proto__: id constructor: birthDate toString: id${planned}`),
        { path },
      );
      expect(errors).toBeUndefined();
      expect(text).toContain('"__proto__":"p1","constructor":"1970-01-01","toString":"p1"');
    }
  });

  test('with directives', async () => {
    const { text } = await ask(
      `{ __proto__: Patient(id: "p1") @flatten { __proto__: id valueOf: birthDate constructor: id @skip(if: true) } }`,
    );
    expect(text.trim()).toBe('{"data":{"__proto__":"p1","valueOf":"1970-01-01"}}');
  });
});

describe('FG-26 directives that cannot be applied are refused', () => {
  test.each([
    ['@flatten at a value', 'id @flatten', /@flatten is for fields/],
    [
      '@singleton of several values',
      'ConditionList @flatten { id @singleton } ImagingStudyList @flatten { id }',
      /id has @singleton and 2 values/,
    ],
    ['@flatten and @singleton', 'name @flatten @singleton { family }', /set @singleton at the fields in it/],
    ['twice', 'name @first @first { family }', /only once/],
    ['an argument of @first', 'name @first(count: 1) { family }', /no arguments/],
    ['@slice without a path', 'name @slice { family }', /one argument/],
    ['@slice by an unknown element', 'name @slice(path: "nothing") { family }', /cannot use/],
    [
      '@slice by an expression that is no FHIRPath',
      'name @slice(path: "given(") { family }',
      /is not FHIRPath/,
    ],
    [
      '@slice by a function that is not allowed',
      'name @slice(path: "given.resolve()") { family }',
      /calls resolve\(\), which is not allowed/,
    ],
    [
      '@slice by a comparison of elements',
      'name @slice(path: "given.first() = family") { family }',
      /compares elements with each other/,
    ],
    ['@slice by a union', 'name @slice(path: "given | family") { family }', /uses the operator \|/],
    [
      '@slice by all that an extension may be',
      'extension @slice(path: "extension.extension.value.exists()") { url }',
      /too many elements/,
    ],
    ['@slice by a list of resources', 'name @slice(path: "__typename") { family }', /cannot use/],
    ['@slice by a variable', 'name @slice(path: $path) { family }', /one argument/],
    ['at a fragment', '... @flatten { id }', /for fields only/],
    ['one name, different directives', 'name @first { family } name { given }', /different directives/],
  ])('%s', async (_what, selection, message) => {
    const { status, errors } = await ask(ofPatient(selection));
    expect({ status, errors }).toMatchObject({ status: 400, errors: [{}] });
    expect(errors![0]!.message).toMatch(message);
    expect(errors![0]!.extensions).toMatchObject({ resource: { resourceType: 'OperationOutcome' } });
  });
});

describe('Invoking GraphQL', () => {
  const query = '{ birthDate }';
  const post = (type: string, body: string, more: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': type, ...more },
  });
  const parameters = { resourceType: 'Parameters', parameter: [{ name: 'query', valueString: query }] };

  test.each<[form: string, init: RequestInit, search?: string]>([
    [
      'GET with a parameter',
      { headers: { authorization: 'Bearer x' } },
      `?query=${encodeURIComponent(query)}`,
    ],
    ['POST of the query', post('application/graphql', query)],
    ['POST of the query with a character set', post('application/graphql; charset=utf-8', query)],
    ['POST of JSON', post('application/json', JSON.stringify({ query }))],
    [
      'POST of JSON by a client that accepts FHIR',
      post('application/json', JSON.stringify({ query }), { accept: 'application/fhir+json' }),
    ],
    ['POST of Parameters', post('application/fhir+json', JSON.stringify(parameters))],
  ])('FG-11 %s', async (_form, init, search = '') => {
    for (const operation of ['$graphql', '%24graphql']) {
      const response = await fetch(`${gateway.url}/open/fhir/Patient/p1/${operation}${search}`, init);
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toEqual({ data: { birthDate: '1970-01-01' } });
    }
  });

  test.each([
    ['a type that there is not', '/open/fhir/Nothing/1/$graphql', '{ id }', 404],
    ['an unknown field', '/open/fhir/Patient/p1/$graphql', '{ nothing }', 400],
    ['a text that does not parse', '/open/fhir/$graphql', '{', 400],
    ['a mutation', '/open/fhir/$graphql', 'mutation { PatientDelete(id: "p1") }', 400],
    ['no token', '/smart/fhir/Observation/1/$graphql', '{ id }', 401],
  ])('FG-11 %s: a GraphQL error with an OperationOutcome', async (_what, path, query, status) => {
    const answer = await ask(query, { path });
    expect(answer.status).toBe(status);
    expect(answer.errors?.[0]).toMatchObject({
      message: expect.any(String) as unknown,
      extensions: { resource: { resourceType: 'OperationOutcome' } },
    });
  });

  test('FG-13 a persisted query whose document is rewritten is sent with its text each time', async () => {
    const query = '{ Patient(id: p1) { birthDate } }';
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    const send = async (body: object) => {
      const init = post('application/json', JSON.stringify({ extensions, ...body }));
      return (await fetch(`${gateway.url}/open/fhir/$graphql`, init)).json();
    };
    const data = { Patient: { birthDate: '1970-01-01' } };
    for (let i = 0; i < 2; i++) {
      expect(await send({})).toMatchObject({
        errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
      });
      expect(await send({ query })).toEqual({ data });
    }
  });
});
