import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import type { SharedRedis } from '../state/redis.ts';
import { sharedState } from '../state/shared-state.ts';
import {
  allow,
  App,
  APP,
  byClock,
  independent,
  Journey,
  portal,
  pressAllow,
  replying,
  SOON,
} from './dual-launch.ts';
import { foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { startGateway } from './setup/gateway.ts';
import { patientRedis, startRedis, type Redis } from './setup/redis.ts';
import { longTest } from './setup/usual-run.ts';
import { Database } from '../../schema/process/sqlite.ts';

/** Lifetimes of the tokens of an EHR (IA-28), and their revocation (RFC 7009), also at an EHR that hangs or fails. */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const IMAGES = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
const NOWHERE = { images: '/nowhere', patients: '/nowhere' };
const CLINICAL = 'openid fhirUser launch/patient patient/*.rs';

/** Milliseconds by which our clock is ahead of the clock of the EHR. It never goes back. */
let ahead = 0;
const pass = (seconds: number) => void (ahead += seconds * 1000);
const now = () => Date.now() + ahead;

let redis: Redis;
let connection: SharedRedis;
beforeAll(async () => {
  redis = await startRedis();
  connection = patientRedis(redis);
});
afterAll(async () => {
  connection.close();
  await redis.stop();
});

describe.each(['SQLite', 'Redis'])('IA-28 the state in %s', (backend) => {
  // A single gateway behaves the same over both; `state.test.ts` tests that they do.
  const alone = backend === 'SQLite' ? test : longTest;
  let ehr: ForeignEhr;
  let gateway: TestGateway;
  /** Another gateway over the same state, where there can be one; otherwise the same gateway. */
  let other: TestGateway;
  const unanswered: { destroy(): unknown }[] = [];

  beforeAll(async () => {
    const ports = [await freePort(), await freePort()];
    ehr = await foreignEhr(ports.map((port) => `http://127.0.0.1:${port}/one/oauth/ehr-callback`));
    const start = (port?: number) => {
      const tenants = () => ({ one: independent(ehr, ehr.clients.secret, IMAGES) });
      const shared = backend === 'Redis' && sharedState(connection, ['a secret of these tests'], now);
      return buildTestGateway(tenants, NOWHERE, undefined, { port, now, ...(shared && { shared }) });
    };
    gateway = await start(ports[0]);
    other = backend === 'Redis' ? await start(ports[1]) : gateway;
  });
  afterAll(async () => {
    await gateway.close();
    if (other !== gateway) await other.close();
    await ehr.close();
  });
  beforeEach(() => {
    ehr.tokenAnswer = (body) => byClock(ehr, body, ahead);
    ehr.instead = undefined;
    ehr.given.clear();
    ehr.revoked.length = 0;
    ehr.seen.length = 0;
  });
  afterEach(() => {
    for (const response of unanswered.splice(0)) response.destroy();
  });

  /** Brings a user to our consent page. */
  async function atConsent(scope = `${CLINICAL} offline_access`) {
    const user = new Journey(ehr.issuer, gateway.baseUrl);
    const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
    const app = new App(`${gateway.baseUrl}/one/fhir`, 'viewer', APP);
    return { user, app, consent: await user.open(await app.url({ login_hint: hint!, scope })) };
  }
  const sweep = () => Promise.all([gateway.sweep(), other.sweep()]);
  const tries = () => ehr.seen.filter((line) => line === 'POST /revoke').length;

  /** Expects that each token of the EHR was revoked once. */
  const expectAllRevoked = () => {
    expect(ehr.given.size).toBeGreaterThan(0);
    expect([...ehr.revoked].sort()).toEqual([...ehr.given].sort());
  };

  alone('revokes the tokens of a sign-in left at the consent page a minute after its end', async () => {
    await atConsent();
    pass(15 * MINUTE);
    await sweep();
    expect(ehr.revoked).toEqual([]);
    pass(MINUTE + 1);
    await sweep();
    expectAllRevoked();
  });

  alone('revokes the tokens of a code that no app redeems a minute after its end', async () => {
    const { user, consent } = await atConsent();
    await allow(user, consent);
    pass(MINUTE);
    await sweep();
    expect(ehr.revoked).toEqual([]);
    pass(MINUTE + 1);
    await sweep();
    expectAllRevoked();
  });

  alone.each([
    ['', 'nothing more', HOUR + MINUTE],
    ['online_access', 'offline_access instead', 8 * HOUR],
    ['offline_access', 'offline_access', 30 * DAY],
    ['offline_access online_access', 'offline_access', 30 * DAY],
  ])(
    'revokes a grant with "%s", for which the EHR is asked for %s, after its lifetime: %i s',
    async (lasting, asked, life) => {
      const { user, app, consent } = await atConsent(`${CLINICAL} ${lasting}`.trim());
      expect(ehr.asked.get('scope')!.includes('offline_access')).toBe(asked.startsWith('offline'));
      expect(ehr.asked.get('scope')).not.toContain('online_access');
      const tokens = await app.tokens((await allow(user, consent)).url);
      expect([tokens.refresh_token !== undefined, ehr.given.size]).toEqual(lasting ? [true, 2] : [false, 1]);
      pass(life - MINUTE);
      await sweep();
      expect(ehr.revoked).toEqual([]);
      pass(2 * MINUTE + 1);
      await sweep();
      expectAllRevoked();
    },
  );

  test.each(['access', 'refresh'] as const)('revokes all after our %s token is revoked', async (which) => {
    const { user, app, consent } = await atConsent();
    const tokens = await app.tokens((await allow(user, consent)).url);
    await app.revoke(which === 'access' ? tokens.access_token : tokens.refresh_token!);
    await expect.poll(() => ehr.revoked.length, SOON).toBe(2);
    expectAllRevoked();
  });

  test('Allow pressed three times at once leads to one code', async () => {
    const { user, app, consent } = await atConsent();
    const press = () => pressAllow(user, consent);
    const pressed = await Promise.all([press(), press(), press()]);
    expect(pressed.map(({ status }) => status)).toEqual([303, 303, 303]);
    const [first, ...others] = pressed.map(({ headers }) => headers.get('location'));
    expect(others).toEqual([first, first]);
    const done = await user.open(new URL(first!, consent.url).href);
    const tokens = await app.tokens(done.url);
    expect(tokens['patient']).toBe(DEMO_PATIENT);
    await app.revoke(tokens.access_token);
    await expect.poll(() => ehr.revoked.length, SOON).toBe(2);
    expectAllRevoked();
  });

  test('revokes the tokens of a code that is redeemed twice', async () => {
    const { user, app, consent } = await atConsent();
    const done = await allow(user, consent);
    await app.tokens(done.url);
    await expect(app.tokens(done.url)).rejects.toThrow();
    await expect.poll(() => ehr.revoked.length, SOON).toBe(2);
    expectAllRevoked();
  });

  test('revokes tokens of a sign-in that ended between the answer of the EHR and our page', async () => {
    const user = new Journey(ehr.issuer, gateway.baseUrl);
    const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
    const app = new App(`${gateway.baseUrl}/one/fhir`, 'viewer', APP);
    replying(ehr, { [`GET /fhir/Patient/${DEMO_PATIENT}`]: (response) => void unanswered.push(response) });
    const asked = user.open(await app.url({ login_hint: hint! }));
    await expect.poll(() => unanswered, SOON).toHaveLength(1);
    pass(16 * MINUTE + 1);
    await other.sweep();
    expectAllRevoked();
    ehr.instead = undefined;
    for (const response of unanswered.splice(0)) response.destroy();
    expect((await asked).status).toBe(400);
  });

  test('many at once, by two gateways: revokes each token once', async () => {
    for (let user = 0; user < 8; user++) await atConsent();
    pass(16 * MINUTE + 1);
    await sweep();
    expect(ehr.given.size).toBe(16);
    expectAllRevoked();
  });

  alone('tries again at an EHR that fails, at growing intervals, eight times in all', async () => {
    const { user, consent } = await atConsent();
    replying(ehr, { 'POST /revoke': 503 });
    await user.submit(consent, [['step', 'deny']]);
    await expect.poll(tries, SOON).toBe(2);
    await sweep();
    expect(tries()).toBe(2);
    ehr.instead = undefined;
    pass(MINUTE + 1);
    await sweep();
    expectAllRevoked();

    const next = await atConsent();
    replying(ehr, { 'POST /revoke': 503 });
    ehr.seen.length = 0;
    await next.user.submit(next.consent, [['step', 'deny']]);
    await expect.poll(tries, SOON).toBe(2);
    for (let round = 0; round < 12; round++) {
      pass(3 * HOUR);
      await sweep();
    }
    expect(tries()).toBe(2 * 8);
  });

  alone(
    'a user who denies is back at the app at once, though the EHR does not answer the revocation',
    async () => {
      const { user, consent } = await atConsent();
      let givenUp = false;
      replying(ehr, {
        'POST /revoke': (response) => {
          unanswered.push(response);
          response.once('close', () => (givenUp = true));
        },
      });
      const done = await user.submit(consent, [['step', 'deny']]);
      expect(givenUp).toBe(false);
      expect(done.url).toContain('error=access_denied');
      await expect.poll(() => unanswered, SOON).toHaveLength(1);
      ehr.instead = undefined;
      for (const response of unanswered.splice(0)) response.destroy();
      pass(MINUTE + 1);
      await expect.poll(async () => (await sweep(), new Set(ehr.revoked)), SOON).toEqual(ehr.given);
    },
  );

  alone('does not try again at an EHR that answers unsupported_token_type', async () => {
    const { user, consent } = await atConsent();
    replying(ehr, {
      'POST /revoke': (response) =>
        void response
          .writeHead(400, { 'content-type': 'application/json' })
          .end('{"error":"unsupported_token_type"}'),
    });
    await user.submit(consent, [['step', 'deny']]);
    await expect.poll(tries, SOON).toBe(2);
    pass(HOUR);
    await sweep();
    expect(tries()).toBe(2);
  });

  alone('sends no revocation to an EHR without a revocation endpoint', async () => {
    const address = '/fhir/.well-known/smart-configuration';
    const known = (await (await fetch(ehr.issuer + address)).json()) as Record<string, unknown>;
    const { revocation_endpoint: _, ...rest } = known;
    pass(6 * MINUTE); // it is read again
    replying(ehr, {
      [`GET ${address}`]: (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rest)),
    });
    const { user, consent } = await atConsent();
    const done = await user.submit(consent, [['step', 'deny']]);
    expect(done.url).toContain('error=access_denied');
    ehr.instead = undefined;
    pass(6 * MINUTE);
    await sweep();
    expect(tries()).toBe(0);
  });
});

