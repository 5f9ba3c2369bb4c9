/** Operations where the record is a FHIR server: the same answers as from a store, and honest errors. */
import type { Bundle, OperationOutcome } from 'fhir/r4.js';
import type { FastifyInstance } from 'fastify';
import { closeSilentConnections } from '../../../schema/http/silent-connections.ts';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Access } from '../../../schema/access/access.ts';
import { operationsApp } from '../test/operations-app.ts';
import { accessOf, fhirApp, startClinical, tenantOf } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
let ehr: FastifyInstance;
let access: Access;
/** Answers of the EHR by type instead of the usual ones. */
const instead = new Map<string, number>();
const requests: string[] = [];
const apps: Record<'store' | 'ehr', FastifyInstance> = {} as never;

beforeAll(async () => {
  clinical = await startClinical();
  ehr = fhirApp(clinical.subgraph, clinical.tenant, () => accessOf('system/*.rs'));
  ehr.addHook('onRequest', async ({ url }, reply) => {
    const [, type = ''] = /\/fhir\/([A-Za-z]+)/.exec(url) ?? [];
    requests.push(type);
    const status = instead.get(type);
    if (status) return reply.code(status).send({});
  });
  closeSilentConnections(ehr);
  await ehr.listen({ host: '127.0.0.1', port: 0 });
  const { port } = ehr.server.address() as { port: number };
  const tenant = tenantOf({ type: 'fhir', baseUrl: `http://127.0.0.1:${port}/test/fhir` });
  // Exports have one folder for each subgraph.
  const other = await startClinical();
  apps.store = operationsApp(clinical.subgraph, clinical.tenant, () => access).app;
  apps.ehr = operationsApp(other.subgraph, tenant, () => access).app;
  apps.ehr.addHook('onClose', () => other.end());
});
afterAll(async () => {
  await apps.ehr.close();
  await apps.store.close();
  await ehr.close();
  await clinical.end();
});
beforeEach(() => {
  instead.clear();
  requests.length = 0;
  access = { ...accessOf('system/*.rs', ['ana', 'bob']), client: 'lab' };
});

const ids = ({ entry = [] }: Bundle, mode: string) =>
  entry
    .filter(({ search }) => search?.mode === mode)
    .map(({ resource }) => `${resource?.resourceType}/${resource?.id}`)
    .toSorted();
const everything = async (app: FastifyInstance) =>
  (await app.inject('/test/fhir/Patient/ana/$everything')).json<Bundle>();

it('$everything gives the same as from a store, with one search for each type', async () => {
  const [store, server] = [await everything(apps.store), await everything(apps.ehr)];
  for (const mode of ['match', 'include']) expect(ids(server, mode)).toEqual(ids(store, mode));
  const searched = requests.filter((type) => type === 'Observation');
  expect(searched).toHaveLength(1);
});

it('$everything names a type that the EHR does not have', async () => {
  instead.set('Condition', 404);
  const bundle = await everything(apps.ehr);
  expect(bundle.total).toBeUndefined();
  expect(ids(bundle, 'match')).not.toContain('Condition/asthma');
  expect(ids(bundle, 'match')).toContain('Observation/glucose');
  const outcome = bundle.entry?.find(({ search }) => search?.mode === 'outcome')?.resource;
  expect((outcome as OperationOutcome).issue[0]?.diagnostics).toContain('Not all Condition resources');
});

it('$everything is an error when the EHR does not answer', async () => {
  instead.set('Condition', 503);
  expect((await apps.ehr.inject('/test/fhir/Patient/ana/$everything')).statusCode).toBe(503);
});

it.each([
  [undefined, 200],
  [404, 500],
  [503, 500],
])('$export from an EHR that answers %j to one type: %i', async (refusal, status) => {
  if (refusal) instead.set('Encounter', refusal);
  const headers = { prefer: 'respond-async' };
  const begun = await apps.ehr.inject({ url: '/test/fhir/Patient/$export', headers });
  const url = String(begun.headers['content-location']).replace('http://localhost:4000', '');
  const answer = await vi.waitFor(
    async () => {
      const polled = await apps.ehr.inject(url);
      expect(polled.statusCode).not.toBe(202);
      return polled;
    },
    { timeout: 15_000, interval: 10 },
  );
  expect(answer.statusCode).toBe(status);
  if (status === 500) expect(answer.body).toContain('The export failed: Encounter:');
  else expect(answer.json<{ output: unknown[] }>().output.length).toBeGreaterThan(5);
});
