/** A real Redis that answers and refuses writes, and one with values that are too large to be read. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { sharedFirstSeen } from '../../subgraphs/imaging/cache/shared-first-seen.ts';
import { redisDeadlines } from '../smart/server/state/redis-deadlines.ts';
import { openRedis } from '../state/open-redis.ts';
import { entryName, type SharedRedis } from '../state/redis.ts';
import { sharedState, type SharedState } from '../state/shared-state.ts';
import { patientRedis, startRedis, type Redis } from './setup/redis.ts';

let redis: Redis;
/** A connection for the operator of Redis. */
let operator: SharedRedis;
let connection: SharedRedis;
let shared: SharedState;
let changes: string[];

beforeAll(async () => {
  redis = await startRedis();
  operator = patientRedis(redis);
});
afterAll(async () => {
  operator.close();
  await redis.stop();
});
beforeEach(async () => {
  changes = [];
  connection = openRedis(redis.url);
  connection.onChange((reachable, reason) => changes.push(reachable ? 'up' : `down ${reason}`));
  shared = sharedState(connection, ['a secret that nobody else knows'], Date.now);
  await vi.waitFor(() => expect(connection.reachable()).toBe(true), 5000);
  await operator.client.flushall();
});
afterEach(() => connection.close());

describe('a store that refuses writes counts as unreachable', () => {
  const FAULTS = {
    'is a replica': {
      word: 'READONLY',
      begin: () => operator.client.replicaof('127.0.0.1', 1),
      end: () => operator.client.replicaof('NO', 'ONE'),
    },
    'is full': {
      word: 'OOM',
      begin: () => operator.client.config('SET', 'maxmemory', '1'),
      end: () => operator.client.config('SET', 'maxmemory', '0'),
    },
    'has too few replicas': {
      word: 'NOREPLICAS',
      begin: () => operator.client.config('SET', 'min-replicas-to-write', '1'),
      end: () => operator.client.config('SET', 'min-replicas-to-write', '0'),
    },
  };

  test.each(Object.keys(FAULTS) as (keyof typeof FAULTS)[])(
    'one that %s, until it accepts writes again',
    async (name) => {
      const { word, begin, end } = FAULTS[name];
      await begin();
      await vi.waitFor(() => expect(connection.reachable()).toBe(false), 5000);
      await expect(shared.links.issue('link', 60)).rejects.toMatchObject({ code: 'unavailable' });
      // Without the store the gateway asks the source of a value: fast, and without a message in the log.
      await shared.cache.set('key', 'value', 60);
      expect(await shared.cache.get('key')).toBeUndefined();
      await vi.waitFor(() => expect(connection.client.status).toBe('ready'), 5000);
      await end();
      await vi.waitFor(() => expect(connection.reachable()).toBe(true), 5000);
      await shared.cache.set('key', 'value', 60);
      expect(await shared.cache.get('key')).toMatchObject({ value: 'value' });
      expect(changes).toEqual(['up', expect.stringMatching(`^down (${word}|undefined)`), 'up']);
    },
  );
});

describe('a value larger than any of the gateway is not read:', () => {
  const BYTES = 100 * 2 ** 20;

  /** Measures the longest pause of the event loop during `work`, in milliseconds. */
  async function held(work: () => Promise<unknown>): Promise<number> {
    let [longest, last] = [0, performance.now()];
    const tick = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    await work();
    clearInterval(tick);
    return Math.max(longest, performance.now() - last);
  }

  /** Makes a member of a hash large, then waits until the store is reachable again. */
  async function grow(name: string, member: string): Promise<void> {
    const { client } = operator;
    await client.setrange('large', BYTES, 'x');
    await client.eval(
      "redis.call('HSET', KEYS[1], ARGV[1], redis.call('GET', KEYS[2]))",
      2,
      name,
      'large',
      member,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await vi.waitFor(() => expect(connection.reachable()).toBe(true), 5000);
  }

  test('an entry of a cache', async () => {
    await operator.client.setrange(entryName('cache', 'key'), BYTES, 'x');
    expect(await held(async () => expect(await shared.cache.get('key')).toBeUndefined())).toBeLessThan(200);
  });

  test('a row, and the keys, of an authorization server', async () => {
    const model = shared.state.model('t', 'Session');
    await model.upsert('id', { jti: 'id', kind: 'Session', uid: 'uid' }, 60);
    expect(await model.find('id')).toMatchObject({ uid: 'uid' });
    const { client } = operator;
    await grow(entryName('oauth', 't', 'Session', 'id'), 'row');
    expect(await held(async () => expect(await model.find('id')).toBeUndefined())).toBeLessThan(200);
    await client.rename('large', entryName('oauth-keys', 't'));
    const keys = async () => {
      await expect(shared.shareKeys('t', async () => ({}) as never)).rejects.toMatchObject({
        code: 'unavailable',
      });
    };
    expect(await held(keys)).toBeLessThan(200);
  });

  test('IA-13 the time of a study, which then counts as new', async () => {
    const seen = sharedFirstSeen(connection.client, () => 1000);
    const observe = async () => (await seen.observe('t', [{ studyUid: '1.2', instances: 1 }])).get('1.2');
    const fresh = { lastUpdated: new Date(1_000_000).toISOString(), fresh: true };
    expect(await observe()).toEqual(fresh);
    expect(await observe()).toEqual({ ...fresh, fresh: false });
    const { client } = operator;
    const [name] = await client.keys('seen:*');
    await client.hset(name!, 'since', 'nonsense');
    expect(await observe()).toEqual(fresh);
    await grow(name!, 'since');
    expect(await held(async () => expect(await observe()).toEqual(fresh))).toBeLessThan(200);
    expect(await observe()).toEqual({ ...fresh, fresh: false });
  });

  test('a deadline', async () => {
    const deadlines = redisDeadlines(connection.client, 't', () => 1000);
    await deadlines.set('large', 'text', 900);
    await deadlines.set('small', 'text', 900);
    await grow(entryName('deadline', 't', 'large'), 'text');
    const taken = [{ id: 'small', text: 'text', tries: 1 }];
    expect(await held(async () => expect(await deadlines.take(9, 60)).toEqual(taken))).toBeLessThan(200);
  });

  test('a one-use link, which is recognised by its name', async () => {
    await shared.links.issue('link', 60);
    await operator.client.setrange(entryName('once', 'link'), BYTES, 'x');
    expect(await held(async () => expect(await shared.links.use('link')).toBe(true))).toBeLessThan(200);
    expect(await shared.links.use('link')).toBe(false);
  });

  test('but the largest value that may be stored is read', async () => {
    const value = 'é'.repeat(500_000);
    await shared.cache.set('key', value, 60);
    expect((await shared.cache.get('key'))?.value).toBe(value);
  });
});
