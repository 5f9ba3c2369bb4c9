/** A tenant over a server that ignores parameters and sorts: its answers are never wider. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { LaxBehaviour } from './lax-ehr.ts';
import { laxTenant, FINAL, FINAL_OF_ANA, OBSERVATIONS, pathOf } from './lax-tenant.ts';

const { rest, ask, list, ehr, behave } = laxTenant();

describe('parameters that the server ignores', () => {
  const ignoring: [what: string, behaviour: Partial<LaxBehaviour>][] = [
    ['says so in its self link', { self: 'applied' }],
    ['repeats the search in its self link', { self: 'asked' }],
    ['has no self link', { self: 'none' }],
    [
      'has no self link and declares the parameter',
      { self: 'none', metadata: 'right', declares: ['status'] },
    ],
    ['refuses it when strict', { strict: 'refuses unknown' }],
    ['ignores it when strict', { strict: 'ignores' }],
    ['refuses each strict search', { strict: 'refuses always' }],
    [
      'says so in a warning',
      {
        self: 'asked',
        issues: [{ severity: 'warning', code: 'not-supported', diagnostics: 'Unknown: status' }],
      },
    ],
    ['pages', { cap: 7 }],
    ['pages, without self link', { cap: 7, self: 'none' }],
    ['pages under its internal host', { cap: 7, next: 'internal host' }],
  ];

  describe.each(ignoring)('FG-20 a server that ignores `status` and %s', (_what, behaviour) => {
    beforeEach(() => behave({ ignores: ['status'], strict: 'ignores', ...behaviour }));

    test('gives final Observations only, in lists, connections, nested lists and bundles', async () => {
      expect(await list('ObservationList(status: ["final"])')).toEqual(FINAL);
      const connection = await ask(
        '{ all: ObservationConnection(status: ["final"], _count: 100) { count edges { resource { id } } } }',
      );
      expect(connection.data['all']!.edges.map(({ resource }) => resource.id)).toEqual(FINAL);
      expect([null, FINAL.length]).toContain(connection.data['all']!.count);
      const nested = await ask('{ Patient(id: "ana") { ObservationList(status: ["final"]) { id } } }', [
        'ana',
      ]);
      expect(nested.data['Patient']).toMatchObject({ ObservationList: FINAL_OF_ANA.map((id) => ({ id })) });
      const { ids, self, bundle } = await rest('Observation?status=final&_count=100');
      expect(ids).toEqual(FINAL);
      expect(self).toContain('status=final');
      expect([undefined, FINAL.length]).toContain(bundle.total);
    });

    test('leads through all pages', async () => {
      const found: unknown[] = [];
      for (let url: string | undefined = 'Observation?status=final&_count=4'; url !== undefined;) {
        const page: Awaited<ReturnType<typeof rest>> = await rest(url);
        expect(page.status).toBe(200);
        found.push(...page.ids);
        url = page.next && pathOf(page.next);
      }
      expect(found).toEqual(FINAL);
    });
  });
});

describe('what cannot be decided here', () => {
  const chain = 'Observation?patient.gender=male';

  test.each<[what: string, behaviour: Partial<LaxBehaviour>, ids: number, status: number]>([
    ['applies', {}, OBSERVATIONS.length, 200],
    ['does not mention', { ignores: ['patient.gender'] }, OBSERVATIONS.length, 400],
    [
      'refuses when strict, and repeats',
      { ignores: ['patient.gender'], self: 'asked', strict: 'refuses unknown' },
      OBSERVATIONS.length,
      400,
    ],
    ['answers without a self link', { self: 'none' }, OBSERVATIONS.length, 400],
    [
      'warns of',
      { issues: [{ severity: 'warning', diagnostics: 'no patient.gender here' }] },
      OBSERVATIONS.length,
      400,
    ],
  ])(
    'FG-20 a chain that the server %s: lenient it is told, strict refused',
    async (_what, behaviour, count, status) => {
      behave({ strict: 'ignores', ...behaviour });
      const lenient = await rest(`${chain}&_count=100`);
      expect(lenient.ids).toHaveLength(count);
      expect(lenient.self?.includes('patient.gender')).toBe(status === 200);
      const strict = await rest(chain, { strict: true });
      expect(strict.status).toBe(status);
      if (status === 400) expect(JSON.stringify(strict.bundle)).toContain('patient.gender');
    },
  );

  test('a chain through a reference that the server does not declare is not sent', async () => {
    behave({ metadata: 'right', declares: ['status'] });
    await rest('Observation?status=final');
    const strict = await rest(chain, { strict: true });
    expect(strict.status).toBe(400);
    expect(ehr().requests).toHaveLength(1);
  });

  test('what a page ignores is still known on the next pages', async () => {
    behave({ ignores: ['patient.gender'], strict: 'ignores', cap: 10 });
    const first = await rest(`${chain}&_count=10`);
    const second = await rest(pathOf(first.next!));
    expect(second.ids).toHaveLength(10);
    expect(second.self).not.toContain('patient.gender');
  });
});

describe('order', () => {
  const byDate = [...OBSERVATIONS].sort((a, b) => b.effectiveDateTime.localeCompare(a.effectiveDateTime));
  const dates = (answer: Awaited<ReturnType<typeof ask>>) =>
    answer.data['list']!.map(({ id }) => OBSERVATIONS.find((one) => one.id === id)!.effectiveDateTime);

  test.each<[what: string, behaviour: Partial<LaxBehaviour>]>([
    ['ignores it', {}],
    ['ignores it and repeats it', { self: 'asked' }],
    ['ignores it without self link', { self: 'none' }],
    ['pages', { cap: 10 }],
  ])('a whole list is sorted here when the server %s', async (_what, behaviour) => {
    behave({ ignores: ['_sort'], ...behaviour });
    expect(dates(await ask('{ list: ObservationList(_sort: ["-date"]) { id } }'))).toEqual(
      byDate.map(({ effectiveDateTime }) => effectiveDateTime),
    );
    const { ids, self } = await rest('Observation?_sort=-date&_count=100');
    expect(ids).toHaveLength(45);
    expect(self).toContain('_sort=-date');
  });

  test('a part of a list that is not sorted is refused by GraphQL; REST says that it is not sorted', async () => {
    behave({ ignores: ['_sort'] });
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)')).toBe('unsupported_parameter');
    const page = await rest('Observation?_sort=-date&_count=3');
    expect(page.self).not.toContain('_sort');
    expect((await rest('Observation?_sort=-date&_count=3', { strict: true })).status).toBe(400);
  });

  test('a server that sorts is believed', async () => {
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)')).toHaveLength(3);
    expect((await rest('Observation?_sort=-date&_count=3')).self).toContain('_sort=-date');
  });
});
