/** The timeline and a trend of a patient with 1,000 resources, from the store and from an EHR that takes 50 ms. */
import { execute, parse, type DocumentNode } from 'graphql';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Clinical } from '../../subgraphs/clinical/record/clinical.ts';
import { accessOf, fhirApp, tenantOf } from '../../subgraphs/clinical/test/servers.ts';
import type { RecordType } from '../../subgraphs/clinical/timeline/types.ts';
import { sharedDataPresent } from '../test/setup/shared-data.ts';
import { buildProduct } from './built-server.ts';
import { writeLongRecord } from './data/long-record.ts';
import { alternate, duration, type Figure } from './measure.ts';

// The product as it is built: a compiler that works while the code runs makes small functions slower.
buildProduct();
const { clinicalSubgraph } = await built<typeof import('../../subgraphs/clinical/app.ts')>('app');
const { timelinePage } =
  await built<typeof import('../../subgraphs/clinical/timeline/timeline.ts')>('timeline/timeline');
const { TypeSearch } =
  await built<typeof import('../../subgraphs/clinical/timeline/type-search.ts')>('timeline/type-search');
const { RECORD_TYPES } =
  await built<typeof import('../../subgraphs/clinical/timeline/types.ts')>('timeline/types');

const POINTS = 500;
/** Milliseconds that the EHR takes for each answer. */
const EHR = 50;

const timeline = parse(`query ($id: ID!) { Patient(id: $id) { timeline { next missing { type } entries {
  kind date end title observations { id } studies { id } } } } }`);
const trend = parse(`query ($id: ID!) { Patient(id: $id) { trend(code: ["2339-0"], unit: "mg/dL") {
  series { unit points { id date value low high flag } } } } }`);

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) return [];
  const dataDir = await mkdtemp(join(tmpdir(), 'timeline-bench-'));
  const subgraph = clinicalSubgraph({ dataDir, baseUrl: 'http://localhost:4000' });
  const id = writeLongRecord(dataDir, POINTS);
  const store = tenantOf({ type: 'store', path: join(dataDir, 'long-record.ndjson') });
  await subgraph.prepare(store);
  const ehr = fhirApp(subgraph, store, () => accessOf('system/*.rs'));
  ehr.addHook('onRequest', () => setTimeout(EHR));
  await ehr.listen({ host: '127.0.0.1', port: 0 });
  const { port } = ehr.server.address() as { port: number };
  const remote = tenantOf({ type: 'fhir', baseUrl: `http://127.0.0.1:${port}/test/fhir` });

  const record = (tenant: Tenant) => subgraph.open(tenant, accessOf('patient/*.rs', [id]));
  const ask = async (document: DocumentNode) => {
    const contextValue = { clinical: record(store), partial: [] };
    const { errors } = await execute({
      schema: subgraph.schema,
      document,
      variableValues: { id },
      contextValue,
    });
    if (errors) throw errors[0]!;
  };
  try {
    const { page } = await alternate({ page: () => duration(() => ask(timeline)) }, 300);
    const { points } = await alternate({ points: () => duration(() => ask(trend)) }, 300);
    const inProcess = await besideSearches(() => record(store), id, 100);
    const overHttp = await besideSearches(() => record(remote), id, 20);
    return [
      {
        what: 'timeline: first page of 1,000 resources',
        value: page.median,
        unit: 'ms',
        atMost: 15,
      },
      { what: 'timeline, to its largest search', value: inProcess.toAsked, unit: '×', atMost: 1.5 },
      { what: 'timeline, to its largest search of what it reads', value: inProcess.toRead, unit: '×' },
      { what: 'timeline: EHR of 50 ms', value: overHttp.median, unit: 'ms' },
      {
        what: 'timeline: EHR of 50 ms, to its slowest search',
        value: overHttp.toAsked,
        unit: '×',
        atMost: 1.3,
      },
      { what: `trend of ${POINTS} points`, value: points.median, unit: 'ms', atMost: 10 },
    ];
  } finally {
    await ehr.close();
    await subgraph.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Imports a module of the built clinical subgraph. */
async function built<T>(name: string): Promise<T> {
  return (await import(join(import.meta.dirname, '../../dist/subgraphs/clinical', `${name}.js`))) as T;
}

/** Entries of the first page. */
const PAGE = 20;

/**
 * Measures the first page and, in turn, each of its searches alone: as the page asks it, which is how a client has to ask that
 * does not know yet how old the page is; and for only as many resources as the page reads of that type from this source.
 */
async function besideSearches(open: () => Clinical, patientId: string, rounds: number) {
  const { asked, read } = await searchesOfPage(open, patientId);
  const alone = (type: RecordType, count: number) => () =>
    duration(() => new TypeSearch(open(), type, { patientId, count }).more());
  const searches = RECORD_TYPES.flatMap((type) => [
    [`asked ${type.type}`, alone(type, asked.get(type.type) ?? PAGE)] as const,
    [`read ${type.type}`, alone(type, read.get(type.type) || 1)] as const,
  ]);
  const page = () => duration(() => timelinePage(open(), { patientId, count: PAGE }));
  const measured = await alternate<string>({ page, ...Object.fromEntries(searches) }, rounds);
  // The ratio of each search is to the page of its own round.
  const toLargest = (kind: string) =>
    1 / Math.max(...Object.entries(measured).map(([name, { ratio }]) => (name.startsWith(kind) ? ratio : 0)));
  return { median: measured['page']!.median, toAsked: toLargest('asked'), toRead: toLargest('read') };
}

/** Returns how many resources of each type the first page asks for, and how many it reads. */
async function searchesOfPage(open: () => Clinical, patientId: string) {
  const [asked, read] = [new Map<string, number>(), new Map<string, number>()];
  const page = (clinical: Clinical) => timelinePage(clinical, { patientId, count: PAGE });
  // The first one opens the store.
  await page(open());
  const clinical = open();
  const search = clinical.search.bind(clinical);
  clinical.search = async (type, options) => {
    if (options.count !== undefined) asked.set(type, options.count);
    const found = await search(type, options);
    read.set(type, (read.get(type) ?? 0) + found.resources.length);
    return found;
  };
  await page(clinical);
  return { asked, read };
}
