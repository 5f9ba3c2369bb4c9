import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadStore } from '../sources/store/load.ts';
import { openRecordFeed, recordVersion } from './record-feed.ts';

const folder = mkdtempSync(join(tmpdir(), 'record-feed-'));
afterAll(() => rmSync(folder, { recursive: true }));

const lines = [
  { resourceType: 'Patient', id: 'ana' },
  { resourceType: 'Condition', id: '1', subject: { reference: 'Patient/ana' } },
  { resourceType: 'Condition', id: '2', subject: { reference: 'Group/g' } },
];

it('gives all resources of a type, and their patients, also while the record is loaded anew', () => {
  const data = join(folder, 'data.ndjson');
  const file = join(folder, 'store.sqlite');
  const write = (some: readonly object[]) =>
    writeFileSync(data, some.map((one) => JSON.stringify(one)).join('\n'));
  write(lines);
  loadStore(data, file);
  const feed = openRecordFeed(file);
  const version = recordVersion(file);
  write(lines.slice(0, 1));
  loadStore(data, file);
  expect(recordVersion(file)).not.toBe(version);
  const conditions = [...feed.texts('Condition')].map((text) => JSON.parse(text) as object);
  expect(conditions).toMatchObject(lines.slice(1));
  expect(conditions.map((one) => feed.patientsOf(one))).toEqual([['ana'], []]);
  expect([...feed.texts('Encounter')]).toEqual([]);
  expect(JSON.parse(feed.text('Condition', '2')!)).toEqual(lines[2]);
  expect(feed.text('Condition', '3')).toBeUndefined();
  feed.close();
  const newer = openRecordFeed(file);
  expect([...newer.texts('Condition')]).toEqual([]);
  newer.close();
});
