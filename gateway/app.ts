import fastifyCompress from '@fastify/compress';
import fastifyCors from '@fastify/cors';
import fastifyHelmet from '@fastify/helmet';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
} from 'fastify';
import { fastify, LogController } from 'fastify';
import type { Logger } from 'pino';
import { Fault, toFault } from '../schema/fault.ts';
import { auditRequests, type AuditEvents } from './audit/request-audit.ts';
import { addDoor, decorateRequests } from './door.ts';
import { faultHandler, nameResourceMetadata, sendFault, styleOf } from './fault-reply.ts';
import { fhirGraphqlRoutes, graphqlRoutes } from './federation/graphql-routes.ts';
import type { LocalSubgraph } from './federation/local-data-source.ts';
import { federatedServer } from './federation/supergraph.ts';
import { healthRoutes } from './health.ts';
import { refuseUnparsed } from './http-errors.ts';
import { COMPRESSED, CORS, CORS_ANSWER, SECURITY_HEADERS } from './http-headers.ts';
import type { Limits } from './limits.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { metrics, observeRequests, requestId } from './observe.ts';
import { playground } from './playground/playground.ts';
import { selfTestRoutes } from './self-test/routes.ts';
import type { SelfTest } from './self-test/self-test.ts';
import type { Authorizer } from './smart/authorize.ts';
import type { Capabilities } from './smart/capability-admission.ts';
import { discoveryRoutes, rootMetadataRoutes } from './smart/discovery-routes.ts';
import { startPage } from './start-page.ts';
import type { Tenants } from './tenants.ts';
import { viewerFiles } from './viewer-files.ts';
import { addLinkHeaders, wadoLinkRoutes, type OpenStudies } from './wado-links.ts';

/** A subgraph of this process: its graph, its core, and its REST faces below `/{tenant}`. */
export interface Subgraph extends LocalSubgraph {
  routes: FastifyPluginAsync;
}

export interface AppDeps {
  /** Public base, path prefix included. */
  baseUrl: string;
  tenants: Tenants;
  authorizer: Authorizer;
  capabilities: Capabilities;
  /** `/oauth/…` of the tenants whose authorization server we are; without it those paths are answered 501. */
  oauth?: FastifyPluginAsync;
  clinical: Subgraph;
  imaging: Subgraph & { open: OpenStudies };
  supergraphSdl: string;
  /** The API schema, for `/schema.graphql`. */
  apiSdl: string;
  /** Where the built viewer is. */
  viewerDirectory: string;
  log: Logger;
  metrics?: ReturnType<typeof metrics>;
  /** Where audit events go (IA-30); nowhere without it. */
  audit?: AuditEvents;
  limits?: Limits;
  /** False while stopping: readiness says so, and the load balancer goes elsewhere. */
  ready?: () => boolean;
  /** Tries what a tenant depends on, for whoever holds the operator's key (SM-18); without one nobody is answered. */
  selfTest?: { run: SelfTest; operatorKey?: string | undefined };
  /** Whether the store that gateways share answers; undefined where there is none. */
  sharedReachable?: () => boolean;
}

/** Every route of the gateway. What is behind a route is in the file that its import names. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const {
    baseUrl,
    tenants,
    authorizer,
    capabilities,
    clinical,
    imaging,
    log,
    limits = DEFAULT_LIMITS,
  } = deps;
  const measured = deps.metrics ?? metrics();
  const started = new Date();
  const prefix = new URL(baseUrl).pathname.replace(/\/+$/, '');
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => requestId(headers),
    bodyLimit: limits.body,
    // Dynamic tenants and capabilities are long path segments (SM-15); Node's own limit has to be above that.
    routerOptions: { maxParamLength: 16_384 },
    http: { maxHeaderSize: 65_536 },
    requestTimeout: 60_000,
    rewriteUrl: ({ url = '/' }) => routedPath(url, prefix),
    frameworkErrors: (error, request, reply) => {
      void reply.headers(CORS_ANSWER);
      sendFault(baseUrl, 'json', toFault(error), request as FastifyRequest, reply as FastifyReply);
    },
    clientErrorHandler: refuseUnparsed,
    // What was begun is finished when the server stops.
    forceCloseConnections: 'idle',
  });
  const server = await federatedServer({
    supergraphSdl: deps.supergraphSdl,
    subgraphs: { clinical, imaging },
    limits,
    log,
  });
  app.addHook('onClose', () => server.stop());

  decorateRequests(app);
  observeRequests(app, measured);
  auditRequests(app, deps.audit ?? (() => {}));
  nameResourceMetadata(app, baseUrl);
  await app.register(fastifyCors, CORS);
  await app.register(fastifyHelmet, SECURITY_HEADERS);
  await app.register(fastifyCompress, COMPRESSED);
  app.setErrorHandler((error, request, reply) =>
    faultHandler(baseUrl, styleOf(request.routeOptions.url ?? ''))(error, request, reply),
  );
  app.setNotFoundHandler((request, reply) => {
    const fault = new Fault('not_found', 'There is nothing at this path.');
    return sendFault(baseUrl, styleOf(request.url.split('?')[0]!), fault, request, reply);
  });

  await app.register(startPage(tenants));
  await app.register(viewerFiles(deps.viewerDirectory, baseUrl));
  await app.register(healthRoutes(deps.ready ?? (() => true), measured, deps.sharedReachable));
  await app.register(rootMetadataRoutes(tenants, authorizer, baseUrl));
  app.get('/schema.graphql', (_request, reply) => reply.type('text/plain; charset=utf-8').send(deps.apiSdl));

  for (const base of ['/:tenant', '/dyn/:encoded']) {
    await app.register(
      async (tenant) => {
        addDoor(tenant, { tenants, authorizer, capabilities, baseUrl });
        addLinkHeaders(tenant, capabilities);
        if (deps.selfTest) {
          await tenant.register(selfTestRoutes(deps.selfTest.run, deps.selfTest.operatorKey));
        }
        await tenant.register(discoveryRoutes(authorizer, baseUrl, started));
        await tenant.register(graphqlRoutes(server, limits));
        await tenant.register(fhirGraphqlRoutes(server, limits));
        await tenant.register(playground(baseUrl));
        await tenant.register(clinical.routes);
        await tenant.register(imaging.routes);
        await tenant.register(wadoLinkRoutes({ baseUrl, capabilities, openStudies: imaging.open }));
        if (deps.oauth) await tenant.register(deps.oauth);
        else
          tenant.all('/oauth/*', { config: { open: true } }, later('The authorization server of a tenant'));
      },
      { prefix: base },
    );
  }
  return app;
}

/** An ingress may or may not take the public prefix away; clients may write `$` as `%24`, which routers tell apart. */
function routedPath(url: string, prefix: string): string {
  const path = prefix && url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : url;
  return path.replace(/\/%24graphql(?=$|\?)/, '/$graphql');
}

const later = (what: string) => () => {
  throw new Fault('not_implemented', `${what} is not supported yet.`);
};
