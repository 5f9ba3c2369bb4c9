import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { ExpressionPool } from '../schema/expressions/pool.ts';
import type { Tenant } from '../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../subgraphs/imaging/app.ts';
import { sharedSeen } from '../subgraphs/imaging/cache/seen-shared.ts';
import { buildApp } from './app.ts';
import { auditSinks } from './audit/sinks.ts';
import { buildDemoImages } from './demo/images.ts';
import { demoSecret } from './demo/secret.ts';
import { patientDirectory } from './joins/directory.ts';
import { GracefulShutdown } from './http/graceful-shutdown.ts';
import { fetchThrough, guardedDispatcher } from './outbound/guarded-dispatcher.ts';
import { metricsServer } from './http/metrics-server.ts';
import { logger, metrics } from './http/observe.ts';
import { readyMadeCommands } from './pages/ready-made.ts';
import { checkTenant, COMMAND } from './self-test/command.ts';
import { selfTest } from './self-test/self-test.ts';
import { readSettings, SettingsError } from './settings.ts';
import { openRedis } from './state/redis.ts';
import { sharedState } from './state/shared-state.ts';
import { authorizer } from './smart/authorize.ts';
import { ownAccess } from './smart/server/own-access.ts';
import { peopleOfRecord } from './smart/server/sign-in/people.ts';
import { oauthRoutes } from './smart/server/routes.ts';
import { authorizationServer } from './smart/server/server.ts';
import { capabilities } from './smart/capability/capability-admission.ts';
import { readTenants, TenantsError } from './tenants/loading/tenants.ts';

/**
 * Environment → tenants → app → listen, or the check of one tenant. The only file that reads the environment and ends
 * the process.
 */
