import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Agent, fetch as fetchFrom, type RequestInit } from 'undici';
import { SmartApp } from './test/smart-app.ts';
import { REDIRECT, SECRET, startServer, type Started } from './test/started.ts';

/** SM-19 over HTTP: one server; each test has an attacker at one address and other users at another. */
let started: Started;
const clock = { ahead: 0 };
let attackers: Agent;
let elsewhere: Agent;
let lastAddress = 1;
const atNewAddress = () => new Agent({ localAddress: `127.0.0.${++lastAddress}` });
beforeAll(async () => {
  started = await startServer({}, { now: () => Date.now() + clock.ahead });
});
beforeEach(() => {
  clock.ahead = 0;
  attackers = atNewAddress();
  elsewhere = atNewAddress();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

const send = (path: string, init: RequestInit = {}) =>
  fetchFrom(`${started.issuer}${path}`, { dispatcher: attackers, ...init });
const post = (path: string, fields: Record<string, string>, init: RequestInit = {}) =>
  send(path, {
    method: 'POST',
    body: new URLSearchParams(fields).toString(),
    ...init,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...(init.headers as object) },
  });
const basic = (client: string, secret: string) => ({ authorization: `Basic ${btoa(`${client}:${secret}`)}` });
const right = {
  grant_type: 'client_credentials',
  scope: 'system/ImagingStudy.rs',
  client_id: 'limited-backend',
  client_secret: SECRET,
};

/** Sends requests one after the other, and returns their statuses. */
async function statuses(times: number, request: (index: number) => ReturnType<typeof send>) {
  const all: number[] = [];
  for (let index = 0; index < times; index++) {
    const answer = await request(index);
    await answer.arrayBuffer();
    all.push(answer.status);
  }
  return all;
}

async function expectThrottled(answer: Awaited<ReturnType<typeof send>>) {
  expect(answer.status).toBe(429);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60);
  expect(answer.headers.get('content-type')).toContain('application/json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(await answer.json()).toEqual({
    error: 'temporarily_unavailable',
    error_description: expect.stringMatching(/try again/),
    error_uri: expect.stringMatching(/\/errors#too_many_requests$/),
  });
}

test.each(['/token', '/introspect', '/revoke'])(
  '%s: after guesses of a secret, 429 answers right and wrong secrets alike',
  async (path) => {
    const guess = (index: number) => post(path, { ...right, token: 'x', client_secret: `wrong-${index}` });
    expect(await statuses(31, guess)).toEqual([...Array<number>(30).fill(401), 429]);
    await expectThrottled(await post(path, { ...right, token: 'x' }));
    await expectThrottled(
      await post(
        path,
        { token: 'x', grant_type: 'client_credentials' },
        { headers: basic('limited-backend', SECRET) },
      ),
    );
    // The client itself, at another address.
    expect((await post(path, { ...right, token: 'x' }, { dispatcher: elsewhere })).status).toBe(200);
    // Another client at the attacker's address.
    expect((await post(path, { ...right, token: 'x', client_id: 'secret-app' })).status).not.toBe(429);
  },
);

test('throttles invented clients, but no clients at other addresses', async () => {
  const made = (index: number) => post('/token', { ...right, client_id: `made-up-${index}` });
  const all = await statuses(130, made);
  expect(all.indexOf(429)).toBe(120);
  await expectThrottled(await made(1000));
  expect((await post('/token', right, { dispatcher: elsewhere })).status).toBe(200);
});

test('throttles guesses of a code or a refresh token', async () => {
  const guess = (index: number) =>
    post('/token', { grant_type: 'refresh_token', refresh_token: `guess-${index}`, client_id: 'public-app' });
  expect((await statuses(31, guess)).at(-1)).toBe(429);
});

