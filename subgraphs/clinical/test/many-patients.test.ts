/** A caller who reaches many patients, over a server. */
import { describe, expect, test } from 'vitest';
import { laxTenant, pathOf } from './lax-tenant.ts';

const MANY = Array.from({ length: 200 }, (_, i) => `patient-${String(i).padStart(3, '0')}-${'x'.repeat(20)}`);
const RECORDS = MANY.flatMap((id, i) => [
  { resourceType: 'Patient', id },
  ...[0, 1].map((n) => ({
    resourceType: 'Observation',
    id: `${id}-${n}`,
    status: 'final',
    subject: { reference: `Patient/${id}` },
    effectiveDateTime: `2024-01-${String(1 + ((i * 5 + n) % 28)).padStart(2, '0')}`,
  })),
  // Of a patient whom the caller does not reach.
  {
    resourceType: 'Observation',
    id: `foreign-${i}`,
    status: 'final',
    subject: { reference: `Patient/foreign-${i}` },
  },
]);

const { rest, ask, list, ehr, behave } = laxTenant(RECORDS);

describe('a caller who reaches many patients', () => {
  const expected = MANY.flatMap((id) => [`${id}-0`, `${id}-1`]);

  test('FG-6 searches with parts of the patients, in URLs of limited length', async () => {
    expect(await list('ObservationList', MANY)).toEqual(expected);
    expect(await list('PatientList', MANY)).toEqual(MANY);
    expect(ehr().requests.length).toBeLessThan(15);
    expect(Math.max(...ehr().requests.map((path) => encodeURI(path).length))).toBeLessThan(2_000);
  });

  test('pages lead through all parts, each resource once, without a total', async () => {
    const found: unknown[] = [];
    for (let url: string | undefined = 'Observation?_count=30&_total=accurate'; url !== undefined;) {
      const page: Awaited<ReturnType<typeof rest>> = await rest(url, { patients: MANY });
      expect(page.status).toBe(200);
      expect(page.bundle.total).toBeUndefined();
      found.push(...page.ids);
      url = page.next && pathOf(page.next);
    }
    expect(found).toEqual(expected);
  });

  test('a whole list is sorted over all parts, a page of it is refused', async () => {
    const { data } = await ask('{ list: ObservationList(_sort: ["-date"]) { effectiveDateTime } }', MANY);
    const dates = (data['list'] as unknown as { effectiveDateTime: string }[]).map(
      ({ effectiveDateTime }) => effectiveDateTime,
    );
    expect(dates).toHaveLength(400);
    expect(dates).toEqual(dates.toSorted().reverse());
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)', MANY)).toBe('unsupported_parameter');
  });

  test('patients that the search names are not searched in parts', async () => {
    expect(await list(`ObservationList(patient: ["${MANY[150]}"])`, MANY)).toEqual([
      `${MANY[150]}-0`,
      `${MANY[150]}-1`,
    ]);
    expect(ehr().requests).toHaveLength(1);
  });

  test('a resource of two patients is given once', async () => {
    behave({ page: (entries) => [...entries, { resource: { ...RECORDS[1], id: 'shared' } }] });
    const found = (await list('ObservationList', [MANY[0]!, ...MANY.slice(0, 120)])) as string[];
    expect(found.filter((id) => id === 'shared')).toHaveLength(1);
    expect(found.length).toBe(241);
  });
});
