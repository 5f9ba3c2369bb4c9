/**
 * An operation has the same answer, whether it is compiled to functions over the resolvers of both subgraphs, executed by
 * a plan of the gateway, or by a stock ApolloGateway.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { mrnOf, writePatients } from '../../bench/data/large-patient.ts';
import { num, srFile } from '../setup/sr-objects.ts';
import { executorServers, wholeAndHalved, type Asked, type ExecutorServers } from './servers.ts';

let directory: string;
let tenant: Tenant;
/** The same tenant with a second archive, which does not answer. */
let halved: Tenant;
let servers: ExecutorServers;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'compiled-'));
  const data = await writePatients(directory, { count: 2, resources: 3 });
  const contained = [{ resourceType: 'Patient', name: [{ family: 'Nobody' }] }];
  const odd = { resourceType: 'Condition', id: 'odd', contained, subject: { reference: 'Patient/p1' } };
  await writeFile(join(data.patients, 'odd.json'), JSON.stringify(odd));
  await writeFile(
    join(data.patients, 'studies.ndjson'),
    onlyInRecord.map((one) => JSON.stringify(one)).join('\n'),
  );
  await writeFile(join(data.images, 'sr.dcm'), measurements);
  [tenant, halved] = wholeAndHalved(data);
  servers = await executorServers(directory);
  const studies = asked('{ Patient(id: "p1") { ImagingStudyList { id } } }');
  await vi.waitFor(async () => expect((await servers.compiled(studies)).errors).toEqual([]), 30_000);
}, 60_000);
afterAll(async () => {
  await servers?.close();
  await rm(directory, { recursive: true, force: true });
});

function accessOf(scope: string, patient = 1): Access {
  const id = `p${patient}`;
  const identifier = [{ value: mrnOf(patient), type: { coding: [{ code: 'MR' }] } }];
  return {
    tenant: 't',
    permissions: parseScopes(scope),
    expires: Date.now() / 1000 + 60,
    patients: [{ id, identity: { id, identifier, birthDate: '1970-01-01' } }],
  };
}

function asked(query: string, scope = 'patient/*.rs', of = tenant): Asked {
  return { query, variables: { id: 'p1', wide: true }, access: accessOf(scope), tenant: of };
}

/** Studies that only the record has, with their reports. */
const onlyInRecord = ['2001', '2000'].flatMap((started, index) => [
  {
    resourceType: 'ImagingStudy',
    id: `only-${index}`,
    status: 'available',
    started,
    subject: { reference: 'Patient/p1' },
    modality: [{ code: 'CT' }],
  },
  {
    resourceType: 'DiagnosticReport',
    id: `of-only-${index}`,
    status: 'final',
    code: { text: 'CT' },
    subject: { reference: 'Patient/p1' },
    imagingStudy: [{ reference: `ImagingStudy/only-${index}` }],
  },
]);

/** A report in the newest study of `p1`. */
const measurements = srFile({
  studyUid: '1.2.3.1.10',
  patientId: mrnOf(1),
  title: 'DCM 126000 Imaging Measurement Report',
  children: [num('SCT 81827009 Diameter', '12.50', 'UCUM mm millimeter')],
});

const FIELDS = 'id started description subject { reference } series { uid modality { code } description }';

