import { EncryptJWT, exportJWK, generateKeyPair } from 'jose';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { open, sealingKey } from '../../schema/access/access.ts';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { NewerDataError } from '../../schema/process/data-format.ts';
import { openFirstSeen } from '../../subgraphs/imaging/cache/first-seen.ts';
import { openDatabase } from '../../subgraphs/imaging/sources/folder/database.ts';
import { tenantKeys } from '../smart/server/state/keys.ts';
import { sqliteState } from '../smart/server/state/state.ts';
import { redisCache } from '../state/cache.ts';
import { openRedis } from '../state/open-redis.ts';
import type { SharedRedis } from '../state/redis.ts';
import { sealer } from '../state/sealed.ts';
import { sharedState } from '../state/shared-state.ts';
import { startRedis, type Redis } from './setup/redis.ts';
import { longTest } from './setup/usual-run.ts';
import { Database } from '../../schema/process/sqlite.ts';

/** Data of another version: DATA_DIR after an upgrade or a rollback, Redis and processes during one. */

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'versions-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const root = join(import.meta.dirname, '../..');
const state = () => sqliteState(join(folder, 'state.sqlite'), Date.now);
const seen = () => openFirstSeen(folder, () => 1_000_000);
const format = (file: string, set?: number): unknown => {
  const database = new Database(join(folder, file));
  const found = database.pragma(set === undefined ? 'user_version' : `user_version = ${set}`, {
    simple: true,
  });
  database.close();
  return found;
};
const study = [{ studyUid: '1.2', instances: 1 }];
/** Shipped with the first version, by name. */
const firstTenantFiles = JSON.parse(
  readFileSync(join(import.meta.dirname, 'setup/first-tenant-files.json'), 'utf8'),
) as Record<string, unknown>;

