import { describe, expect, test } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import type { RecordLookup } from './merged-records.ts';
import { isCurrent, patientRecord, type PatientRecord } from './patient-record.ts';
import { holderOf, resolveIdentity } from './resolve-identity.ts';

const NOW = Date.parse('2026-10-20T12:00:00Z');
const mr = (value: string, more: object = {}) => ({ value, type: { coding: [{ code: 'MR' }] }, ...more });
const record = (id: string, identifier: object[], more: object = {}): PatientRecord =>
  patientRecord({ resourceType: 'Patient', id, identifier, ...more }, id)!;
const replaces = (...ids: string[]) => ({
  link: ids.map((id) => ({ type: 'replaces', other: { reference: `Patient/${id}` } })),
});

/** A lookup among some records, which counts its calls. */
function among(records: readonly PatientRecord[], change: Partial<RecordLookup> = {}) {
  const calls: string[] = [];
  const lookup: RecordLookup = {
    read: async (id) => {
      calls.push(`read ${id}`);
      return records.find((one) => one.id === id);
    },
    holders: async (values) => {
      calls.push(`holders ${values.join(',')}`);
      return records.filter(({ identifier }) => identifier.some(({ value }) => values.includes(value ?? '')));
    },
    ...change,
  };
  return { lookup, calls };
}

async function resolved(one: PatientRecord, lookup: RecordLookup | undefined) {
  const reasons: string[] = [];
  const identity = await resolveIdentity(one, {
    lookup,
    onUnclear: (reason) => reasons.push(reason),
    now: NOW,
  });
  return { merged: identity.merged?.length ?? 0, withheld: identity.withheld ?? [], reasons };
}

describe('DW-21 the identity of a patient', () => {
  test('needs no other record if the own one leaves no question', async () => {
    const alone = record('a', [mr('1'), { system: 'ssn', value: '9' }], { active: true });
    const { lookup, calls } = among([alone]);
    expect(await resolved(alone, lookup)).toEqual({ merged: 0, withheld: [], reasons: [] });
    expect(calls).toEqual([]);
  });

  test('needs one search, and one read for each record that was merged with it', async () => {
    const a = record('a', [mr('1'), mr('2', { use: 'old' })], replaces('b', 'c'));
    const all = [a, record('b', [mr('2')]), record('c', [mr('3')])];
    const { lookup, calls } = among(all);
    expect(await resolved(a, lookup)).toEqual({ merged: 2, withheld: [], reasons: [] });
    expect(calls).toEqual(['read b', 'read c', 'holders 1,2,3']);
  });

  const old = record('a', [mr('1'), mr('2', { use: 'old' })]);
  const merged = record('a', [mr('1')], replaces('b'));
  const b = record('b', [mr('2')]);
  test.each<[string, PatientRecord, RecordLookup | undefined, object]>([
    ['credentials of the gateway', old, undefined, { merged: 0, withheld: ['2'], reasons: ['unconfirmed'] }],
    ['credentials, with a link', merged, undefined, { merged: 0, withheld: [], reasons: ['link'] }],
    [
      'a search by identifier',
      old,
      among([old], { holders: async () => undefined }).lookup,
      { merged: 0, withheld: ['2'], reasons: ['unconfirmed'] },
    ],
    [
      'an answer that shows the record itself',
      old,
      among([old], { holders: async () => [] }).lookup,
      { merged: 0, withheld: ['2'], reasons: ['unconfirmed'] },
    ],
    [
      'a search that shows the merged record',
      merged,
      among([merged, b], { holders: async () => [merged] }).lookup,
      { merged: 1, withheld: ['2'], reasons: ['unconfirmed'] },
    ],
    ['the merged record', merged, among([merged]).lookup, { merged: 0, withheld: [], reasons: ['link'] }],
  ])('is narrow without %s', async (_title, one, lookup, expected) => {
    expect(await resolved(one, lookup)).toEqual(expected);
  });

  test('is not guessed while the server does not answer', async () => {
    const away = async () => {
      throw new Fault('unavailable', 'away');
    };
    await expect(resolved(old, among([], { holders: away }).lookup)).rejects.toThrow('away');
    await expect(resolved(merged, among([], { read: away }).lookup)).rejects.toThrow('away');
  });

  test('follows ten records at most', async () => {
    const ids = Array.from({ length: 30 }, (_, index) => `r${index}`);
    const chain = ids.map((id, index) => record(id, [mr(id)], index < 29 ? replaces(`r${index + 1}`) : {}));
    const { lookup, calls } = among(chain);
    expect(await resolved(chain[0]!, lookup)).toMatchObject({ merged: 9, reasons: ['link'] });
    expect(calls.length).toBeLessThan(15);
  });
});

test.each<[string, object, boolean]>([
  ['no period', {}, true],
  ['old', { use: 'old' }, false],
  ['a period that ended yesterday', { period: { end: '2026-10-19' } }, false],
  ['a period that ends today', { period: { end: '2026-10-20' } }, true],
  ['a period that ended a minute ago', { period: { end: '2026-10-20T13:58:00+02:00' } }, false],
  ['a period that ends this year', { period: { end: '2026' } }, true],
  ['a period that begins tomorrow', { period: { start: '2026-10-21' } }, false],
  ['a period whose end is not a date', { period: { end: 'unknown' } }, false],
])('an identifier with %s is in use: %s', (_title, identifier, expected) => {
  expect(isCurrent(identifier, NOW)).toBe(expected);
});

test('a number is that of the record that has it now, or has replaced the others', () => {
  const holder = (...records: PatientRecord[]) => holderOf('1', records, NOW)?.id;
  const a = record('a', [mr('1')]);
  const former = record('b', [mr('1', { use: 'old' })]);
  const link = [{ type: 'replaced-by', other: { reference: 'Patient/a' } }];
  const replaced = record('c', [mr('1')], { active: false, link });
  expect(holder()).toBeUndefined();
  // A server that ignores the search gives any patient.
  expect(holder(record('f', [mr('2')]))).toBeUndefined();
  expect(holder(former)).toBe('b');
  expect(holder(a, former)).toBe('a');
  expect(holder(replaced, a)).toBe('a');
  expect(holder(a, record('d', [mr('1')]))).toBeUndefined();
  expect(holder(former, record('e', [mr('1', { use: 'old' })]))).toBeUndefined();
});
