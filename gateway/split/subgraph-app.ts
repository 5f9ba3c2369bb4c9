import type { FastifyBaseLogger, FastifyInstance, FastifyPluginAsync } from 'fastify';
import { fastify, LogController } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from 'pino';
import { sealingKey } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { nothingAtPath } from '../../schema/fault/refusals.ts';
import { closeSilentConnections } from '../../schema/http/silent-connections.ts';
import { auditRequests, type AuditEvents } from '../audit/request-audit.ts';
import type { LocalSubgraph } from '../federation/subgraphs/local-data-source.ts';
import type { ServiceName } from '../federation/request/service-name.ts';
import { decorateRequests, useTenant } from '../http/authorization-hook.ts';
import { CONNECTION_TIMEOUTS } from '../http/connection-timeouts.ts';
import { faultHandler, sendFault, styleOf } from '../http/fault-reply.ts';
import { healthRoutes, metricsRoute, type Readiness } from '../http/health.ts';
import { limitLoad, type LimitTenantLoad, type LoadLimits } from '../http/load.ts';
import { metrics } from '../http/metrics.ts';
import { observeRequests, requestId } from '../http/logger.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import type { Traces } from '../traces/traces.ts';
import { fetchAnswers } from './fetch-answers.ts';
import { serveFunctions, type ServedFunction } from './functions.ts';
import { accessOpener } from './opened-access.ts';
import { continueWork } from './shared-work.ts';
import { RECORDS, SEAL_REFUSED, SEALED_ACCESS, WORK } from './wire.ts';
import { WITHOUT_SCHEMAS } from '../http/without-schemas.ts';

/** Bytes of the headers: an Access of a backend service may have 100,000 patients. */
const HEADER_LIMIT = 24 * 1024 * 1024;
/** Bytes of a question: it may name thousands of patients, or studies with their keys. */
const BODY_LIMIT = 16 * 1024 * 1024;

export interface SubgraphAppDeps extends LocalSubgraph {
  service: ServiceName;
  /** Public base URL of the gateway, for addresses in answers. */
  baseUrl: string;
  tenants: Tenants;
  /** SEALING_KEY: all keys open. */
  secrets: readonly string[];
  /** FHIR REST and DICOMweb, below `/{tenant}`. */
  routes: readonly FastifyPluginAsync[];
  functions: Readonly<Record<string, ServedFunction>>;
  readiness: Readiness;
  log: Logger;
  /** Milliseconds since the epoch. */
  now: () => number;
  audit?: AuditEvents | undefined;
  metrics?: ReturnType<typeof metrics> | undefined;
  traces?: Pick<Traces, 'requests'> | undefined;
  /** Limits of the load; without them, no request is refused because of it. */
  load?: LoadLimits | undefined;
  /** True when `/metrics` is on a separate port. */
  separateMetricsPort?: boolean | undefined;
}

/**
 * Builds the server of a subgraph that is a process of its own. It answers the gateway and the other subgraph only: every
 * request below a tenant carries an Access that is sealed for this subgraph.
 */
export async function buildSubgraphApp(deps: SubgraphAppDeps): Promise<FastifyInstance> {
  const { service, baseUrl, log, readiness } = deps;
  const measured = deps.metrics ?? metrics();
  const app = fastify({
    ...WITHOUT_SCHEMAS,
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => requestId(headers),
    bodyLimit: BODY_LIMIT,
    // The gateway has refused paths and headers that are too long; the sealed Access is added to them.
    routerOptions: { maxParamLength: 16_384 },
    http: { maxHeaderSize: HEADER_LIMIT, headersTimeout: CONNECTION_TIMEOUTS.headers },
    keepAliveTimeout: CONNECTION_TIMEOUTS.idle,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  });
  closeSilentConnections(app);
  decorateRequests(app);
  deps.traces?.requests(app);
  observeRequests(app, measured);
  auditRequests(app, deps.audit ?? (() => {}));
  const { tenants } = deps;
  const limitTenantLoad = await limitLoad(app, { baseUrl, tenants, metrics: measured, limits: deps.load });
  app.setErrorHandler((error, request, reply) =>
    faultHandler(baseUrl, styleOf(request))(error, request, reply),
  );
  app.setNotFoundHandler((request, reply) => sendFault(baseUrl, 'json', nothingAtPath(), { request, reply }));
  await app.register(healthRoutes(readiness, measured));
  if (!deps.separateMetricsPort) await app.register(metricsRoute(measured));
  const answerFetch = fetchAnswers(service, deps);
  for (const prefix of ['/:tenant', '/dyn/:encoded']) {
    await app.register(
      async (tenant) => {
        openAccess(tenant, { ...deps, limitTenantLoad });
        serveFunctions(tenant, deps.functions);
        tenant.post('/graphql', { config: { open: true, internal: true } }, answerFetch);
        for (const routes of deps.routes) await tenant.register(routes);
      },
      { prefix },
    );
  }
  return app;
}

/** Returns the tenant of a file. The gateway has it: a process without it has other files, for a moment. */
function sameAsGateway(tenants: Tenants, key: string): Tenant {
  try {
    return tenants.byKey(key);
  } catch {
    throw otherConfiguration();
  }
}

const otherConfiguration = () =>
  new Fault('unavailable', 'The configuration of this tenant is being changed; try again in a few seconds.', {
    retryAfter: 2,
  });

function workIn(headers: IncomingHttpHeaders): string | undefined {
  const { [WORK]: id } = headers;
  return typeof id === 'string' ? id : undefined;
}

/** Finds the tenant of each request, and opens its Access. A request without one is refused. */
function openAccess(
  app: FastifyInstance,
  { tenants, secrets, service, now, limitTenantLoad }: SubgraphAppDeps & { limitTenantLoad: LimitTenantLoad },
): void {
  const open = accessOpener({ service, keys: secrets.map(sealingKey), now });
  app.addHook('onRequest', async (request, reply) => {
    const { tenant: key = '', encoded } = request.params as { tenant?: string; encoded?: string };
    const sealed = request.headers[SEALED_ACCESS];
    try {
      const access = await open(String(sealed ?? ''));
      const tenant = await (encoded === undefined ? sameAsGateway(tenants, key) : tenants.dynamic(encoded));
      useTenant(tenants, tenant, { request, reply });
      limitTenantLoad(request);
      if (access.tenant !== tenant.key)
        throw new Fault('unauthenticated', 'This Access is for another tenant.');
      // Its patients are those of another record.
      if (access.record !== undefined && access.record !== tenant.recordKey) throw otherConfiguration();
      request.access = continueWork(access, workIn(request.headers));
      void reply.header(RECORDS, '1');
    } catch (error) {
      const isSeal = error instanceof Fault && error.code === 'unauthenticated';
      if (isSeal) void reply.header(SEAL_REFUSED, '1');
      throw error;
    }
  });
}
