import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openRedis } from '../../state/open-redis.ts';
import type { SharedRedis } from '../../state/redis.ts';
import { sharedState } from '../../state/shared-state.ts';
import { startRedis, type Redis } from '../../test/setup/redis.ts';
import { assertion, form, json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { Browser, REDIRECT, startServer, type Started } from './test/started.ts';
import { timeAwake } from '../../test/setup/processor-time.ts';

/** Two gateways with separate `DATA_DIR`s and one Redis, behind one URL. */
let redis: Redis;
let servers: [Started, Started];
let connections: SharedRedis[];
let balancer: Server;
/** Chooses the gateway for the next request. */
let next: () => 0 | 1;
const a = () => (next = () => 0);
const b = () => (next = () => 1);
/** Wall clock of both. */
const clock = { ahead: 0 };
const SECRETS = ['a secret that both gateways know'];

beforeAll(async () => {
  redis = await startRedis();
  balancer = createServer((incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const options = { host: '127.0.0.1', port: servers[next()].port, method, path, headers };
    const onward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  const publicPort = (balancer.address() as AddressInfo).port;
  connections = [];
  const start = async (keys?: Started['keys']) => {
    let started: Started | undefined;
    const connection = await new Promise<SharedRedis>((done) => {
      const opened = openRedis(redis.url);
      opened.onChange((reachable) => {
        if (reachable) started?.server.renew();
        if (reachable) done(opened);
      });
    });
    connections.push(connection);
    const now = () => Date.now() + clock.ahead;
    const shared = sharedState(connection, SECRETS, now);
    started = await startServer({}, { publicPort, shared, now, ...(keys && { keys }) });
    return started;
  };
  const first = await start();
  servers = [first, await start(first.keys)];
});
beforeEach(() => {
  a();
  clock.ahead = 0;
});
afterAll(async () => {
  balancer.close();
  balancer.closeAllConnections();
  for (const server of servers) await server.close();
  for (const connection of connections) connection.close();
  await redis.stop();
});

const refreshOf = (token: unknown) => ({
  grant_type: 'refresh_token',
  refresh_token: String(token),
  client_id: 'public-app',
});
const exchangeOf = (callback: URL) => ({
  grant_type: 'authorization_code',
  code: callback.searchParams.get('code')!,
  client_id: 'public-app',
  redirect_uri: REDIRECT,
});
const app = (id?: string) => new SmartApp(servers[0], id);
/** Returns for each gateway whether it accepts the token. */
const active = (token: string) =>
  Promise.all(
    servers.map(async ({ server, tenant }) => (await server.verifyOwnToken(tenant, token)) !== undefined),
  );
const keySet = async () => json(fetch(`${servers[0].issuer}/jwks`));

test('both publish the same key set; another tenant has another one', async () => {
  let turn: 0 | 1 = 0;
  next = () => (turn = turn === 0 ? 1 : 0);
  const sets = await Promise.all([keySet(), keySet(), keySet(), keySet()]);
  expect(sets[0]!['keys']).toHaveLength(2);
  for (const set of sets) expect(set).toEqual(sets[0]);
  expect(await json(fetch(`${servers[0].base.replace(/demo$/, 'other')}/oauth/jwks`))).not.toEqual(sets[0]);
});

test('a sign-in works when every request goes to the other gateway', async () => {
  let turn: 0 | 1 = 0;
  next = () => (turn = turn === 0 ? 1 : 0);
  const tokens = await app().tokens();
  expect(tokens).toMatchObject({ patient: 'p1', token_type: 'bearer' });
  expect(await active(tokens.access_token)).toEqual([true, true]);
});

describe('RFC 6749 §4.1.2, §10.4: a value that was used at one gateway is used at the other', () => {
  test('a code is refused, and its tokens end at both', async () => {
    const smart = app();
    const callback = await smart.launch();
    const tokens = await smart.exchange(callback);
    b();
    await expect(smart.exchange(callback)).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await active(tokens.access_token)).toEqual([false, false]);
  });

  test('a code that is sent to both at once gives tokens at most once', async () => {
    const smart = app();
    const callback = await smart.launch();
    await smart.metadata();
    let turn: 0 | 1 = 0;
    next = () => (turn = turn === 0 ? 1 : 0);
    const tries = await Promise.allSettled([1, 2, 3, 4].map(() => smart.exchange(callback)));
    expect(tries.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
  });

  test('a refresh token that is sent to both at once gives the same successor', async () => {
    const smart = app();
    const { refresh_token: first } = await smart.tokens();
    await smart.metadata();
    let turn: 0 | 1 = 0;
    next = () => (turn = turn === 0 ? 1 : 0);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => json(form(servers[0], '/token', refreshOf(first)))),
    );
    expect(new Set(answers.map(({ refresh_token: token }) => token)).size).toBe(1);
    for (const { access_token: token } of answers) expect(await active(String(token))).toEqual([true, true]);
    const second = answers[0]!['refresh_token'];
    expect(second).not.toBe(first);
    expect(await json(form(servers[0], '/token', refreshOf(second)))).toMatchObject({ patient: 'p1' });
  });

  test.each(['11 s later', 'when its successor was used'])(
    'a used refresh token is refused at the other gateway %s, and all its tokens end at both',
    async (when) => {
      const smart = app();
      const { refresh_token: first } = await smart.tokens();
      let last = await json(smart.refresh(first!));
      if (when === '11 s later') clock.ahead += 11_000;
      else last = await json(smart.refresh(String(last['refresh_token'])));
      expect(await active(String(last['access_token']))).toEqual([true, true]);
      b();
      const again = await smart.refresh(first!);
      expect(again.status).toBe(400);
      expect(await again.json()).toMatchObject({ error: 'invalid_grant' });
      expect(await active(String(last['access_token']))).toEqual([false, false]);
    },
  );

  test('a code that failed at one gateway is spent at the other', async () => {
    const smart = app();
    const callback = await smart.launch();
    const wrong = { ...exchangeOf(callback), code_verifier: 'x'.repeat(43) };
    expect((await form(servers[0], '/token', wrong)).status).toBe(400);
    b();
    await expect(smart.exchange(callback)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('a client assertion is accepted once (RFC 7523 §3)', async () => {
    const fields = {
      grant_type: 'client_credentials',
      scope: 'system/*.rs',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion(servers[0]),
    };
    const first = await form(servers[0], '/token', fields);
    b();
    const second = await form(servers[0], '/token', fields);
    expect([first.status, second.status]).toEqual([200, 401]);
    expect(await second.json()).toMatchObject({ error: 'invalid_client' });
  });
});

test('a revocation at one gateway takes effect at both at once (RFC 7009)', async () => {
  const smart = app();
  const tokens = await smart.tokens();
  expect(await active(tokens.access_token)).toEqual([true, true]);
  b();
  expect((await smart.revoke(tokens.refresh_token!)).status).toBe(200);
  expect(await active(tokens.access_token)).toEqual([false, false]);
});

test('a client that registered at one gateway can sign in at the other (RFC 7591)', async () => {
  const registration = { redirect_uris: ['https://app.example.org/'], token_endpoint_auth_method: 'none' };
  const answer = await fetch(`${servers[0].issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(registration),
  });
  const { client_id: id } = (await answer.json()) as { client_id: string };
  b();
  const url = await new SmartApp(servers[0], id).url('openid', { redirect_uri: 'https://app.example.org/' });
  expect((await new Browser(servers[0].issuer).open(url)).html).toContain('name="account"');
});

describe('while Redis does not answer', () => {
  test.each(['stopped', 'frozen'] as const)(
    '%s: answers 503 with Retry-After and no token; later works with the same keys',
    async (how) => {
      const smart = app();
      const callback = await smart.launch();
      const before = await keySet();
      const { access_token: token } = await app().tokens();
      if (how === 'frozen') redis.freeze();
      else await redis.stop();

      const refused = async () => {
        const exchange = await form(servers[0], '/token', {
          ...exchangeOf(callback),
          code_verifier: smart.verifier,
        });
        expect(exchange.status).toBe(503);
        expect(exchange.headers.get('retry-after')).toBe('1');
        expect(await exchange.json()).toMatchObject({ error: 'temporarily_unavailable' });
        const page = await new Browser(servers[0].issuer).open(await app().url('openid'));
        expect(page.status).toBe(503);
        expect(page.headers.get('retry-after')).toBe('1');
        expect(page.html).toContain('Try again in a minute');
        const { server, tenant } = servers[1];
        await expect(server.verifyOwnToken(tenant, token)).rejects.toMatchObject({ code: 'unavailable' });
      };
      expect(await timeAwake(refused)).toBeLessThan(5000);

      if (how === 'frozen') redis.thaw();
      else redis = await startRedis(redis.port);
      await vi.waitFor(() => expect(connections.every((one) => one.reachable())).toBe(true), 10_000);
      expect(await keySet()).toEqual(before);
      b();
      expect(await keySet()).toEqual(before);
      // A stopped Redis without persistence has forgotten the token, which is then refused; a frozen one has kept it.
      expect(await active(token)).toEqual(how === 'frozen' ? [true, true] : [false, false]);
      expect((await app().tokens()).access_token).toBeDefined();
    },
  );

  test('there was no internal error', () => {
    for (const { errors } of servers) expect(errors).toEqual([]);
  });
});
