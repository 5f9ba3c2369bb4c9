import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { MetadataCache } from '../../subgraphs/imaging/cache/metadata-cache.ts';
import { StudyCache } from '../../subgraphs/imaging/cache/study-cache.ts';
import { Budget } from '../../subgraphs/imaging/dicom/part10/budget.ts';
import { encodeMetadata, type ObjectMetadata } from '../../subgraphs/imaging/parsing/object-metadata.ts';
import { openRedis } from '../state/open-redis.ts';
import type { SharedRedis } from '../state/redis.ts';
import { sharedState, type SharedState } from '../state/shared-state.ts';
import { authorizer, type Authorizer } from '../smart/authorize.ts';
import { capabilities, capabilitySealer } from '../smart/capability/capability-admission.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { tenantsOf } from './gateway-alone.ts';
import { wholeLog } from './setup/child.ts';
import { startGateway } from './setup/gateway.ts';
import { startRedis, type Redis } from './setup/redis.ts';
import { timeAwake } from './setup/processor-time.ts';

const SECRETS = ['a secret that both gateways know'];
const clock = { now: Date.now() };
const now = () => clock.now;

let redis: Redis;
let ehr: AuthorizationServer;
let tenant: Tenant;
/** Two gateways, each with its own connection; they share only the Redis. */
let gateways: {
  tenantAuthorizer: Authorizer;
  connection: SharedRedis;
  shared: SharedState;
  changes: string[];
}[];

async function gateway(secrets = SECRETS) {
  const changes: string[] = [];
  const connection = await new Promise<SharedRedis>((done) => {
    const opened = openRedis(redis.url);
    opened.onChange((reachable, reason) => {
      changes.push(reachable ? 'up' : `down ${reason}`);
      if (reachable) done(opened);
    });
  });
  const shared = sharedState(connection, secrets, now);
  const tenantAuthorizer = authorizer({
    dispatcher: () => undefined,
    now,
    baseUrl: 'http://localhost',
    shared: shared.cache,
  });
  return { tenantAuthorizer, connection, shared, changes };
}

beforeAll(async () => {
  redis = await startRedis();
  ehr = await authorizationServer();
  ehr.now = now;
  tenant = tenantsOf({
    t: {
      authorization: {
        type: 'smart-on-fhir',
        fhirBaseUrl: ehr.fhirBaseUrl,
        client: ehr.client,
        introspectionTtl: 30,
      },
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:9' },
    },
  }).byKey('t');
});
beforeEach(async () => {
  clock.now = Date.now();
  gateways = [await gateway(), await gateway()];
  await gateways[0]!.connection.client.flushall();
  ehr.calls['introspect'] = 0;
  ehr.mode = 'up';
  ehr.delay = 0;
  ehr.tokens.clear();
});
afterEach(() => {
  for (const { connection } of gateways) connection.close();
});
afterAll(async () => {
  await ehr.close();
  await redis.stop();
});

const give = (token: string, record: object = {}) =>
  ehr.tokens.set(token, {
    client_id: 'app',
    patient: 'p1',
    scope: 'patient/*.rs',
    exp: Math.floor(clock.now / 1000) + 3600,
    ...record,
  });
const ask = async (which: 0 | 1, token: string) => gateways[which]!.tenantAuthorizer.authorize(tenant, token);
const code = (asked: Promise<unknown>) =>
  asked.then(
    () => 'allowed',
    (error: { code: string }) => error.code,
  );

