/** SM-4 the claims of a CapabilityStatement are what the source of the record does. */
import type { CapabilityStatement } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entriesOf, restSources, SOURCES, warningsOf } from '../test/rest-sources.ts';
import { startClinical, tenantOf } from '../test/servers.ts';
import { errorsIn } from '../test/validator.ts';
import { claimsOf } from './claims.ts';

const { ask, bundle } = restSources();
let clinical: Awaited<ReturnType<typeof startClinical>>;
beforeAll(async () => void (clinical = await startClinical()));
afterAll(() => clinical.end());

const claims = (source: string) =>
  clinical.subgraph.claims(
    source === 'store' ? clinical.tenant : tenantOf({ type: 'fhir', baseUrl: 'http://127.0.0.1:9/fhir' }),
  );

describe.each(SOURCES)('%s', (source) => {
  it('claims reads, searches and versions of every type, and no writes', async () => {
    const found = await claims(source);
    expect(new Set(found.flatMap(({ interaction = [] }) => interaction.map(({ code }) => code)))).toEqual(
      new Set(['read', 'vread', 'history-instance', 'search-type']),
    );
    expect(found.every(({ searchParam = [] }) => searchParam.length > 0)).toBe(true);
  });

  it('are valid in a CapabilityStatement, and the same list each time', async () => {
    const statement: CapabilityStatement = {
      resourceType: 'CapabilityStatement',
      status: 'active',
      date: '2026-01-01',
      kind: 'instance',
      fhirVersion: '4.0.1',
      format: ['json'],
      implementation: { description: 'x' },
      rest: [{ mode: 'server', resource: [...(await claims(source))] }],
    };
    expect(errorsIn(statement)).toEqual([]);
    expect(await claims(source)).toBe(await claims(source));
  });

  it('every include that is claimed for two types is carried out', async () => {
    const both = (await claims(source)).filter(({ type }) => ['Patient', 'Condition'].includes(type));
    const left: (string | undefined)[] = [];
    for (const { type, searchInclude = [], searchRevInclude = [] } of both) {
      const asked = [
        ...searchInclude.map((value) => `_include=${value}`),
        ...searchRevInclude.map((value) => `_revinclude=${value}`),
      ];
      for (let at = 0; at < asked.length; at += 20) {
        const query = asked
          .slice(at, at + 20)
          .filter((one) => one !== '_include=*')
          .join('&');
        left.push(...warningsOf(await bundle(source, `/${type}?${query}&_count=1`, { patients: 'all' })));
      }
    }
    expect(both).toHaveLength(2);
    expect(left).toEqual([]);
  });
});

it('a tenant without a record claims nothing of one', async () => {
  expect(await clinical.subgraph.claims(tenantOf({ type: 'none' }))).toEqual([]);
});

it('of a server that declares what it does, only that is claimed, until it declares something else', async () => {
  const condition = (...interactions: string[]) =>
    new Map([
      [
        'Condition',
        {
          interactions: new Set(interactions),
          searchParameters: new Set(['code']),
          includes: new Set<string>(),
          revincludes: new Set<string>(),
        },
      ],
    ]);
  const source = (declared: ReturnType<typeof condition>) => ({
    capabilities: async () => declared,
    supports: (type: string, name: string) => declared.get(type)?.searchParameters.has(name) ?? false,
    version: async () => undefined,
  });
  const before = condition('read', 'search-type');
  const first = await claimsOf({}, source(before));
  expect(await claimsOf({}, source(before))).toBe(first);
  expect(first).toMatchObject([
    { type: 'Condition', readHistory: false, searchParam: [{ name: 'code', type: 'token' }] },
  ]);
  const after = await claimsOf({}, source(condition('read', 'vread')));
  expect(after).toMatchObject([{ type: 'Condition', readHistory: true }]);
  expect(after[0]).not.toHaveProperty('searchParam');
});

it('a claimed parameter is applied under strict handling', async () => {
  const { searchParam = [] } = (await claims('store')).find(({ type }) => type === 'Condition')!;
  const tokens = searchParam.filter(({ type }) => type === 'token').map(({ name }) => `${name}=x`);
  const answer = await ask('store', `/Condition?${tokens.join('&')}`, {
    headers: { prefer: 'handling=strict' },
  });
  expect([answer.statusCode, entriesOf(answer.json(), 'match')]).toEqual([200, []]);
});