describe('DATA_DIR', () => {
  test.each([
    ['state.sqlite', state],
    ['seen.sqlite', seen],
  ])('%s has a mark; one without a mark is opened, one of a newer version is refused', (file, openIt) => {
    openIt().close();
    expect(format(file)).toBe(1);
    format(file, 0);
    openIt().close();
    expect(format(file)).toBe(1);
    format(file, 2);
    expect(openIt).toThrow(NewerDataError);
    expect(openIt).toThrow(
      /sqlite was written by a newer version of the gateway \(format 2; this version reads up to 1\)\. Start that version again, or restore a backup/,
    );
    // It was not touched.
    expect(format(file)).toBe(2);
  });

  test('rows of the version before formats were marked stay', async () => {
    const before = state();
    await before.model('t', 'Grant').upsert('g', { accountId: 'a' }, 1000);
    before.close();
    const times = seen();
    await times.observe('t', study);
    times.close();
    format('state.sqlite', 0);
    format('seen.sqlite', 0);
    const after = state();
    expect(await after.model('t', 'Grant').find('g')).toMatchObject({ accountId: 'a' });
    after.close();
    const later = openFirstSeen(folder, () => 2_000_000);
    expect((await later.observe('t', study)).get('1.2')).toMatchObject({ fresh: false });
    later.close();
  });

  test('keys without a mark are used, keys of a newer version are refused', async () => {
    const keys = await tenantKeys(folder, 't');
    const file = join(folder, 't.keys.json');
    const { format: marked, ...unmarked } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    expect(marked).toBe(1);
    writeFileSync(file, JSON.stringify(unmarked));
    expect(await tenantKeys(folder, 't')).toEqual(keys);
    writeFileSync(file, JSON.stringify({ ...unmarked, format: 2 }));
    await expect(tenantKeys(folder, 't')).rejects.toThrow(NewerDataError);
  });

  test('an index of another version is built again', () => {
    const index = join(folder, 'index.sqlite');
    openDatabase(index, '/images').exec("INSERT INTO meta VALUES ('complete', '1')").close();
    for (const other of [1, 4, 1000]) {
      format('index.sqlite', other);
      const database = openDatabase(index, '/images');
      expect(database.prepare("SELECT 1 FROM meta WHERE name = 'complete'").get()).toBeUndefined();
      database.close();
    }
  });

  test('the start says which file is newer, and changes nothing', () => {
    mkdirSync(join(folder, 'oauth'));
    state().close();
    format('state.sqlite', 7);
    copyFileSync(join(folder, 'state.sqlite'), join(folder, 'oauth', 'state.sqlite'));
    const tenants = join(folder, 'tenants');
    mkdirSync(tenants);
    const program = join(import.meta.dirname, '../../dist/gateway/main.js');
    const env = { PATH: process.env['PATH'], DATA_DIR: folder, TENANTS_DIR: tenants, LOG_LEVEL: 'silent' };
    const { status, stderr } = spawnSync(process.execPath, [program], {
      env,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\/.*oauth\/state\.sqlite was written by a newer version of the gateway \(format 7; .*\n$/,
    );
    expect(format('oauth/state.sqlite')).toBe(7);
  }, 60_000);
});

test('tenant files of the first version are valid: keys are only added', async () => {
  const { privateKey } = await generateKeyPair('ES384', { extractable: true });
  const jwk = JSON.stringify({ ...(await exportJWK(privateKey)), kid: 'k', alg: 'ES384' });
  const environment = new Proxy<Record<string, string>>(
    {},
    { get: (_target, name) => (/JWK/.test(String(name)) ? jwk : 'https://of.the.environment') },
  );
  expect(Object.keys(firstTenantFiles)).toHaveLength(26);
  for (const [name, json] of Object.entries(firstTenantFiles)) {
    const key = name.slice(0, -'.json'.length);
    const { tenant } = parseTenant(json, { key, path: key, dynamic: false, directory: '/', environment });
    expect(tenant.authorization.type).toBe((json as { authorization: { type: string } }).authorization.type);
  }
});

/** A commit whose DATA_DIR this version opens, and which opens that of this version. */
const EARLIER = 'cebd2ace';

longTest(
  'DATA_DIR goes from an earlier commit to this one, and back',
  async () => {
    const archive = spawnSync(
      'git',
      ['archive', EARLIER, 'gateway', 'subgraphs', 'schema', 'package.json', 'tsconfig.json'],
      { cwd: root, maxBuffer: 1e9 },
    );
    expect(archive.status).toBe(0);
    const earlier = join(folder, 'earlier');
    mkdirSync(earlier);
    spawnSync('tar', ['-x', '-C', earlier], { input: archive.stdout });
    symlinkSync(join(root, 'node_modules'), join(earlier, 'node_modules'));
    const of = (base: string) => ({
      state: importOf<typeof import('../smart/server/state/state.ts')>(
        base,
        'gateway/smart/server/state/state.ts',
      ),
      keys: importOf<typeof import('../smart/server/state/keys.ts')>(
        base,
        'gateway/smart/server/state/keys.ts',
      ),
      seen: importOf<typeof import('../../subgraphs/imaging/cache/first-seen.ts')>(
        base,
        'subgraphs/imaging/cache/first-seen.ts',
      ),
      index: importOf<typeof import('../../subgraphs/imaging/sources/folder/database.ts')>(
        base,
        'subgraphs/imaging/sources/folder/database.ts',
      ),
    });
    const data = join(folder, 'data');
    const known: { keys: unknown; seen: string | undefined }[] = [];
    for (const [turn, base] of [earlier, root, earlier, root].entries()) {
      const version = of(base);
      const kept = (await version.state).sqliteState(join(data, 'state.sqlite'), Date.now);
      for (let before = 0; before < turn; before++)
        expect(await kept.model('t', 'Grant').find(`g${before}`)).toMatchObject({ accountId: `a${before}` });
      await kept.model('t', 'Grant').upsert(`g${turn}`, { accountId: `a${turn}` }, 1000);
      kept.close();
      const times = (await version.seen).openFirstSeen(data, () => 1_000_000 + turn);
      const seenAt = (await times.observe('t', study)).get('1.2')?.lastUpdated;
      times.close();
      known.push({ keys: await (await version.keys).tenantKeys(data, 't'), seen: seenAt });
      (await version.index).openDatabase(join(data, 'index.sqlite'), '/images').close();
    }
    for (const { keys, seen: time } of known) {
      expect(keys).toMatchObject(known[0]!.keys as object);
      expect(time).toBe(known[0]!.seen);
    }
  },
  120_000,
);

const importOf = <Module>(base: string, path: string) => import(join(base, path)) as Promise<Module>;

const SECRET = 'the same secret of both versions, long enough';

describe('two versions at the same time', () => {
  let server: Redis;
  let redis: SharedRedis;
  beforeEach(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    await expect.poll(() => redis.reachable()).toBe(true);
  });
  afterEach(async () => {
    redis.close();
    await server.stop();
  });

  test('what another version has written in Redis counts as missing', async () => {
    const other = sealer([SECRET], 'smart-imaging-gateway shared state 2');
    const own = sharedState(redis, [SECRET], Date.now);
    await redisCache(redis, other, Date.now).set('rows', ['theirs'], 60);
    expect(await own.cache.get('rows')).toBeUndefined();
    await own.cache.set('rows', ['ours'], 60);
    expect(await redisCache(redis, other, Date.now).get('rows')).toBeUndefined();
    expect((await own.cache.get('rows'))?.value).toEqual(['ours']);
    const { redisState } = await import('../smart/server/state/redis-state.ts');
    await redisState(redis, other, Date.now).model('t', 'Grant').upsert('g', { accountId: 'a' }, 60);
    expect(await own.state.model('t', 'Grant').find('g')).toBeUndefined();
  });
});

test('an Access in the form of another version is refused', async () => {
  const [key, now] = [sealingKey(SECRET), Date.now() / 1000];
  const sealed = (issuer: string) =>
    new EncryptJWT({ access: { tenant: 't', patients: 'all', permissions: [], expires: now + 60 } })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setIssuer(issuer)
      .setAudience('imaging')
      .setIssuedAt(Math.floor(now))
      .setExpirationTime(Math.floor(now) + 60)
      .encrypt(key);
  expect(await open(await sealed('gateway'), [key], 'imaging', now)).toMatchObject({
    access: { tenant: 't' },
  });
  const other = open(await sealed('gateway 2'), [key], 'imaging', now);
  await expect(other).rejects.toMatchObject({ code: 'unauthenticated' });
});