describe('SM-9 across two gateways', () => {
  test('one introspection for both; the second gateway answers like the first', async () => {
    give('token');
    const first = await ask(0, 'token');
    expect(await ask(1, 'token')).toEqual(first);
    for (let i = 0; i < 10; i++) await ask(i % 2 ? 1 : 0, 'token');
    expect(ehr.calls['introspect']).toBe(1);
  });

  test('one introspection for questions at the same time at both, of a token that is not active too', async () => {
    give('token');
    ehr.delay = 100;
    for (const [token, answer] of [
      ['token', 'allowed'],
      ['unknown', 'invalid_token'],
    ] as const) {
      ehr.calls['introspect'] = 0;
      const asked = await Promise.all([0, 1, 0, 1].map((which) => code(ask(which as 0 | 1, token))));
      expect(asked).toEqual(Array(4).fill(answer));
      expect(ehr.calls['introspect']).toBe(1);
    }
  });

  test('both refuse a revoked token within introspectionTtl of the introspection', async () => {
    give('token');
    await ask(0, 'token');
    clock.now += 20_000;
    await ask(1, 'token');
    ehr.tokens.delete('token');
    clock.now += 9_000;
    expect([await code(ask(0, 'token')), await code(ask(1, 'token'))]).toEqual(['allowed', 'allowed']);
    clock.now += 2_000;
    expect([await code(ask(0, 'token')), await code(ask(1, 'token'))]).toEqual([
      'invalid_token',
      'invalid_token',
    ]);
  });

  test('both refuse a token after its exp', async () => {
    give('token', { exp: Math.floor(clock.now / 1000) + 10 });
    await ask(0, 'token');
    await ask(1, 'token');
    clock.now += 14_000;
    const both = async () => [await code(ask(0, 'token')), await code(ask(1, 'token'))];
    // By the clock of the EHR, which may be five seconds behind.
    expect(await both()).toEqual(['allowed', 'allowed']);
    clock.now += 2000;
    expect(await both()).toEqual(['invalid_token', 'invalid_token']);
  });

  test('a refusal is shared for three seconds in all', async () => {
    expect(await code(ask(0, 'token'))).toBe('invalid_token');
    clock.now += 2_000;
    expect(await code(ask(1, 'token'))).toBe('invalid_token');
    expect(ehr.calls['introspect']).toBe(1);
    give('token');
    clock.now += 1_100;
    expect(await code(ask(1, 'token'))).toBe('allowed');
  });

  test('SM-21 the keys of a bound token are shared; the answer of an older gateway, without them, does not count', async () => {
    const { cacheKey } = tenant;
    const older = ['introspection', cacheKey, ehr.fhirBaseUrl, 'token'].join('\0');
    const active = { active: true, client_id: 'app', patient: 'p1', scope: 'patient/*.rs' };
    await gateways[0]!.shared.cache.set(older, { active }, 30);
    give('token', { cnf: { jkt: 'thumbprint' } });
    expect(await code(ask(0, 'token'))).toBe('invalid_token');
    ehr.tokens.clear();
    const other = await ask(1, 'token').catch((error: Error) => error.message);
    expect(other).toContain('bound to a key');
    expect(ehr.calls['introspect']).toBe(1);
  });

  test('an outage is not shared', async () => {
    give('token');
    ehr.mode = 'failing';
    expect(await code(ask(0, 'token'))).toBe('unavailable');
    ehr.mode = 'up';
    expect(await code(ask(1, 'token'))).toBe('allowed');
  });

  test('each gateway decides itself what a token allows: nothing of an Access is shared', async () => {
    give('token', { aud: 'https://elsewhere.example.org' });
    expect(await code(ask(0, 'token'))).toBe('invalid_token');
    expect(await code(ask(1, 'token'))).toBe('invalid_token');
    expect(ehr.calls['introspect']).toBe(1);
  });
});

