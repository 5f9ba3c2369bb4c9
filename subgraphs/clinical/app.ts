import type { FastifyPluginAsync } from 'fastify';
import type { CapabilityStatementRestResource } from 'fhir/r4.js';
import type { GraphQLSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../../schema/access/access.ts';
import type { MeasureCall } from '../../schema/access/source-calls.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { ItemSelector } from '../../schema/expressions/item-selector.ts';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { absentHere, answeredElsewhere } from '../../schema/http/answered-elsewhere.ts';
import { fhirBase } from '../../schema/http/request.ts';
import { subgraphSchema } from '../../schema/graphql/subgraph-schema.ts';
import type { ChooseDispatcher } from '../../schema/outbound/choose-dispatcher.ts';
import type { AwaySource, StateLog } from '../../schema/outbound/circuit-breakers.ts';
import type { ClinicalConfig, Tenant } from '../../schema/tenant/tenant.ts';
import type { Abortable } from '../../schema/process/request-end.ts';
import { Clinical, type StudiesOfObjects } from './record/clinical.ts';
import { Compartment } from './authorization/compartment.ts';
import { claimsOf } from './fhir/claims.ts';
import { EXPORT_LIMITS, ExportJobs, type ExportLimits } from './export/export-jobs.ts';
import { fhirRoutes } from './fhir/fhir.ts';
import { operationRoutes } from './fhir/operations.ts';
import { recordJoins } from './joins/record-joins.ts';
import { questionsOfTables, type QuestionsOfTables } from './export/questions-of-tables.ts';
import type { PatientImages, OpenStudyImages, StudyImages } from './record/study-images.ts';
import { GranularScopes } from './authorization/granular-scopes.ts';
import { clinicalResolvers } from './graphql/resolvers.ts';
import { FhirServer } from './sources/fhir-server.ts';
import { FhirServersShared } from './sources/fhir-server/shared.ts';
import type { SourceAnswers } from './sources/source-answers.ts';
import type { LoadProgress } from './sources/store/load.ts';
import { Store } from './sources/store/store.ts';
import { Stores } from './sources/store/stores.ts';

type RecordServer = Extract<ClinicalConfig, { type: 'fhir' }>;

/** Milliseconds that a request waits for a store that is being loaded: a small one is ready by then. */
const LOAD_WAIT = 500;

export interface ClinicalDependencies {
  /** Folder for the databases of stores. */
  dataDir: string;
  /** Public base of the whole server, for absolute URLs. */
  baseUrl: string;
  /** Returns the connections to FHIR servers; dynamic tenants get a guarded dispatcher (SM-15). */
  dispatcher?: ChooseDispatcher;
  /** Milliseconds within which the answer of a FHIR server has to begin. */
  timeout?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds that a request waits for a store that is being loaded (default: 500). */
  loadWait?: number | undefined;
  /** Evaluates FHIRPath of callers; by default a new pool, which is closed with the subgraph. */
  expressions?: ExpressionPool;
  /** Finds the studies of a tenant that have some UIDs, for joins; within the caller's reach. */
  studiesOfObjects?: (
    tenant: Tenant,
    access: Access,
    ...wanted: Parameters<StudiesOfObjects>
  ) => ReturnType<StudiesOfObjects>;
  /** Opens the images of patients and studies for one request; without it the record has none. */
  studyImages?: OpenStudyImages;
  /** Limits of exports, where they differ from `EXPORT_LIMITS`. */
  exports?: Partial<ExportLimits> | undefined;
  /** Folder for what this process alone writes; by default `dataDir`. */
  ownDir?: string | undefined;
  /** Gets a line when a FHIR server is found to be away, and when it answers again. */
  log?: StateLog | undefined;
  /** Measures the calls to records. */
  measure?: MeasureCall | undefined;
  /** Returns what a FHIR server has answered to earlier calls for the same request of a client; undefined for a first one. */
  answers?: ((access: Access) => SourceAnswers | undefined) | undefined;
}

export interface ClinicalSubgraph {
  schema: GraphQLSchema;
  /**
   * Opens the record for one caller and one request. With an `audit` its operations are recorded (IA-30). No source is
   * contacted yet.
   */
  open(tenant: Tenant, access: Access, over?: Abortable, audit?: RecordOperation): Clinical;
  /** Returns false for a record that is known to have no resource of the type, for any caller. */
  mayHold(tenant: Tenant, type: string): boolean;
  /** The questions of searches for studies to the record. */
  joins: ReturnType<typeof recordJoins>;
  /** The questions of the tables of analysts. */
  tables: QuestionsOfTables;
  /** FHIR REST, below `/:tenant`. */
  routes: FastifyPluginAsync;
  /**
   * Returns what a CapabilityStatement says of the tenant's record; the same array until something changes. It needs no
   * token, and does not wait for a store.
   */
  claims(tenant: Tenant): Promise<readonly CapabilityStatementRestResource[]>;
  /** Returns the exports of this process. */
  jobs(): ExportJobs;
  /** Returns the routes of operations and batches, below `/:tenant`. They join the record with images. Call it once. */
  operations(images: PatientImages): FastifyPluginAsync;
  /**
   * Loads the tenant's store, if any. Until then, requests are answered from an older one, or wait, or are refused as
   * `unavailable`.
   */
  prepare(tenant: Tenant, onProgress?: (progress: LoadProgress) => void): Promise<void>;
  /** Returns how far the stores are that cannot answer yet. */
  loading(): LoadProgress[];
  /** Returns the FHIR servers that do not answer. */
  awaySources(): AwaySource[];
  /** Removes the store of a tenant that is gone; its data stay. */
  discard(tenant: Pick<Tenant, 'clinical'>): Promise<void>;
  /** Closes the store of a tenant that was replaced. @param inUse all tenants that are still used */
  release(tenant: Tenant, inUse: readonly Tenant[]): void;
  close(): Promise<void>;
}

/** Returns the routes of a record that another process has: what they declare, without what answers. */
export function declaredClinicalRoutes(baseUrl: string): Pick<ClinicalSubgraph, 'routes' | 'operations'> {
  const open = answeredElsewhere;
  return {
    routes: fhirRoutes({ baseUrl, open }),
    operations: (images) => operationRoutes({ baseUrl, open, images, jobs: absentHere() }),
  };
}

const storePath = ({ clinical }: Pick<Tenant, 'clinical'>): string | undefined =>
  clinical.type === 'store' ? clinical.path : undefined;

const noRecord = (): Fault =>
  new Fault('not_implemented', 'This tenant has no clinical record.', { service: 'clinical' });

/** @throws Fault `unauthenticated` if the FHIR server of the tenant wants a token and the caller has none for it */
function tokenFor({ authorization }: Tenant, { clinicalToken }: Access): string | undefined {
  if (clinicalToken !== undefined || !authorization.type.startsWith('smart-on-fhir')) return clinicalToken;
  const message = 'There is no token for the clinical record: launch the app again.';
  throw new Fault('unauthenticated', message, { service: 'clinical' });
}

function exportJobs({
  dataDir,
  ownDir = dataDir,
  exports,
  now = Date.now,
}: ClinicalDependencies): ExportJobs {
  return new ExportJobs({ folder: join(ownDir, 'exports'), limits: { ...EXPORT_LIMITS, ...exports }, now });
}

const NO_CLAIMS: readonly CapabilityStatementRestResource[] = [];

/** Composes the clinical subgraph: one core, with GraphQL and FHIR REST APIs. */
export function clinicalSubgraph(dependencies: ClinicalDependencies): ClinicalSubgraph {
  const { dataDir, baseUrl, dispatcher, timeout, now, studiesOfObjects } = dependencies;
  const { loadWait: wait = LOAD_WAIT } = dependencies;
  const stores = new Stores({ directory: join(dataDir, 'clinical'), now, wait });
  const compartment = new Compartment();
  const expressions = dependencies.expressions ?? new ExpressionPool();
  const granular = new GranularScopes();
  const fhirServers = new FhirServersShared(dependencies.log);

  const serverOf = (tenant: Tenant, { baseUrl: base, tls }: RecordServer, token?: string): FhirServer => {
    const server = { base, dispatcher: dispatcher?.(tenant, tls), timeout };
    const breaker = fhirServers.breakerOf(tenant, server);
    return new FhirServer({ ...server, token, breaker }, fhirServers);
  };

  const sourceOf = (tenant: Tenant, access: Access) => {
    const { clinical } = tenant;
    if (clinical.type === 'none') throw noRecord();
    if (clinical.type === 'store') return stores.atHand(clinical.path) ?? stores.source(clinical.path);
    return serverOf(tenant, clinical, tokenFor(tenant, access));
  };

  const open: ClinicalSubgraph['open'] = (tenant, access, over, audit) => {
    let source: ReturnType<typeof sourceOf> | undefined;
    let images: StudyImages | undefined;
    // Other sources answer as fast without.
    const answers = tenant.clinical.type === 'fhir' ? dependencies.answers?.(access) : undefined;
    return new Clinical({
      source: () => (source ??= sourceOf(tenant, access)),
      access,
      compartment,
      granular,
      answers,
      joins: tenant.joins,
      measure: dependencies.measure,
      ...(studiesOfObjects && { studiesOfObjects: (wanted) => studiesOfObjects(tenant, access, wanted) }),
      base: fhirBase(baseUrl, tenant),
      images: () => (images ??= dependencies.studyImages?.(tenant, access, over, audit)),
      ...(over && { over }),
      ...(audit && { audit }),
    });
  };

  let jobs: ExportJobs | undefined;
  const jobsOfProcess = () => (jobs ??= exportJobs(dependencies));

  const sdl = readFileSync(new URL('../../schema/clinical.graphql', import.meta.url));
  return {
    schema: subgraphSchema(sdl, (typeDefs) => clinicalResolvers(typeDefs, new ItemSelector(expressions))),
    open,
    mayHold: ({ clinical }, type) =>
      clinical.type !== 'none' && (clinical.type !== 'store' || stores.mayHold(clinical.path, type)),
    joins: recordJoins(open),
    tables: questionsOfTables(open, (path) => stores.file(path)),
    routes: fhirRoutes({
      baseUrl,
      open: (request, over, access = request.access) => open(request.tenant, access, over, request.audit),
    }),
    claims: async (tenant) => {
      const { clinical } = tenant;
      if (clinical.type === 'none') return NO_CLAIMS;
      // Every store supports the same, also before it is loaded.
      if (clinical.type === 'store') return claimsOf(Store, Store);
      return claimsOf(FhirServer, serverOf(tenant, clinical));
    },
    jobs: jobsOfProcess,
    operations: (images) => operationRoutes({ baseUrl, open, images, jobs: jobsOfProcess() }),
    prepare: async (tenant, onProgress) => {
      if (tenant.clinical.type === 'store') await stores.prepare(tenant.clinical.path, onProgress);
    },
    loading: () => stores.loading(),
    awaySources: () => fhirServers.breakers.away(),
    discard: (tenant) => stores.discard(storePath(tenant)),
    release: (tenant, inUse) => {
      fhirServers.breakers.release(tenant);
      stores.release(storePath(tenant), inUse.map(storePath));
    },
    close: async () => {
      await jobs?.close();
      await stores.close();
      granular.close();
      fhirServers.close();
      if (!dependencies.expressions) await expressions.close();
    },
  };
}
