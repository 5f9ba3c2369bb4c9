/**
 * A value is understood before anyone is asked: one that cannot be read is refused with the same text by every way in, over
 * a store and over an EHR that ignores all parameters and says that it applied them.
 */
import type { FastifyInstance } from 'fastify';
import type { Bundle, OperationOutcome, Resource } from 'fhir/r4.js';
import { graphql } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { argumentName } from '../../../schema/fhir/tables.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { startLaxEhr, type LaxEhr } from './lax-ehr.ts';
import { operationsApp } from './operations-app.ts';
import { records } from './records.ts';
import { accessOf, startClinical, tenantOf } from './servers.ts';

type Row = [kind: string, type: string, name: string, value: string];

const ROWS: Row[] = [
  ['date', 'Observation', 'date', '2024-02-30'],
  ['date of another century', 'Observation', 'date', 'xx2024'],
  ['date with a prefix', 'Observation', 'date', 'ge2024-13'],
  ['one date of several', 'Observation', 'date', '2024,soon'],
  ['date', 'Patient', 'birthdate', '1980-02-30'],
  ['date', 'Condition', 'onset-date', 'yesterday'],
  ['_lastUpdated', 'Condition', '_lastUpdated', 'ge2024-02-30'],
  ['number', 'RiskAssessment', 'probability', 'high'],
  ['quantity', 'Observation', 'value-quantity', 'abc'],
  ['quantity with a unit', 'Observation', 'value-quantity', 'ge|http://unitsofmeasure.org|mg'],
  ['quantity of too many parts', 'Observation', 'value-quantity', '5|a|b|c'],
  ['token', 'Condition', 'code', '|'],
  ['token', 'Patient', 'identifier', '|'],
  ['reference', 'Condition', 'encounter', 'no reference'],
  ['reference', 'Condition', 'encounter', 'Encounter/'],
  ['composite', 'Observation', 'code-value-date', '1$2024-02-30'],
  ['composite without its part', 'Observation', 'code-value-quantity', '8480-6'],
  ['composite', 'Observation', 'code-value-quantity', '8480-6$high'],
  ['special', 'Location', 'near', 'here'],
  ['no value', 'Condition', 'code', ','],
  [':missing', 'Patient', 'name:missing', 'maybe'],
  [':missing', 'Observation', 'date:missing', 'true,false'],
  [':not', 'Condition', 'code:not', '|'],
  [':of-type', 'Patient', 'identifier:of-type', 'MR|1'],
  [':identifier', 'Condition', 'encounter:identifier', '|'],
  ['a modifier that the type does not have', 'Observation', 'date:exact', '2024-02-30'],
  ['a modifier that nobody has', 'Patient', 'name:sounds', 'Ana'],
  ['chain', 'Observation', 'patient.birthdate', '1980-02-30'],
  ['typed chain', 'Condition', 'subject:Patient.birthdate', 'soon'],
  ['chain of two', 'Observation', 'encounter.patient.birthdate', 'soon'],
  ['chain with a modifier', 'Condition', 'patient.name:missing', 'maybe'],
  ['_has', 'Patient', '_has:Observation:patient:date', '2024-02-30'],
  ['_has without its parts', 'Patient', '_has:Observation', 'x'],
  ['_list', 'Condition', '_list', '$current-problems'],
  ['_filter', 'Condition', '_filter', 'onset-date gt'],
  ['_count', 'Condition', '_count', 'many'],
  ['_count', 'Condition', '_count', '-1'],
  ['_offset', 'Condition', '_offset', 'x'],
  ['_total', 'Condition', '_total', 'most'],
  ['_summary', 'Condition', '_summary', 'short'],
  ['_elements', 'Condition', '_elements', ','],
  ['_cursor', 'Condition', '_cursor', 'x'],
  ['_include', 'Condition', '_include', 'x y'],
  ['a modifier of a result parameter', 'Condition', '_count:exact', '1'],
];