describe('SM-14 the content of Redis', () => {
  test('has no token, patient or scope; each entry expires; another key opens none', async () => {
    give('a-bearer-token', { patient: 'patient-17' });
    await ask(0, 'a-bearer-token');
    const { client } = gateways[0]!.connection;
    const names = await client.keys('*');
    expect(names).toHaveLength(1);
    const text = `${names[0]} ${await client.get(names[0]!)}`;
    expect(text).toMatch(/^cache:[\w-]{43} [\w+/=]+$/);
    const plain = Buffer.from(text.split(' ')[1]!, 'base64').toString('latin1');
    expect(text + plain).not.toMatch(/a-bearer-token|patient-17|patient\//);
    expect(await client.pttl(names[0]!)).toBeGreaterThan(0);
    gateways[1]!.connection.close();
    gateways[1] = await gateway(['another secret, of another installation']);
    await ask(1, 'a-bearer-token');
    expect(ehr.calls['introspect']).toBe(2);
  });

  test('an entry that was replaced or prolonged is not used', async () => {
    give('mine', { patient: 'p1' });
    give('yours', { patient: 'p2' });
    const { client } = gateways[0]!.connection;
    await ask(0, 'mine');
    const [mine] = await client.keys('*');
    const kept = (await client.get(mine!))!;
    await ask(0, 'yours');
    const [yours] = (await client.keys('*')).filter((name) => name !== mine);
    await client.set(yours!, kept);
    expect(await ask(1, 'yours')).toMatchObject({ patients: [{ id: 'p2' }] });
    ehr.tokens.delete('mine');
    await client.persist(mine!);
    clock.now += 31_000;
    expect(await code(ask(1, 'mine'))).toBe('invalid_token');
  });
});

describe('SM-9 without Redis', () => {
  test.each(['stopped', 'frozen'] as const)(
    '%s: each gateway introspects itself, none accepts a token unchecked, and both use Redis again when it is back',
    async (how) => {
      give('token');
      await ask(0, 'token');
      if (how === 'frozen') redis.freeze();
      else await redis.stop();
      await vi.waitFor(async () => {
        await gateways[1]!.shared.cache.get('anything');
        expect(gateways[1]!.connection.reachable()).toBe(false);
      }, 5000);
      expect(await code(ask(1, 'token'))).toBe('allowed');
      expect(ehr.calls['introspect']).toBe(2);
      expect(await code(ask(1, 'unknown'))).toBe('invalid_token');
      give('another');
      expect(await timeAwake(() => ask(1, 'another'))).toBeLessThan(300);
      ehr.mode = 'down';
      expect(await code(ask(1, 'third'))).toBe('unavailable');
      ehr.mode = 'up';

      if (how === 'frozen') redis.thaw();
      else redis = await startRedis(redis.port);
      await vi.waitFor(() => expect(gateways[1]!.connection.reachable()).toBe(true), 10_000);
      give('later');
      await vi.waitFor(() => expect(gateways[0]!.connection.reachable()).toBe(true), 10_000);
      const before = ehr.calls['introspect']!;
      await ask(0, 'later');
      await ask(1, 'later');
      expect(ehr.calls['introspect']).toBe(before + 1);
      expect(gateways[1]!.changes).toEqual(['up', expect.stringMatching(/^down /), 'up']);
    },
  );

  test('the password of REDIS_URL is in no message', async () => {
    await gateways[0]!.connection.client.config('SET', 'requirepass', 'right-password');
    const reported: string[] = [];
    const url = redis.url.replace('//', '//gateway:hunter2@');
    const refused = openRedis(url);
    refused.onChange((reachable, reason) => reported.push(`${reachable} ${reason}`));
    await vi.waitFor(() => expect(reported).not.toEqual([]), 5000).catch(() => undefined);
    refused.close();
    await gateways[0]!.connection.client.config('SET', 'requirepass', '');
    expect(reported.join()).toMatch(/^false /);
    expect(reported.join()).not.toContain('hunter2');
  });
});

describe('IA-33 one-use links of two gateways', () => {
  const access = { tenant: 't', patients: 'all' as const, permissions: [], expires: 0 };
  const links = (which: 0 | 1) => {
    const { shared } = gateways[which]!;
    const authorize = async () => ({
      ...access,
      permissions: [{ level: 'patient' as const, type: '*', interactions: 'r' }],
    });
    const reach = async (_tenant: Tenant, granted: Access) => granted;
    const sealer = capabilitySealer({ secrets: SECRETS, now, links: shared.links });
    return { ...capabilities(sealer, { authorize, reach }, now), seal: sealer.seal };
  };
  const path = 'studies/1.2';
  const use = async (which: 0 | 1, sealed: string) => {
    const raw = {
      url: `/t/wado/${sealed}/${path}`,
      rawHeaders: [],
      headers: {},
    } as unknown as IncomingMessage;
    const request = { method: 'GET', raw, params: { capability: sealed, studyUid: '1.2' } };
    return code(links(which).admit(tenant, request));
  };
  const made = async () => (await links(0).sealLink(tenant, access, { uid: '1.2' }, path)).sealed;

  test('a link made at one is used once at either', async () => {
    const sealed = await made();
    expect([await use(1, sealed), await use(0, sealed), await use(1, sealed)]).toEqual([
      'allowed',
      'forbidden',
      'forbidden',
    ]);
  });

  test('of many uses at the same time one is served', async () => {
    const sealed = await made();
    const uses = await Promise.all(Array.from({ length: 20 }, (_, i) => use(i % 2 ? 1 : 0, sealed)));
    expect(uses.filter((one) => one === 'allowed')).toHaveLength(1);
  });

  test('without Redis no link is made or served: 503, so that the client tries again', async () => {
    const sealed = await made();
    await redis.stop();
    expect(await use(1, sealed)).toBe('unavailable');
    expect(await code(made())).toBe('unavailable');
    redis = await startRedis(redis.port);
  });
});

describe('IA-29 study metadata of two gateways', () => {
  const rows = [{ '0020000D': { vr: 'UI', Value: ['1.2'] } }];
  const question = (ask: () => Promise<typeof rows>) => ({ ttl: 10, ask, generation: async () => undefined });

  test('one request to the source; the answer expires at both at the same time', async () => {
    const caches = gateways.map(({ shared }) => new StudyCache(shared.cache));
    const ask = vi.fn(async () => rows);
    expect(await caches[0]!.rows('t\nsource\nall', question(ask))).toEqual(rows);
    expect(await caches[1]!.rows('t\nsource\nall', question(ask))).toEqual(rows);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(await caches[1]!.rows('other\nsource\nall', question(ask))).toEqual(rows);
    expect(ask).toHaveBeenCalledTimes(2);
    const [entry] = await gateways[0]!.connection.client.keys('*');
    expect(await gateways[0]!.connection.client.pttl(entry!)).toBeLessThanOrEqual(10_000);
  });

  test('a fresh search goes to the source in spite of the cache, and failures are not cached', async () => {
    const caches = gateways.map(({ shared }) => new StudyCache(shared.cache));
    const ask = vi.fn(async () => rows);
    await caches[0]!.rows('k', question(ask));
    await caches[1]!.fresh('k', ask);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(caches[1]!.kept('k')).toBeUndefined();
    expect(await caches[1]!.sharedRows('k')).toEqual(rows);
    expect(caches[1]!.kept('k')).toEqual(rows);
    const broken = async () => Promise.reject(new Error('down'));
    await expect(caches[0]!.rows('l', question(broken))).rejects.toThrow('down');
    expect(await caches[1]!.rows('l', question(ask))).toEqual(rows);
  });
});

describe('IA-29 metadata of two gateways', () => {
  const instance = (uid: string) => {
    const row = { '00080018': { vr: 'UI', Value: [uid] }, '0020000E': { vr: 'UI', Value: ['1.2'] } };
    return encodeMetadata(row, { studyUid: '1' }, new Budget());
  };
  const given = async (cache: MetadataCache, version: string, load: () => Promise<ObjectMetadata[]>) => {
    const metadata = await cache.of(version, { studyUid: '1' }, load);
    return JSON.parse(String(await metadata.encoded('https://images.example.org', 'identity'))) as object[];
  };

  test('are loaded once, also at the same time, until the study has another version; expire at both at the same time', async () => {
    const caches = gateways.map(({ shared }) => new MetadataCache(undefined as never, shared.cache));
    const [one, two] = caches as [MetadataCache, MetadataCache];
    const load = vi.fn(async () => [instance('1.2.3')]);
    const [first, second] = await Promise.all([given(one, 'v1', load), given(two, 'v1', load)]);
    expect(first).toHaveLength(1);
    expect(second).toEqual(first);
    expect(load).toHaveBeenCalledTimes(1);
    clock.now += 299_000;
    expect(await given(new MetadataCache(undefined as never, gateways[0]!.shared.cache), 'v1', load)).toEqual(
      first,
    );
    expect(load).toHaveBeenCalledTimes(1);
    clock.now += 2000;
    await given(new MetadataCache(undefined as never, gateways[0]!.shared.cache), 'v1', load);
    await given(two, 'v2', load);
    expect(load).toHaveBeenCalledTimes(3);
    expect(two.kept('v1', { studyUid: '1' })).toBeDefined();
  });

  test('a series too large for Redis, and a failure, are of one gateway alone', async () => {
    const caches = gateways.map(({ shared }) => new MetadataCache(undefined as never, shared.cache));
    const noise = { '00081030': { vr: 'LO', Value: [randomBytes(600_000).toString('base64')] } };
    const large = vi.fn(async () => [encodeMetadata(noise, { studyUid: '1' }, new Budget())]);
    for (const cache of caches) expect(await given(cache, 'large', large)).toHaveLength(1);
    expect(large).toHaveBeenCalledTimes(2);
    await expect(given(caches[0]!, 'v', () => Promise.reject(new Error('down')))).rejects.toThrow('down');
    expect(await given(caches[1]!, 'v', async () => [instance('1.2.3')])).toHaveLength(1);
  });
});

test('the program reports whether Redis is reachable, works without it, and logs no password', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tenants-'));
  const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
  const authorization = { type: 'mock', disableAuthzChecks: true };
  await writeFile(join(directory, 'open.json'), JSON.stringify({ authorization, images }));
  await gateways[0]!.connection.client.config('SET', 'requirepass', 'hunter2');
  const process = await startGateway({
    TENANTS_DIR: directory,
    SEALING_KEY: SECRETS[0]!,
    REDIS_URL: redis.url.replace('//', '//:hunter2@'),
  });
  const ready = async () => {
    const answer = await fetch(`${process.url}/health/ready`);
    return { http: answer.status, ...((await answer.json()) as object) };
  };
  const gauge = async () =>
    /^shared_state_reachable (\d)$/m.exec(await (await fetch(`${process.url}/metrics`)).text())?.[1];
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ sharedState: 'reachable' }), 10_000);
  expect(await gauge()).toBe('1');
  await redis.stop();
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ sharedState: 'unreachable' }), 10_000);
  expect(await ready()).toMatchObject({ http: 200, status: 'ready' });
  expect(await gauge()).toBe('0');
  expect((await fetch(`${process.url}/open/dicomweb/studies`)).status).toBeLessThan(300);
  redis = await startRedis(redis.port);
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ sharedState: 'reachable' }), 10_000);
  const log = await wholeLog(process);
  expect(log).toContain('REDIS_URL: the shared state cannot be reached');
  expect(log).not.toContain('hunter2');
  await process.stop();
  await rm(directory, { recursive: true });
}, 60_000);
