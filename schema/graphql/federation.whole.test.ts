import { readFileSync } from 'node:fs';
import { ApolloGateway, LocalGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLDataSourceProcessOptions } from '@apollo/gateway';
import { parse } from 'graphql';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { withoutSecurityPurpose } from '../../gateway/test/setup/security-purpose.ts';

/** The committed supergraph over the committed subgraphs, with a few resolvers. */

const sdl = (name: string) => readFileSync(new URL(`../${name}.graphql`, import.meta.url), 'utf8');

/** Keys that the query plan passes to an entity resolver. */
type Keys = Record<string, unknown>;
let carried: Keys[] = [];
let fetches: string[] = [];

const byId = (type: string) => ({
  __resolveReference: ({ id }: Keys) => ({ __typename: type, id, resourceType: type }),
});
const joinKeys = { _patientId: 'p1', _accessionNumbers: ['A1'], _studyUids: ['1.2.3'] };
const report = { __typename: 'DiagnosticReport', id: 'r1', imagingStudy: [{}], ...joinKeys };

const clinical = {
  Query: {
    Patient: (_: unknown, { id }: Keys) => ({ id, gender: 'female' }),
    DiagnosticReport: () => report,
    ServiceRequest: () => ({ id: 's1', ...joinKeys }),
  },
  Patient: { ...byId('Patient'), ConditionList: () => [{ id: 'c1' }], name: () => [{ family: 'Lin' }] },
  Reference: { resource: () => ({ __typename: 'ImagingStudy', id: '1.2.3' }) },
  ImagingStudy: {
    DiagnosticReportList: (keys: Keys) => (carried.push(keys), [report]),
    ServiceRequestList: (keys: Keys) => (carried.push(keys), [{ id: 's1', ...joinKeys }]),
  },
};

const study = {
  id: '1.2.3',
  _patientId: 'p1',
  _accessionNumbers: ['A1'],
  subject: {},
  series: [{ uid: '1.2.3.4' }],
};
const imaging = {
  Query: { ImagingStudyList: () => [study] },
  Patient: { ImagingStudyList: () => [study] },
  DiagnosticReport: { ImagingStudyList: (keys: Keys) => (carried.push(keys), [study]) },
  ServiceRequest: { ImagingStudyList: (keys: Keys) => (carried.push(keys), [study]) },
  ImagingStudy: { __resolveReference: () => study },
  Reference: { resource: () => ({ __typename: 'Patient', id: 'p1' }) },
};

class Counted extends LocalGraphQLDataSource {
  name = '';
  override process(options: GraphQLDataSourceProcessOptions) {
    fetches.push(this.name);
    return super.process(options);
  }
}

let server: ApolloServer;

beforeAll(async () => {
  vi.stubEnv('APOLLO_TELEMETRY_DISABLED', 'true');
  const schemas = {
    clinical: buildSubgraphSchema([{ typeDefs: parse(sdl('clinical')), resolvers: clinical }]),
    imaging: buildSubgraphSchema([{ typeDefs: parse(sdl('imaging')), resolvers: imaging }]),
  };
  const gateway = new ApolloGateway({
    supergraphSdl: withoutSecurityPurpose(sdl('supergraph')),
    buildService: ({ name }) => Object.assign(new Counted(schemas[name as keyof typeof schemas]), { name }),
  });
  server = new ApolloServer({ gateway });
  await server.start();
});

afterAll(() => server.stop());

beforeEach(() => {
  [carried, fetches] = [[], []];
});

const bothKeys = { _patientId: 'p1', _accessionNumbers: ['A1'] };

test.each([
  {
    what: 'a patient with conditions and studies',
    query:
      '{ Patient(id: "p1") { gender name(use: official) { family } ConditionList(_reference: patient) { id } ImagingStudyList { series { uid } } } }',
    data: {
      Patient: {
        gender: 'female',
        name: [{ family: 'Lin' }],
        ConditionList: [{ id: 'c1' }],
        ImagingStudyList: [{ series: [{ uid: '1.2.3.4' }] }],
      },
    },
    fetches: ['clinical', 'imaging'],
  },
  {
    what: "FG-9: a study's reports and orders",
    query: '{ ImagingStudyList(patient: "p1") { DiagnosticReportList { id } ServiceRequestList { id } } }',
    data: {
      ImagingStudyList: [{ DiagnosticReportList: [{ id: 'r1' }], ServiceRequestList: [{ id: 's1' }] }],
    },
    fetches: ['imaging', 'clinical'],
    keys: [bothKeys, bothKeys],
  },
  {
    what: "FG-9: a report's studies, by join and by reference",
    query:
      '{ DiagnosticReport(id: "r1") { ImagingStudyList { id } imagingStudy { resource { ... on ImagingStudy { series { uid } } } } } }',
    data: {
      DiagnosticReport: {
        ImagingStudyList: [{ id: '1.2.3' }],
        imagingStudy: [{ resource: { series: [{ uid: '1.2.3.4' }] } }],
      },
    },
    fetches: ['clinical', 'imaging', 'imaging'],
    keys: [joinKeys],
  },
  {
    what: "FG-9: an order's studies",
    query: '{ ServiceRequest(id: "s1") { ImagingStudyList { id } } }',
    data: { ServiceRequest: { ImagingStudyList: [{ id: '1.2.3' }] } },
    fetches: ['clinical', 'imaging'],
    keys: [joinKeys],
  },
  {
    what: 'FG-3: the reference of a study to its patient',
    query: '{ ImagingStudyList { subject { resource(type: Patient) { ... on Patient { resourceType } } } } }',
    data: { ImagingStudyList: [{ subject: { resource: { resourceType: 'Patient' } } }] },
    fetches: ['imaging', 'clinical'],
  },
  {
    what: 'a report with its studies, and the reports of those studies',
    query: '{ DiagnosticReport(id: "r1") { ImagingStudyList { DiagnosticReportList { id } } } }',
    data: { DiagnosticReport: { ImagingStudyList: [{ DiagnosticReportList: [{ id: 'r1' }] }] } },
    fetches: ['clinical', 'imaging', 'clinical'],
    keys: [joinKeys, bothKeys],
  },
])('$what', async ({ query, data, fetches: expected, keys = [] }) => {
  const response = await server.executeOperation({ query });
  expect(response.body).toEqual({ kind: 'single', singleResult: { data, errors: undefined } });
  expect(fetches).toEqual(expected);
  expect(carried).toHaveLength(keys.length);
  keys.forEach((key, i) => expect(carried[i]).toMatchObject(key));
});

test.each(['_patientId', '_accessionNumbers', '_studyUids'])(
  'refuses the field %s to clients',
  async (field) => {
    const response = await server.executeOperation({ query: `{ DiagnosticReport(id: "r1") { ${field} } }` });
    const message = expect.stringContaining(`Cannot query field "${field}"`);
    expect(response.body).toMatchObject({ singleResult: { errors: [{ message }] } });
  },
);
