/** Timelines and trends as fields of the graph: what one request may ask for, and how errors are given. */
import { graphql, type GraphQLError } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { accessOf, startClinical } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let many: Tenant;

beforeAll(async () => {
  clinical = await startClinical();
  const patients = Array.from({ length: 12 }, (_, index) => ({ resourceType: 'Patient', id: `p${index}` }));
  many = await clinical.tenantOver(patients.map((patient) => JSON.stringify(patient)).join('\n'));
});
afterAll(() => clinical.end());

async function ask(source: string, { tenant = clinical.tenant, scope = 'system/*.rs' } = {}) {
  const partial: GraphQLError[] = [];
  const contextValue = { clinical: clinical.subgraph.open(tenant, accessOf(scope)), partial };
  const { data, errors = [] } = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
  return { data: JSON.parse(JSON.stringify(data)) as Record<string, never>, errors, partial };
}

it('FG-17, FG-19 gives entries and points by their types', async () => {
  const { data, errors, partial } = await ask(`{ Patient(id: "ana") {
    timeline(types: [Encounter, Observation], from: "2020", to: "2021-03") {
      pagesize next missing { type } entries { kind date title observations { id } resource { __typename } } }
    trend(code: ["2339-0"]) { series { code { code } unit points { id value text converted } } events { kind } } } }`);
  expect([errors, partial]).toEqual([[], []]);
  expect(data['Patient']).toEqual({
    timeline: {
      pagesize: 20,
      next: null,
      missing: [],
      entries: [
        {
          kind: 'laboratory',
          date: '2021-03-04T10:30:00+02:00',
          title: 'Glucose',
          observations: [{ id: 'glucose' }],
          resource: null,
        },
        {
          kind: 'encounter',
          date: '2020-03-01T08:00:00Z',
          title: 'AMB',
          observations: null,
          resource: { __typename: 'Encounter' },
        },
      ],
    },
    trend: {
      series: [
        {
          code: { code: '2339-0' },
          unit: 'mmol/L',
          points: [{ id: 'glucose', value: 5.4, text: '5.4 mmol/l', converted: false }],
        },
      ],
      events: [],
    },
  });
});

it('FG-10 a type that is missing is an error of the field, with the service', async () => {
  const source =
    '{ Patient(id: "ana") { timeline(types: [Condition, Encounter]) { missing { type code } } } }';
  const { data, partial } = await ask(source, { scope: 'system/Condition.rs system/Patient.rs' });
  expect(data['Patient']).toEqual({
    timeline: { missing: [{ type: 'Encounter', code: 'insufficient_scope' }] },
  });
  expect(partial.map(({ path, extensions }) => [path, extensions])).toMatchObject([
    [['Patient', 'timeline'], { code: 'insufficient_scope', service: 'clinical' }],
  ]);
});

it('FG-12 one request has the timelines of few patients', async () => {
  const source = '{ PatientList { id timeline(_count: 1) { next } trend(code: ["1"]) { series { unit } } } }';
  const { errors } = await ask(source, { tenant: many });
  // Two of twelve, with two fields each.
  expect(errors.map(({ extensions }) => extensions['code'])).toEqual(Array(4).fill('too_large'));
});
