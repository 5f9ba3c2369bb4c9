/** Lists and connections below a page of patients: how many requests they are, and that their pages are right. */
import type { ExecutionResult } from 'graphql';
import { graphql } from 'graphql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

const PATIENTS = 30;
/** Conditions of patient 0, 1, 2, …: none of every third. */
const conditionsOf = (patient: number) => [0, 3, 5][patient % 3]!;

const id = (number: number) => String(number).padStart(3, '0');
const records = Array.from({ length: PATIENTS }, (_, patient) => [
  { resourceType: 'Patient', id: `p${id(patient)}` },
  ...Array.from({ length: conditionsOf(patient) }, (_, number) => ({
    resourceType: 'Condition',
    id: `c${id(patient)}-${number}`,
    onsetDateTime: `20${10 + number}-01-01`,
    subject: { reference: `Patient/p${id(patient)}` },
  })),
]).flat();

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let store: Tenant;
let remote: Tenant;

beforeAll(async () => {
  clinical = await startClinical();
  store = await clinical.tenantOver(records.map((record) => JSON.stringify(record)).join('\n'));
  server = await startFhirServer(clinical.subgraph, store);
  remote = tenantOf({ type: 'fhir', baseUrl: server.base });
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});
beforeEach(() => void (server.requests.length = 0));

// The assertions check the type.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function ask(source: string, tenant = remote): Promise<Record<string, any>> {
  const { subgraph } = clinical;
  const contextValue = { clinical: subgraph.open(tenant, accessOf('system/*.rs')) };
  const result: ExecutionResult = await graphql({ schema: subgraph.schema, source, contextValue });
  expect(result.errors).toBeUndefined();
  return JSON.parse(JSON.stringify(result.data)) as never;
}

const requestsFor = (type: string) => server.requests.filter((path) => path.startsWith(`/${type}?`));
/** Cursors are those of each source. */
const withoutCursors = (data: object): unknown =>
  JSON.parse(JSON.stringify(data), (name, value: unknown) =>
    ['first', 'previous', 'next', 'last'].includes(name) ? typeof value : value,
  );
const PAGE = 'count offset pagesize first previous next last edges { resource { id } }';

describe('FG-6 a page of patients', () => {
  it.each([
    'ConditionList { id }',
    'ConditionList(_count: 2, _offset: 1) { id }',
    'ConditionConnection { edges { resource { id } } }',
    `ConditionConnection(_count: 2) { ${PAGE} }`,
    `ConditionConnection(_count: 2, _offset: 2, _sort: ["-onset_date"]) { ${PAGE} }`,
    'ConditionConnection(_filter: "onset-date ge 2011 and onset-date lt 2013") { count edges { resource { id } } }',
    'a: ConditionConnection(_count: 1) { next } b: ConditionConnection(_count: 1) { count }',
  ])('%s is one search of a server, with the answers of the store', async (field) => {
    const query = `{ PatientList(_sort: ["_id"]) { id ${field} } }`;
    const found = await ask(query);
    expect(requestsFor('Condition')).toHaveLength(1);
    expect(requestsFor('Patient')).toHaveLength(1);
    expect(found['PatientList']).toHaveLength(PATIENTS);
    expect(withoutCursors(found)).toEqual(withoutCursors(await ask(query, store)));
  });

  it('cursors of a batched page lead through the whole list of each patient', async () => {
    const query = (cursor = '') => `{ PatientConnection { edges { resource { id ConditionConnection(
      _sort: ["onset_date"], _count: 2 ${cursor}) { next edges { resource { id } } } } } } }`;
    type Connection = { next: string | null; edges: { resource: { id: string } }[] };
    const pages = async (cursor?: string): Promise<Connection[]> =>
      (await ask(query(cursor)))['PatientConnection'].edges.map(
        ({ resource }: { resource: { ConditionConnection: Connection } }) => resource.ConditionConnection,
      );
    const first = await pages();
    const nexts = new Set(first.flatMap(({ next }) => next ?? []));
    expect(nexts.size).toBe(1);
    const second = await pages(`, _cursor: "${[...nexts][0]}"`);
    expect(first[2]!.edges.map(({ resource }) => resource.id)).toEqual(['c002-0', 'c002-1']);
    expect(second[2]!.edges.map(({ resource }) => resource.id)).toEqual(['c002-2', 'c002-3']);
    expect(second[1]!.edges.map(({ resource }) => resource.id)).toEqual(['c001-2']);
    expect([second[2]!.next === null, second[1]!.next]).toEqual([false, null]);
  });

  it('a total is asked for only where it is selected', async () => {
    const one = (selection: string) =>
      ask(`{ Patient(id: "p001") { ConditionConnection { ${selection} } } }`);
    await one('next edges { resource { id } }');
    expect(requestsFor('Condition').filter((path) => path.includes('_total'))).toEqual([]);
    await ask('{ ConditionConnection { next } }');
    expect(requestsFor('Condition').filter((path) => path.includes('_total'))).toEqual([]);
    await ask(`{ Patient(id: "p001") { ConditionConnection { ...Counted } } }
      fragment Counted on ConditionConnection { ... on ConditionConnection { count } }`);
    expect(requestsFor('Condition').filter((path) => path.includes('_total=accurate'))).toHaveLength(1);
    await ask('{ ConditionConnection { last } }');
    expect(requestsFor('Condition').filter((path) => path.includes('_total=accurate'))).toHaveLength(2);
  });
});