longTest(
  'IA-28 after a gateway is killed in a sign-in, the next one revokes its tokens',
  async () => {
    const port = String(await freePort());
    const base = `http://localhost:${port}`;
    const ehr = await foreignEhr([`${base}/one/oauth/ehr-callback`]);
    const folder = await mkdtemp(join(tmpdir(), 'killed-'));
    const tenants = join(folder, 'tenants');
    await mkdir(tenants);
    await writeFile(join(tenants, 'one.json'), JSON.stringify(independent(ehr, ehr.clients.key, IMAGES)));
    const environment = { PORT: port, DATA_DIR: join(folder, 'data'), TENANTS_DIR: tenants };
    const first = await startGateway(environment);
    let reading = false;
    replying(ehr, { [`GET /fhir/Patient/${DEMO_PATIENT}`]: () => void (reading = true) });
    const user = new Journey(ehr.issuer, base);
    const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
    const app = new App(`${base}/one/fhir`, 'viewer', APP);
    const asked = user.open(await app.url({ login_hint: hint! }));
    const ended = expect(asked).rejects.toThrow();
    await expect.poll(() => reading, SOON).toBe(true);
    process.kill(first.pid, 'SIGKILL');
    await ended;
    await first.stop();
    expect(ehr.revoked).toEqual([]);

    // Move the clock by sixteen minutes.
    const state = new Database(join(folder, 'data/oauth/state.sqlite'));
    expect(state.prepare('UPDATE deadlines SET due = due - 16 * 60 - 1').run().changes).toBe(1);
    state.close();
    const second = await startGateway(environment);
    await expect.poll(() => new Set(ehr.revoked), SOON).toEqual(ehr.given);
    expect(ehr.given.size).toBe(2);
    await second.stop();
    await ehr.close();
    await rm(folder, { recursive: true });
  },
  120_000,
);
