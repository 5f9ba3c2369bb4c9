/** GraphQL of the clinical subgraph, executed as the gateway executes it. */
import type { ExecutionResult } from 'graphql';
import { graphql } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { studies } from '../test/records.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;

beforeAll(async () => {
  clinical = await startClinical();
  server = await startFhirServer(clinical.subgraph, clinical.tenant);
});
afterAll(async () => {
  await server.end();
  await clinical.end();
});

interface Caller {
  scope?: string;
  patients?: readonly string[] | 'all';
  tenant?: Tenant;
}

async function ask(source: string, { scope = 'patient/*.rs', patients = 'all', tenant }: Caller = {}) {
  const { subgraph } = clinical;
  const result: ExecutionResult = await graphql({
    schema: subgraph.schema,
    source,
    contextValue: { clinical: subgraph.open(tenant ?? clinical.tenant, accessOf(scope, patients)) },
  });
  // Plain objects, as they are sent.
  return JSON.parse(JSON.stringify(result)) as {
    // The assertions check the type.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    data: Record<string, any>;
    errors?: { message: string; path: (string | number)[]; extensions: Record<string, unknown> }[];
  };
}

async function dataOf(source: string, caller?: Caller) {
  const { data, errors } = await ask(source, caller);
  expect(errors).toBeUndefined();
  return data;
}

