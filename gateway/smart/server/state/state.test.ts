import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SharedRedis } from '../../../state/redis.ts';
import { sealer } from '../../../state/sealed.ts';
import { patientRedis, startRedis, type Redis } from '../../../test/setup/redis.ts';
import { redisState } from './redis-state.ts';
import { sqliteState, type State } from './state.ts';

let server: Redis;
let shared: SharedRedis;
let directory: string;
const clock = { now: 0 };
const milliseconds = () => clock.now * 1000;
const secrets = ['a secret for the contract of states'];

beforeAll(async () => {
  server = await startRedis();
  shared = patientRedis(server);
});
afterAll(async () => {
  shared.close();
  await server.stop();
});
beforeEach(async () => {
  clock.now = 1_000_000;
  directory = mkdtempSync(join(tmpdir(), 'state-'));
  await shared.client.flushall();
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Each opens a state and another one with the same rows, if that is possible. */
const BACKENDS: Record<string, () => [State, State]> = {
  memory() {
    const state = sqliteState(':memory:', milliseconds);
    return [state, state];
  },
  SQLite() {
    const open = () => sqliteState(join(directory, 'state.sqlite'), milliseconds);
    return [open(), open()];
  },
  Redis() {
    const open = () => redisState(shared, sealer(secrets), milliseconds);
    return [open(), open()];
  },
};

describe.each(Object.keys(BACKENDS))('state in %s', (backend) => {
  let state: State;
  let other: State;
  beforeEach(() => {
    [state, other] = BACKENDS[backend]!();
  });
  afterEach(() => {
    state.close();
    if (other !== state) other.close();
  });

  test('rows belong to one tenant and one model', async () => {
    const token = { kind: 'AccessToken', jti: 'id' };
    await state.model('a', 'AccessToken').upsert('id', token, 60);
    expect(await other.model('a', 'AccessToken').find('id')).toEqual(token);
    expect(await other.model('b', 'AccessToken').find('id')).toBeUndefined();
    expect(await other.model('a', 'RefreshToken').find('id')).toBeUndefined();
  });

  test('an expired row is not counted any more, and not found after a minute', async () => {
    const model = state.model('a', 'Interaction');
    await model.upsert('old', {}, 60);
    expect(await other.count('a', 'Interaction')).toBe(1);
    clock.now += 61;
    expect(await state.count('a', 'Interaction')).toBe(0);
    expect(await model.find('old')).toBeDefined();
    clock.now += 60;
    expect(await model.find('old')).toBeUndefined();
  });

  test('keeps a row without expiry; a row that is written again has the new text and expiry', async () => {
    const clients = state.model('a', 'Client');
    await clients.upsert('c', { client_id: 'c' }, undefined as unknown as number);
    const sessions = state.model('a', 'Session');
    await sessions.upsert('s', { uid: 'u' }, 60);
    await sessions.upsert('s', { uid: 'v' }, 600);
    clock.now += 300;
    expect(await clients.find('c')).toEqual({ client_id: 'c' });
    expect(await state.count('a', 'Client')).toBe(1);
    expect(await sessions.find('s')).toMatchObject({ uid: 'v' });
    expect(await sessions.findByUid('u')).toBeUndefined();
  });

  test('a code can be consumed once, and is then marked as consumed', async () => {
    const model = state.model('a', 'AuthorizationCode');
    await model.upsert('c', { grantId: 'g' }, 60);
    await model.consume('c');
    expect(await other.model('a', 'AuthorizationCode').find('c')).toMatchObject({ consumed: 1_000_000 });
    await expect(model.consume('c')).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(model.consume('never issued')).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('only one of many simultaneous consumers of a row succeeds', async () => {
    await state.model('a', 'RefreshToken').upsert('r', { grantId: 'g' }, 60);
    const tries = Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? state : other).model('a', 'RefreshToken').consume('r'),
    );
    const won = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled');
    expect(won).toHaveLength(1);
  });

  test('the id of a client assertion is accepted once, at any gateway (RFC 7523 §3)', async () => {
    const tries = Array.from({ length: 20 }, (_, i) =>
      (i % 2 ? state : other).model('a', 'ReplayDetection').upsert('jti', { iss: 'app' }, 60),
    );
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(settled.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { error: 'invalid_client' },
    });
    await state.model('b', 'ReplayDetection').upsert('jti', { iss: 'app' }, 60);
  });

  test('revoking a grant removes only its rows of that model, at every gateway', async () => {
    const model = state.model('a', 'AccessToken');
    await model.upsert('1', { grantId: 'g' }, 60);
    await model.upsert('2', { grantId: 'h' }, 60);
    await model.upsert('3', { grantId: 'g' }, 600);
    await state.model('b', 'AccessToken').upsert('1', { grantId: 'g' }, 60);
    await other.model('a', 'AccessToken').revokeByGrantId('g');
    expect(await model.find('1')).toBeUndefined();
    expect(await model.find('3')).toBeUndefined();
    expect(await model.find('2')).toBeDefined();
    expect(await state.model('b', 'AccessToken').find('1')).toBeDefined();
    expect(await state.count('a', 'AccessToken')).toBe(1);
  });

  test('a destroyed row is gone at every gateway', async () => {
    await state.model('a', 'Grant').upsert('g', {}, 60);
    await other.model('a', 'Grant').destroy('g');
    expect(await state.model('a', 'Grant').find('g')).toBeUndefined();
    expect(await state.count('a', 'Grant')).toBe(0);
  });

  test('finds a session by its uid, with its id', async () => {
    const session = { kind: 'Session', jti: 's', uid: 'u' };
    await state.model('a', 'Session').upsert('s', session, 60);
    expect(await other.model('a', 'Session').findByUid('u')).toMatchObject({ jti: 's' });
    expect(await other.model('a', 'Session').findByUid('v')).toBeUndefined();
  });

  test('a due deadline is taken once, in its tenant, and again after growing pauses', async () => {
    const [one, two] = [state.deadlines('a'), other.deadlines('a')];
    await one.set('first', 'text', clock.now + 60);
    await one.set('later', 'text', clock.now + 10_000);
    await state.deadlines('b').set('first', 'of another tenant', clock.now);
    clock.now += 59;
    expect([await one.waiting(), await two.take(5, 60)]).toEqual([0, []]);
    clock.now += 1;
    expect(await two.waiting()).toBe(1);
    const taken = (await Promise.all([one.take(5, 60), two.take(5, 60)])).flat();
    expect(taken).toEqual([{ id: 'first', text: 'text', tries: 1 }]);
    for (const [pause, tries] of [
      [60, 2],
      [120, 3],
      [240, 4],
    ] as const) {
      clock.now += pause - 1;
      expect(await one.take(5, 60)).toEqual([]);
      clock.now += 1;
      expect(await one.take(5, 60)).toEqual([{ id: 'first', text: 'text', tries }]);
    }
    await two.remove(taken[0]!);
    clock.now += 480;
    expect(await one.take(5, 60)).toEqual([]);
  });

  test('each of many deadlines is taken once by two gateways', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => `deadline-${index}`);
    for (const id of ids) await state.deadlines('a').set(id, id, clock.now);
    const takers = ids.map((_, index) => (index % 2 ? state : other).deadlines('a').take(2, 60));
    const taken = (await Promise.all(takers)).flat();
    expect(taken.map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  test('does not remove a deadline that was changed after it was taken', async () => {
    const deadlines = state.deadlines('a');
    await deadlines.set('d', 'old', clock.now);
    const [taken] = await deadlines.take(5, 60);
    expect(await other.deadlines('a').change('d', { text: 'new' })).toBe(true);
    await deadlines.remove(taken!);
    clock.now += 60;
    expect(await deadlines.take(5, 60)).toEqual([{ id: 'd', text: 'new', tries: 2 }]);
    expect(await deadlines.change('d', { due: clock.now })).toBe(true);
    const [again] = await deadlines.take(5, 60);
    expect(again).toEqual({ id: 'd', text: 'new', tries: 1 });
    await deadlines.remove(again!);
    expect(await deadlines.change('d', { text: 'newer', due: clock.now })).toBe(false);
    expect(await deadlines.waiting()).toBe(0);
  });

  test('a lock has one holder until it is released', async () => {
    const tries = Array.from({ length: 20 }, (_, index) => (index % 2 ? state : other).lock('a', 'l', 60));
    const held = (await Promise.all(tries)).filter((unlock) => unlock !== undefined);
    expect(held).toHaveLength(1);
    expect(await state.lock('b', 'l', 60)).toBeDefined();
    await held[0]!();
    const next = await other.lock('a', 'l', 60);
    expect(next).toBeDefined();
    // A holder that has released it cannot release another's lock.
    await held[0]!();
    expect(await state.lock('a', 'l', 60)).toBeUndefined();
  });
});

test('SQLite: a lock expires when its holder has died; Redis: by its own clock', async () => {
  const state = sqliteState(':memory:', milliseconds);
  await state.lock('a', 'l', 60);
  clock.now += 59;
  expect(await state.lock('a', 'l', 60)).toBeUndefined();
  clock.now += 1;
  expect(await state.lock('a', 'l', 60)).toBeDefined();
  state.close();
  const redis = redisState(shared, sealer(secrets), milliseconds);
  await redis.lock('a', 'l', 1);
  expect(await redis.lock('a', 'l', 1)).toBeUndefined();
  await expect.poll(() => redis.lock('a', 'l', 1), { timeout: 10_000 }).toBeDefined();
});

test('SQLite: a deadline that is never taken is deleted after some time', async () => {
  const state = sqliteState(':memory:', milliseconds);
  await state.deadlines('gone').set('old', 'text', clock.now);
  clock.now += 31 * 86_400;
  for (let i = 0; i < 300; i++) await state.model('a', 'Interaction').upsert(`newer${i}`, {}, 10_000);
  expect(await state.deadlines('gone').waiting()).toBe(0);
  state.close();
});

test('SQLite: expired rows are deleted after some time', async () => {
  const state = sqliteState(':memory:', milliseconds);
  const model = state.model('a', 'Interaction');
  await model.upsert('old', {}, 60);
  clock.now += 121;
  for (let i = 0; i < 300; i++) await model.upsert(`newer${i}`, {}, 10_000);
  clock.now -= 121;
  expect(await model.find('old')).toBeUndefined();
  state.close();
});

describe('contents of Redis', () => {
  /** Names and contents of all entries. */
  const everything = async (): Promise<string> => {
    const { client } = shared;
    const read = async (name: string): Promise<unknown> => {
      const type = await client.type(name);
      if (type === 'hash') return client.hgetall(name);
      if (type === 'set') return client.smembers(name);
      return type === 'zset' ? client.zrange(name, '0', '-1') : client.get(name);
    };
    const names = await client.keys('*');
    return JSON.stringify(await Promise.all(names.map(async (name) => [name, await read(name)])));
  };

  test('SM-14: have no token, person or tenant, and every row expires', async () => {
    const state = redisState(shared, sealer(secrets), milliseconds);
    const payload = { jti: 'token-value', grantId: 'grant-value', uid: 'uid-value', accountId: 'Patient/p1' };
    await state.model('hospital', 'AccessToken').upsert('token-value', payload, 60);
    const written = await everything();
    expect(written).toContain('oauth:');
    expect(written).not.toMatch(/token-value|grant-value|uid-value|Patient\/p1|hospital|AccessToken/);
    await state.deadlines('hospital').set('deadline-value', 'sealed by whoever sets it', clock.now);
    const deadlines = await shared.client.keys('deadline:*');
    expect(deadlines).toHaveLength(1);
    expect(await shared.client.ttl(deadlines[0]!)).toBeGreaterThan(60);
    const rows = (await shared.client.keys('oauth*')).filter((name) => !name.startsWith('oauth-rows:'));
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(await shared.client.ttl(row)).toBeGreaterThan(60);
  });

  test('cannot be opened with another key or under another name, but with a rotated key', async () => {
    const of = (...keys: string[]) =>
      redisState(shared, sealer(keys), milliseconds).model('a', 'AccessToken');
    const model = of(...secrets);
    await model.upsert('mine', { clientId: 'app' }, 60);
    await model.upsert('yours', { clientId: 'other' }, 60);
    const names = await shared.client.keys('oauth:*');
    const [first, second] = await Promise.all(names.map((name) => shared.client.hget(name, 'row')));
    expect(await of('another secret that is long enough').find('mine')).toBeUndefined();
    expect(await of('another secret that is long enough', ...secrets).find('mine')).toEqual({
      clientId: 'app',
    });
    await shared.client.hset(names[0]!, 'row', second!);
    await shared.client.hset(names[1]!, 'row', first!);
    expect(await model.find('mine')).toBeUndefined();
    expect(await model.find('yours')).toBeUndefined();
  });

  test('a full store answers unavailable, and does not forget a token silently', async () => {
    const model = redisState(shared, sealer(secrets), milliseconds).model('a', 'AccessToken');
    await shared.client.config('SET', 'maxmemory', '1');
    await expect(model.upsert('t', {}, 60)).rejects.toMatchObject({ code: 'unavailable' });
    await shared.client.config('SET', 'maxmemory', '0');
  });
});
