import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { trustedManifest } from '../../schema/graphql/trusted-manifest.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { ImagingDeps } from '../../subgraphs/imaging/app.ts';
import { foldersIndexed } from '../../subgraphs/imaging/test/subgraph.ts';
import { buildApp, type AppDeps } from '../app.ts';
import type { AuditEvents } from '../audit/request-audit.ts';
import { buildDemoImages } from '../demo/images.ts';
import { gatewayParts, type PartsOptions } from '../gateway.ts';
import type { Metrics } from '../http/metrics.ts';
import { logger } from '../http/logger.ts';
import type { SelfTest } from '../self-test/self-test.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { tenantsOf } from './gateway-alone.ts';
import { graphOnDemand } from './graph-on-demand.ts';
import { isSplit, startSubgraphs } from './split-arrangement.ts';
import { DEMO_IMAGES } from './setup/demo-images.ts';

const root = join(import.meta.dirname, '../..');

/** Indexes of the demonstration's images, kept for the next gateways of the process: reading all files takes a second. */
const demoIndexes = mkdtempSync(join(tmpdir(), 'demo-indexes-'));
process.once('exit', () => rmSync(demoIndexes, { recursive: true, force: true }));

/** Copies the files of a directory, if it exists, that the other directory does not have. */
async function copyFiles(from: string, to: string): Promise<void> {
  if (existsSync(from)) await cp(from, to, { recursive: true, force: false });
}

/** The records and images that the tenants serve. */
export interface DemoData {
  /** For `images.path`. */
  images: string;
  /** For `clinical.path`. */
  patients: string;
}

export interface TestGateway {
  app: FastifyInstance;
  /** The address on which it listens if a port was given; otherwise only a name. */
  baseUrl: string;
  demo: DemoData;
  dataDir: string;
  /** Revokes tokens at EHRs that are no longer needed, as the process does every minute. */
  sweep(): Promise<void>;
  /** Runs the self-test of a tenant. */
  selfTest(key: string): ReturnType<SelfTest>;
  /** Forgets cached image searches. */
  forget(): void;
  /** The parts of which it is made, and their tenants. */
  parts: ReturnType<typeof gatewayParts>;
  tenantOf(key: string): Tenant;
  close(): Promise<void>;
}

/**
 * Starts the whole gateway in this process: the real subgraphs, and the tenants that `files` makes of the records and
 * images of the demonstration, or of other data.
 */
export async function buildTestGateway(
  files: (demo: DemoData) => Record<string, unknown>,
  data?: DemoData,
  audit?: AuditEvents,
  {
    now = Date.now,
    log = logger('silent'),
    port,
    baseUrl = port === undefined ? 'http://localhost' : `http://127.0.0.1:${port}`,
    tenants = (demo) => tenantsOf(files(demo)),
    dimse,
    proxy,
    shared,
    split: hasOwnSubgraphs = isSplit,
    onContradiction,
    measured,
    secrets = ['a secret of the test gateway, long enough'],
    connections = { dispatcher: () => undefined },
    limits = {},
    waitForFolders = true,
  }: {
    now?: () => number;
    log?: Logger;
    port?: number;
    /** The address at which clients reach it; by default the one on which it listens. */
    baseUrl?: string;
    /** Replaces `files`. */
    tenants?: (demo: DemoData) => Tenants;
    /** The address to which archives deliver. */
    dimse?: ImagingDeps['dimse'];
    onContradiction?: ImagingDeps['onContradiction'];
    /** The proxy that fetches images itself. */
    proxy?: PartsOptions['proxy'];
    /** State that it shares with other gateways. */
    shared?: PartsOptions['shared'];
    /** True for subgraphs that are servers of their own. */
    split?: boolean;
    /** SEALING_KEY. */
    secrets?: readonly string[];
    measured?: Metrics;
    connections?: Pick<PartsOptions, 'dispatcher'>;
    /** False for tests of folders: each answers 503 until it is indexed. Those that are not there are not waited for. */
    waitForFolders?: boolean;
    limits?: Pick<AppDeps, 'load' | 'redis' | 'slowOperation' | 'graphExecutor' | 'accessList' | 'traces'>;
  } = {},
): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'test-gateway-'));
  const demo = data ?? { images: DEMO_IMAGES, patients: join(root, 'gateway/demo/patients') };
  if (!data) {
    await buildDemoImages({ target: demo.images });
    await copyFiles(demoIndexes, join(dataDir, 'folders'));
  }
  const loaded = tenants(demo);
  const options: PartsOptions = {
    ...connections,
    now,
    baseUrl,
    dataDir,
    dimse,
    proxy,
    shared,
    onContradiction,
    measure: measured?.sourceCall,
    countLookup: measured?.cacheLookup,
    loadWait: 30_000,
    secrets,
    log: log as FastifyBaseLogger,
  };
  const split = hasOwnSubgraphs ? await startSubgraphs(options, { tenants: loaded, log, audit }) : undefined;
  const parts = gatewayParts({ ...options, split: split?.urls });
  const app = await buildApp({
    ...parts,
    baseUrl,
    tenants: loaded,
    selfTest: undefined,
    startGraph: graphOnDemand,
    supergraphSdl: await readFile(join(root, 'schema/supergraph.graphql')),
    apiSdl: await readFile(join(root, 'schema/api.graphql')),
    trustedDocuments: trustedManifest.parse(
      JSON.parse(await readFile(join(root, 'schema/trusted-documents.json'), 'utf8')),
    ),
    pagesDirectory: '/nowhere',
    log,
    ...(audit && { audit }),
    ...(measured && { metrics: measured }),
    ...limits,
  });
  if (port !== undefined) await app.listen({ host: '127.0.0.1', port });
  if (waitForFolders) await foldersIndexed(loaded.all, parts.imaging.checks);
  return {
    app,
    baseUrl,
    demo,
    dataDir,
    selfTest: (key) => parts.selfTest(loaded.byKey(key)),
    sweep: () => parts.server.sweep(loaded.all),
    forget: () => (split?.imaging ?? parts.imaging).invalidate(),
    parts,
    tenantOf: (key) => loaded.byKey(key),
    async close() {
      await app.close();
      await Promise.all([parts.close(), split?.close()]);
      if (!data) await copyFiles(join(dataDir, 'folders'), demoIndexes);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