describe('FHIR in GraphQL', () => {
  const fields: [selection: string, value: unknown][] = [
    ['name(use: official) { family }', { name: [{ family: 'Núñez' }] }],
    ['name(use: "nickname") { given }', { name: [{ given: ['Ani'] }] }],
    ['name(_count: 1) { use }', { name: [{ use: 'official' }] }],
    ['name(_offset: 1) { use }', { name: [{ use: 'nickname' }] }],
    ['name(_offset: 5) { use }', { name: [] }],
    ['name(fhirpath: "family.exists()") { use }', { name: [{ use: 'official' }] }],
    ['name(fhirpath: "given.count() = 1", _count: 1) { use }', { name: [{ use: 'nickname' }] }],
    ['telecom(system: phone) { value }', { telecom: [{ value: '555-1' }] }],
    ['identifier(system: "urn:mrn") { value }', { identifier: [{ value: 'MRN-1' }] }],
    ['identifier(system: "urn:other") { value }', { identifier: [] }],
    [
      'birthDate _birthDate { extension { url valueDateTime } }',
      {
        birthDate: '1980-05-02',
        _birthDate: { extension: [{ url: 'urn:time', valueDateTime: '1980-05-02T04:00:00Z' }] },
      },
    ],
    ['active gender maritalStatus { text }', { active: true, gender: 'female', maritalStatus: null }],
    [
      'resourceType meta { versionId lastUpdated }',
      { resourceType: 'Patient', meta: { versionId: '3', lastUpdated: '2026-02-01T10:00:00Z' } },
    ],
    [
      'generalPractitioner { resource { ... on Practitioner { name { family } } } }',
      { generalPractitioner: [{ resource: { name: [{ family: 'House' }] } }] },
    ],
    [
      'generalPractitioner { resource(type: Organization) { __typename } }',
      { generalPractitioner: [{ resource: null }] },
    ],
  ];
  it.each(fields)('FG-3, FG-4 Patient { %s }', async (selection, value) => {
    expect(await dataOf(`{ Patient(id: "ana") { ${selection} } }`)).toEqual({ Patient: value });
  });

  it.each([
    [
      'FG-4 returns a choice by its JSON name',
      'Observation(id: "glucose") { valueQuantity { value unit } valueString }',
      { valueQuantity: { value: 5.4, unit: 'mmol/l' }, valueString: null },
    ],
    [
      'FG-3 returns a contained resource',
      'Condition(id: "asthma") { asserter { resource { ... on Practitioner { id name { family } } } } contained { __typename } }',
      {
        asserter: { resource: { id: 'inside', name: [{ family: 'Within' }] } },
        contained: [{ __typename: 'Practitioner' }],
      },
    ],
    [
      'FG-3 returns a reverse list by its only parameter',
      'Encounter(id: "visit") { ConditionList { id } }',
      { ConditionList: [{ id: 'asthma' }] },
    ],
    [
      'FG-16 returns a reverse list by _reference',
      'Patient(id: "ana") { ObservationList(_reference: performer) { id } }',
      { ObservationList: [{ id: 'by-ana-about-bob' }, { id: 'nobodys' }] },
    ],
    [
      'FG-3 returns a reverse list with search parameters',
      'Patient(id: "ana") { ConditionList(clinical_status: ["active"]) { id } }',
      { ConditionList: [{ id: 'asthma' }] },
    ],
    [
      'returns a reverse list with a count',
      'Patient(id: "ana") { ObservationList(_sort: ["-date"], _count: 1) { id } }',
      { ObservationList: [{ id: 'weight' }] },
    ],
  ])('%s', async (_what, source, value) => {
    expect(Object.values(await dataOf(`{ ${source} }`))[0]).toEqual(value);
  });

  it.each([
    ['PatientList(name: ["nun"], _sort: ["birthdate"]) { id }', ['bob', 'ana']],
    ['PatientList(gender: ["female", "male"]) { id }', ['ana', 'bob']],
    ['ObservationList(value_quantity: ["gt5||kg"]) { id }', ['weight']],
    ['ObservationList(_filter: "date ge 2021-03-01 and date lt 2021-04-01") { id }', ['glucose']],
    ['PatientList(_filter: "name co \\"aria\\"") { id }', ['ana']],
    ['PatientList(_filter: "gender ne male") { id }', ['ana']],
    ['PatientList(_filter: "gender eq male or name co \\"aria\\"") { id }', ['ana', 'bob']],
    ['ObservationList(code_value_quantity: ["2339-0$5.4"]) { id }', ['glucose']],
    ['ConditionList(_sort: ["_id"], _count: 1, _offset: 1) { id }', ['bobs']],
  ])('FG-2 %s', async (source, ids) => {
    const [list] = Object.values(await dataOf(`{ ${source} }`));
    expect(list.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  it('FG-2 cursors lead through all pages of a connection', async () => {
    const page = async (args: string) =>
      (
        await dataOf(
          `{ ConditionConnection(_sort: ["_id"], _count: 3 ${args}) { count offset pagesize first previous next last edges { mode resource { id } } } }`,
        )
      )['ConditionConnection'];
    const ids = ({ edges }: { edges: { resource: { id: string } }[] }) =>
      edges.map(({ resource }) => resource.id);
    const first = await page('');
    expect(first).toMatchObject({ count: 4, offset: 0, pagesize: 3, previous: null });
    expect(ids(first)).toEqual(['asthma', 'bobs', 'elsewhere']);
    const second = await page(`_cursor: "${first.next}"`);
    expect(second).toMatchObject({ count: 4, offset: 3, next: null });
    expect(ids(second)).toEqual(['flu']);
    expect(ids(await page(`_cursor: "${first.last}"`))).toEqual(['flu']);
    expect(ids(await page(`_cursor: "${second.previous}"`))).toEqual(ids(first));
  });

  const refusals: [source: string, caller: Caller, code: string][] = [
    ['{ Patient(id: "bob") { id } }', { patients: ['ana'] }, 'forbidden'],
    ['{ Condition(id: "bobs") { id } }', { patients: ['ana'] }, 'not_found'],
    ['{ ConditionList { id } }', { scope: 'patient/Observation.rs' }, 'insufficient_scope'],
    [
      '{ Patient(id: "ana") { RiskAssessmentList { id } } }',
      { scope: 'patient/Patient.rs' },
      'insufficient_scope',
    ],
    ['{ Patient(id: "ana") { ProvenanceList { id } ListList { id } } }', { patients: ['ana'] }, 'forbidden'],
    ['{ Practitioner(id: "dr") { EncounterList { id } } }', {}, 'invalid_request'],
    ['{ ObservationList(date: ["soon"]) { id } }', {}, 'invalid_request'],
    ['{ ObservationList(_count: -1) { id } }', {}, 'invalid_request'],
    ['{ ObservationConnection(_cursor: "!") { count } }', {}, 'invalid_request'],
    // Arguments of the schema that a store does not support: ignoring them would return too many resources.
    ['{ LocationList(near: ["40|3"]) { id } }', {}, 'unsupported_parameter'],
    ['{ LocationConnection(near: ["40|3"]) { count } }', {}, 'unsupported_parameter'],
    ['{ ObservationList(_sort: ["colour"]) { id } }', {}, 'unsupported_parameter'],
    ['{ PatientList(_filter: "name eq \\"\\\\x\\"") { id } }', {}, 'invalid_request'],
    ['{ PatientList(_filter: "name re \\"x\\" or 1") { id } }', {}, 'invalid_request'],
    ['{ Patient(id: "ana") { name(fhirpath: "matches(") { use } } }', {}, 'invalid_request'],
    [
      '{ Patient(id: "ana") { name(fhirpath: "family.matches(\'(a+)+$\')") { use } } }',
      {},
      'invalid_request',
    ],
    ['{ Patient(id: "ana") { name(_count: -1) { use } } }', {}, 'invalid_request'],
    ['{ Condition(id: "elsewhere") { subject { resource { __typename } } } }', {}, 'not_found'],
  ];
  it.each(refusals)('%s as %j: %s', async (source, caller, code) => {
    const { errors } = await ask(source, caller);
    expect(errors?.map(({ extensions }) => extensions['code'])).toContain(code);
    expect(errors?.[0]?.extensions['status']).toBeTypeOf('number');
  });

  it('FG-2 refuses a list that is too long, says how to page, and never truncates it silently', async () => {
    const ids = Array.from({ length: 1_001 }, (_, index) => `o${index}`);
    const lines = ids.map((id) => {
      const subject = { reference: 'Patient/p' };
      return JSON.stringify({ resourceType: 'Observation', id, subject, valueQuantity: { value: 1.5 } });
    });
    const tenant = await clinical.tenantOver([...lines, '{"resourceType":"Patient","id":"p"}'].join('\n'));
    for (const source of ['{ ObservationList { id } }', '{ Patient(id: "p") { ObservationList { id } } }']) {
      const { errors } = await ask(source, { tenant });
      expect(errors?.[0]).toMatchObject({ extensions: { code: 'too_large', status: 413 } });
      expect(errors?.[0]?.message).toContain('ObservationConnection');
    }
    const data = await dataOf(
      '{ ObservationList(_count: 1000) { id } Patient(id: "p") { ObservationList(_offset: 1) { id } } }',
      { tenant },
    );
    expect([data['ObservationList'].length, data['Patient'].ObservationList.length]).toEqual([1_000, 1_000]);
  });

  describe.each(['store', 'EHR'])('FG-2, FG-20 over a %s', (source) => {
    it.each([
      'ObservationList(_count: 1001) { id }',
      'ObservationList(_count: 10000, fhirpath: "true") { id }',
      'ObservationConnection(_count: 10000) { edges { resource { id } } }',
      'ObservationConnection(_count: 10000) { count }',
      'Patient(id: "ana") { ObservationList(_count: 1001) { id } }',
      'Patient(id: "ana") { ObservationConnection(_count: 1001) { next } }',
      'PatientList { ObservationList(_count: 1001) { id } }',
      'DiagnosticReportList { priors(_count: 1001) { id } }',
    ])('refuses a page that is larger than any, and says how to read on: %s', async (fields) => {
      const tenant = source === 'EHR' ? tenantOf({ type: 'fhir', baseUrl: server.base }) : clinical.tenant;
      const { errors } = await ask(`{ ${fields} }`, { tenant });
      expect(errors?.[0]).toMatchObject({ extensions: { code: 'invalid_request', status: 400 } });
      const { message } = errors![0]!;
      for (const word of ['1000', 'next', 'Connection', 'application/x-ndjson'])
        expect(message).toContain(word);
    });

    it('gives the largest page', async () => {
      const tenant = source === 'EHR' ? tenantOf({ type: 'fhir', baseUrl: server.base }) : clinical.tenant;
      const data = await dataOf('{ ConditionConnection(_count: 1000) { pagesize next } }', { tenant });
      expect(data['ConditionConnection']).toEqual({ pagesize: 1000, next: null });
    });
  });

  it('FG-3 optional gives no error for a reference that cannot be resolved', async () => {
    expect(
      await dataOf('{ Condition(id: "elsewhere") { subject { resource(optional: true) { __typename } } } }'),
    ).toEqual({ Condition: { subject: { resource: null } } });
  });
});

describe('patients whose record cannot be read', () => {
  const source = '{ Patient(id: "ana") { id birthDate name { family } ConditionList { id } } }';

  it('SM-6 without Patient.r the patient has only the id and its lists', async () => {
    const { data, errors } = await ask(source, { scope: 'patient/Condition.rs', patients: ['ana'] });
    expect(data['Patient']).toEqual({
      id: 'ana',
      birthDate: null,
      name: null,
      ConditionList: [{ id: 'asthma' }, { id: 'flu' }],
    });
    expect(errors?.map(({ path, extensions }) => [path.at(-1), extensions['code']])).toEqual([
      ['birthDate', 'insufficient_scope'],
      ['name', 'insufficient_scope'],
    ]);
  });

  it.each([
    ['the EHR does not answer', { type: 'fhir', baseUrl: 'http://127.0.0.1:9' }, 'unavailable'],
    ['there is no record', { type: 'none' }, 'not_implemented'],
  ] as const)(
    'FG-10 when %s, the id is returned and each clinical field has an error',
    async (_what, config, code) => {
      const { data, errors } = await ask(source, { patients: ['ana'], tenant: tenantOf(config) });
      expect(data).toEqual({ Patient: { id: 'ana', birthDate: null, name: null, ConditionList: null } });
      expect(errors).toHaveLength(3);
      for (const { extensions } of errors ?? [])
        expect(extensions).toMatchObject({ code, service: 'clinical' });
    },
  );

  it('FG-10 another patient is still refused', async () => {
    const { errors } = await ask('{ Patient(id: "bob") { id } }', {
      patients: ['ana'],
      tenant: tenantOf({ type: 'none' }),
    });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'forbidden', status: 403 });
  });
});

describe('federation', () => {
  const entities = (representations: string, selection: string, caller?: Caller) =>
    ask(`{ _entities(representations: [${representations}]) { ${selection} } }`, caller);

  it('resolves entities in one batch', async () => {
    server.requests.length = 0;
    const { data } = await entities(
      '{ __typename: "Condition", id: "asthma" }, { __typename: "Condition", id: "flu" }',
      '... on Condition { id code { text } }',
      { tenant: tenantOf({ type: 'fhir', baseUrl: server.base }) },
    );
    expect(data['_entities']).toEqual([
      { id: 'asthma', code: { text: 'Asthma' } },
      { id: 'flu', code: { text: 'Grippe' } },
    ]);
    expect(server.requests).toHaveLength(1);
  });

  it('FG-9 reports and orders have the keys of their studies', async () => {
    const data = await dataOf(
      '{ DiagnosticReportList { id _patientId _accessionNumbers _studyUids } ServiceRequest(id: "order") { _patientId _accessionNumbers _studyUids } }',
    );
    expect(data['DiagnosticReportList']).toEqual([
      { id: 'report-uid', _patientId: 'ana', _accessionNumbers: [], _studyUids: [studies.byUid] },
      { id: 'report-ehr-study', _patientId: 'ana', _accessionNumbers: [], _studyUids: [studies.byEhrStudy] },
      { id: 'report-order', _patientId: 'ana', _accessionNumbers: ['ACC-3'], _studyUids: [] },
    ]);
    expect(data['ServiceRequest']).toEqual({
      _patientId: 'ana',
      _accessionNumbers: ['ACC-3'],
      _studyUids: [],
    });
  });

  const study = (id: string, patient = 'ana', accession = '') =>
    `{ __typename: "ImagingStudy", id: "${id}", _patientId: "${patient}", _accessionNumbers: [${accession}] }`;
  const joins: [what: string, representation: string, reports: string[], orders: string[]][] = [
    ['by Study Instance UID', study(studies.byUid), ['report-uid'], []],
    ['by the ImagingStudy of the EHR', study(studies.byEhrStudy), ['report-ehr-study'], []],
    ['by accession number', study(studies.byAccession, 'ana', '"ACC-3"'), ['report-order'], ['order']],
    ['when no resource names the study: none', study('1.2.3'), [], []],
    ['of another patient with the same accession number: none', study('1.2.3', 'bob', '"ACC-3"'), [], []],
  ];
  it.each(joins)('FG-9 finds reports and orders %s', async (_what, representation, reports, orders) => {
    const { data, errors } = await entities(
      representation,
      '... on ImagingStudy { DiagnosticReportList { id } ServiceRequestList { id } }',
      { patients: ['ana', 'bob'] },
    );
    expect(errors).toBeUndefined();
    expect(data['_entities'][0]).toEqual({
      DiagnosticReportList: reports.map((id) => ({ id })),
      ServiceRequestList: orders.map((id) => ({ id })),
    });
  });

  it('FG-9 the reports of ten studies are one search', async () => {
    server.requests.length = 0;
    const representations = Array.from({ length: 10 }, (_, index) => study(`1.2.${index}`)).join(', ');
    const selection = '... on ImagingStudy { DiagnosticReportList { id } }';
    await entities(representations, selection, { tenant: tenantOf({ type: 'fhir', baseUrl: server.base }) });
    expect(server.requests.filter((path) => path.startsWith('/DiagnosticReport'))).toHaveLength(1);
  });

  it('FG-3 resolves a reference to a study by its UID (IA-15)', async () => {
    const data = await dataOf(
      '{ DiagnosticReportList { imagingStudy { resource { ... on ImagingStudy { id } } } } }',
    );
    const [uid, ehr] = data['DiagnosticReportList'];
    expect(uid.imagingStudy).toEqual([{ resource: { id: studies.byUid } }]);
    expect(ehr.imagingStudy).toEqual([{ resource: { id: studies.byEhrStudy } }]);
  });
});