/** The scopes of the next requests of FHIR REST. */
let scope = 'system/*.rs';
let clinical: Awaited<ReturnType<typeof startClinical>>;
let ehr: LaxEhr;
const tenants: Record<'store' | 'ehr', Tenant> = {} as never;
const apps: Record<'store' | 'ehr', FastifyInstance> = {} as never;

beforeAll(async () => {
  clinical = await startClinical();
  const places: Resource[] = [{ resourceType: 'Location', id: 'ward' } as Resource];
  ehr = await startLaxEhr([...records, ...places], { self: 'asked', strict: 'ignores' });
  tenants.store = clinical.tenant;
  tenants.ehr = tenantOf({ type: 'fhir', baseUrl: ehr.base });
  for (const source of ['store', 'ehr'] as const)
    apps[source] = operationsApp(clinical.subgraph, tenants[source], () => accessOf(scope)).app;
});
afterAll(async () => {
  await Promise.all(Object.values(apps).map((app) => app.close()));
  await ehr.end();
  await clinical.end();
});
beforeEach(() => {
  ehr.reset();
  scope = 'system/*.rs';
});

interface Refusal {
  status: number;
  text: string | undefined;
}

const refusalOf = (status: number, outcome: unknown): Refusal => ({
  status,
  text: (outcome as OperationOutcome).issue?.[0]?.diagnostics,
});

/** The ways of FHIR REST. */
const WAYS: Record<string, (app: FastifyInstance, row: Row) => Promise<Refusal>> = {
  GET: async (app, [, type, name, value]) => {
    const query = new URLSearchParams({ [name]: value }).toString();
    const answer = await app.inject({ url: `/test/fhir/${type}?${query}` });
    return refusalOf(answer.statusCode, answer.json());
  },
  'POST _search': async (app, [, type, name, value]) => {
    const answer = await app.inject({
      method: 'POST',
      url: `/test/fhir/${type}/_search`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ [name]: value }).toString(),
    });
    return refusalOf(answer.statusCode, answer.json());
  },
  batch: async (app, [, type, name, value]) => {
    const url = `${type}?${new URLSearchParams({ [name]: value }).toString()}`;
    const payload = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url } }] };
    const answer = await app.inject({ method: 'POST', url: '/test/fhir', payload });
    const [entry] = answer.json<Bundle>().entry!;
    return refusalOf(
      Number.parseInt(entry!.response!.status, 10),
      entry!.response!.outcome ?? entry!.resource,
    );
  },
};

describe.each(Object.entries(WAYS))('FG-20 FHIR REST by %s refuses with the same text', (_way, ask) => {
  it.each(ROWS)('%s: %s?%s=%s', async (...row) => {
    ehr.behaviour.ignores = [row[2]];
    const [store, other] = [await ask(apps.store, row), await ask(apps.ehr, row)];
    expect(other).toEqual(row[0] === 'special' ? { status: 400, text: expect.any(String) } : store);
    expect(other.status).toBe(400);
    expect(ehr.requests).toEqual([]);
  });
});

/** Rows that GraphQL can say: its schema types the result parameters. */
const ARGUMENTS = ROWS.filter(
  ([kind, , name]) =>
    (!/^_(?!lastUpdated|has|list|filter)|:/.test(name) || name.startsWith('_has')) && kind !== 'special',
);

const argumentOf = ([, , name, value]: Row): string => {
  if (name.startsWith('_has')) return `_has: [${JSON.stringify(`${name.slice(5)}=${value}`)}]`;
  if (name.includes('.')) return `_chain: [${JSON.stringify(`${name}=${value}`)}]`;
  return `${argumentName(name)}: [${JSON.stringify(value)}]`;
};

const FIELDS: Record<string, (row: Row) => string> = {
  list: (row) => `{ ${row[1]}List(${argumentOf(row)}) { id } }`,
  connection: (row) => `{ ${row[1]}Connection(${argumentOf(row)}) { count edges { resource { id } } } }`,
  'nested list': (row) =>
    row[1] === 'Patient'
      ? `{ PatientList(${argumentOf(row)}) { id } }`
      : `{ Patient(id: "ana") { ${row[1]}List(_reference: patient, ${argumentOf(row)}) { id } } }`,
};