describe.each<[what: string, query: string, scope: string]>([
  [
    'a patient, lists and studies',
    `query ($id: ID!) { Patient(id: $id) { __typename id birthDate name { family given }
      ConditionList { id code { text } } ObservationList(_count: 2) { id valueQuantity { value unit } }
      ImagingStudyList { ${FIELDS} } } }`,
    'patient/*.rs',
  ],
  ['studies alone', `{ ImagingStudyList(_count: 2) { ${FIELDS} contained { __typename } } }`, 'patient/*.rs'],
  [
    'aliases, fragments and conditions',
    `query ($id: ID!, $wide: Boolean!) { one: Patient(id: $id) { ...P } two: Patient(id: $id) { id } }
     fragment P on Patient { b: birthDate @include(if: $wide) id @skip(if: $wide)
       few: ImagingStudyList(_count: 1) { id } all: ImagingStudyConnection(_count: 3) { count edges { resource { id } } } }`,
    'patient/*.rs',
  ],
  [
    'instances with their facts',
    '{ ImagingStudyList(_count: 1) { series { rows numberOfFrames wadoUrl instance { uid title transferSyntax } } } }',
    'patient/*.rs',
  ],
  [
    'studies with what belongs to them, and back',
    `{ ImagingStudyList(_count: 2) { id sameAccession { id } ProcedureList { id } ObservationList { id }
      EncounterList { id ImagingStudyList { id } } } ObservationList(_count: 3) { id ImagingStudyList { id } } }`,
    'patient/*.rs',
  ],
  [
    'a timeline with the keys of studies, and a trend',
    `query ($id: ID!) { Patient(id: $id) {
      timeline(_count: 4) { pagesize next missing { type code message } entries { kind date end title
        resource { __typename ... on Condition { id } } observations { id } studies { id } } }
      trend(code: ["8480-6", "29463-7"]) { series { unit points { id date value text flag } } events { kind date } } } }`,
    'patient/*.rs',
  ],
  [
    'a timeline with studies',
    '{ Patient(id: "p1") { timeline { entries { kind studies { id started series { uid } } } } } }',
    'patient/*.rs',
  ],
  [
    'a timeline of types, one of which the scopes do not cover',
    '{ Patient(id: "p1") { timeline { missing { type code message } entries { kind title } } } }',
    'patient/Condition.rs',
  ],
  [
    'priors, measurements and dose',
    `{ ImagingStudyList(_count: 2) { id priors(_count: 2) { id started } dose { report }
       measurements { id code { text } valueQuantity { value code } derivedFrom { reference } } } }`,
    'patient/*.rs',
  ],
  [
    'priors of a study that only the record has',
    '{ ImagingStudy(id: "only-0") { status priors { id } } DiagnosticReport(id: "of-only-0") { priors { id } } }',
    'patient/*.rs',
  ],
  ['priors of reports', '{ DiagnosticReportList(_count: 2) { id priors { id } } }', 'patient/*.rs'],
  ['another patient', '{ Patient(id: "p2") { id ImagingStudyList { id } } }', 'patient/*.rs'],
  [
    'fields that the scopes do not cover',
    '{ Patient(id: "p1") { id birthDate ImagingStudyList { id } } }',
    'patient/ImagingStudy.rs',
  ],
  [
    'reports of studies, which are joined by other fields',
    '{ ImagingStudyList(_count: 1) { id DiagnosticReportList { id } } }',
    'patient/*.rs',
  ],
  [
    'targets of references',
    '{ ImagingStudyList(_count: 1) { subject { resource { ... on Patient { birthDate } } } } }',
    'patient/*.rs',
  ],
  [
    'parts that an expression chooses',
    `{ Patient(id: "p1") { id name(fhirpath: "family = 'One'") { family } } }`,
    'patient/*.rs',
  ],
  [
    'resources and studies that an expression chooses',
    `{ Patient(id: "p1") { ConditionList(fhirpath: "code.text.exists()", _count: 1) { id }
       ImagingStudyList(fhirpath: "series.modality.code = 'SR' or series.count() > 3", _count: 1) { id }
       ImagingStudyConnection(fhirpath: "series.count() > 3", _count: 2) { count edges { resource { id } } } } }`,
    'patient/*.rs',
  ],
  [
    'a list with an invalid expression',
    '{ Patient(id: "p1") { id name(fhirpath: "given(") { family } } }',
    'patient/*.rs',
  ],
])('%s', (_what, query, scope) => {
  test('has the same answer as that of a plan, without a plan', async () => {
    const stock = await servers.stock(asked(query, scope));
    expect(stock.fetches).toBeGreaterThan(0);
    expect(await servers.planned(asked(query, scope))).toEqual(stock);
    expect(stock.errors.length > 0).toBe(
      /^(another patient|fields that|a list with|a timeline of types)/.test(_what),
    );
    for (let time = 0; time < 2; time++)
      expect(await servers.compiled(asked(query, scope))).toEqual({ ...stock, fetches: 0 });
  });
});

test('DW-18 gives a study, and an error for the archive that did not answer', async () => {
  const first = await servers.stock(asked('{ ImagingStudyList(_count: 1) { id } }'));
  const [{ id }] = (JSON.parse(first.data) as { ImagingStudyList: [{ id: string }] }).ImagingStudyList;
  const study = asked(`{ ImagingStudy(id: "${id}") { id numberOfInstances } }`, 'patient/*.rs', halved);
  const stock = await servers.stock(study);
  expect(JSON.parse(stock.data)).toMatchObject({ ImagingStudy: { id } });
  expect(stock.errors).toHaveLength(1);
  expect(await servers.compiled(study)).toEqual({ ...stock, fetches: 0 });
});

test('IA-7 a contained Patient without an id has no images', async () => {
  const patient = asked(
    `{ Condition(id: "odd") { contained { __typename ... on Patient { name { family } ImagingStudyList { id } } } } }`,
  );
  const stock = await servers.stock(patient);
  const compiled = await servers.compiled(patient);
  expect(compiled.data).toContain('Nobody');
  expect(compiled.data).not.toMatch(/"ImagingStudyList":\[\{/);
  expect(compiled).toEqual({ ...stock, fetches: 0 });
});
