import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  HTTPMethods,
} from 'fastify';
import { fastify, LogController } from 'fastify';
import { getIntrospectionQuery } from 'graphql';
import type { Logger } from 'pino';
import { join } from 'node:path';
import { ExpressionPool } from '../schema/expressions/pool.ts';
import { Fault, toFault } from '../schema/fault/fault.ts';
import type { TrustedManifest } from '../schema/graphql/trusted-manifest.ts';
import type { Tenant } from '../schema/tenant/tenant.ts';
import { nothingAtPath } from '../schema/fault/refusals.ts';
import {
  answerAccessList,
  keepsAccessList,
  type AccessListRequestOptions,
} from './audit/access-list-requests.ts';
import { auditRequests, type AuditEvents } from './audit/request-audit.ts';
import { addAuthorization, decorateRequests, type PassOn } from './http/authorization-hook.ts';
import { faultHandler, nameResourceMetadata, sendFault, styleOf } from './http/fault-reply.ts';
import { fhirGraphqlRoutes } from './federation/fhir-operation/routes.ts';
import { graphqlRoutes, schemaRoute } from './federation/graphql-routes.ts';
import { Graphs, type SupergraphFile } from './federation/graph/graphs.ts';
import { TrustedDocuments } from './federation/request/trusted-documents.ts';
import type { GraphSubgraph } from './federation/subgraphs/remote-data-source.ts';
import { persistedQueries } from './federation/document/persisted-queries.ts';
import { federatedServer } from './federation/apollo/supergraph.ts';
import { CONNECTION_TIMEOUTS, type ConnectionTimeouts } from './http/connection-timeouts.ts';
import { healthRoutes, metricsRoute, type Readiness } from './http/health.ts';
import { refuseUnparsed } from './http/http-errors.ts';
import {
  addFixedHeaders,
  compressTexts,
  earlyHeaders,
  fixedHeaders,
  noStoreByDefault,
} from './http/http-headers.ts';
import type { Limits } from './federation/document/limits.ts';
import { limitLoad, type LoadLimits } from './http/load.ts';
import { rateLimits, type RateOptions } from './http/rate-limits.ts';
import { DEFAULT_LIMITS } from './federation/document/limits.ts';
import { mcpRoutes } from './mcp/routes.ts';
import type { RenderPicture } from './mcp/tool-call.ts';
import { metrics } from './http/metrics.ts';
import { observeRequests, requestId } from './http/logger.ts';
import { closeSilentConnections } from '../schema/http/silent-connections.ts';
import { errorsPage } from './pages/errors-page.ts';
import { playground, playgroundFiles } from './pages/playground.ts';
import { selfTestRoutes } from './self-test/routes.ts';
import type { SelfTest } from './self-test/self-test.ts';
import type { Authorizer } from './smart/authorize.ts';
import type { Capabilities } from './smart/capability/capability-admission.ts';
import {
  discoveryRoutes,
  rootMetadataRoutes,
  type DiscoveryOptions,
} from './smart/discovery/discovery-routes.ts';
import { startPage, type StartPageOptions } from './pages/start-page.ts';
import type { Tenants } from './tenants/loading/settings.ts';
import { shareRoutes } from './share/routes.ts';
import type { Shares } from './share/shares.ts';
import type { Traces } from './traces/traces.ts';
import type { GraphExecutor } from './settings.ts';
import { viewerConfiguration } from './pages/viewer-configuration.ts';
import { viewerFiles } from './pages/viewer-files.ts';
import { addLinkHeaders, wadoLinkRoutes, type OpenStudies } from './smart/capability/wado-links.ts';
import { WITHOUT_SCHEMAS } from './http/without-schemas.ts';

/** A subgraph: its graph, and its REST APIs below `/{tenant}`. */
export type Subgraph = GraphSubgraph & { routes: FastifyPluginAsync };

