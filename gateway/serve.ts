import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { FastifyBaseLogger } from 'fastify';
import { ExpressionPool } from '../schema/expressions/pool.ts';
import { trustedManifest } from '../schema/graphql/trusted-manifest.ts';
import { tlsParts, type Tenant } from '../schema/tenant/tenant.ts';
import { mistakesOf } from '../subgraphs/analysis/routes/catalogue.ts';
import { sharedFirstSeen } from '../subgraphs/imaging/cache/shared-first-seen.ts';
import { buildApp } from './app.ts';
import { AccessList } from './audit/access-list.ts';
import { auditSinks } from './audit/sinks.ts';
import { buildDemoImages } from './demo/images.ts';
import { buildPopulation } from './demo/population/build.ts';
import { populationEnvironment } from './demo/population/environment.ts';
import { isPopulation, PopulationOnDemand } from './demo/population/on-demand.ts';
import { onceASecond } from './demo/progress.ts';
import { demoSecret } from './demo/secret.ts';
import { clinicalProcess, gatewayParts, imagingProcess, type PartsOptions } from './gateway.ts';
import { handoverProxy } from './outbound/handover-proxy.ts';
import { GracefulShutdown } from './http/graceful-shutdown.ts';
import { outboundConnections } from './outbound/connections.ts';
import { metricsServer } from './http/metrics-server.ts';
import { metrics } from './http/metrics.ts';
import { processLogger } from './http/logger.ts';
import { greeting } from './pages/greeting.ts';
import { askedCheck, checkTenant, COMMAND } from './self-test/command.ts';
import type { Settings } from './settings.ts';
import { serveSubgraph, subgraphOf } from './split/serve-subgraph.ts';
import { countedCache } from './state/cache.ts';
import { sharedState } from './state/shared-state.ts';
import { WatchedTenants, type TenantChanges } from './tenants/loading/watched-tenants.ts';
import { notPrepared } from './tenants/loading/not-prepared.ts';
import { storeProgress } from './tenants/loading/store-progress.ts';
import type { Traces } from './traces/traces.ts';
import { oneOfSeveral } from './workers/one-of-several.ts';
import { passOnTo, serveOthers } from './workers/pass-on.ts';

// A collection of all garbage waits until the heap has grown by this much of what is in use. V8's own choice on a large
// machine is to let it grow to several times that.
setFlagsFromString('--heap-growing-percent=20');
// V8 makes objects old at once where those made earlier have lived long: what is cached first is made by the same code as what
// each request throws away later. It would collect all garbage once in seven seconds of load instead of once in thirty.
setFlagsFromString('--no-allocation-site-pretenuring');

/**
 * Reads the tenants, builds the app and listens; or checks one tenant and exits. Only this file and main.ts read the
 * environment and end the process.
 * @param root folder of the package
 */
