import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { ImagingDeps } from '../../subgraphs/imaging/app.ts';
import { buildApp } from '../app.ts';
import type { AuditEvents } from '../audit/request-audit.ts';
import { buildDemoImages } from '../demo/images.ts';
import { gatewayParts } from '../gateway.ts';
import { logger } from '../http/observe.ts';
import type { SharedState } from '../state/shared-state.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { tenantsOf } from './door.ts';
import { graphOnDemand } from './graph-on-demand.ts';
import { DEMO_IMAGES } from './setup/demo-images.ts';

const root = join(import.meta.dirname, '../..');

/** Indexes of the demonstration's images, which the houses of a process leave to the next: to read all files takes a second. */
const demoIndexes = mkdtempSync(join(tmpdir(), 'demo-indexes-'));
process.once('exit', () => rmSync(demoIndexes, { recursive: true, force: true }));

/** Copies the files of a directory that are not in the other, if there is one. */
async function copyFiles(from: string, to: string): Promise<void> {
  if (existsSync(from)) await cp(from, to, { recursive: true, force: false });
}

/** Where the records and images are that the tenants serve. */
export interface DemoData {
  /** For `images.path`. */
  images: string;
  /** For `clinical.path`. */
  patients: string;
}

export interface House {
  app: FastifyInstance;
  /** Where it listens if a port was asked for; otherwise only a name. */
  baseUrl: string;
  demo: DemoData;
  dataDir: string;
  /** Revokes at EHRs what is not needed any more, as the process does every minute. */
  sweep(): Promise<void>;
  /** Forgets what is kept of image searches, as time would. */
  forget(): void;
  close(): Promise<void>;
}

/**
 * The whole gateway in this process: the real subgraphs, and the tenants that `files` makes of the demonstration's
 * records and images, or of other data.
 */
export async function buildHouse(
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
    shared,
  }: {
    now?: () => number;
    log?: Logger;
    port?: number;
    /** Where clients reach it; by default where it listens. */
    baseUrl?: string;
    /** In place of `files`. */
    tenants?: (demo: DemoData) => Tenants;
    /** Where archives deliver to. */
    dimse?: ImagingDeps['dimse'];
    /** What its authorization servers share with those of other houses. */
    shared?: Pick<SharedState, 'state' | 'shareKeys'>;
  } = {},
): Promise<House> {
  const dataDir = await mkdtemp(join(tmpdir(), 'house-'));
  const demo = data ?? {
    images: DEMO_IMAGES,
    patients: join(root, 'gateway/demo/patients'),
  };
  if (!data) {
    await buildDemoImages({ target: demo.images });
    await copyFiles(demoIndexes, join(dataDir, 'folders'));
  }
  const parts = gatewayParts({
    ...{ fetch, guardedFetch: fetch, now, baseUrl, dataDir, dimse, shared },
    secrets: ['a secret of the house, long enough'],
    log: log as FastifyBaseLogger,
  });
  const loaded = tenants(demo);
  const app = await buildApp({
    ...parts,
    baseUrl,
    tenants: loaded,
    selfTest: undefined,
    startGraph: graphOnDemand,
    supergraphSdl: await readFile(join(root, 'schema/supergraph.graphql'), 'utf8'),
    apiSdl: await readFile(join(root, 'schema/api.graphql'), 'utf8'),
    viewerDirectory: '/nowhere',
    log,
    ...(audit && { audit }),
  });
  if (port !== undefined) await app.listen({ host: '127.0.0.1', port });
  return {
    app,
    baseUrl,
    demo,
    dataDir,
    sweep: () => parts.server.sweep(loaded.all),
    forget: () => parts.imaging.invalidate(),
    async close() {
      await app.close();
      await parts.close();
      if (!data) await copyFiles(join(dataDir, 'folders'), demoIndexes);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
