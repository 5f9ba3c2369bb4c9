/** Equal computations of several gateways, which share a real Redis. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import { patientRedis, startRedis, type Redis } from '../test/setup/redis.ts';
import { countedCache, redisCache } from './cache.ts';
import { openRedis } from './open-redis.ts';
import type { SharedRedis } from './redis.ts';
import { sealer } from './sealed.ts';
import { timeAwake } from '../test/setup/processor-time.ts';

const PATIENCE = 5;
let redis: Redis;
let operator: SharedRedis;
let connections: SharedRedis[];
let caches: SharedCache[];
let lookups: boolean[];

beforeAll(async () => {
  redis = await startRedis();
  operator = patientRedis(redis);
});
beforeEach(async () => {
  await connect(patientRedis);
  await operator.client.flushall();
});

/** Connects two gateways. */
async function connect(open: (at: Redis) => SharedRedis) {
  connections = [open(redis), open(redis)];
  lookups = [];
  caches = connections.map((one) =>
    countedCache(redisCache(one, sealer(['a secret of both']), Date.now), (_cache, isHit) =>
      lookups.push(isHit),
    ),
  );
  await vi.waitFor(() => expect(connections.every((one) => one.reachable())).toBe(true), 10_000);
}
afterEach(() => {
  for (const one of connections) one.close();
});
afterAll(async () => {
  operator.close();
  await redis.stop();
});

/** A computation that ends when it is told to, and how often it was begun. */
function computation(seconds = 60) {
  const begun: { end(value: string): void; fail(): void }[] = [];
  const compute = () =>
    new Promise<{ value: string; seconds: number }>((resolve, reject) => {
      begun.push({ end: (value) => resolve({ value, seconds }), fail: () => reject(new Error('failed')) });
    });
  const ask = async (which: 0 | 1, patience = PATIENCE) =>
    caches[which]!.once('key', compute, patience).then(
      ({ value }) => value,
      (error: Error) => error.message,
    );
  const isBegun = (times: number) => vi.waitFor(() => expect(begun).toHaveLength(times), 10_000);
  return { begun, ask, isBegun };
}

describe('of equal computations one runs, and all get its value:', () => {
  test.each<[what: string, seconds: number, later: number]>([
    ['a value that is kept is there for later ones too', 60, 1],
    ['a value that is not kept is only for those who already wait', 0, 2],
  ])('%s', async (_what, seconds, later) => {
    const { begun, ask, isBegun } = computation(seconds);
    const first = ask(0);
    await isBegun(1);
    const others = [ask(1), ask(1), ask(0)];
    await sleep(50);
    begun[0]!.end('value');
    expect(await Promise.all([first, ...others])).toEqual(Array(4).fill('value'));
    expect(lookups.filter((isHit) => isHit)).toHaveLength(3);
    const last = ask(1);
    if (later > 1) {
      await isBegun(later);
      begun[1]!.end('another');
    }
    expect(await last).toBe(later > 1 ? 'another' : 'value');
    expect(begun).toHaveLength(later);
  });

  test('one that takes longer than a lease renews it', async () => {
    const { begun, ask, isBegun } = computation();
    const first = ask(0);
    await isBegun(1);
    const second = ask(1);
    let last = { holder: '', left: 0, renewals: 0 };
    const holders = new Set<string>();
    /** Looks how often the lease was renewed: the time that is left of it grows only then. */
    const renewals = async () => {
      const { client } = operator;
      const [lease = ''] = await client.keys('lease:*');
      const [holder, left] = [(await client.get(lease)) ?? '', await client.pttl(lease)];
      const before = holder === last.holder ? last.renewals : 0;
      last = { holder, left, renewals: before + Number(holder === last.holder && left > last.left) };
      if (holder) holders.add(holder);
      return last.renewals;
    };
    // Together longer than a lease.
    await expect.poll(renewals, { interval: 20 }).toBe(4);
    // A machine that stands still for half a second loses the lease: that costs a second computation only.
    expect(begun).toHaveLength(holders.size);
    for (const one of begun) one.end('value');
    expect(await Promise.all([first, second])).toEqual(['value', 'value']);
  });

  test('what is in Redis meanwhile is a hash and a random id, and expires', async () => {
    const { begun, ask, isBegun } = computation();
    const first = ask(0);
    await isBegun(1);
    const { client } = operator;
    expect(await client.keys('*')).toEqual([expect.stringMatching(/^lease:[\w-]{43}$/)]);
    const [lease] = await client.keys('*');
    expect(await client.get(lease!)).toMatch(/^[\da-f-]{36}$/);
    expect(await client.pttl(lease!)).toBeGreaterThan(0);
    begun[0]!.end('value');
    await first;
    expect(await client.keys('lease:*')).toEqual([]);
  });
});

