/**
 * The rows of callers: those of the resources that a search by the same token finds, each once, with nothing missing. A search
 * by REST says which these are, and GraphQL which studies belong to them; none of it comes from the code of the tables.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import type { Bundle, Resource } from 'fhir/r4.js';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { JOINED_TYPES } from '../../../schema/fhir/joined-types.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Reach } from '../../../subgraphs/analysis/analysis.ts';
import { Analyses } from '../../analysis/analyses.ts';
import { authorizationServer, type AuthorizationServer } from '../authorization-server.ts';
import { smallObjects } from '../setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';
import { CALLERS, LAUNCHED, named, policy, SCOPES, VIEWS, type Caller } from './callers.ts';
import { linkedRecord, linkedStudies } from './linked-record.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const directory = mkdtempSync(join(tmpdir(), 'analysis-reach-'));
const [IMAGES, RECORD] = [join(directory, 'images'), join(directory, 'record.ndjson')];
const studies = linkedStudies();
const record = linkedRecord();
let ehr: AuthorizationServer;
let gateway: TestGateway;
let analyses: Analyses;

beforeAll(async () => {
  mkdirSync(IMAGES);
  writeFileSync(RECORD, record.map((one) => JSON.stringify(one)).join('\n'));
  for (const { owner: _, ...study } of studies)
    for (const [at, object] of smallObjects(study).entries())
      writeFileSync(join(IMAGES, `${study.studyUid}-${at}.dcm`), object);
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  for (const { client_id } of policy)
    for (const [name, scope] of Object.entries(SCOPES))
      ehr.tokens.set(named(client_id, name), { client_id, scope, exp });
  for (const [name, launched] of Object.entries(LAUNCHED))
    ehr.tokens.set(named('app', name), { client_id: 'app', exp, ...launched });
  ehr.tokens.set('one-reads', { client_id: 'one', exp, scope: 'system/*.r' });
  for (const one of record) if (one.resourceType === 'Patient') ehr.patients.set(one.id, one);
  const clinical = { type: 'store', path: RECORD };
  const images = { type: 'folder', path: IMAGES, lookup: 'studies-by-mrn' };
  const smart = {
    type: 'smart-on-fhir',
    fhirBaseUrl: ehr.fhirBaseUrl,
    client: ehr.client,
    modes: ['app-launch', 'backend-services'],
    policy,
  };
  const open = { type: 'mock', disableAuthzChecks: true };
  const withhold = [{ modality: ['MR'] }, { modality: ['US'], for: 'patient' }];
  gateway = await buildTestGateway(
    () => ({
      policy: { authorization: smart, clinical, images },
      withheld: { authorization: { ...smart, withhold }, clinical, images },
      open: { authorization: open, clinical, images },
      late: { authorization: open, clinical, images: { ...images, delay: { lookupUntil: exp } } },
    }),
    { images: IMAGES, patients: directory },
    undefined,
    { split: false },
  );
  const { clinical: own, imaging } = gateway.parts;
  if (!('tables' in own && 'tables' in imaging)) throw new Error('The subgraphs are other processes.');
  analyses = new Analyses({
    clinical: own,
    imaging,
    folder: join(directory, 'analysis'),
    settingsOf: () => ({ views: VIEWS, refreshMinutes: 15, instances: false }),
    log: { info: () => undefined, warn: console.error },
    wait: 60_000,
  });
});
afterAll(async () => {
  await analyses?.close();
  await gateway?.close();
  await ehr?.close();
  rmSync(directory, { recursive: true });
});

async function reachOf({ tenant: key, token }: Caller): Promise<Reach> {
  const tenant = gateway.tenantOf(key);
  const access = await gateway.parts.authorizer.authorize(tenant, token);
  return analyses.of(tenant)!.reach(access);
}

type Row = Record<string, unknown>;

/** Returns the rows of all tables of a file. */
async function rowsOf({ file, tables }: Pick<Reach, 'file' | 'tables'>): Promise<Map<string, Row[]>> {
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Row[];
  try {
    const listed = await read('SELECT table_name AS name FROM duckdb_tables()');
    expect(listed.map(({ name }) => name).toSorted()).toEqual(tables.toSorted());
    const all = new Map<string, Row[]>();
    for (const table of tables) all.set(table, await read(`SELECT * FROM "${table}"`));
    return all;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const asking = ({ token }: Caller) => ({
  headers: { prefer: 'handling=strict', ...(token && { authorization: `Bearer ${token}` }) },
});

/** Returns what a search without parameters finds; undefined when it is refused. */
async function found(by: Caller, type: string): Promise<Resource[] | undefined> {
  const answer = await gateway.app.inject({ url: `/${by.tenant}/fhir/${type}?_count=1000`, ...asking(by) });
  if (answer.statusCode === 403) return undefined;
  expect(answer.statusCode, answer.body).toBe(200);
  const { entry = [], link = [] } = answer.json<Bundle>();
  expect(link.map(({ relation }) => relation)).not.toContain('next');
  return entry.filter(({ search }) => search?.mode === 'match').map(({ resource }) => resource!);
}

/** Returns the resources of a type with their studies, as GraphQL has them; undefined when it refuses. */
async function linked(by: Caller, type: string): Promise<string[] | undefined> {
  const query = `{ all: ${type}Connection(_count: 1000) { edges { resource { id ImagingStudyList { id } } } } }`;
  const answer = await gateway.app.inject({
    method: 'POST',
    url: `/${by.tenant}/graphql`,
    payload: { query },
    ...asking(by),
  });
  type Linked = { id: string; ImagingStudyList: { id: string }[] | null };
  const { data, errors } = answer.json<{
    data?: { all: { edges: { resource: Linked }[] } | null };
    errors?: { extensions: { code: string } }[];
  }>();
  if (errors?.every(({ extensions }) => ['insufficient_scope', 'forbidden'].includes(extensions.code)))
    return undefined;
  expect(errors).toBeUndefined();
  return data!.all!.edges.flatMap(({ resource: { id, ImagingStudyList } }) =>
    ImagingStudyList!.map((study) => `${type}/${id} ${study.id}`),
  );
}

const OF_VIEWS: Record<string, string> = {
  patient: 'Patient',
  encounter: 'Encounter',
  condition: 'Condition',
  observation: 'Observation',
  procedure: 'Procedure',
  medication_request: 'MedicationRequest',
  diagnostic_report: 'DiagnosticReport',
  service_request: 'ServiceRequest',
  document_reference: 'DocumentReference',
  imaging_study: 'ImagingStudy',
  media: 'Media',
};
const sorted = (values: Iterable<unknown>) => [...values].map(String).toSorted();
const each = (rows: readonly Row[] | undefined, column = 'id') =>
  rows && sorted(new Set(rows.map((row) => row[column])));
const idsOf = (resources: readonly Resource[] | undefined) =>
  resources && sorted(resources.map(({ id }) => id));

test('there are forty kinds of callers', () => {
  expect(CALLERS.length).toBeGreaterThanOrEqual(40);
});

describe.each(CALLERS)('$tenant $token', (by) => {
  let reach: Reach;
  let tables: Map<string, Row[]>;
  beforeAll(async () => {
    reach = await reachOf(by);
    tables = await rowsOf(reach);
    return () => reach.release();
  });

  test('each table has the resources that a search finds', async () => {
    for (const [table, type] of Object.entries(OF_VIEWS))
      expect(each(tables.get(table)), table).toEqual(idsOf(await found(by, type)));
    expect(tables.has('organization')).toBe(by.tenant === 'open');
  });

  test('series, instances, components and a view without ids follow', async () => {
    const uids = idsOf(await found(by, 'ImagingStudy'));
    const archived = uids?.filter((uid) => studies.some(({ studyUid }) => studyUid === uid));
    expect(each(tables.get('imaging_series'), 'study_id')).toEqual(archived);
    expect(each(tables.get('imaging_instance'), 'study_id')).toEqual(archived);
    const instances = studies
      .filter(({ studyUid }) => archived?.includes(studyUid))
      .map((one) => one.instances ?? 1);
    if (archived)
      expect(tables.get('imaging_instance')).toHaveLength(instances.reduce((sum, count) => sum + count, 0));
    const observations = await found(by, 'Observation');
    const withComponents = observations?.filter((one) => 'component' in one);
    expect(each(tables.get('observation_component'))).toEqual(idsOf(withComponents));
    const codes = (await found(by, 'Condition'))?.map(
      (one) => (one as { code?: { coding?: { code?: string }[] } }).code?.coding?.[0]?.code,
    );
    const rows = tables.get('condition_code');
    expect(rows?.map((row) => Object.keys(row).join())).toEqual(codes?.map(() => 'code'));
    expect(rows && sorted(rows.map(({ code }) => code))).toEqual(codes && sorted(codes));
  });

  test('rows are those of all rows, each once', async () => {
    const all = await reachOf({ tenant: 'open' });
    const whole = await rowsOf(all);
    all.release();
    for (const [table, rows] of tables) {
      if (table === 'study_link') continue;
      const texts = rows.map((row) => JSON.stringify(row)).toSorted();
      const ids = new Set(rows.map(({ id }) => id));
      const expected = whole.get(table)!.filter(({ id }) => ids.has(id));
      if (by.tenant !== 'open' && table !== 'condition_code')
        expect(texts, table).toEqual(expected.map((row) => JSON.stringify(row)).toSorted());
    }
  });

  test('resources are linked with the studies that GraphQL shows', async () => {
    if (!(await found(by, 'ImagingStudy'))) return expect(tables.has('study_link')).toBe(false);
    const rows = tables.get('study_link') ?? [];
    const links = rows.map(
      ({ type, resource_id, study_id }) => `${type as string}/${resource_id as string} ${study_id as string}`,
    );
    for (const type of Object.keys(JOINED_TYPES)) {
      const own = links.filter((link) => link.startsWith(`${type}/`)).toSorted();
      const shown = await linked(by, type);
      if (shown) expect(own, type).toEqual(shown.toSorted());
      else if (!(await found(by, type))) expect(own, type).toEqual([]);
    }
  });
});

describe('rights', () => {
  test('a file is its owner’s alone, and the same while rights and data are', async () => {
    const by = { tenant: 'policy', token: named('one', 'all') };
    const [first, second] = [await reachOf(by), await reachOf({ ...by, token: named('one', 'v1') })];
    expect(second.file).toBe(first.file);
    expect(statSync(first.file).mode & 0o777).toBe(0o600);
    const other = await reachOf({ ...by, token: named('one', 'laboratory') });
    expect(other.file).not.toBe(first.file);
    for (const reach of [first, second, other]) reach.release();
  });

  test.each<[what: string, by: Caller, code: string]>([
    ['without a search', { tenant: 'policy', token: 'one-reads' }, 'insufficient_scope'],
    ['while images are delayed', { tenant: 'late' }, 'unavailable'],
  ])('refused: %s', async (_, by, code) => {
    const refused = await reachOf(by).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Fault);
    expect(refused).toMatchObject({ code });
  });

  test('the data lead somewhere', async () => {
    const reach = await reachOf({ tenant: 'open' });
    const rows = (await rowsOf(reach)).get('study_link')!;
    reach.release();
    expect(new Set(rows.map(({ type }) => type))).toEqual(new Set(Object.keys(JOINED_TYPES)));
    expect(new Set(rows.map(({ rule }) => rule))).toEqual(new Set(['uid', 'accession']));
    const pairs = rows.map(({ type, resource_id, study_id }) =>
      JSON.stringify([type, resource_id, study_id]),
    );
    expect(new Set(pairs).size).toBe(rows.length);
  });
});
