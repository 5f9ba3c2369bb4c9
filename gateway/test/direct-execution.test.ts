/**
 * An operation has the same answer, whether it is executed directly on the resolvers of both subgraphs, by a plan of
 * the gateway, or by a stock ApolloGateway.
 */
import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import type { Operation } from '../../schema/fault/audit.ts';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { mrnOf, writePatients } from '../bench/data/large-patient.ts';
import { CompiledExecution } from '../federation/executor/compiled-execution.ts';
import { compiledExecution } from '../federation/executor/plugin.ts';
import { formatError } from '../federation/format-error.ts';
import { localDataSource } from '../federation/local-data-source.ts';
import { PlanningGateway } from '../federation/planning/planning-gateway.ts';
import type { GatewayContext } from '../federation/request-scope.ts';
import type { ServiceName } from '../federation/service-name.ts';
import { logger } from '../http/observe.ts';
import { patientDirectory } from '../joins/record-directory.ts';
import { recordStudies } from '../joins/record-studies.ts';
import { tenantsOf } from './gateway-alone.ts';
import { num, srFile } from './setup/sr-objects.ts';

const log = logger('silent');
const sdl = (name: string) => readFileSync(new URL(`../../schema/${name}.graphql`, import.meta.url), 'utf8');
let directory: string;
let tenant: Tenant;
/** The same tenant with a second archive, which does not answer. */
let halved: Tenant;
let clinical: ReturnType<typeof clinicalSubgraph>;
let imaging: ReturnType<typeof imagingSubgraph>;
let direct: ApolloServer<GatewayContext>;
let planned: ApolloServer<GatewayContext>;
let stockGateway: ApolloServer<GatewayContext>;
/** Fetches that plans have made. */
let fetches = 0;

beforeAll(async () => {
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
  directory = await mkdtemp(join(tmpdir(), 'direct-'));
  const data = await writePatients(directory, 2, 3);
  const contained = [{ resourceType: 'Patient', name: [{ family: 'Nobody' }] }];
  const odd = { resourceType: 'Condition', id: 'odd', contained, subject: { reference: 'Patient/p1' } };
  await writeFile(join(data.patients, 'odd.json'), JSON.stringify(odd));
  await writeFile(
    join(data.patients, 'studies.ndjson'),
    onlyInRecord.map((one) => JSON.stringify(one)).join('\n'),
  );
  const folder = { type: 'folder', path: data.images, lookup: 'studies-by-mrn' };
  const away = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup: 'studies-by-mrn' };
  const file = (images: object) => ({
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: data.patients },
    images,
  });
  [tenant, halved] = tenantsOf({ t: file(folder), u: file([folder, away]) }).all as [Tenant, Tenant];
  const supergraphSdl = sdl('supergraph');
  await writeFile(join(data.images, 'sr.dcm'), measurements);
  clinical = clinicalSubgraph({
    ...{ dataDir: directory, baseUrl: 'http://localhost', loadWait: 30_000 },
    studyImages: (...request) => imaging.studyImages(...request),
  });
  imaging = imagingSubgraph({
    ...{ baseUrl: 'http://localhost', dataDir: directory, now: () => Date.now() / 1000, log: log as never },
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
    recordStudies: recordStudies((tenant, access) => clinical.open(tenant, access), clinical.mayHold),
  });
  const subgraphs = { clinical, imaging };
  const counted = (name: ServiceName): GraphQLDataSource<GatewayContext> => {
    const source = localDataSource(name, subgraphs[name]);
    return { process: (options) => (fetches++, source.process(options)) };
  };
  const services = { clinical: counted('clinical'), imaging: counted('imaging') };
  const gateway = () => new PlanningGateway({ supergraphSdl, apiSdl: sdl('api'), services });
  direct = new ApolloServer({
    gateway: gateway(),
    formatError,
    plugins: [compiledExecution(new CompiledExecution(subgraphs, 50_000))],
  });
  planned = new ApolloServer({ gateway: gateway(), formatError });
  stockGateway = new ApolloServer({
    formatError,
    gateway: new ApolloGateway({
      ...{ supergraphSdl, logger: log },
      buildService: ({ name }) => services[name as ServiceName],
    }),
  });
  await Promise.all([direct.start(), planned.start(), stockGateway.start()]);
  const studies = () => answerOf(direct, '{ Patient(id: "p1") { ImagingStudyList { id } } }', 'patient/*.rs');
  await vi.waitFor(async () => expect((await studies()).result).not.toContain('indexed'), 30_000);
}, 60_000);
afterAll(async () => {
  await Promise.all([direct?.stop(), planned?.stop(), stockGateway?.stop()]);
  await Promise.all([clinical?.close(), imaging?.close()]);
  await rm(directory, { recursive: true, force: true });
});