export interface AppDeps extends Partial<Pick<StartPageOptions, 'version' | 'people' | 'reachable'>> {
  /** Public base URL with its path prefix. */
  baseUrl: string;
  tenants: Tenants;
  authorizer: Authorizer;
  capabilities: Capabilities;
  /** Links by which people share; without it, there is nothing at their paths. */
  shares?: Shares;
  /** Routes below `/oauth` of tenants whose authorization server is ours; without it, these paths answer 501. */
  oauth?: FastifyPluginAsync;
  clinical: Subgraph &
    Pick<DiscoveryOptions, 'claims'> & { loading?(): readonly object[] } & Pick<Readiness, 'awaySources'>;
  /** Operations of FHIR REST over both subgraphs, and batches; without them, these paths answer 404. */
  operations?: FastifyPluginAsync;
  imaging: Subgraph & { open: OpenStudies; rendered: RenderPicture; loading?(): readonly object[] } & Pick<
      Readiness,
      'awaySources'
    > &
    Pick<AccessListRequestOptions, 'studyImages'>;
  recordHolds: AccessListRequestOptions['recordHolds'];
  /** Starts the federated graph over both subgraphs; by default `federatedServer`, which starts it at once. */
  startGraph?: typeof federatedServer;
  /** In UTF-8. */
  supergraphSdl: Uint8Array;
  /** The API schema, for `/schema.graphql`. */
  apiSdl: Uint8Array;
  /** Takes the place of the supergraph. */
  supergraphFile?: SupergraphFile | undefined;
  /** Documents of the gateway's own pages and tools (FG-13); by default there are none. */
  trustedDocuments?: TrustedManifest;
  /** Folder of the built viewer and of the built playground. */
  pagesDirectory: string;
  log: Logger;
  metrics?: ReturnType<typeof metrics>;
  /** Traces requests; by default there are no traces. */
  traces?: Pick<Traces, 'requests'> | undefined;
  /** True when `/metrics` is on a separate port, and not here. */
  separateMetricsPort?: boolean;
  /** Takes audit events (IA-30); without it they are dropped. */
  audit?: AuditEvents;
  /** Lists who has looked at the data of a patient; without it, no tenant has such lists. */
  accessList?: AccessListRequestOptions['list'];
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Evaluates FHIRPath of callers; by default the gateway creates its own pool. */
  expressions?: ExpressionPool;
  limits?: Limits;
  timeouts?: ConnectionTimeouts;
  /** Proxies whose `X-Forwarded-For` gives the client's address, by which throttles count. */
  trustedProxies?: readonly string[];
  /** Returns false while stopping: readiness then answers 503, and load balancers use another instance. */
  ready?: () => boolean;
  /** Runs a tenant's self-test for a caller with the operator's key (SM-18); without a key there is no such route. */
  selfTest?: { run: SelfTest; operatorKey?: string | undefined };
  /** The store that gateways share. */
  redis?: RateOptions['redis'];
  /** Limits of the load; without them, no request is refused because of it. */
  load?: LoadLimits;
  /** Is told of each request of a tenant. @returns the refusal while its data are being made */
  visited?: (tenant: Tenant) => Fault | undefined;
  /** Passes requests on to the first of several processes; without it, this one answers all. */
  passOn?: PassOn;
  /** Default `compiled`. */
  graphExecutor?: GraphExecutor;
  /** True when the viewer opens the tenants of this gateway only. */
  viewerOnlyOwn?: boolean;
  /** Milliseconds from which on a GraphQL operation is logged as slow; by default none is. */
  slowOperation?: number;
}

