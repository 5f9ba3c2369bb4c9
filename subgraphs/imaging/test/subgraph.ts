import Fastify, { type FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Access, PatientGrant } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { parseTenant, type Tenant } from '../../../schema/tenant/tenant.ts';
import type { Orthanc } from '../../../gateway/test/setup/orthanc.ts';
import { imagingSubgraph, type ImagingDeps } from '../app.ts';
import type { PatientDirectory } from '../authorization/patient-directory.ts';

/** The subgraph as the gateway mounts it, with an authorization hook that knows a fixed list of tokens. */

export const BASE_URL = 'https://images.example.org/prefix';

/** Returns a tenant with these images. */
export function testTenant(images: object, key = 'test'): Tenant {
  const file = { authorization: { type: 'mock', disableAuthzChecks: true }, images };
  return parseTenant(file, { key, path: key, dynamic: false, directory: '/', environment: {} }).tenant;
}

/** Returns `images` of a tenant for an Orthanc. */
export function orthancImages(orthanc: Orthanc, more: object = {}) {
  const { username, password } = orthanc;
  return {
    type: 'dicom-web',
    endpoint: orthanc.dicomWebUrl,
    lookup: 'studies-by-mrn',
    authentication: { type: 'http-basic', username, password },
    ...more,
  };
}

/** Returns a patient with one identifier of type MR. */
export function patient(
  id: string,
  mrn: string,
  more: Partial<PatientGrant> = {},
  birthDate?: string,
): PatientGrant {
  const identifier = [
    { system: 'urn:other', value: 'another number' },
    { system: 'urn:mrn', value: mrn, type: { coding: [{ code: 'MR' }] } },
  ];
  return { id, identity: { id, identifier, ...(birthDate && { birthDate }) }, ...more };
}

/** Returns an Access for an hour. */
export function testAccess(patients: Access['patients'], scope = 'patient/ImagingStudy.rs'): Access {
  return { tenant: 'test', patients, permissions: parseScopes(scope), expires: Date.now() / 1000 + 3600 };
}

/** A clinical base without patients. */
export const NO_RECORD: PatientDirectory = {
  read: async () => undefined,
  find: async () => undefined,
  accessionNumbers: async () => [],
  labels: async () => new Map(),
};

export interface TestSubgraph {
  app: FastifyInstance;
  subgraph: ReturnType<typeof imagingSubgraph>;
  close(): Promise<void>;
}

/**
 * Waits until the folders of tenants are indexed: before that they answer 503. Folders that are not there may come later.
 * @throws the last failure, after a minute
 */
export async function foldersIndexed(
  tenants: readonly Tenant[],
  { checkSource }: Pick<ReturnType<typeof imagingSubgraph>['checks'], 'checkSource'>,
): Promise<void> {
  const until = performance.now() + 60_000;
  const folders = tenants.flatMap((tenant) =>
    tenant.images.flatMap((source, index) =>
      source.type === 'folder' && existsSync(source.path) ? [{ tenant, index }] : [],
    ),
  );
  for (const { tenant, index } of folders)
    for (let isIndexed = false; !isIndexed;)
      try {
        await checkSource(tenant, index, AbortSignal.timeout(60_000));
        isIndexed = true;
      } catch (error) {
        if (performance.now() > until) throw error;
        await delay(100);
      }
}

/**
 * Serves tenants below `/{key}`. `Authorization: Bearer {name}` gives the Access with that name, anything else 401.
 * @param deps changed dependencies of a test
 */
export async function testSubgraph(
  tenants: readonly Tenant[],
  accesses: Readonly<Record<string, Access>>,
  deps: Partial<ImagingDeps> = {},
): Promise<TestSubgraph> {
  const dataDir = await mkdtemp(join(tmpdir(), 'imaging-'));
  const app = Fastify({ routerOptions: { maxParamLength: 16_384 }, forceCloseConnections: true });
  const subgraph = imagingSubgraph({
    baseUrl: BASE_URL,
    dataDir,
    now: () => Date.now() / 1000,
    log: app.log,
    directory: NO_RECORD,
    ...deps,
  });
  app.addHook('onRequest', async (request) => {
    const { tenant } = request.params as { tenant: string };
    request.tenant = tenants.find(({ key }) => key === tenant)!;
    const access = accesses[request.headers.authorization?.replace(/^Bearer /, '') ?? ''];
    if (!access) throw new Fault('unauthenticated', 'A bearer token is needed.');
    request.access = access;
  });
  await app.register(subgraph.routes, { prefix: '/:tenant' });
  await app.ready();
  await foldersIndexed(tenants, subgraph.checks);
  return {
    app,
    subgraph,
    async close() {
      await app.close();
      await subgraph.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
