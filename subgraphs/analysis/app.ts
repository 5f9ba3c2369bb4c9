import type { FastifyPluginAsync, preHandlerHookHandler } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import type { Fault } from '../../schema/fault/fault.ts';
import { nothingAtPath } from '../../schema/fault/refusals.ts';
import { absentHere } from '../../schema/http/answered-elsewhere.ts';
import { fhirBase } from '../../schema/http/request.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Reach } from './analysis.ts';
import { Catalogue } from './routes/catalogue.ts';
import { answerDefinitions } from './routes/definitions.ts';
import type { ExportOptions } from './routes/export.ts';
import { analysisRoutes } from './routes/routes.ts';
import { clientOf } from './routes/run.ts';
import { Workplace, type WorkplaceOptions } from './routes/workplace.ts';
import { SqlQueries } from './sql/queries.ts';
import type { AnalysisThreads } from './threads.ts';

export interface AnalysisDependencies
  extends Pick<ExportOptions, 'members' | 'identityOf' | 'jobs'>, Pick<WorkplaceOptions, 'search' | 'now'> {
  /** Public base of the whole server. */
  baseUrl: string;
  /** Folder for what queries put aside, of this process alone. */
  folder: string;
  /** Those of the process: the creator closes them. */
  threads: Pick<AnalysisThreads, 'inline'>;
  /** Returns the tables of a tenant; undefined for one without. */
  tablesOf(tenant: Tenant): { reach(access: Access, signal?: AbortSignal): Promise<Reach> } | undefined;
}

/** SQL on FHIR for the tenants of a gateway. */
export interface AnalysisSubgraph {
  /** `$sql-run` and `$sql-export`, below `/{tenant}`. */
  routes: FastifyPluginAsync;
  /** Answers for ViewDefinition and Library, in the place of the record. */
  definitions: preHandlerHookHandler;
}

/** Composes the tables of analysts with the processes that answer questions about them. */
export function analysisSubgraph(dependencies: AnalysisDependencies) {
  const { baseUrl, folder, threads, tablesOf, search, members, identityOf, jobs, now } = dependencies;
  const queries = new SqlQueries(folder);
  const catalogueOf = catalogues(baseUrl);
  const workplace = new Workplace({
    folder,
    now,
    search,
    admit: (caller) => queries.admit(clientOf(caller)),
    makeTables: (task, feeds, signal) => threads.inline(task, feeds, signal),
    forget: (file) => queries.forget(file),
    async reach({ tenant, access, signal }) {
      const tables = tablesOf(tenant);
      if (!tables) throw nothingAtPath();
      return tables.reach(access, signal);
    },
  });
  return {
    routes: analysisRoutes({ baseUrl, catalogueOf, workplace, queries, members, identityOf, jobs }),
    definitions: answerDefinitions(baseUrl, catalogueOf),
    /** Ends what has a reach open, before it is removed. */
    forget: (file: string): void => queries.forget(file),
    /** Ends all questions that are answered. */
    close: () => queries.close(),
  };
}

/**
 * Returns the routes of a process that has no tables: they refuse all questions. It has the definitions.
 * @param refusal says why
 */
export function analysisElsewhere(baseUrl: string, refusal: () => Fault): AnalysisSubgraph {
  const catalogueOf = catalogues(baseUrl);
  const refused = (): never => {
    throw refusal();
  };
  const routes = analysisRoutes({
    baseUrl,
    catalogueOf: refused,
    members: refused,
    identityOf: refused,
    workplace: absentHere(),
    queries: absentHere(),
    jobs: absentHere(),
  });
  return { routes, definitions: answerDefinitions(baseUrl, catalogueOf) };
}

/** Returns a function that finds the catalogue of a tenant, which is made once. */
function catalogues(baseUrl: string): (tenant: Tenant) => Catalogue {
  const known = new WeakMap<Tenant, Catalogue>();
  return (tenant) => {
    let catalogue = known.get(tenant);
    if (!catalogue)
      known.set(tenant, (catalogue = new Catalogue(tenant.analysis, fhirBase(baseUrl, tenant))));
    return catalogue;
  };
}
