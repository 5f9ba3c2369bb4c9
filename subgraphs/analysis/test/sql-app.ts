import { fastify, type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access } from '../../../schema/access/access.ts';
import type { Operation } from '../../../schema/access/audit.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { absentHere } from '../../../schema/http/answered-elsewhere.ts';
import { parseTenant, type Tenant } from '../../../schema/tenant/tenant.ts';
import { analysisSubgraph, type AnalysisDependencies } from '../app.ts';
import { AnalysisThreads } from '../threads.ts';
import { writeReach } from './reach.ts';

/** Time of the rows of the stand-in. */
export const TIME = new Date('2026-11-30T08:00:00Z');

/** Rows of two callers' patients, as far as the tests ask for them. */
const ROWS = [
  'CREATE TABLE patient (id VARCHAR, patient_id VARCHAR, gender VARCHAR, birth_date DATE)',
  "INSERT INTO patient VALUES ('p1', 'p1', 'female', '1970-01-02'), ('p2', 'p2', 'male', NULL)",
  'CREATE TABLE observation (id VARCHAR, patient_id VARCHAR, code VARCHAR, effective TIMESTAMP, value DOUBLE)',
  `INSERT INTO observation VALUES ('o1', 'p1', '4548-4', '2025-12-26 11:00:00', 9.89),
    ('o2', 'p1', '4548-4', '2024-01-01 00:00:00', 7.5), ('o3', 'p2', '8480-6', NULL, 120)`,
];

export interface SqlApp {
  app: FastifyInstance;
  audited: Operation[];
  /** The next requests are of this caller. */
  access: Access;
  tenant: Tenant;
  /** Reaches that are not given back. */
  taken(): number;
  /** Patients for whom a reach was asked. */
  reached: Access['patients'][];
  /** Replaces what a search finds. */
  found: Record<string, readonly object[]>;
  /** Takes the place of a search. */
  search: AnalysisDependencies['search'] | undefined;
  close(): Promise<void>;
}

/** Returns the access of a caller. */
export const accessOf = (scope: string, patients: Access['patients'] = 'all'): Access => ({
  tenant: 't',
  client: 'app',
  user: 'Practitioner/1',
  patients,
  permissions: parseScopes(scope),
  expires: Infinity,
});

/** Starts the routes over a reach that stands for those of `Analysis`. */
export async function startSqlApp({
  questions = {},
  fault,
  inlineTime,
}: {
  /** Published questions by the names of their files. */
  questions?: Readonly<Record<string, string>>;
  /** Thrown by the stand-in. */
  fault?: () => Fault | undefined;
  /** Of `AnalysisThreads`. */
  inlineTime?: number;
} = {}): Promise<SqlApp> {
  const folder = mkdtempSync(join(tmpdir(), 'sql-routes-'));
  const file = join(folder, 'reach.duckdb');
  await writeReach(file, ROWS);
  let taken = 0;
  // No dataset is built here.
  const threads = new AnalysisThreads(new URL('none.ts', import.meta.url), inlineTime);
  const dependencies: AnalysisDependencies = {
    baseUrl: 'http://localhost',
    folder,
    threads,
    now: () => Date.parse('2026-12-01T00:00:00Z'),
    jobs: absentHere(),
    tablesOf: () => ({
      async reach(access) {
        const refusal = fault?.();
        if (refusal) throw refusal;
        sql.reached.push(access.patients);
        taken++;
        const tables = ['patient', 'observation'].filter((name) => {
          const type = { patient: 'Patient', observation: 'Observation' }[name];
          return access.permissions.some((one) => one.type === type || one.type === '*');
        });
        return { file, tables, time: TIME, release: () => void taken-- };
      },
    }),
    async *search(caller, type) {
      if (sql.search) yield* sql.search(caller, type);
      else yield sql.found[type] ?? [];
    },
    identityOf: async (_tenant, _access, id) => (id === 'nobody' ? undefined : { id, identifier: [] }),
    members: async (_tenant, access) => {
      if (access.patients === 'all') return [{ id: 'p2' }];
      throw new Fault('not_found', 'no such Group');
    },
  };
  const subgraph = analysisSubgraph(dependencies);
  const app = fastify();
  const { tenant } = parseTenant(
    {
      authorization: { type: 'mock' },
      clinical: { type: 'none' },
      images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
      analysis: { enabled: true, questions: Object.keys(questions) },
    },
    { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
  );
  const sql: SqlApp = {
    app,
    audited: [],
    access: accessOf('system/*.rs'),
    tenant: { ...tenant, analysis: { ...tenant.analysis, statements: Object.values(questions) } },
    taken: () => taken,
    reached: [],
    found: {},
    search: undefined,
    async close() {
      await app.close();
      await subgraph.close();
      await threads.close();
      rmSync(folder, { recursive: true });
    },
  };
  for (const name of ['tenant', 'access', 'audit']) app.decorateRequest(name, undefined as never);
  app.addHook('onRequest', async (request) => {
    request.tenant = sql.tenant;
    request.access = sql.access;
    request.audit = (operation) => void sql.audited.push(operation);
  });
  await app.register(
    async (tenant) => {
      tenant.addHook('preHandler', subgraph.definitions);
      await tenant.register(subgraph.routes);
      // Those of a record, whose place the definitions take.
      for (const url of ['/fhir/:type', '/fhir/:type/:id'])
        tenant.get(
          url,
          { config: { api: 'fhir', serves: { interaction: url.endsWith('id') ? 'read' : 'search' } } },
          async () => ({ of: 'the record' }),
        );
    },
    { prefix: '/:tenant' },
  );
  return sql;
}

type Entry = Record<string, unknown>;

/** Returns the requests of tests. */
export const asking = (sql: () => SqlApp) => ({
  post: (text: string, query = '', headers: Record<string, string> = {}) =>
    sql().app.inject({
      method: 'POST',
      url: `/t/fhir/$sql-run${query}`,
      headers: { 'content-type': 'application/sql', ...headers },
      payload: text,
    }),
  run: (...parameter: Entry[]) =>
    sql().app.inject({
      method: 'POST',
      url: '/t/fhir/$sql-run',
      headers: { 'content-type': 'application/fhir+json' },
      payload: JSON.stringify({ resourceType: 'Parameters', parameter }),
    }),
  get: (path: string) => sql().app.inject({ url: `/t/fhir/${path}` }),
});

/** Returns the sentence of a refusal. */
export const said = (answer: { body: string }): string =>
  (JSON.parse(answer.body) as { issue: { diagnostics: string }[] }).issue[0]!.diagnostics;
