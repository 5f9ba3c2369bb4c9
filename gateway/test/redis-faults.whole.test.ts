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
  await vi.waitFor(() => expect(connection.reachable()).toBe(true), 10_000);
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
      await vi.waitFor(() => expect(connection.reachable()).toBe(false), 10_000);
      await expect(shared.links.issue('link', 60)).rejects.toMatchObject({ code: 'unavailable' });
      // Without the store the gateway asks the source of a value: fast, and without a message in the log.
      await shared.cache.set('key', 'value', 60);
      expect(await shared.cache.get('key')).toBeUndefined();
      await vi.waitFor(() => expect(connection.client.status).toBe('ready'), 10_000);
      await end();
      await vi.waitFor(() => expect(connection.reachable()).toBe(true), 10_000);
      await shared.cache.set('key', 'value', 60);
      expect(await shared.cache.get('key')).toMatchObject({ value: 'value' });
      expect(changes).toEqual(['up', expect.stringMatching(`^down (${word}|undefined)`), 'up']);
    },
  );
});

describe('a value larger than any of the gateway is not read:', () => {
  const BYTES = 100 * 2 ** 20;

  /** Checks that only the beginning of the value is read during `work`, which a new connection would not show. */
  async function readsLittle(work: () => Promise<unknown>): Promise<void> {
    const { stream } = connection.client;
    const before = stream.bytesRead;
    await work();
    expect(connection.client.stream).toBe(stream);
    expect(stream.bytesRead - before).toBeLessThan(BYTES / 10);
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
    await answersAgain();
  }

  /** Waits for Redis, which was busy with a large value: for longer than the gateway waits, on a loaded machine. */
  async function answersAgain(): Promise<void> {
    const answers = async () => {
      await connection.client.ping();
      expect(connection.reachable()).toBe(true);
    };
    await vi.waitFor(answers, 10_000);
  }

  test('an entry of a cache', async () => {
    await operator.client.setrange(entryName('cache', 'key'), BYTES, 'x');
    await answersAgain();
    await readsLittle(async () => expect(await shared.cache.get('key')).toBeUndefined());
  });

  test('a row, and the keys, of an authorization server', async () => {
    const model = shared.state.model('t', 'Session');
    await model.upsert('id', { jti: 'id', kind: 'Session', uid: 'uid' }, 60);
    expect(await model.find('id')).toMatchObject({ uid: 'uid' });
    const { client } = operator;
    await grow(entryName('oauth', 't', 'Session', 'id'), 'row');
    await readsLittle(async () => expect(await model.find('id')).toBeUndefined());
    await client.rename('large', entryName('oauth-keys', 't'));
    await answersAgain();
    const keys = async () => {
      await expect(shared.shareKeys('t', async () => ({}) as never)).rejects.toMatchObject({
        code: 'unavailable',
      });
    };
    await readsLittle(keys);
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
    await readsLittle(async () => expect(await observe()).toEqual(fresh));
    expect(await observe()).toEqual({ ...fresh, fresh: false });
  });

  test('a deadline', async () => {
    const deadlines = redisDeadlines(connection.client, 't', () => 1000);
    await deadlines.set('large', 'text', 900);
    await deadlines.set('small', 'text', 900);
    await grow(entryName('deadline', 't', 'large'), 'text');
    const taken = [{ id: 'small', text: 'text', tries: 1 }];
    await readsLittle(async () => expect(await deadlines.take(9, 60)).toEqual(taken));
  });

  test('a one-use link, which is recognised by its name', async () => {
    await shared.links.issue('link', 60);
    await operator.client.setrange(entryName('once', 'link'), BYTES, 'x');
    await answersAgain();
    await readsLittle(async () => expect(await shared.links.use('link')).toBe(true));
    expect(await shared.links.use('link')).toBe(false);
  });

  test('but the largest value that may be stored is read', async () => {
    const value = 'é'.repeat(500_000);
    await shared.cache.set('key', value, 60);
    expect((await shared.cache.get('key'))?.value).toBe(value);
  });
});
