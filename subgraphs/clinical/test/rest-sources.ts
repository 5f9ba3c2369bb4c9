/** The FHIR API over a store and over a FHIR server with the same record, for tests that hold for both. */
import type { Bundle, OperationOutcome } from 'fhir/r4.js';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { accessOf, fhirApp, startClinical, startFhirServer, tenantOf } from './servers.ts';

export const SOURCES = ['store', 'fhir-server'] as const;

/** Who asks, by default a token with all scopes for the patient `ana`. */
export interface RestCaller {
  scope?: string;
  patients?: readonly string[] | 'all';
  headers?: Record<string, string>;
}

/**
 * Starts both sources before the tests of a file, and ends them after.
 * @param ndjson the record; by default the small record
 */
export function restSources(ndjson?: string) {
  let clinical: Awaited<ReturnType<typeof startClinical>>;
  let server: Awaited<ReturnType<typeof startFhirServer>>;
  const apps = new Map<string, FastifyInstance>();
  let access = accessOf('patient/*.rs', ['ana']);

  beforeAll(async () => {
    clinical = await startClinical();
    const store = ndjson === undefined ? clinical.tenant : await clinical.tenantOver(ndjson);
    server = await startFhirServer(clinical.subgraph, store);
    const tenants: Record<string, Tenant> = {
      store,
      'fhir-server': tenantOf({ type: 'fhir', baseUrl: server.base }),
    };
    for (const [name, tenant] of Object.entries(tenants)) {
      apps.set(
        name,
        fhirApp(clinical.subgraph, tenant, () => access),
      );
    }
  });
  afterAll(async () => {
    for (const app of apps.values()) await app.close();
    await server.end();
    await clinical.end();
  });
  beforeEach(() => void (server.requests.length = 0));

  const ask = async (source: string, path: string, caller: RestCaller = {}) => {
    const { scope = 'patient/*.rs', patients = ['ana'], headers = {} } = caller;
    access = accessOf(scope, patients);
    return apps.get(source)!.inject({ method: 'GET', url: `/test/fhir${path}`, headers });
  };
  return {
    ask,
    /** Returns the Bundle of an answer. */
    bundle: async (source: string, path: string, caller?: RestCaller) =>
      (await ask(source, path, caller)).json<Bundle>(),
    app: (source: string) => apps.get(source)!,
    /** Requests that the FHIR server received in this test. */
    requests: () => server.requests,
    clinical: () => clinical,
  };
}

/** Returns `Type/id` of the entries of a mode, in their order. */
export function entriesOf({ entry = [] }: Bundle, mode: 'match' | 'include'): string[] {
  return entry
    .filter(({ search }) => search?.mode === mode)
    .map(({ resource }) => `${resource?.resourceType}/${resource?.id}`);
}

/** Returns the texts of the outcomes in a Bundle. */
export function warningsOf({ entry = [] }: Bundle): (string | undefined)[] {
  return entry
    .filter(({ search }) => search?.mode === 'outcome')
    .flatMap(({ resource }) => (resource as OperationOutcome).issue.map(({ diagnostics }) => diagnostics));
}

/** Returns the query of the self link, decoded. */
export function selfOf({ link }: Bundle): string {
  const url = link?.find(({ relation }) => relation === 'self')?.url ?? '';
  return decodeURIComponent(url.split('?')[1] ?? '');
}