export async function serve(settings: Settings, root: string): Promise<void> {
  const { baseUrl, dataDir, host, port } = settings;
  const [command, ...args] = process.argv.slice(2);
  const checking =
    command === COMMAND
      ? askedCheck(args, settings.tenantsDir, Boolean(process.env['TENANTS_DIR']))
      : undefined;
  if (typeof checking === 'string') {
    process.stdout.write(checking);
    process.exit(1);
  }
  const subgraph = subgraphOf(command, settings, process.env);
  const { split, logFormat } = settings;
  const log = processLogger(checking ? 'silent' : settings.logLevel, logFormat);
  const demo = {
    images: join(dataDir, 'demo', 'images'),
    patients: join(root, 'gateway', 'demo', 'patients'),
    population: join(dataDir, 'demo', 'population'),
    secret: join(dataDir, 'demo', 'secret'),
  };
  const expressions = new ExpressionPool();
  const tenants = new WatchedTenants({
    directory: settings.tenantsDir,
    baseUrl,
    environment: {
      ...process.env,
      VIEWER_URL: `${baseUrl}/app/`,
      DEMO_IMAGES: demo.images,
      DEMO_PLAYGROUND_URL: `${baseUrl}/demo/playground`,
      ...populationEnvironment(demo.population, baseUrl),
      // Created only when a tenant refers to it.
      get DEMO_SECRET() {
        return demoSecret(demo.secret);
      },
    },
    demo,
    mockAllowed: settings.mockAllowed,
    analysisMistakes: mistakesOf,
    dynamic: settings.dynamicTenants,
    dynamicHosts: settings.dynamicHosts,
    expressions,
  });
  for (const warning of tenants.warnings) log.warn(warning);
  for (const { key, reason } of tenants.skipped) log.warn({ tenant: key, reason }, 'tenant left out');
  if (settings.sealingKeys.length === 0) {
    log.warn('SEALING_KEY is not set: only this process can open what it seals, and not after a restart.');
  }

  // Until the server starts, a signal exits at once. The first process of a container only gets signals that it handles.
  let stop: (signal: NodeJS.Signals) => void = () => process.exit(0);
  const counted = metrics();
  const several = oneOfSeveral(process.env, counted.registry);
  const isFirst = several?.isFirst ?? true;
  // Of several processes, the supervisor gets the signals.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => several ?? stop(signal));
  several?.onStop((signal) => stop(signal));
  // A terminal that is closed sends it too.
  process.on('SIGHUP', () => (process.stdin.isTTY ? stop('SIGINT') : tenants.look(true)));

  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const usesDemo = ({ images }: Tenant) =>
    images.some((source) => source.type === 'folder' && `${source.path}${sep}`.startsWith(demo.images + sep));
  // For people. With LOG_FORMAT=json a program that reads stdout gets nothing else there.
  const print = checking ? console.error : console.log;
  const isGreeting = !subgraph && logFormat !== 'json' && process.env['NODE_ENV'] !== 'production';
  const progress = (line: string) => {
    if (!isFirst) return;
    if (isGreeting) print(`  ${line}`);
    else log.info(line);
  };
  progress(`tenants: ${tenants.all.length} of ${settings.tenantsDir}`);
  const onProgress = onceASecond((done, total, label: string) =>
    progress(`demonstration images ${done}/${total}: ${label}`),
  );
  // In several processes, that of the images has them.
  const hasImages = split ? subgraph === 'imaging' : isFirst;
  const buildImagesFor = async (some: readonly Tenant[]) => {
    if (hasImages && some.some(usesDemo)) await buildDemoImages({ target: demo.images, onProgress });
    // A process of its own sees no visits, and a check is none.
    if ((subgraph || checking) && some.some((tenant) => isPopulation(tenant, demo.population)))
      await buildPopulation(demo.population);
  };
  // A check writes only what its tenant needs.
  const prepared = tenants.all.filter(({ key }) => !checking || key === checking.key);
  await buildImagesFor(prepared);
  progress('reading records and folders of images');

  const secrets = settings.sealingKeys.length > 0 ? settings.sealingKeys : [randomBytes(32).toString('hex')];
  const redis = checking ? undefined : await redisAt(settings.redisUrl);
  redis?.onChange((reachable, reason) => {
    if (reachable) log.info('REDIS_URL: the shared state is reached');
    else log.warn({ reason }, 'REDIS_URL: the shared state cannot be reached');
  });
  const traces = settings.traces && !checking ? await openTraces(settings.traces, log) : undefined;
  const measured = traces?.with(counted) ?? counted;
  if (several) measured.text = several.metricsOfAll;
  const state = redis && sharedState(redis, secrets, Date.now);
  const shared = state && {
    ...state,
    cache: countedCache(state.cache, measured.cacheLookup),
    seen: sharedFirstSeen(redis.client, () => Date.now() / 1000),
  };
  const connections = outboundConnections({ ...settings, log, tenants: tenants.all });
  const openAudit = (accessList?: AccessList) => {
    const audit = auditSinks({
      accessList,
      baseUrl,
      // Not through the logger: it writes later, and drops lines when nobody reads them.
      stdout: (lines) => process.stdout.write(lines),
      fetch: connections.fetch,
      now: () => Date.now() / 1000,
      log,
      registry: measured.registry,
    });
    process.once('exit', audit.record.flush);
    return audit;
  };
  // Each of several gateways, or of three processes, has seen a part of the accesses only.
  const isOneList = !redis && !split;
  if (!isOneList && !subgraph && tenants.all.some(({ audit }) => audit.keep > 0))
    log.warn('audit.keep is left out: gateways with REDIS_URL, and three processes, have no list in common.');
  const options: PartsOptions = {
    ...connections,
    now: Date.now,
    baseUrl,
    dataDir,
    secrets,
    expressions,
    shared,
    log: log as FastifyBaseLogger,
    dimse: { host, port: settings.dimsePort, maxBytes: settings.dimseCacheBytes, tls: settings.dimseTls },
    exports: { bytes: settings.exportBytes, seconds: settings.exportSeconds },
    ...(several && !isFirst && { ownDir: join(dataDir, 'processes', `${several.number}`) }),
    onRefused: measured.imageRefused,
    onUnclear: measured.identityUnclear,
    onContradiction: measured.studyContradicted,
    proxy: settings.accelKey === undefined ? undefined : handoverProxy(settings.accelKey, settings),
    measure: measured.sourceCall,
    countLookup: measured.cacheLookup,
    split,
  };
  const watch = (release: TenantChanges['released'], prepare: (tenant: Tenant) => Promise<unknown>) => {
    const loaded = (tenant: Tenant): void => {
      // Its certificates are read at once: later, a broken file would have none before it.
      for (const { tls } of tlsParts(tenant)) connections.dispatcher(tenant, tls);
      buildImagesFor([tenant])
        .then(() => prepare(tenant))
        .catch(notPrepared(log, tenant));
    };
    const changes = { loaded, released: release, count: measured.tenantReloaded, log };
    void tenants.watch(settings.tenantsInterval, changes);
  };
  if (subgraph && split) {
    const audit = openAudit();
    const part = subgraph === 'clinical' ? clinicalProcess(options, split) : imagingProcess(options, split);
    watch(part.release, (tenant) => part.prepare(tenant));
    stop = await serveSubgraph({
      part,
      settings,
      tenants,
      log,
      secrets,
      metrics: measured,
      traces,
      audit: audit.record,
      shared: redis?.reachable,
      close: () => Promise.all([audit.close(), redis?.close(), expressions.close(), traces?.close()]),
    });
    return;
  }
  const parts = gatewayParts(options);
  const { clinical, server } = parts;
  redis?.onChange((reachable) => {
    if (reachable) server.renew();
  });
  const population = new PopulationOnDemand({
    folder: demo.population,
    prepare: parts.prepare,
    log,
    isReady: checking !== undefined || split !== undefined,
  });
  const atOnce = (tenant: Tenant) => !population.waits(tenant);
  const stores = prepared
    .filter(atOnce)
    .map((tenant) =>
      clinical.prepare(tenant, storeProgress(log, tenant.key)).catch(notPrepared(log, tenant)),
    );

  if (checking) {
    await Promise.all(stores);
    process.exit(
      await checkTenant(checking, tenants, parts.selfTest, (text) => void process.stdout.write(text)),
    );
  }

  watch(parts.release, (tenant) => population.prepare(tenant));
  const accessList = isOneList
    ? new AccessList({ file: join(dataDir, 'accesses.sqlite'), secrets, now: Date.now, log })
    : undefined;
  const audit = openAudit(accessList);
  const { shutdownDelaySeconds: delaySeconds } = settings;
  const shutdown = new GracefulShutdown({ delaySeconds, exit: process.exit, log });
  const schemaFile = (name: string) => readFileSync(join(root, 'schema', name));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const app = await buildApp({
    ...parts,
    baseUrl,
    version,
    tenants,
    supergraphSdl: schemaFile('supergraph.graphql'),
    apiSdl: schemaFile('api.graphql'),
    supergraphFile: settings.supergraphFile ? { path: settings.supergraphFile, interval: 2000 } : undefined,
    trustedDocuments: trustedManifest.parse(JSON.parse(schemaFile('trusted-documents.json').toString())),
    pagesDirectory: join(root, 'dist'),
    log,
    metrics: measured,
    traces,
    separateMetricsPort: settings.metricsPort !== undefined,
    audit: audit.record,
    accessList,
    expressions,
    selfTest: { run: parts.selfTest, operatorKey: settings.operatorKey },
    trustedProxies: settings.trustedProxies,
    ready: () => shutdown.isReady,
    ...(redis && { redis }),
    visited: (tenant) => population.visited(tenant),
    ...(several && !isFirst && { passOn: { to: passOnTo(several.socket), isShared: redis !== undefined } }),
    load: settings,
    graphExecutor: settings.graphExecutor,
    viewerOnlyOwn: settings.viewerOnlyOwn,
    slowOperation: settings.slowOperation,
  });
  const metricsApp = settings.metricsPort === undefined || !isFirst ? undefined : metricsServer(measured);
  let passedOn: Server | undefined;
  const close = async () => {
    if (several && isFirst) await several.othersEnded;
    passedOn?.close();
    await app.close();
    await Promise.all([parts.close(), audit.close(), metricsApp?.close()]);
    await Promise.all([accessList?.close(), redis?.close(), expressions.close(), traces?.close()]);
  };
  shutdown.serves(app.server, close);
  stop = (signal) => shutdown.begin(signal);
  await metricsApp?.listen({ host, port: settings.metricsPort });
  // It takes a part of all connections at once: their requests must not wait until it has read everything.
  const folders = parts.begin(tenants.all.filter(atOnce));
  if (!isFirst) await Promise.all([Promise.race([Promise.all(stores), delay(LONGEST_LOAD)]), ...folders]);
  await app.listen({ host, port });
  if (several && isFirst) passedOn = await serveOthers(app, several.socket);
  if (isFirst) server.keepSweeping(() => tenants.all);
  const demonstrates = tenants.all.some(({ key }) => key === 'demo');
  // The first request that it shows needs the record of the demonstration.
  await Promise.all(stores);
  several?.ready();
  if (!isFirst) return;
  const isRead = await Promise.race([Promise.all(folders), delay(GREETING_PATIENCE, false, { ref: false })]);
  progress(
    `ready after ${process.uptime().toFixed(1)} s${isRead ? '' : ', and still reads folders of images'}`,
  );
  if (isGreeting) print(greeting(baseUrl, demonstrates ? demo.secret : undefined));
  if (tenants.all.length === 0) log.warn(`no tenant is served: none of ${settings.tenantsDir} is loaded`);
}

/** Begins to trace. OpenTelemetry is loaded here only: without traces, it costs nothing. */
async function openTraces(...options: ConstructorParameters<typeof Traces>): Promise<Traces> {
  const { Traces } = await import('./traces/traces.ts');
  return new Traces(...options);
}

/** Milliseconds after which a process besides the first serves although a store is not loaded. */
const LONGEST_LOAD = 60_000;

/** Milliseconds for which the greeting waits until all folders are read. */
const GREETING_PATIENCE = 10_000;

/** Opens the store that several gateways share, if there is one: its client is not loaded without. */
async function redisAt(url: string | undefined) {
  if (!url) return undefined;
  const { openRedis } = await import('./state/open-redis.ts');
  return openRedis(url);
}