function accessOf(scope: string, patient = 1): Access {
  const id = `p${patient}`;
  const identifier = [{ value: mrnOf(patient), type: { coding: [{ code: 'MR' }] } }];
  return {
    ...{ tenant: 't', permissions: parseScopes(scope), expires: Date.now() / 1000 + 60 },
    patients: [{ id, identity: { id, identifier, birthDate: '1970-01-01' } }],
  };
}

/** Returns the answer, the audit records, and the number of fetches that a plan made. */
async function answerOf(server: ApolloServer<GatewayContext>, query: string, scope: string, of = tenant) {
  const recorded = new Set<string>();
  const before = fetches;
  const response = await server.executeOperation(
    { query, variables: { id: 'p1', wide: true } },
    {
      contextValue: {
        scope: {
          ...{ tenant: of, access: accessOf(scope), log, fhir: false, cores: new Map() },
          ...{ signal: new AbortController().signal, budget: new AnswerBudget(50_000) },
          audit: (operation: Operation) => void recorded.add(JSON.stringify(operation)),
        },
      },
    },
  );
  const result = response.body.kind === 'single' ? response.body.singleResult : undefined;
  return { result: JSON.stringify(result), recorded: [...recorded].sort(), fetches: fetches - before };
}

/** Studies that only the record has, with their reports. */
const onlyInRecord = ['2001', '2000'].flatMap((started, index) => [
  {
    ...{ resourceType: 'ImagingStudy', id: `only-${index}`, status: 'available', started },
    ...{ subject: { reference: 'Patient/p1' }, modality: [{ code: 'CT' }] },
  },
  {
    ...{ resourceType: 'DiagnosticReport', id: `of-only-${index}`, status: 'final', code: { text: 'CT' } },
    ...{ subject: { reference: 'Patient/p1' }, imagingStudy: [{ reference: `ImagingStudy/only-${index}` }] },
  },
]);

/** A report in the newest study of `p1`. */
const measurements = srFile({
  ...{ studyUid: '1.2.3.1.10', patientId: mrnOf(1), title: 'DCM 126000 Imaging Measurement Report' },
  children: [num('SCT 81827009 Diameter', '12.50', 'UCUM mm millimeter')],
});

const FIELDS = 'id started description subject { reference } series { uid modality { code } description }';

