import { Redis } from 'ioredis';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startRedis, type Redis as RedisServer } from '../../../gateway/test/setup/redis.ts';
import { sharedFirstSeen } from './shared-first-seen.ts';
import { openFirstSeen, type FirstSeen } from './first-seen.ts';
import { Database } from '../../../schema/process/sqlite.ts';

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

let directory: string;
let now: number;
let opened: FirstSeen[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'seen-'));
  now = 1000;
  opened = [];
  await redis.flushall();
});
afterEach(() => {
  for (const seen of opened) seen.close();
  rmSync(directory, { recursive: true });
});

const BACKENDS: Record<string, () => FirstSeen> = {
  SQLite: () => openFirstSeen(directory, () => now),
  Redis: () => sharedFirstSeen(redis, () => now),
};

describe.each(Object.keys(BACKENDS))('IA-13 in %s', (backend) => {
  const open = () => {
    const seen = BACKENDS[backend]!();
    opened.push(seen);
    return seen;
  };
  /** Observes one study at a second; returns the second of its last change, and whether it was unknown. */
  const observe = async (seen: FirstSeen, at: number, instances?: number, tenant = 'open') => {
    now = at;
    const memory = await seen.observe(tenant, [
      { studyUid: '1.2', ...(instances !== undefined && { instances }) },
    ]);
    const { lastUpdated, fresh } = memory.get('1.2')!;
    return [Date.parse(lastUpdated) / 1000, fresh];
  };

  test('gives as last update when a study was first seen with its present instance count', async () => {
    const seen = open();
    expect(await observe(seen, 1000, 10)).toEqual([1000, true]);
    expect(await observe(seen, 2000, 10)).toEqual([1000, false]);
    expect(await observe(seen, 3000, 11)).toEqual([3000, false]);
    expect(await observe(seen, 4000, 11)).toEqual([3000, false]);
    expect(await observe(seen, 5000, 10)).toEqual([5000, false]);
  });

  test('keeps the last update when the source gives no count', async () => {
    const seen = open();
    await observe(seen, 1000, 10);
    expect(await observe(seen, 2000)).toEqual([1000, false]);
    expect(await observe(seen, 3000, 10)).toEqual([1000, false]);
  });

  test('remembers studies of each tenant apart', async () => {
    const seen = open();
    await observe(seen, 1000, 10);
    expect(await observe(seen, 2000, 10, 'other')).toEqual([2000, true]);
  });

  test('remembers a study after a restart, and in another replica', async () => {
    await observe(open(), 1000, 10);
    expect(await observe(open(), 5000, 10)).toEqual([1000, false]);
  });

  test('observes many studies at once, and none', async () => {
    const seen = open();
    const sightings = Array.from({ length: 500 }, (_, i) => ({ studyUid: `1.${i}`, instances: i }));
    expect((await seen.observe('open', sightings)).size).toBe(500);
    expect((await seen.observe('open', [])).size).toBe(0);
  });
});

test('IA-13 gives a study as new when the file cannot be written', async () => {
  const seen = openFirstSeen(directory, () => now);
  opened.push(seen);
  const instant = new Date(1_000_000).toISOString();
  await seen.observe('open', [{ studyUid: '1.2', instances: 10 }]);
  const other = new Database(join(directory, 'seen.sqlite'));
  other.exec('drop table seen; create table seen (tenant, study, instances check (instances < 0), since)');
  const sighting = [{ studyUid: '1.2', instances: 11 }];
  expect((await seen.observe('open', sighting)).get('1.2')).toEqual({ lastUpdated: instant, fresh: true });
  expect((await seen.observe('open', sighting)).get('1.2')).toMatchObject({ fresh: true });
  other.close();
});

test('IA-13 gives a study as new when Redis cannot be reached', async () => {
  const gone = new Redis('redis://127.0.0.1:9', { enableOfflineQueue: false, retryStrategy: null });
  gone.on('error', () => undefined);
  const memory = await sharedFirstSeen(gone, () => now).observe('open', [{ studyUid: '1.2', instances: 1 }]);
  expect(memory.get('1.2')).toEqual({ lastUpdated: new Date(1_000_000).toISOString(), fresh: true });
  gone.disconnect();
});

test('IA-13 keeps the time of an unchanged study while Redis cannot be reached', async () => {
  const cut = new Redis(server.url, { enableOfflineQueue: false, retryStrategy: null, lazyConnect: true });
  await cut.connect();
  const seen = sharedFirstSeen(cut, () => now);
  const observe = async (instances?: number) =>
    (await seen.observe('open', [{ studyUid: '1.2', instances }])).get('1.2');
  const first = new Date(1_000_000).toISOString();
  expect(await observe(3)).toEqual({ lastUpdated: first, fresh: true });
  cut.disconnect();
  now = 2000;
  expect(await observe(3)).toEqual({ lastUpdated: first, fresh: false });
  expect(await observe()).toEqual({ lastUpdated: first, fresh: false });
  expect(await observe(4)).toEqual({ lastUpdated: new Date(2_000_000).toISOString(), fresh: true });
});
