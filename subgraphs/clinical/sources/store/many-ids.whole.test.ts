/** More ids than one answer of a thread has. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { SearchParams } from '../source.ts';
import { loadStore } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const COUNT = 250_000;
const directory = mkdtempSync(join(tmpdir(), 'many-ids-'));
const threads = new QueryThreads();
let store: Store;

beforeAll(async () => {
  const [data, file] = [join(directory, 'record.ndjson'), join(directory, 'store.sqlite')];
  const line = (at: number) =>
    `{"resourceType":"Observation","id":"b${at}","code":{"coding":[{"code":"${at % 10 === 0 ? 'some' : 'most'}"}]}}`;
  writeFileSync(data, Array.from({ length: COUNT }, (_, at) => line(at)).join('\n'));
  loadStore(data, file);
  store = (await Store.open(threads, file))!;
});
afterAll(async () => {
  await threads.close();
  rmSync(directory, { recursive: true });
});

test.each<[what: string, params: SearchParams, most: number, found: number]>([
  ['all', [], Infinity, COUNT],
  ['those with a code', [['code', 'most']], Infinity, COUNT * 0.9],
  ['few', [['code', 'some']], Infinity, COUNT * 0.1],
  ['no more than are wanted', [['code', 'most']], 210_001, 210_001],
])('%s, each once', async (_, params, most, found) => {
  const ids = await store.ids('Observation', { params, most });
  // The ids themselves would fill the report.
  expect([ids.length, new Set(ids).size]).toEqual([found, found]);
});