describe('the others compute themselves', () => {
  test('at once when it fails: they do not get its error', async () => {
    const { begun, ask, isBegun } = computation();
    const first = ask(0);
    await isBegun(1);
    const second = ask(1);
    await sleep(50);
    begun[0]!.fail();
    expect(await first).toBe('failed');
    await isBegun(2);
    begun[1]!.end('value');
    expect(await second).toBe('value');
  });

  test.each<[when: string, patience: number, after: () => void]>([
    ['within a second when its process dies', PATIENCE, () => connections[0]!.close()],
    ['when it takes longer than they wait', 0.2, () => undefined],
  ])('%s', async (_when, patience, after) => {
    const { begun, ask, isBegun } = computation();
    void ask(0, patience);
    await isBegun(1);
    const second = ask(1, patience);
    await sleep(50);
    const goesOn = async () => {
      after();
      await isBegun(2);
    };
    expect(await timeAwake(goesOn)).toBeLessThan(2000);
    begun[1]!.end('value');
    expect(await second).toBe('value');
  });

  test('within a second when Redis stops to answer', async () => {
    for (const one of connections) one.close();
    await connect(({ url }) => openRedis(url));
    const { begun, ask, isBegun } = computation();
    void ask(0);
    await isBegun(1);
    const second = ask(1);
    await sleep(50);
    const goesOn = async () => {
      redis.freeze();
      await isBegun(2);
    };
    expect(await timeAwake(goesOn)).toBeLessThan(2000);
    redis.thaw();
    begun[1]!.end('value');
    expect(await second).toBe('value');
  });

  test('without delay when one hangs for longer than they wait', async () => {
    const { ask, isBegun } = computation();
    void ask(0, 0.1);
    await isBegun(1);
    await vi.waitFor(async () => expect(await operator.client.keys('lease:*')).toEqual([]), 10_000);
    void ask(1, PATIENCE);
    await isBegun(2);
  });

  test('when it has stored as much as it may, until that has expired', async () => {
    const large = 'x'.repeat(500_000);
    for (let number = 0; number < 40; number++) await caches[0]!.set(`large ${number}`, large, 60);
    expect(await operator.client.keys('cache:*')).toHaveLength(33);
    await caches[1]!.set('of another process', large, 60);
    expect(await operator.client.keys('cache:*')).toHaveLength(34);
    const { begun, ask, isBegun } = computation();
    const first = ask(0);
    await isBegun(1);
    begun[0]!.end(large);
    expect(await first).toBe(large);
    const second = ask(1);
    await isBegun(2);
    begun[1]!.end('value');
    expect(await second).toBe('value');
    expect(await ask(0)).toBe('value');
  });

  test('when its value cannot be opened, or is too large', async () => {
    const { begun, ask, isBegun } = computation();
    const first = ask(0);
    await isBegun(1);
    begun[0]!.end('x'.repeat(600_000));
    await first;
    const second = ask(1);
    await isBegun(2);
    begun[1]!.end('value');
    await second;
    const [name] = await operator.client.keys('cache:*');
    await operator.client.set(name!, 'not sealed');
    const third = ask(1);
    await isBegun(3);
    begun[2]!.end('again');
    expect(await third).toBe('again');
    expect(await ask(0)).toBe('again');
  });
});
