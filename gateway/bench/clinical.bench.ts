/** The clinical subgraph alone: loading a store, answering from it, the clinical part of the federated request. */
import { execute, parse } from 'graphql';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { sharedDataPath, sharedDataPresent } from '../test/setup/shared-data.ts';
import { duration, median, type Figure } from './measure.ts';

/** A patient of the shared data with five lists that are not empty. */
const patientId = '64f4649d-8d2e-40ae-811d-7316accdf5ee';
const ROUNDS = 300;

const clinicalPart = parse(`query ($id: ID!) {
  Patient(id: $id) {
    id birthDate gender name { family given }
    ConditionList { id code { text coding { system code } } clinicalStatus { coding { code } } onsetDateTime }
    MedicationRequestList { id status medicationCodeableConcept { text } authoredOn }
    AllergyIntoleranceList { id code { text } criticality }
    ImmunizationList { id vaccineCode { text } occurrenceDateTime }
    DiagnosticReportList { id code { text } effectiveDateTime _patientId _accessionNumbers _studyUids }
  }
}`);

const joins = parse(`query ($studies: [_Any!]!) {
  _entities(representations: $studies) { ... on ImagingStudy { DiagnosticReportList { id } } }
}`);

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) return [];
  const dataDir = await mkdtemp(join(tmpdir(), 'clinical-bench-'));
  const open = () => clinicalSubgraph({ dataDir, baseUrl: 'http://localhost:4000' });
  const tenant = storeTenant(sharedDataPath('fhir/synthea'));
  try {
    const first = open();
    const load = await duration(() => first.prepare(tenant));
    await first.close();
    const subgraph = open();
    const again = await duration(() => subgraph.prepare(tenant));

    const access = patientAccess();
    const record = () => subgraph.open(tenant, access);
    const ask = async (document: typeof joins, variableValues: object) => {
      const { errors } = await execute({
        ...{ schema: subgraph.schema, document, variableValues: variableValues as never },
        contextValue: { clinical: record() },
      });
      if (errors) throw errors[0]!;
    };
    const studies = Array.from({ length: 10 }, (_, index) => ({
      ...{ __typename: 'ImagingStudy', id: `1.2.${index}`, _patientId: patientId, _accessionNumbers: ['A1'] },
    }));
    const list = (type: string) => record().list(type, { params: [['patient', patientId]] });
    const timed = async (work: () => Promise<unknown>) => {
      for (let round = 0; round < 50; round++) await work();
      const samples: number[] = [];
      for (let round = 0; round < ROUNDS; round++) samples.push(await duration(work));
      return median(samples);
    };
    const figures: Figure[] = [
      { what: 'store: load 7 MB of Bundles, 32 files', value: load, unit: 'ms', atMost: 5_000 },
      { what: 'store: a second start', value: again, unit: 'ms', atMost: 50 },
      { what: 'store: one list', value: await timed(() => list('Condition')), unit: 'ms', atMost: 0.3 },
      { what: 'store: 66 observations', value: await timed(() => list('Observation')), unit: 'ms' },
      {
        what: 'clinical part of the federated request',
        value: await timed(() => ask(clinicalPart, { id: patientId })),
        unit: 'ms',
        atMost: 3,
      },
      {
        what: 'reports of ten studies',
        value: await timed(() => ask(joins, { studies })),
        unit: 'ms',
        atMost: 1,
      },
    ];
    await subgraph.close();
    return figures;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function storeTenant(path: string): Tenant {
  const images = { type: 'folder', path: '.', lookup: 'all-studies-on-server' };
  return parseTenant(
    { authorization: { type: 'mock' }, clinical: { type: 'store', path }, images },
    { key: 'bench', path: 'bench', dynamic: false, directory: '/', environment: {} },
  ).tenant;
}

function patientAccess(): Access {
  return {
    ...{ tenant: 'bench', patients: [{ id: patientId }], permissions: parseScopes('patient/*.rs') },
    expires: Date.now() / 1000 + 3_600,
  };
}
