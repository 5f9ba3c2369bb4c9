/** What is judged of the answers of a server, although it says that it applied the search. */
import type { Observation } from 'fhir/r4.js';
import { describe, expect, test } from 'vitest';
import type { LaxBehaviour } from './lax-ehr.ts';
import { laxTenant, CATEGORIES, FINAL, idsOf } from './lax-tenant.ts';

const { rest, list, open, ehr, behave } = laxTenant();

describe('a wider meaning of the server stays, what is certainly wrong does not', () => {
  test.each<[search: string, ids: string[]]>([
    ['Patient?name=eters', ['ana']],
    ['Patient?identifier=urn:mrn|mrn-ANA', ['ana']],
    ['Patient?identifier=urn:other|MRN-ana', []],
    ['Patient?_id=ana', ['ana']],
    ['Patient?gender=male', ['bob']],
  ])('%s', async (search, ids) => {
    expect((await rest(search)).ids).toEqual(ids);
  });

  test.each<[search: string, ids: string[]]>([
    ['Observation?patient=bob&_count=100', idsOf((_, i) => i % 3 === 2)],
    ['Observation?subject=Patient/bob&_count=100', idsOf((_, i) => i % 3 === 2)],
    ['Observation?category=survey', []],
    ['Observation?code=urn:o|c1&_count=100', idsOf((_, i) => i % 5 === 1)],
    ['Observation?_id=o01,o02', ['o01', 'o02']],
    ['Observation?subject=%23inside', []],
    ['Patient?identifier=MRN-bob', ['bob']],
  ])('a server that ignores all parameters and says the contrary: %s', async (search, ids) => {
    behave({ self: 'asked', strict: 'ignores' });
    behave({ ignores: ['patient', 'subject', 'category', 'code', '_id', 'identifier'] });
    expect((await rest(search)).ids).toEqual(ids);
  });

  test('dates of a server that says it applied them may differ by its zone, not by more', async () => {
    behave({ self: 'asked', strict: 'ignores', ignores: ['date'] });
    const { bundle } = await rest('Observation?date=2024-01-10&_count=100');
    const dates = (bundle.entry ?? []).map(({ resource }) => (resource as Observation).effectiveDateTime);
    expect(new Set(dates)).toEqual(new Set(['2024-01-09', '2024-01-10', '2024-01-11']));
    behave({ self: 'applied' });
    const exact = await rest('Observation?date=2024-01-10&_count=100');
    expect(exact.ids).toEqual(idsOf(({ effectiveDateTime }) => effectiveDateTime === '2024-01-10'));
  });

  test('references under the internal base of a server are found', async () => {
    const page = (entries: unknown[]) =>
      JSON.parse(
        JSON.stringify(entries).replaceAll('"Patient/', '"http://internal.host/fhir/Patient/'),
      ) as unknown[];
    behave({ page });
    expect((await rest('Observation?subject=Patient/bob&_count=100')).ids).toHaveLength(15);
  });
});

describe('requests to the server', () => {
  test('FG-6 one request a question, strict, and one for what the server can do', async () => {
    behave({ metadata: 'right' });
    for (let i = 0; i < 3; i++)
      await list(`ObservationList(status: ["final"], category: ["${CATEGORIES[i]}"])`);
    expect(ehr().requests).toHaveLength(3);
    expect(new Set(ehr().prefers)).toEqual(new Set(['handling=strict']));
    expect(ehr().metadata).toBe(1);
  });

  test('a server that refuses strict searches is asked twice once only', async () => {
    behave({ strict: 'refuses always' });
    for (const status of ['final', 'amended', 'preliminary'])
      await list(`ObservationList(status: ["${status}"])`);
    expect(ehr().prefers).toEqual(['handling=strict', undefined, undefined, undefined]);
  });

  test.each<LaxBehaviour['metadata']>(['none', 'html', 'huge', 'right'])(
    'a server whose statement is %s works, and is asked for it once',
    async (metadata) => {
      behave({ metadata: metadata });
      for (let i = 0; i < 2; i++) expect(await list('ObservationList(status: ["final"])')).toEqual(FINAL);
      expect(ehr().metadata).toBe(1);
      const source = await open('system/*.rs').backend();
      const known = await source.capabilities?.();
      expect(known && [...known.keys()]).toEqual(
        metadata === 'right' ? ['Patient', 'Observation', 'Condition'] : undefined,
      );
    },
  );

  test('what a server declares is known by type', async () => {
    behave({ metadata: 'right', declares: ['status'] });
    const source = await open('system/*.rs').backend();
    expect((await source.capabilities?.())?.get('Observation')).toEqual({
      interactions: new Set(['read', 'search-type']),
      searchParameters: new Set(['_id', 'status']),
      includes: new Set(['Observation:subject']),
      revincludes: new Set(),
    });
    expect(source.supports('Observation', 'category')).toBe(true);
    expect(source.supports('Observation', 'patient.name')).toBe(false);
    expect(source.supports('Observation', '_has:Provenance:target:agent')).toBe(false);
    expect(source.supports('Observation', 'no-such')).toBe(false);
  });
});
