import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSeen, type Seen } from './seen.ts';

let directory: string;
let now: number;
let seen: Seen;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'seen-'));
  now = 1000;
  seen = openSeen(directory, () => now);
});
afterEach(() => {
  seen.close();
  rmSync(directory, { recursive: true });
});

/** Sees one study at a second, and says since when it is as it is, and whether it was unknown. */
function observe(at: number, instances: number | undefined, tenant = 'open'): [number, boolean] {
  now = at;
  const memory = seen.observe(tenant, [{ studyUid: '1.2', ...(instances !== undefined && { instances }) }]);
  const { lastUpdated, fresh } = memory.get('1.2')!;
  return [Date.parse(lastUpdated) / 1000, fresh];
}

test('IA-13 last updated is when the study was first seen with its present instance count', () => {
  expect(observe(1000, 10)).toEqual([1000, true]);
  expect(observe(2000, 10)).toEqual([1000, false]);
  expect(observe(3000, 11)).toEqual([3000, false]);
  expect(observe(4000, 11)).toEqual([3000, false]);
});

test('IA-13 a count that is not given changes nothing', () => {
  observe(1000, 10);
  expect(observe(2000, undefined)).toEqual([1000, false]);
  expect(observe(3000, 10)).toEqual([1000, false]);
});

test('IA-13 tenants do not share a memory', () => {
  observe(1000, 10);
  expect(observe(2000, 10, 'other')).toEqual([2000, true]);
});

test('IA-13 the memory outlives the process, and replicas share it', () => {
  observe(1000, 10);
  const replica = openSeen(directory, () => 5000);
  expect(replica.observe('open', [{ studyUid: '1.2', instances: 10 }]).get('1.2')).toEqual({
    lastUpdated: new Date(1_000_000).toISOString(),
    fresh: false,
  });
  replica.close();
});

test('IA-13 a memory that cannot be written costs no answer: the study counts as new', () => {
  const other = new Database(join(directory, 'seen.sqlite'));
  observe(1000, 10);
  other.exec('drop table seen; create table seen (tenant, study, instances check (instances < 0), since)');
  expect(observe(2000, 11)).toEqual([2000, true]);
  expect(observe(3000, 11)).toEqual([3000, true]);
  other.close();
});
