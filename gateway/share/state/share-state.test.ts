/** IA-36 The state of links, in memory, in a file and in Redis: the same contract. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SharedRedis } from '../../state/redis.ts';
import { patientRedis, startRedis, type Redis } from '../../test/setup/redis.ts';
import { redisShareState } from './redis-share-state.ts';
import { sqliteShareState, type NewShare, type ShareState } from './share-state.ts';

let server: Redis;
let shared: SharedRedis;
let directory: string;
const clock = { now: 0 };
const milliseconds = () => clock.now * 1000;

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
  directory = mkdtempSync(join(tmpdir(), 'shares-'));
  await shared.client.flushall();
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Each opens a state, and another one with the same links. */
const BACKENDS: Record<string, () => [ShareState, ShareState]> = {
  SQLite() {
    const open = () => sqliteShareState(join(directory, 'state.sqlite'), milliseconds);
    return [open(), open()];
  },
  Redis() {
    const open = () => redisShareState(shared, milliseconds);
    return [open(), open()];
  },
};

const link = (name: string, more: Partial<NewShare> = {}): NewShare => ({
  name: `share:${name}`,
  capability: `share-capability:${name}`,
  owners: ['share-owner:a'],
  details: 'sealed',
  uses: 2,
  tries: 5,
  files: ['first', 'second'],
  expires: clock.now + 1000,
  ...more,
});

describe.each(Object.keys(BACKENDS))('links in %s', (backend) => {
  let state: ShareState;
  let other: ShareState;
  /** Calls a function of both, many times at once. */
  const both = <T>(times: number, call: (one: ShareState) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: times }, (_, index) => call(index % 2 ? state : other)));
  beforeEach(() => ([state, other] = BACKENDS[backend]!()));
  afterEach(() => {
    state.close();
    other.close();
  });

  test('a link is found by its name, its capability and its owner, and by nothing else', async () => {
    expect(await state.add(link('one'), 20)).toBe(true);
    const stored = { name: 'share:one', details: 'sealed', uses: 2 };
    expect(await other.find('share:one')).toEqual(stored);
    expect(await other.ofCapability('share-capability:one')).toEqual(stored);
    expect(await other.ofOwner(['share-owner:b', 'share-owner:a'])).toEqual([stored]);
    expect(await other.find('share:two')).toBeUndefined();
    expect(await other.find('share-capability:one').catch(() => undefined)).toBeUndefined();
    expect(await other.ofCapability('share:one').catch(() => undefined)).toBeUndefined();
    expect(await other.ofOwner(['share-owner:b'])).toEqual([]);
    expect(await other.file('share:one', 1)).toBe('second');
    expect(await other.file('share:one', 2)).toBeUndefined();
  });

  test('of 200 tries at once, 5 are taken; one that is given back can be taken again', async () => {
    await state.add(link('one'), 20);
    const taken = await both(200, (one) => one.takeTry('share:one'));
    expect(taken.filter((left) => left !== undefined).sort()).toEqual([0, 1, 2, 3, 4]);
    await other.giveBackTry('share:one');
    expect(await state.takeTry('share:one')).toBe(0);
    expect(await state.takeTry('share:one')).toBeUndefined();
    expect(await state.takeTry('share:none')).toBeUndefined();
    await state.giveBackTry('share:none');
    expect(await state.find('share:none')).toBeUndefined();
  });

  test('of many openings at once, as many as there are uses; the last one is kept', async () => {
    await state.add(link('one'), 20);
    const opened = await both(50, (one) => one.open('share:one', 'by somebody'));
    expect(opened.filter(Boolean)).toHaveLength(2);
    expect(await other.find('share:one')).toMatchObject({ uses: 0, opening: 'by somebody' });
    expect(await state.open('share:none', '')).toBe(false);
  });

  test('of many links of one owner at once, 20 are kept; those that have expired do not count', async () => {
    let number = 0;
    const add = (one: ShareState) => one.add(link(`${number++}`), 20);
    const added = await both(40, add);
    expect(added.filter(Boolean)).toHaveLength(20);
    expect(await add(state)).toBe(false);
    expect(await state.add(link('of another', { owners: ['share-owner:b'] }), 20)).toBe(true);
    const byOlderKey = link('older', { owners: ['share-owner:new', 'share-owner:a'] });
    expect(await state.add(byOlderKey, 20)).toBe(false);
    clock.now += 1000;
    expect(await state.ofOwner(['share-owner:a'])).toEqual([]);
    expect(await add(other)).toBe(true);
  });

  test('a link that was removed has nothing left, and is removed once', async () => {
    await state.add(link('one'), 20);
    expect((await both(10, (one) => one.remove('share:one'))).filter(Boolean)).toHaveLength(1);
    expect(await state.find('share:one')).toBeUndefined();
    expect(await state.ofCapability('share-capability:one')).toBeUndefined();
    expect(await state.ofOwner(['share-owner:a'])).toEqual([]);
    expect(await state.file('share:one', 0)).toBeUndefined();
    expect(await state.open('share:one', '')).toBe(false);
  });

  test('a ticket is used once by many at once, and not after its time', async () => {
    await state.issue('share-ticket:one', 60);
    expect((await both(20, (one) => one.use('share-ticket:one'))).filter(Boolean)).toHaveLength(1);
    expect(await state.use('share-ticket:none')).toBe(false);
  });
});

describe('the file', () => {
  const file = () => join(directory, 'share', 'state.sqlite');

  test('is for its owner only, survives a restart, and keeps nothing of what has ended', async () => {
    const first = sqliteShareState(file(), milliseconds);
    await first.add(link('one', { files: ['a text to look for '.repeat(500)] }), 20);
    await first.add(link('two', { files: ['another text'], expires: clock.now + 9000 }), 20);
    await first.takeTry('share:two');
    first.close();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    clock.now += 1000;
    const second = sqliteShareState(file(), milliseconds);
    expect(await second.find('share:one')).toBeUndefined();
    expect(await second.takeTry('share:two')).toBe(3);
    second.close();
    const bytes = readdirSync(join(directory, 'share')).map((name) =>
      readFileSync(join(directory, 'share', name), 'latin1'),
    );
    expect(bytes.join('')).not.toContain('a text to look for');
    expect(bytes.join('')).toContain('another text');
  });

  test('has no ticket after its time', async () => {
    const state = sqliteShareState(file(), milliseconds);
    await state.issue('share-ticket:one', 60);
    clock.now += 60;
    expect(await state.use('share-ticket:one')).toBe(false);
    state.close();
  });
});
