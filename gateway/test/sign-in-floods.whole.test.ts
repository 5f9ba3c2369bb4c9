/** SM-19 at the built gateway: failed sign-ins count for the address of the sender, behind a proxy too. */
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';

const SECRET = 'a secret of this test, long enough';
let gateway: WatchedGateway;
/** The proxy that the gateway trusts, and a caller that does not come through it. */
const proxy = new Agent({ localAddress: '127.0.0.1' });
const past = new Agent({ localAddress: '127.0.0.2' });

beforeAll(async () => {
  const clinic = {
    authorization: {
      type: 'embedded',
      modes: ['app-launch', 'backend-services'],
      clients: [{ client_id: 'service', client_secret: SECRET }],
    },
    clinical: { type: 'store', path: join(import.meta.dirname, '../demo/patients') },
    images: { type: 'folder', path: '.', lookup: 'studies-by-mrn' },
  };
  gateway = await startWatchedGateway({ tenants: { clinic }, environment: { TRUSTED_PROXIES: '127.0.0.1' } });
  expect(await token(proxy, '192.0.2.1', SECRET)).toBe(200);
});
afterAll(() => gateway.stop());

/** Requests a token; returns the status. @param forwardedFor value of `X-Forwarded-For` */
async function token(dispatcher: Agent, forwardedFor: string, secret: string): Promise<number> {
  const form = { grant_type: 'client_credentials', scope: 'system/*.rs', client_id: 'service' };
  const { statusCode, body } = await request(`${gateway.url}/clinic/oauth/token`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': forwardedFor },
    body: new URLSearchParams({ ...form, client_secret: secret }).toString(),
  });
  await body.dump();
  return statusCode;
}

test('SM-19 behind a trusted proxy the guesses of one attacker are 429, and others get their tokens', async () => {
  const flood = (round: number) =>
    Promise.all(
      Array.from({ length: 50 }, (_, guess) => token(proxy, '192.0.2.66', `wrong-${round}-${guess}`)),
    );
  await flood(0);
  for (const round of [1, 2, 3]) {
    expect(new Set(await flood(round))).toEqual(new Set([429]));
    expect(await token(proxy, '192.0.2.1', SECRET)).toBe(200);
  }
  expect(await token(proxy, '192.0.2.66', SECRET)).toBe(429);
});

test('SM-19 a caller that does not come through the proxy counts by its own address, whatever its headers say', async () => {
  const statuses: number[] = [];
  for (let guess = 0; guess < 31; guess++) statuses.push(await token(past, `192.0.2.${guess}`, 'wrong'));
  expect(statuses).toEqual([...Array<number>(30).fill(401), 429]);
  expect(await token(past, '192.0.2.1', SECRET)).toBe(429);
  expect(await token(proxy, '192.0.2.1', SECRET)).toBe(200);
});
