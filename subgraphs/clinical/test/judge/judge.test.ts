/**
 * The judge of the embedded store: random searches, answered by the store and by a filter that shares no code with it
 * (FG-20). `npm run test:long` makes 10,000 of them, over more patients.
 */
import type { FastifyInstance } from 'fastify';
import type { Bundle, Resource } from 'fhir/r4.js';
import { graphql } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LONG } from '../../../../gateway/test/setup/long.ts';
import { sharedDataPath, sharedDataPresent } from '../../../../gateway/test/setup/shared-data.ts';
import { clinicalResources } from '../../../../schema/fhir/tables.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import type { ClinicalSource } from '../../sources/source.ts';
import { accessOf, fhirApp, startClinical } from '../servers.ts';
import { definitionsOf } from './elements.ts';
import { madeResources } from './made-resources.ts';
import { NaiveSearch } from './naive-search.ts';
import { Random } from '../../../../gateway/test/setup/random.ts';
import { RandomSearches, type Parameter, type RandomSearch } from './random-search.ts';
import { isSorted } from './sorted.ts';
import { syntheaResources } from './synthea.ts';
import { split } from './values.ts';

const SEARCHES = LONG ? 10_000 : 500;
const PATIENTS = LONG ? 8 : 2;
const SEED = 20_260;

let clinical: Awaited<ReturnType<typeof startClinical>>;
let store: ClinicalSource;
let data: NaiveSearch;
let tenant: Tenant;
let app: FastifyInstance;

beforeAll(async () => {
  const real = sharedDataPresent ? syntheaResources(sharedDataPath('fhir/synthea'), PATIENTS) : [];
  const types = clinicalResources.filter((type) => !['Binary', 'OperationOutcome'].includes(type));
  const resources: Resource[] = [...real, ...madeResources(types, 1)].filter(({ resourceType }) =>
    types.includes(resourceType),
  );
  data = new NaiveSearch(resources, Date.now());
  clinical = await startClinical();
  tenant = await clinical.tenantOver(resources.map((one) => JSON.stringify(one)).join('\n'));
  store = await clinical.subgraph.open(tenant, accessOf('system/*.rs')).backend();
  app = fhirApp(clinical.subgraph, tenant, () => accessOf('system/*.rs'));
}, 60_000);
afterAll(async () => {
  await app.close();
  await clinical.end();
});

const text = ({ type, params, filter, sort }: RandomSearch): string =>
  `${type}?${[...params, ['_filter', filter?.text], ['_sort', sort]].map((pair) => pair.join('=')).join('&')}`;
const idsOf = (resources: readonly Resource[]): string[] => resources.map(({ id }) => id ?? '');

/** Returns what is different; undefined when the answers agree. */
function difference(search: RandomSearch, found: readonly string[], expected: readonly string[]) {
  if (found.toSorted().join() === expected.toSorted().join()) return undefined;
  const tooMany = found.filter((id) => !expected.includes(id)).slice(0, 3);
  return { search: text(search), tooMany, missing: expected.filter((id) => !found.includes(id)).slice(0, 3) };
}

function paramsOf({ params, filter }: RandomSearch): Parameter[] {
  return filter ? [...params, ['_filter', filter.text]] : params;
}

function expectedOf({ type, params, filter }: RandomSearch): string[] {
  return idsOf(data.find(type, params).filter((resource) => filter?.holds(resource) ?? true));
}

/** Returns the ids of all resources by REST, and of those that GraphQL finds where its arguments can say the same. */
async function byApis(search: RandomSearch): Promise<Record<string, string[]>> {
  const { type, params } = search;
  const query = new URLSearchParams([...paramsOf(search), ['_count', '1000']] as [string, string][]);
  const response = await app.inject({ url: `/test/fhir/${type}?${query.toString()}` });
  const { entry = [] } = response.json<Bundle>();
  const found: Record<string, string[]> = { rest: entry.map(({ resource }) => resource?.id ?? '') };
  const names = params.map(([name]) => name);
  const isPlain = names.every((name) => /^\w[\w-]*$/.test(name) && name !== '_list');
  // In GraphQL values with a prefix bound a range; here they are alternatives.
  const isRange = params.some(([, value]) =>
    /(^|[,$])(ge|gt|le|lt|sa|eb|ne)[-\d].*,|,.*(ge|gt|le|lt|sa|eb|ne)[-\d]/.test(value),
  );
  if (!isPlain || isRange || new Set(names).size < names.length || names.length === 0) return found;
  const args = params.map(
    ([name, value]) => `${name.replaceAll('-', '_')}: ${JSON.stringify(split(value, ','))}`,
  );
  if (search.filter) args.push(`_filter: ${JSON.stringify(search.filter.text)}`);
  const { data: lists, errors } = await graphql({
    schema: clinical.subgraph.schema,
    source: `{ list: ${type}List(${args.join(', ')}, _count: 1000) { id } }`,
    contextValue: { clinical: clinical.subgraph.open(tenant, accessOf('system/*.rs')) },
  });
  const list = lists?.['list'] as Resource[] | undefined;
  return { ...found, graphql: list ? idsOf(list) : [errors?.[0]?.message ?? ''] };
}

describe('FG-20 the judge', () => {
  it(`agrees with the store on ${SEARCHES} random searches`, async () => {
    const searches = new RandomSearches(new Random(SEED), data);
    const wrong: unknown[] = [];
    let matched = 0;
    for (let made = 0; made < SEARCHES; made++) {
      const search = searches.search();
      const { type, sort } = search;
      const expected = expectedOf(search);
      if (expected.length > 0) matched++;
      const asked = { params: paramsOf(search), count: 100_000, ...(sort && { sort }) };
      const found = await store.search(type, asked).then(
        ({ resources }) => resources,
        (error: Error) => [{ id: error.message } as Resource],
      );
      wrong.push(difference(search, idsOf(found), expected));
      if (sort && !isSorted(found, sort))
        wrong.push({
          search: text(search),
          order: found.map((one) => [
            one.id,
            JSON.stringify((one as unknown as { useContext: unknown }).useContext),
          ]),
        });
    }
    expect(wrong.filter(Boolean)).toEqual([]);
    // Searches that find nothing would agree too.
    expect(matched).toBeGreaterThan(SEARCHES / 3);
  }, 900_000);

  it('agrees with REST and GraphQL', async () => {
    const searches = new RandomSearches(new Random(SEED + 1), data);
    const wrong: unknown[] = [];
    let asked = 0;
    for (let made = 0; made < SEARCHES / 10; made++) {
      const search = searches.search();
      const expected = expectedOf(search);
      if (expected.length > 1000 || paramsOf(search).length === 0) continue;
      for (const [api, found] of Object.entries(await byApis(search))) {
        const different = difference(search, found, expected);
        if (different) wrong.push({ api, ...different });
        if (api === 'graphql') asked++;
      }
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(SEARCHES / 100);
  }, 900_000);

  it('supports every SearchParameter of the standard that has an expression', () => {
    const left = clinicalResources.flatMap((type) =>
      [...definitionsOf(type).values()]
        .filter(({ type: kind, expression }) => kind !== 'special' && expression)
        .filter(({ code }) => !store.supports(type, code))
        .map(({ code }) => `${type}.${code}`),
    );
    expect(left).toEqual([]);
  });
});
