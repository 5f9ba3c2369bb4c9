import { join } from 'node:path';
import type { FastifyBaseLogger, FastifyPluginAsync } from 'fastify';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import {
  analysisElsewhere,
  analysisSubgraph,
  type AnalysisDependencies,
  type AnalysisSubgraph,
} from '../../subgraphs/analysis/app.ts';
import type { ClinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import type { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { ownRequests } from '../smart/token/own-requests.ts';
import type { UpstreamDeps } from '../smart/token/upstream.ts';
import { Analyses } from './analyses.ts';

/** SQL over record and images, as a gateway starts, serves and stops it. */
export interface AnalysisPart extends AnalysisSubgraph {
  /** Makes the first tables, and removes those of tenants that are gone. */
  begin(tenants: readonly Tenant[]): void;
  /** Makes the tables of a tenant that is new or was changed. */
  prepare(tenant: Tenant): void;
  /** Removes the tables of a tenant that was replaced. @param inUse all tenants that are still used */
  release(tenant: Tenant, inUse: readonly Tenant[]): void;
  close(): Promise<void>;
}

export interface AnalysisPartOptions {
  /** Public base URL of the gateway. */
  baseUrl: string;
  /** Folder for what this process alone writes. */
  ownDir: string;
  /** Asks EHRs for their exports. */
  outside: UpstreamDeps;
  log: FastifyBaseLogger;
  /** Milliseconds since the epoch. */
  now: () => number;
  clinical: Pick<ClinicalSubgraph, 'tables' | 'jobs' | 'prepare' | 'discard'>;
  imaging: Pick<ReturnType<typeof imagingSubgraph>, 'tables'>;
  identityOf: AnalysisDependencies['identityOf'];
}

/** Creates SQL over the record and the images of this process. */
export function analysisPart({
  clinical,
  imaging,
  identityOf,
  ...options
}: AnalysisPartOptions): AnalysisPart {
  const { baseUrl, ownDir, outside, now, log } = options;
  const analyses = new Analyses({
    folder: join(ownDir, 'analysis'),
    clinical,
    imaging,
    fetched: { folder: join(ownDir, 'bulk'), requests: ownRequests(outside), clinical, log },
    settingsOf({ analysis: { enabled, definitions: views, dicom, refreshMinutes, instances, source } }) {
      return enabled ? { views, dicom, refreshMinutes, instances, isFetched: source === 'bulk' } : undefined;
    },
    onRemoved: (file) => sql.forget(file),
    now,
    log,
  });
  const sql = analysisSubgraph({
    baseUrl,
    folder: analyses.queries,
    threads: analyses.threads,
    tablesOf: (tenant) => analyses.of(tenant),
    async *search({ tenant, access, signal }, type) {
      if (type !== 'ImagingStudy') return yield* clinical.tables.searched(tenant, { access, type, signal });
      for await (const studies of imaging.tables.searchedStudies(tenant, access, { signal }))
        yield studies.map(({ json }) => json);
    },
    members: clinical.tables.members,
    identityOf,
    jobs: clinical.jobs(),
    now,
  });
  return {
    routes: sql.routes,
    definitions: sql.definitions,
    begin: (tenants) => analyses.begin(tenants),
    prepare: (tenant) => analyses.of(tenant)?.begin(),
    release: (tenant, inUse) =>
      void analyses
        .release(tenant, inUse)
        .catch((err: unknown) => log.warn({ err, tenant: tenant.key }, 'analysis: tables were not removed')),
    async close() {
      await sql.close();
      await analyses.close();
    },
  };
}

/** Stands for the tables where record and images are processes of their own. */
export function noAnalysis(baseUrl: string): AnalysisPart {
  const refusal = () =>
    new Fault(
      'not_implemented',
      'SQL is answered where record and images are one process: not by three of them.',
    );
  const nothing = () => undefined;
  const close = async () => undefined;
  return {
    ...analysisElsewhere(baseUrl, refusal),
    begin: nothing,
    prepare: nothing,
    release: nothing,
    close,
  };
}

/** Returns the routes of a record, in which the tables answer for their own types. */
export const withDefinitions =
  (routes: FastifyPluginAsync, { definitions }: AnalysisSubgraph): FastifyPluginAsync =>
  async (app) => {
    app.addHook('preHandler', definitions);
    await app.register(routes);
  };

/** Returns several groups of routes as one. */
export const allRoutes =
  (...all: readonly FastifyPluginAsync[]): FastifyPluginAsync =>
  async (app) => {
    for (const routes of all) await app.register(routes);
  };
