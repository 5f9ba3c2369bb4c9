/** Real clinical subgraphs and FHIR servers for tests, with the small record or with given data. */
import { NO_IMAGES, type StudyImages } from '../record/study-images.ts';
import Fastify from 'fastify';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access } from '../../../schema/access/access.ts';
import type {} from '../../../schema/http/request.ts';
import { parseScopes } from '../../../schema/access/scopes.ts';
import type { ClinicalConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import type { ClinicalDependencies, ClinicalSubgraph } from '../app.ts';
import { clinicalSubgraph } from '../app.ts';
import { records } from './records.ts';

/** Returns a tenant with this clinical source, by default with mock authorization. */
export function tenantOf(clinical: ClinicalConfig, authorization: object = { type: 'mock' }): Tenant {
  const { tenant } = parseTenant(
    { authorization, clinical, images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' } },
    { key: 'test', path: 'test', dynamic: false, directory: '/', environment: {} },
  );
  return tenant;
}

/** Returns the Access of a token with these scopes, for all patients or the named ones. */
export function accessOf(scope: string, patients: readonly string[] | 'all' = 'all', token?: string): Access {
  return {
    tenant: 'test',
    patients: patients === 'all' ? 'all' : patients.map((id) => ({ id })),
    permissions: parseScopes(scope),
    expires: Date.now() / 1000 + 60,
    ...(token !== undefined && { clinicalToken: token }),
  };
}

/** Opens a subgraph for FHIR servers, which keeps no data. */
export function openClinical(more: Partial<ClinicalDependencies>): ClinicalSubgraph {
  return clinicalSubgraph({
    dataDir: join(tmpdir(), randomUUID()),
    baseUrl: 'http://localhost:4000',
    ...more,
  });
}

/**
 * Starts a separate subgraph with a folder for its data, and the small record as a store.
 * @param images of all requests; none by default
 */
export async function startClinical(images: Partial<StudyImages> = {}): Promise<{
  subgraph: ClinicalSubgraph;
  tenant: Tenant;
  /** Returns another tenant of the same subgraph, with a store of this NDJSON. */
  tenantOver(ndjson: string): Promise<Tenant>;
  end(): Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'clinical-'));
  const file = join(directory, 'records.ndjson');
  await writeFile(file, records.map((record) => JSON.stringify(record)).join('\n'));
  const subgraph = clinicalSubgraph({
    dataDir: join(directory, 'data'),
    baseUrl: 'http://localhost:4000',
    loadWait: 30_000,
    studyImages: () => ({ ...NO_IMAGES, ...images }),
  });
  return {
    subgraph,
    tenant: tenantOf({ type: 'store', path: file }),
    tenantOver: async (ndjson) => {
      const path = join(directory, `${randomUUID()}.ndjson`);
      await writeFile(path, ndjson);
      return tenantOf({ type: 'store', path });
    },
    end: async () => {
      await subgraph.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Returns an app with the FHIR API, where all requests have the same Access.
 * @param ignored search parameters that it drops silently, as many servers do with unknown ones
 */
export function fhirApp(
  subgraph: ClinicalSubgraph,
  tenant: Tenant,
  access: () => Access,
  ignored: readonly string[] = [],
) {
  const app = Fastify({ rewriteUrl: ({ url = '/' }) => without(url, ignored) });
  app.decorateRequest('tenant', null as never);
  app.decorateRequest('access', null as never);
  app.addHook('onRequest', async (request) => {
    request.tenant = tenant;
    request.access = access();
  });
  app.register(subgraph.routes, { prefix: '/:tenant' });
  return app;
}

function without(url: string, ignored: readonly string[]): string {
  const [path = '', query] = url.split('?');
  if (query === undefined) return url;
  const parameters = new URLSearchParams(query);
  for (const name of ignored) parameters.delete(name);
  return `${path}?${parameters.toString()}`;
}

/**
 * Starts a real FHIR server on a free port with the record of a tenant; it keeps the path of every request, but for
 * `/metadata`, which is asked for once in an hour.
 * @param options `ignored`: search parameters that it drops silently; `refusesStrict`: it answers 400 to
 * `Prefer: handling=strict`; `status`: of every answer; `hold`: what an answer waits for
 */
export async function startFhirServer(
  subgraph: ClinicalSubgraph,
  tenant: Tenant,
  {
    ignored = [],
    refusesStrict = false,
    status,
    hold,
  }: {
    ignored?: readonly string[];
    refusesStrict?: boolean;
    status?: number;
    hold?: (path: string) => Promise<unknown> | undefined;
  } = {},
) {
  const requests: string[] = [];
  const answered: string[] = [];
  const pathOf = ({ originalUrl }: { originalUrl: string }) =>
    decodeURIComponent(originalUrl.replace('/test/fhir', ''));
  const app = fhirApp(subgraph, tenant, () => accessOf('system/*.rs'), ignored);
  app.addHook('onRequest', async (request, reply) => {
    const path = pathOf(request);
    if (path !== '/metadata') requests.push(path);
    await hold?.(path);
    if (status !== undefined) return reply.code(status).send({});
    if (refusesStrict && request.headers.prefer === 'handling=strict') return reply.code(400).send({});
  });
  app.addHook('onResponse', async (request) => void answered.push(pathOf(request)));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  return { base: `http://127.0.0.1:${port}/test/fhir`, requests, answered, end: () => app.close() };
}
