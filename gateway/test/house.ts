import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { buildApp } from '../app.ts';
import type { AuditEvents } from '../audit/request-audit.ts';
import { buildDemoImages } from '../demo/images.ts';
import { patientDirectory } from '../directory.ts';
import { logger } from '../observe.ts';
import { authorizer } from '../smart/authorize.ts';
import { capabilities } from '../smart/capability-admission.ts';
import { tenantsOf } from './door.ts';

const root = join(import.meta.dirname, '../..');
const BASE = 'http://localhost';

/** Where the records and images are that the tenants serve. */
export interface DemoData {
  /** For `images.path`. */
  images: string;
  /** For `clinical.path`. */
  patients: string;
}

export interface House {
  app: FastifyInstance;
  demo: DemoData;
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
  { now = Date.now, log = logger('silent') }: { now?: () => number; log?: Logger } = {},
): Promise<House> {
  const dataDir = await mkdtemp(join(tmpdir(), 'house-'));
  const demo = data ?? {
    images: join(dataDir, 'demo', 'images'),
    patients: join(root, 'gateway/demo/patients'),
  };
  if (!data) await buildDemoImages({ target: demo.images });
  const clinical = clinicalSubgraph({ dataDir, baseUrl: BASE });
  const door = authorizer({ fetch, now, baseUrl: BASE, guardedFetch: fetch });
  const sealed = capabilities({ secrets: ['a secret of the house, long enough'], now, authorizer: door });
  const imaging = imagingSubgraph({
    baseUrl: BASE,
    dataDir,
    now: () => now() / 1000,
    capability: sealed.seal,
    log: log as FastifyBaseLogger,
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
  });
  const app = await buildApp({
    baseUrl: BASE,
    tenants: tenantsOf(files(demo)),
    authorizer: door,
    capabilities: sealed,
    clinical,
    imaging,
    supergraphSdl: await readFile(join(root, 'schema/supergraph.graphql'), 'utf8'),
    apiSdl: '',
    viewerDirectory: '/nowhere',
    log,
    ...(audit && { audit }),
  });
  return {
    app,
    demo,
    async close() {
      await app.close();
      await Promise.all([clinical.close(), imaging.close()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