describe.each<[what: string, query: string, scope: string, isDirect: boolean]>([
  [
    'a patient, lists and studies',
    `query ($id: ID!) { Patient(id: $id) { __typename id birthDate name { family given }
      ConditionList { id code { text } } ObservationList(_count: 2) { id valueQuantity { value unit } }
      ImagingStudyList { ${FIELDS} } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'studies alone',
    `{ ImagingStudyList(_count: 2) { ${FIELDS} contained { __typename } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'aliases, fragments and conditions',
    `query ($id: ID!, $wide: Boolean!) { one: Patient(id: $id) { ...P } two: Patient(id: $id) { id } }
     fragment P on Patient { b: birthDate @include(if: $wide) id @skip(if: $wide)
       few: ImagingStudyList(_count: 1) { id } all: ImagingStudyConnection(_count: 3) { count edges { resource { id } } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'instances with their facts',
    '{ ImagingStudyList(_count: 1) { series { rows numberOfFrames wadoUrl instance { uid title transferSyntax } } } }',
    'patient/*.rs',
    true,
  ],
  [
    'studies with what belongs to them, and back',
    `{ ImagingStudyList(_count: 2) { id sameAccession { id } ProcedureList { id } ObservationList { id }
      EncounterList { id ImagingStudyList { id } } } ObservationList(_count: 3) { id ImagingStudyList { id } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'a timeline with the keys of studies, and a trend',
    `query ($id: ID!) { Patient(id: $id) {
      timeline(_count: 4) { pagesize next missing { type code message } entries { kind date end title
        resource { __typename ... on Condition { id } } observations { id } studies { id } } }
      trend(code: ["8480-6", "29463-7"]) { series { unit points { id date value text flag } } events { kind date } } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'a timeline with studies',
    '{ Patient(id: "p1") { timeline { entries { kind studies { id started series { uid } } } } } }',
    'patient/*.rs',
    true,
  ],
  [
    'a timeline of types, one of which the scopes do not cover',
    '{ Patient(id: "p1") { timeline { missing { type code message } entries { kind title } } } }',
    'patient/Condition.rs',
    true,
  ],
  [
    'priors, measurements and dose',
    `{ ImagingStudyList(_count: 2) { id priors(_count: 2) { id started } dose { report }
       measurements { id code { text } valueQuantity { value code } derivedFrom { reference } } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'priors of a study that only the record has',
    '{ ImagingStudy(id: "only-0") { status priors { id } } DiagnosticReport(id: "of-only-0") { priors { id } } }',
    'patient/*.rs',
    true,
  ],
  ['priors of reports', '{ DiagnosticReportList(_count: 2) { id priors { id } } }', 'patient/*.rs', true],
  ['another patient', '{ Patient(id: "p2") { id ImagingStudyList { id } } }', 'patient/*.rs', true],
  [
    'fields that the scopes do not cover',
    '{ Patient(id: "p1") { id birthDate ImagingStudyList { id } } }',
    'patient/ImagingStudy.rs',
    true,
  ],
  [
    'reports of studies, which are joined by other fields',
    '{ ImagingStudyList(_count: 1) { id DiagnosticReportList { id } } }',
    'patient/*.rs',
    true,
  ],
  [
    'targets of references',
    '{ ImagingStudyList(_count: 1) { subject { resource { ... on Patient { birthDate } } } } }',
    'patient/*.rs',
    true,
  ],
  [
    'parts that an expression chooses',
    `{ Patient(id: "p1") { id name(fhirpath: "family = 'One'") { family } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'resources and studies that an expression chooses',
    `{ Patient(id: "p1") { ConditionList(fhirpath: "code.text.exists()", _count: 1) { id }
       ImagingStudyList(fhirpath: "series.modality.code = 'SR' or series.count() > 3", _count: 1) { id }
       ImagingStudyConnection(fhirpath: "series.count() > 3", _count: 2) { count edges { resource { id } } } } }`,
    'patient/*.rs',
    true,
  ],
  [
    'a list with an invalid expression',
    '{ Patient(id: "p1") { id name(fhirpath: "given(") { family } } }',
    'patient/*.rs',
    true,
  ],
])('%s', (_what, query, scope, isDirect) => {
  test(isDirect ? 'is executed directly' : 'is planned', async () => {
    const stock = await answerOf(stockGateway, query, scope);
    expect(stock.fetches).toBeGreaterThan(0);
    expect(await answerOf(planned, query, scope)).toEqual(stock);
    expect(stock.result?.includes('"errors"')).toBe(
      /^(another patient|fields that|a list with|a timeline of types)/.test(_what),
    );
    for (let time = 0; time < 2; time++) {
      const { result, recorded, fetches } = await answerOf(direct, query, scope);
      expect(JSON.parse(result!)).toEqual(JSON.parse(stock.result!));
      expect(result).toBe(stock.result);
      expect(recorded).toEqual(stock.recorded);
      expect(fetches > 0).toBe(!isDirect);
    }
  });
});

test('DW-18 gives a study, and an error for the archive that did not answer', async () => {
  const { result } = await answerOf(stockGateway, '{ ImagingStudyList(_count: 1) { id } }', 'patient/*.rs');
  const [{ id }] = (JSON.parse(result!) as { data: { ImagingStudyList: [{ id: string }] } }).data
    .ImagingStudyList;
  const query = `{ ImagingStudy(id: "${id}") { id numberOfInstances } }`;
  const stock = await answerOf(stockGateway, query, 'patient/*.rs', halved);
  expect(JSON.parse(stock.result!)).toMatchObject({ data: { ImagingStudy: { id } }, errors: [{}] });
  expect((await answerOf(direct, query, 'patient/*.rs', halved)).result).toBe(stock.result);
});

test('IA-7 a contained Patient without an id has no images', async () => {
  const query = `{ Condition(id: "odd") { contained { __typename ... on Patient { name { family } ImagingStudyList { id } } } } }`;
  const stock = await answerOf(stockGateway, query, 'patient/*.rs');
  const { result } = await answerOf(direct, query, 'patient/*.rs');
  expect(result).toContain('Nobody');
  expect(result).not.toMatch(/"ImagingStudyList":\[\{/);
  expect(result).toBe(stock.result);
});
