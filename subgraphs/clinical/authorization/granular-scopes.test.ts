/** Granular scopes with a store, and with FHIR servers that support, ignore or refuse the parameter of a scope (SM-5). */
import type { Resource } from 'fhir/r4.js';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { ResourceMatcher } from '../sources/resource-matcher.ts';
import { accessOf, fhirApp, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

const SOURCES = ['store', 'knowing', 'ignoring', 'refusing'] as const;
const OBSERVATIONS = Array.from({ length: 60 }, (_, i) => ({
  resourceType: 'Observation',
  id: `o${i}`,
  status: i % 2 ? 'final' : 'amended',
  subject: { reference: 'Patient/ana' },
  effectiveDateTime: `2024-01-${String(1 + (i % 28)).padStart(2, '0')}`,
  category: [{ coding: [{ system: 'urn:c', code: i % 3 === 0 ? 'laboratory' : 'social-history' }] }],
  code: { text: i % 5 ? 'a' : 'b', coding: [{ system: 'urn:o', code: `c${i % 4}` }] },
  valueQuantity: { value: i, unit: 'mg' },
}));
const LABORATORY = OBSERVATIONS.filter((_, i) => i % 3 === 0).map(({ id }) => id);

let clinical: Awaited<ReturnType<typeof startClinical>>;
let servers: Awaited<ReturnType<typeof startFhirServer>>[];
let tenants: Record<(typeof SOURCES)[number], Tenant>;

beforeAll(async () => {
  clinical = await startClinical();
  const resources = [{ resourceType: 'Patient', id: 'ana' }, ...OBSERVATIONS];
  const store = await clinical.tenantOver(resources.map((resource) => JSON.stringify(resource)).join('\n'));
  const ignored = ['category', 'status', 'code', 'date', 'value-quantity'];
  servers = await Promise.all([
    startFhirServer(clinical.subgraph, store),
    startFhirServer(clinical.subgraph, store, { ignored }),
    startFhirServer(clinical.subgraph, store, { ignored, refusesStrict: true }),
  ]);
  const [knowing, ignoring, refusing] = servers.map(({ base }) => tenantOf({ type: 'fhir', baseUrl: base }));
  tenants = { store, knowing: knowing!, ignoring: ignoring!, refusing: refusing! };
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.end()));
  await clinical.end();
});

describe.each(SOURCES)('over a source that is %s', (source) => {
  const open = (scope: string) => clinical.subgraph.open(tenants[source], accessOf(scope, ['ana']));
  const idsOf = async (scope: string) =>
    (await open(scope).list('Observation', { params: [] })).map(({ id }) => id).sort();
  const expected = (keep: (observation: (typeof OBSERVATIONS)[number], i: number) => boolean) =>
    OBSERVATIONS.filter(keep)
      .map(({ id }) => id)
      .sort();

  test.each<[scope: string, keep: (observation: (typeof OBSERVATIONS)[number], i: number) => boolean]>([
    ['category=laboratory', (_, i) => i % 3 === 0],
    ['category=urn:c|laboratory', (_, i) => i % 3 === 0],
    ['category=urn:other|laboratory', () => false],
    ['category:not=laboratory', (_, i) => i % 3 !== 0],
    ['category=laboratory&status=final', (_, i) => i % 3 === 0 && i % 2 === 1],
    ['category=laboratory,social-history', () => true],
    ['category:missing=true', () => false],
    ['code:text=b', (_, i) => i % 5 === 0],
    ['date=ge2024-01-20', ({ effectiveDateTime }) => effectiveDateTime >= '2024-01-20'],
    ['value-quantity=lt10', (_, i) => i < 10],
    ['_id=o1,o2', (_, i) => i === 1 || i === 2],
    ['patient=Patient/ana', () => true],
  ])('a scope with %s gives only matching resources, in lists and reads', async (constraint, keep) => {
    const scope = `patient/Observation.rs?${constraint}`;
    expect(await idsOf(scope)).toEqual(expected(keep));
    const record = open(scope);
    const read = OBSERVATIONS.map(({ id }) => record.read('Observation', id));
    const readable = (await Promise.allSettled(read)).flatMap(({ status }, i) =>
      status === 'fulfilled' ? [OBSERVATIONS[i]!.id] : [],
    );
    expect(readable.sort()).toEqual(expected(keep));
  });

  test('several scopes give the resources that any of them covers', async () => {
    const scope = 'patient/Observation.rs?category=laboratory patient/Observation.rs?status=final&code=c1';
    expect(await idsOf(scope)).toEqual(expected((_, i) => i % 3 === 0 || i % 4 === 1));
  });

  test.each(['patient.name=x', 'no-such=1', 'combo-code-value-quantity=1', 'category:above=x', 'date=soon'])(
    'a scope whose condition is not supported (%s) grants nothing',
    async (constraint) => {
      const record = open(`patient/Observation.rs?${constraint}`);
      const refusal = { code: 'insufficient_scope' };
      await expect(record.list('Observation', { params: [] })).rejects.toMatchObject(refusal);
      await expect(record.read('Observation', 'o0')).rejects.toMatchObject(refusal);
    },
  );

  test('pages are full and lead to the last one, and totals do not count resources outside of the scope', async () => {
    const app = fhirApp(clinical.subgraph, tenants[source], () =>
      accessOf('patient/Observation.rs?category=laboratory', ['ana']),
    );
    const seen: string[] = [];
    const totals: unknown[] = [];
    let url: string | undefined = '/test/fhir/Observation?_count=7&_sort=date';
    while (url !== undefined) {
      const bundle = (await app.inject({ url })).json() as {
        total?: number;
        entry?: { resource: { id: string } }[];
        link: { relation: string; url: string }[];
      };
      seen.push(...(bundle.entry ?? []).map(({ resource }) => resource.id));
      totals.push(bundle.total);
      url = bundle.link.find(({ relation }) => relation === 'next')?.url.replace(/^https?:\/\/[^/]+/, '');
    }
    expect(seen.toSorted()).toEqual(LABORATORY.toSorted());
    expect(new Set(totals.filter((total) => total !== undefined)).size).toBeLessThanOrEqual(1);
    for (const total of totals) if (total !== undefined) expect(total).toBe(LABORATORY.length);
    await app.close();
  });
});