test('failures in the name of a public app do not lock out its users at the same address', async () => {
  const url = (await new SmartApp(started).url('launch/patient patient/*.rs')).slice(started.issuer.length);
  const app = new SmartApp(started);
  const [callback, { refresh_token: token }] = [await app.launch(), await new SmartApp(started).tokens()];
  const form = { client_id: 'public-app', redirect_uri: REDIRECT };
  const attacks = [
    () => post('/token', { ...form, grant_type: 'refresh_token', refresh_token: 'x' }),
    () =>
      post('/token', { ...form, grant_type: 'authorization_code', code: 'x', code_verifier: app.verifier }),
    () => send('/authorize?client_id=public-app&redirect_uri=https://elsewhere.example/'),
    () => post('/interaction/x', { step: 'allow' }, { headers: { accept: 'text/html' } }),
  ];
  for (const attack of attacks) await statuses(31, attack);
  const right = [
    post('/token', { ...form, grant_type: 'refresh_token', refresh_token: token! }),
    post('/token', {
      ...form,
      grant_type: 'authorization_code',
      code_verifier: app.verifier,
      code: callback.searchParams.get('code')!,
    }),
    send(url, { redirect: 'manual' }),
    post('/interaction/x', { step: 'allow' }, { headers: { accept: 'text/html' } }),
  ];
  expect((await Promise.all(right)).map(({ status }) => status)).toEqual([200, 200, 303, 400]);
  // A valid refresh token does not allow guesses of a secret.
  const guess = { client_id: 'limited-backend', client_secret: 'wrong', grant_type: 'refresh_token' };
  const last = (await statuses(31, () => post('/token', { ...guess, refresh_token: token! }))).at(-1);
  expect(last).toBe(429);
});

test('introspection: throttles invented bearer tokens', async () => {
  const guess = (index: number) =>
    post('/introspect', { token: 'x' }, { headers: { authorization: `Bearer guess-${index}` } });
  expect(await statuses(31, guess)).toEqual([...Array<number>(30).fill(401), 429]);
});

test('launch: throttles failed requests and floods of an address, but not other addresses', async () => {
  const launch = (body: object, init: RequestInit = {}) =>
    send('/launch', {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
      ...init,
    });
  expect(await statuses(31, () => launch({}))).toEqual([...Array<number>(30).fill(400), 429]);
  await expectThrottled(await launch({ patient: 'p1' }));
  expect((await launch({ patient: 'p1' }, { dispatcher: elsewhere })).status).toBe(201);

  const third = atNewAddress();
  const flood = await Promise.all(
    Array.from({ length: 300 }, () => statuses(1, () => launch({ patient: 'p1' }, { dispatcher: third }))),
  );
  expect(flood.flat()).toContain(429);
  expect((await launch({ patient: 'p1' }, { dispatcher: elsewhere })).status).toBe(201);
});

test('sign-in: throttles addresses that flood it or guess accounts, but not other addresses', async () => {
  const url = (await new SmartApp(started).url('launch/patient patient/*.rs')).slice(started.issuer.length);
  const browser = { headers: { accept: 'text/html' }, redirect: 'manual' } as const;
  let refused: Awaited<ReturnType<typeof send>> | undefined;
  // A busy machine sends a few of them slowly enough to be admitted.
  for (let wave = 0; wave < 10 && !refused; wave++) {
    const flood = await Promise.all(Array.from({ length: 300 }, () => send(url, browser)));
    refused = flood.find(({ status }) => status === 429);
  }
  expect(refused?.headers.get('retry-after')).toBeTruthy();
  expect(await refused!.text()).toContain('try again');

  const answer = await send(url, { ...browser, dispatcher: elsewhere });
  expect(answer.status).toBe(303);
  const cookie = answer.headers
    .getSetCookie()
    .map((set) => set.split(';')[0])
    .join('; ');
  const page = answer.headers.get('location')!.replace(/^.*(?=\/interaction)/, '');
  const guess = (account: string) =>
    post(page, { account }, { ...browser, headers: { cookie }, dispatcher: elsewhere });
  expect(await statuses(31, (index) => guess(`Patient/guess-${index}`))).toEqual([
    ...Array<number>(30).fill(403),
    429,
  ]);
});

test('throttles an unknown client at the authorization endpoint', async () => {
  const query = `/authorize?client_id=nobody&redirect_uri=${encodeURIComponent(REDIRECT)}&response_type=code`;
  expect((await statuses(31, () => send(query))).at(-1)).toBe(429);
});

test('does not throttle 100 valid requests, even if the wall clock jumps', async () => {
  expect(new Set(await statuses(100, () => post('/token', right)))).toEqual(new Set([200]));
  const sign = async () =>
    statuses(1, async () =>
      send((await new SmartApp(started).url('openid')).slice(started.issuer.length), { redirect: 'manual' }),
    );
  expect(await sign()).toEqual([303]);
  // The clock is set back by a minute, and by a day.
  for (const back of [60_000, 86_400_000]) {
    clock.ahead = -back;
    expect(await sign()).toEqual([303]);
  }
});