async function main(): Promise<void> {
  const root = packageRoot();
  const settings = readSettings(process.env, root);
  const { baseUrl, dataDir, host, port } = settings;
  // ApolloGateway phones out unless it is told not to before it is made.
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
  const [command, ...args] = process.argv.slice(2);
  const checking = command === COMMAND;
  const log = logger(checking ? 'silent' : settings.logLevel);
  const demo = {
    images: join(dataDir, 'demo', 'images'),
    patients: join(root, 'gateway', 'demo', 'patients'),
    secret: join(dataDir, 'demo', 'secret'),
  };
  const expressions = new ExpressionPool();
  const tenants = readTenants({
    directory: settings.tenantsDir,
    environment: {
      ...process.env,
      VIEWER_URL: `${baseUrl}/app/`,
      DEMO_IMAGES: demo.images,
      DEMO_PLAYGROUND_URL: `${baseUrl}/demo/playground`,
      // Made when a tenant names it.
      get DEMO_SECRET() {
        return demoSecret(demo.secret);
      },
    },
    demo,
    mockAllowed: settings.mockAllowed,
    dynamic: settings.dynamicTenants,
    dynamicHosts: settings.dynamicHosts,
    expressions,
  });
  for (const warning of tenants.warnings) log.warn(warning);
  for (const { key, reason } of tenants.skipped) log.warn({ tenant: key, reason }, 'tenant left out');
  if (settings.sealingKeys.length === 0) {
    log.warn('SEALING_KEY is not set: what this process seals, no other can open, and none after it.');
  }

  // Until there is something to finish. A container's first process gets no signal that it does not handle.
  let stop: (signal: NodeJS.Signals) => void = () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));

  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const usesDemo = tenants.all.some(({ images }) =>
    images.some((source) => source.type === 'folder' && `${source.path}${sep}`.startsWith(demo.images + sep)),
  );
  const onProgress = demoProgress(checking ? console.error : console.log);
  if (usesDemo) await buildDemoImages({ target: demo.images, onProgress });

  const secrets = settings.sealingKeys.length > 0 ? settings.sealingKeys : [randomBytes(32).toString('hex')];
  const redis = settings.redisUrl && !checking ? openRedis(settings.redisUrl, sharedStateChanged) : undefined;
  const shared = redis && sharedState(redis, secrets, Date.now);
  function sharedStateChanged(reachable: boolean, reason?: string): void {
    if (!reachable) return log.warn({ reason }, 'REDIS_URL: the shared state cannot be reached');
    log.info('REDIS_URL: the shared state is reached');
    server.renew();
  }

  const guarded = guardedDispatcher(settings.dynamicHosts);
  const seconds = () => Date.now() / 1000;
  const outside = { fetch, guardedFetch: fetchThrough(guarded), now: Date.now };
  const dispatcher = ({ dynamic }: Tenant) => (dynamic ? guarded : undefined);
  const { people, identity } = peopleOfRecord((tenant, access) => clinical.open(tenant, access));
  const server = authorizationServer({
    baseUrl,
    dataDir,
    people,
    outside,
    now: Date.now,
    onError: (err, tenant) => log.error({ err, tenant }, 'authorization server'),
    ...(shared && { state: shared.state, shareKeys: shared.shareKeys }),
  });
  const door = authorizer({
    ...outside,
    baseUrl,
    own: {
      authorize: ownAccess({ server, identity, now: Date.now }),
      smartConfiguration: server.smartConfiguration,
    },
    ...(shared && { shared: shared.cache }),
    studyOwner: (tenant, studyUid) => imaging.studyOwner(tenant, studyUid),
    onInsecure: (tenant, reason) => log.warn({ tenant, reason }, 'an insecure tenant is used'),
  });
  const sealed = capabilities({
    secrets,
    now: Date.now,
    authorizer: door,
    ...(shared && { links: shared.links }),
  });
  const measured = metrics();
  const clinical = clinicalSubgraph({ dataDir, baseUrl, dispatcher, expressions });
  const imaging = imagingSubgraph({
    baseUrl,
    dataDir,
    now: seconds,
    log: log as FastifyBaseLogger,
    dispatcher,
    expressions,
    capability: sealed.seal,
    dimse: { host, port: settings.dimsePort, maxBytes: settings.dimseCacheBytes },
    onRefused: measured.imageRefused,
    ...(redis && shared && { shared: { cache: shared.cache, seen: sharedSeen(redis.client, seconds) } }),
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
  });
  for (const tenant of tenants.all) {
    // A store that cannot be loaded takes down its own tenant only; the next request tries again.
    await clinical.prepare(tenant).catch((err: unknown) => log.error({ err, tenant: tenant.key }, 'store'));
  }

  const record = { people, identity };
  const tenantTest = selfTest({ ...outside, own: server, record, images: imaging.checks });
  if (checking) {
    process.exit(await checkTenant(args, tenants, tenantTest, (text) => void process.stdout.write(text)));
  }

  const audit = auditSinks({
    baseUrl,
    stdout: (line) => process.stdout.write(line),
    fetch: ({ dynamic }) => (dynamic ? fetchThrough(guarded) : fetch),
    now: seconds,
    log,
    registry: measured.registry,
  });

  let shutdown: GracefulShutdown | undefined;
  const app = await buildApp({
    baseUrl,
    tenants,
    authorizer: door,
    oauth: oauthRoutes(server, baseUrl),
    capabilities: sealed,
    clinical,
    imaging,
    supergraphSdl: readFileSync(join(root, 'schema', 'supergraph.graphql'), 'utf8'),
    apiSdl: readFileSync(join(root, 'schema', 'api.graphql'), 'utf8'),
    viewerDirectory: join(root, 'dist', 'viewer'),
    log,
    metrics: measured,
    metricsElsewhere: settings.metricsPort !== undefined,
    audit: audit.record,
    selfTest: { run: tenantTest, operatorKey: settings.operatorKey },
    trustedProxies: settings.trustedProxies,
    ready: () => shutdown?.isReady ?? true,
    ...(redis && { sharedReachable: redis.reachable }),
  });
  const metricsApp = settings.metricsPort === undefined ? undefined : metricsServer(measured);
  const close = async () => {
    await app.close();
    await Promise.all([
      clinical.close(),
      imaging.close(),
      server.close(),
      audit.close(),
      metricsApp?.close(),
    ]);
    await Promise.all([redis?.close(), expressions.close()]);
  };
  const { shutdownDelaySeconds: delaySeconds } = settings;
  shutdown = new GracefulShutdown({ server: app.server, delaySeconds, close, exit: process.exit, log });
  stop = (signal) => shutdown.begin(signal);
  expressions.start();
  await metricsApp?.listen({ host, port: settings.metricsPort });
  await app.listen({ host, port });
  server.keepSweeping(tenants.all);
  const demonstrates = tenants.all.some(({ key }) => key === 'demo');
  if (process.env['NODE_ENV'] !== 'production') greet(baseUrl, demonstrates ? demo.secret : undefined);
}

/** The folder that package.json is in, from the sources and from dist/ alike. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** A line now and then while the demonstration's images are made, at the first start. */
function demoProgress(say: (line: string) => void): (done: number, total: number, label: string) => void {
  let last = 0;
  return (done, total, label) => {
    if (done !== total && Date.now() - last < 1000) return;
    last = Date.now();
    say(`  demonstration images ${done}/${total}: ${label}`);
  };
}

/** @param secretFile of the demonstration, where it is served */
function greet(baseUrl: string, secretFile: string | undefined): void {
  console.log(`
SMART Imaging Gateway
  Start page  ${baseUrl}/
  Viewer      ${baseUrl}/app/`);
  if (secretFile === undefined) return;
  console.log(`  Playground  ${baseUrl}/demo/playground

A token, and a first request:
${readyMadeCommands(baseUrl, secretFile)}
`);
}

try {
  await main();
} catch (error) {
  // What an operator has to change is said without a stack.
  const expected = error instanceof SettingsError || error instanceof TenantsError;
  console.error(expected ? error.message : error);
  process.exit(1);
}