test('asks a server only for resources that the scope covers', async () => {
  const [knowing] = servers;
  knowing!.requests.length = 0;
  const access = accessOf('patient/Observation.rs?category=laboratory', ['ana']);
  await clinical.subgraph.open(tenants.knowing, access).list('Observation', { params: [] });
  expect(knowing!.requests).toHaveLength(1);
  expect(knowing!.requests[0]).toContain('category=laboratory');
});

describe('resources that a server returns', () => {
  const SCOPE = 'patient/Observation.rs?category=laboratory&status=final';
  const good = {
    resourceType: 'Observation',
    id: 'good',
    status: 'final',
    subject: { reference: 'Patient/ana' },
    category: [{ coding: [{ code: 'laboratory' }] }],
  };
  const listed = async (resources: unknown[]) => {
    const server = createServer((_request, response) =>
      response.end(
        JSON.stringify({ resourceType: 'Bundle', entry: resources.map((resource) => ({ resource })) }),
      ),
    );
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const baseUrl = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const record = clinical.subgraph.open(tenantOf({ type: 'fhir', baseUrl }), accessOf(SCOPE, ['ana']));
    try {
      return (await record.list('Observation', { params: [] })).map(({ id }) => id);
    } finally {
      server.close();
    }
  };

  test.each([
    ['a boolean id', { ...good, id: true }],
    ['an id that is an object', { ...good, id: { a: 1 } }],
    ['a coding that is null', { ...good, id: 'odd', category: [{ coding: [null] }] }],
    ['a category that is a text', { ...good, id: 'odd', category: 'laboratory' }],
    ['a status that is a number', { ...good, id: 'odd', status: 7 }],
  ])('SM-5 a resource with %s is left out, and the others stay', async (_what, odd) => {
    expect(await listed([odd, good])).toEqual(['good']);
  });

  test('a thousand resources are judged without blocking the event loop', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => ({ ...good, id: `o${index}` }));
    const matcher = new ResourceMatcher();
    const category = [['category', 'laboratory'] as const];
    await matcher.matching('Observation', many.slice(0, 100) as Resource[], [category]);
    let turns = 0;
    const count = () => {
      turns++;
      watch = setImmediate(count);
    };
    let watch = setImmediate(count);
    expect(await matcher.matching('Observation', many as Resource[], [category])).toHaveLength(1_000);
    clearImmediate(watch);
    matcher.close();
    expect(turns).toBeGreaterThan(10);
  });
});