/** Builds the server with every route of the gateway. The imports name the files that serve the routes. */
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
    timeouts = CONNECTION_TIMEOUTS,
    startGraph = federatedServer,
  } = deps;
  const measured = deps.metrics ?? metrics();
  const started = new Date();
  const prefix = new URL(baseUrl).pathname.replace(/\/+$/, '');
  const fixed = fixedHeaders(baseUrl);
  const early = earlyHeaders(fixed);
  const app = fastify({
    ...WITHOUT_SCHEMAS,
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }) => requestId(headers),
    bodyLimit: limits.body,
    trustProxy: deps.trustedProxies?.length ? [...deps.trustedProxies] : false,
    // Dynamic tenants and capabilities are long path segments (SM-15); Node's header limit must be above this one.
    routerOptions: { maxParamLength: 16_384 },
    http: {
      maxHeaderSize: 65_536,
      headersTimeout: timeouts.headers,
      connectionsCheckingInterval: timeouts.check,
    },
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.idle,
    rewriteUrl: ({ url = '/' }) => routedPath(url, prefix),
    frameworkErrors: (error, request, reply) => {
      void reply.headers(early);
      // No route has been found yet that gives the error form; OAuth errors have the same form everywhere.
      const style = /^\/(dyn\/)?[^/]+\/oauth(\/|$|\?)/.test(request.url) ? 'oauth' : 'json';
      sendFault(baseUrl, style, toFault(error), {
        request: request as FastifyRequest,
        reply: reply as FastifyReply,
      });
    },
    clientErrorHandler: (error, socket) => refuseUnparsed(error, socket, early),
    // A server that stops finishes its requests, and answers those that still come on open connections.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  });
  const persisted = persistedQueries();
  const trusted = new TrustedDocuments(deps.trustedDocuments ?? new Map(), measured.untrustedDocument);
  const subgraphs = { clinical, imaging };
  const common = { subgraphs, limits, log, persisted: persisted.cache, measures: measured };
  const graphs = await Graphs.start({
    texts: { supergraphSdl: deps.supergraphSdl, apiSdl: deps.apiSdl },
    file: deps.supergraphFile,
    subgraphs,
    log,
    onReload: measured.supergraphReloaded,
    start: (texts) =>
      startGraph({ ...texts, ...common, executor: deps.graphExecutor, slow: deps.slowOperation }),
    // With the form of introspection that most tools send.
    documents: () => [
      ...(deps.trustedDocuments ? [getIntrospectionQuery()] : []),
      ...trusted.texts(tenants.all),
    ],
  });
  const { expressions = new ExpressionPool() } = deps;
  app.addHook('onClose', () => Promise.all([graphs.close(), deps.expressions ?? expressions.close()]));

  // Before the first request is taken: it would wait for one of them.
  app.addHook('onReady', async () => {
    const documents = await graphs.prepare();
    log.debug({ documents }, 'trusted documents are prepared');
  });

  closeSilentConnections(app);
  decorateRequests(app);
  app.decorate('baseUrl', baseUrl);
  deps.traces?.requests(app);
  observeRequests(app, measured);
  auditRequests(app, deps.audit ?? (() => {}));
  nameResourceMetadata(app, baseUrl);
  noStoreByDefault(app);
  await addFixedHeaders(app, fixed);
  const limitTenantLoad = await limitLoad(app, { baseUrl, tenants, metrics: measured, limits: deps.load });
  const { redis } = deps;
  const limitRate = await rateLimits(app, { redis, refused: measured.loadRefused });
  await compressTexts(app);
  app.setErrorHandler((error, request, reply) =>
    faultHandler(baseUrl, styleOf(request))(error, request, reply),
  );
  app.setNotFoundHandler((request, reply) => sendFault(baseUrl, 'json', nothingAtPath(), { request, reply }));

  await app.register(errorsPage());
  const viewer = viewerConfiguration(tenants, authorizer, { baseUrl, onlyOwn: deps.viewerOnlyOwn });
  await app.register(viewerFiles(join(deps.pagesDirectory, 'viewer'), baseUrl, viewer));
  const playgroundDirectory = join(deps.pagesDirectory, 'playground');
  await app.register(playgroundFiles(playgroundDirectory));
  const { ready = () => true } = deps;
  const shared = redis?.reachable;
  const supergraph = deps.supergraphFile && (() => graphs.isFileServed);
  const loading = () => [...(clinical.loading?.() ?? []), ...(imaging.loading?.() ?? [])];
  const rejectedTenants = () => tenants.rejected ?? [];
  const awaySources = () => [clinical, imaging].flatMap((part) => part.awaySources?.() ?? []);
  const readiness = { ready, loading, shared, supergraph, rejectedTenants, awaySources };
  await app.register(healthRoutes(readiness, measured));
  const { version = '', people, reachable, passOn } = deps;
  const start = {
    baseUrl,
    version,
    people,
    reachable,
    readiness,
    passOn,
    metrics: !deps.separateMetricsPort,
  };
  await app.register(startPage(tenants, start));
  if (!deps.separateMetricsPort) await app.register(metricsRoute(measured));
  await app.register(rootMetadataRoutes(tenants, authorizer, baseUrl));
  await app.register(schemaRoute(graphs));

  const documents = (tenant: Tenant) => ({
    maxTokens: limits.tokens,
    known: (text: string) => graphs.document(text),
    named: (id: string) => trusted.text(tenant, id) ?? persisted.text(id),
  });
  const mcp = mcpRoutes({
    graphs,
    limits,
    documents,
    trusted,
    authorizer,
    baseUrl,
    render: imaging.rendered,
  });
  const { accessList: list, recordHolds, now = Date.now } = deps;
  const { studyImages } = imaging;
  const accesses = answerAccessList({ baseUrl, list, now, studyImages, recordHolds });
  const listsAccesses = (tenant: Tenant) => keepsAccessList(tenant, list);
  for (const base of ['/:tenant', '/dyn/:encoded']) {
    await app.register(
      async (tenant) => {
        const { shares, visited } = deps;
        const authorization = { tenants, authorizer, capabilities, shares, baseUrl, documents, passOn };
        addAuthorization(tenant, { ...authorization, limitTenantLoad, visited });
        tenant.addHook('onRequest', limitRate);
        addLinkHeaders(tenant, capabilities);
        if (deps.selfTest) {
          await tenant.register(selfTestRoutes(deps.selfTest.run, deps.selfTest.operatorKey));
        }
        const { claims } = clinical;
        await tenant.register(discoveryRoutes({ authorizer, baseUrl, started, claims, listsAccesses }));
        await tenant.register(graphqlRoutes(graphs, { limits, trusted }));
        await tenant.register(fhirGraphqlRoutes(graphs, { limits, expressions, trusted }));
        await tenant.register(mcp);
        await tenant.register(playground(playgroundDirectory, baseUrl, authorizer));
        await tenant.register(async (record) => {
          record.addHook('preHandler', accesses);
          await record.register(clinical.routes);
        });
        if (deps.operations) await tenant.register(deps.operations);
        await tenant.register(imaging.routes);
        await tenant.register(wadoLinkRoutes({ baseUrl, capabilities, openStudies: imaging.open }));
        if (shares) await tenant.register(shareRoutes({ baseUrl, shares }));
        if (deps.oauth) await tenant.register(deps.oauth);
        else
          tenant.all(
            '/oauth/*',
            { config: { open: true, api: 'oauth' } },
            notSupportedYet('The authorization server of a tenant'),
          );
        for (const rest of ['/fhir', '/fhir/*', '/oauth'] as const) {
          const api = rest === '/oauth' ? 'oauth' : 'fhir';
          // A batch is sent to `/fhir`.
          const taken = rest === '/fhir' && deps.operations ? ['POST'] : [];
          const method = tenant.supportedMethods.filter((one) => !taken.includes(one)) as HTTPMethods[];
          const handler = () => Promise.reject(nothingAtPath());
          tenant.route({ url: rest, method, config: { open: true, api }, handler });
        }
      },
      { prefix: base },
    );
  }
  return app;
}

/** Removes the public prefix if an ingress has left it, and decodes the `%24` of operations, which a router does not match. */
function routedPath(url: string, prefix: string): string {
  const path = prefix && url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : url;
  return path.replace(/\/%24(?=[a-z])/g, '/$');
}

const notSupportedYet = (what: string) => () => {
  throw new Fault('not_implemented', `${what} is not supported yet.`);
};
