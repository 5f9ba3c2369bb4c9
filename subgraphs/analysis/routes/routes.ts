import type { FastifyPluginAsync } from 'fastify';
import { asFhir } from '../../../schema/fhir/fhir-request.ts';
import { faultHandler } from '../../../schema/http/fault-reply.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import {
  cancelExport,
  exportFile,
  exportResult,
  exportStatus,
  startExport,
  type ExportOptions,
} from './export.ts';
import { readStatementsAndJson } from './given.ts';
import { answerRun } from './run.ts';

/** One process has the tables, and the files of exports. */
const SERVED = {
  config: {
    api: 'fhir',
    serves: { interaction: 'operation' },
    stateIn: 'process',
    isOffered: ({ analysis }: Tenant) => analysis.enabled,
  },
  exposeHeadRoute: false,
} as const;

/** Returns the routes of SQL on FHIR below `/{tenant}`. */
export function analysisRoutes(options: ExportOptions): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler(faultHandler({ baseUrl: options.baseUrl, render: asFhir }));
    readStatementsAndJson(app);
    for (const [url, answer] of [
      ['/fhir/$sql-run', answerRun],
      ['/fhir/$sql-export', startExport],
    ] as const)
      app.route({
        method: ['GET', 'POST'],
        url,
        ...SERVED,
        handler: (request, reply) => answer(request, reply, options),
      });
    const status = '/fhir/$sql-export-status/:job';
    app.get(status, SERVED, (request, reply) => exportStatus(request, reply, options));
    app.delete(status, SERVED, (request, reply) => cancelExport(request, reply, options));
    app.get('/fhir/$sql-export-result/:job', SERVED, (request, reply) =>
      exportResult(request, reply, options),
    );
    app.get('/fhir/$sql-export-file/:job/*', SERVED, (request, reply) => exportFile(request, reply, options));
  };
}
