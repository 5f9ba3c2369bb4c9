import { expect, test } from 'vitest';
import { sealer } from '../../../state/sealed.ts';
import { openRedis } from '../../../state/open-redis.ts';
import type { SharedRedis } from '../../../state/redis.ts';
import { startRedis } from '../../../test/setup/redis.ts';
import { redisState } from './redis-state.ts';
import { sealedRows } from './sealed-rows.ts';
import { sqliteState } from './state.ts';

const sealing = sealer(['the cookie secret of a tenant, long enough']);

function fresh(now = () => 1_000_000, state = sqliteState(':memory:', now)) {
  return {
    state,
    rows: sealedRows<{ secret: string }>(state, { tenant: 'demo', model: 'EhrSession' }, sealing, now),
  };
}

test('finds a value by its id, only in its tenant and model', async () => {
  const { state, rows } = fresh();
  await rows.put('a', { secret: 's' }, 60);
  expect(await rows.find('a')).toEqual({ secret: 's' });
  expect(await rows.find('b')).toBeUndefined();
  for (const [tenant, model] of [
    ['other', 'EhrSession'],
    ['demo', 'EhrLogin'],
  ] as const) {
    expect(await sealedRows(state, { tenant, model }, sealing, () => 1_000_000).find('a')).toBeUndefined();
  }
  await rows.drop('a');
  expect(await rows.find('a')).toBeUndefined();
});

test('gives a value to only one of many simultaneous takers', async () => {
  const { rows } = fresh();
  await rows.put('a', { secret: 's' }, 60);
  const taken = await Promise.all([1, 2, 3, 4, 5].map(() => rows.take('a')));
  expect(taken.filter(Boolean)).toEqual([{ secret: 's' }]);
  expect(await rows.find('a')).toBeUndefined();
  expect(await rows.take('a')).toBeUndefined();
});

test('a value expires exactly at its time', async () => {
  let now = 1_000_000;
  const { rows } = fresh(() => now);
  await rows.put('a', { secret: 's' }, 60);
  now += 59_999;
  expect(await rows.find('a')).toBeDefined();
  now += 1;
  expect(await rows.find('a')).toBeUndefined();
  expect(await rows.take('a')).toBeUndefined();
});

test('a row cannot be opened with another secret, or under another id', async () => {
  const { state, rows } = fresh();
  await rows.put('a', { secret: 's' }, 60);
  const stranger = sealer(['another secret, which is long enough too']);
  expect(
    await sealedRows(state, { tenant: 'demo', model: 'EhrSession' }, stranger, () => 1_000_000).find('a'),
  ).toBeUndefined();
  const plain = state.model('demo', 'EhrSession');
  const row = (await plain.find('a'))!;
  expect(JSON.stringify(row)).not.toContain('"s"');
  await plain.upsert('b', row, 60);
  expect(await rows.find('b')).toBeUndefined();
});

test('Redis: gives a value to only one of two gateways, and answers unavailable while Redis does not answer', async () => {
  const server = await startRedis();
  const open = () =>
    new Promise<SharedRedis>((done) => {
      const redis = openRedis(server.url);
      redis.onChange((reachable) => reachable && done(redis));
    });
  const [one, two] = await Promise.all([open(), open()]);
  try {
    const [a, b] = [one, two].map((redis) => fresh(Date.now, redisState(redis, sealing, Date.now)).rows);
    await a!.put('a', { secret: 's' }, 60);
    const taken = await Promise.all([a, b, a, b].map((rows) => rows!.take('a')));
    expect(taken.filter(Boolean)).toEqual([{ secret: 's' }]);
    expect(await b!.find('a')).toBeUndefined();
    await server.stop();
    await expect(a!.take('a')).rejects.toMatchObject({ code: 'unavailable' });
  } finally {
    one.close();
    two.close();
    await server.stop();
  }
});