async function refusalOfQuery(
  source: string,
  tenant: Tenant,
): Promise<{ code: unknown; text: string } | undefined> {
  const contextValue = { clinical: clinical.subgraph.open(tenant, accessOf('system/*.rs')) };
  const { errors } = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
  return errors && { code: errors[0]!.extensions['code'], text: errors[0]!.message };
}

describe.each(Object.entries(FIELDS))('FG-20 a GraphQL %s refuses with the same text', (_name, source) => {
  it.each(ARGUMENTS)('%s: %s?%s=%s', async (...row) => {
    ehr.behaviour.ignores = [row[2]];
    const store = await refusalOfQuery(source(row), tenants.store);
    const other = await refusalOfQuery(source(row), tenants.ehr);
    expect(store).toBeDefined();
    // An EHR that cannot search by it at all is named first.
    if (/^_(has|list|filter)/.test(row[2])) expect(other).toBeDefined();
    else expect(other).toEqual(store);
    expect(ehr.requests.filter((path) => path.includes('?'))).toEqual([]);
  });

  it('one bound of a range', async () => {
    ehr.behaviour.ignores = ['date'];
    const row: Row = ['', 'Observation', 'date', ''];
    const query = source(row).replace('date: [""]', 'date: ["ge2024-02-30", "lt2025"]');
    const [store, other] = [
      await refusalOfQuery(query, tenants.store),
      await refusalOfQuery(query, tenants.ehr),
    ];
    expect(store?.code).toBe('invalid_request');
    expect(other).toEqual(store);
  });
});

describe('FG-20 operations', () => {
  it.each([
    'Observation/$lastn?patient=ana&category=laboratory&date=2024-02-30',
    'Observation/$lastn?patient=ana&category=laboratory&value-quantity=abc',
    'Observation/$lastn?patient=ana&category=laboratory&max=some',
    'Patient/ana/Condition?onset-date=2024-02-30',
    'Patient/ana/$everything?start=2024-02-30',
    'Patient/ana/$everything?_since=soon',
    'Patient/ana/_history?_since=soon',
    'Patient/ana/_history?_count=few',
  ])('%s', async (url) => {
    ehr.behaviour.ignores = ['date', 'value-quantity', 'onset-date'];
    const [store, other] = await Promise.all(
      (['store', 'ehr'] as const).map(async (source) => {
        const answer = await apps[source].inject({ url: `/test/fhir/${url}` });
        return refusalOf(answer.statusCode, answer.json());
      }),
    );
    expect(other).toEqual(store);
    expect(other!.status).toBe(400);
    expect(ehr.requests).toEqual([]);
  });
});

it.each(['date=2024-02-30', 'value-quantity=abc', 'code=|', 'date:missing=maybe'])(
  'SM-5 a granular scope that cannot be read covers nothing: %s',
  async (query) => {
    scope = `system/Observation.rs?${query}`;
    ehr.behaviour.ignores = ['date', 'value-quantity', 'code', 'date:missing'];
    const answers = await Promise.all(
      Object.values(apps).map((app) => app.inject({ url: '/test/fhir/Observation?status=final' })),
    );
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([403, 403]);
    expect(ehr.requests).toEqual([]);
  },
);

it.each([
  ['_has:Observation:patient:code', '1234-5'],
  ['_has:DiagnosticReport:patient:result:Observation.encounter:Encounter.date', '2024'],
  ['_list', '42'],
  ['_filter', 'gender eq female'],
])('%s, which no EHR is asked for, is named, and no other name is said to be near', async (name, value) => {
  const query = new URLSearchParams({ [name]: value }).toString();
  const ask = (headers: Record<string, string>) =>
    apps.ehr.inject({ url: `/test/fhir/Patient?${query}`, headers });
  const lenient = await ask({});
  const strict = await ask({ prefer: 'handling=strict' });
  expect(strict.statusCode).toBe(400);
  for (const { body } of [lenient, strict]) {
    expect(body).toContain(name.split(':')[0]);
    expect(body).not.toContain('nearest');
  }
});
