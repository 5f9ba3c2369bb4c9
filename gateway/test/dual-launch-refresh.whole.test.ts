import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import {
  allow,
  answers,
  App,
  APP,
  byClock,
  idToken,
  independent,
  Journey,
  portal,
  replying,
  SOON,
  type Reply,
} from './dual-launch.ts';
import { foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/** Answers of an EHR when its token is renewed (SM-17, IA-9). OpenID Connect Core §12.2, RFC 6749 §5.1 and §6. */

type Change = (ehr: ForeignEhr, body: Record<string, unknown>) => void | Promise<void>;

const now = () => Math.floor(Date.now() / 1000);
/** Milliseconds by which our clock is ahead of the clock of the EHR. */
let ahead = 0;
let ehr: ForeignEhr;
let gateway: TestGateway;

beforeAll(async () => {
  const port = await freePort();
  ehr = await foreignEhr([`http://127.0.0.1:${port}/one/oauth/ehr-callback`]);
  const images = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
  gateway = await buildTestGateway(
    () => ({ one: independent(ehr, ehr.clients.secret, images) }),
    { images: '/nowhere', patients: '/nowhere' },
    undefined,
    { port, now: () => Date.now() + ahead },
  );
});
afterAll(async () => {
  await gateway.close();
  await ehr.close();
});
beforeEach(() => {
  ehr.tokenAnswer = undefined;
  ehr.instead = undefined;
  ehr.given.clear();
  ehr.revoked.length = 0;
  ehr.seen.length = 0;
});

/** Launches an app whose EHR token has to be renewed at the next request. */
async function launched(lifetime = 20) {
  ahead = 0;
  const user = new Journey(ehr.issuer, gateway.baseUrl);
  const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
  const app = new App(`${gateway.baseUrl}/one/fhir`, 'viewer', APP);
  ehr.tokenAnswer = (body) => void (body['expires_in'] = lifetime);
  const consent = await user.open(await app.url({ login_hint: hint! }));
  const tokens = await app.tokens((await allow(user, consent)).url);
  ehr.tokenAnswer = undefined;
  ehr.seen.length = 0;
  ahead = 11_000;
  return { app, token: tokens.access_token, refresh: tokens.refresh_token! };
}

async function status(token: string): Promise<number> {
  const response = await fetch(`${gateway.baseUrl}/one/fhir/Patient/${DEMO_PATIENT}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return response.status;
}

const sameNonce: Change = (own, body) => idToken({ nonce: own.asked.get('nonce')! })(own, body);

describe('SM-17 the grant goes on with', () => {
  test.each<[string, Change]>([
    ['an id_token of the same sign-in', () => undefined],
    ['its nonce', sameNonce],
    ['no id_token', answers({ id_token: undefined })],
    ['no patient', answers({ patient: undefined })],
    ['no new refresh token', answers({ refresh_token: undefined })],
    ['no lifetime', answers({ expires_in: undefined })],
    ['a lifetime in digits', answers({ expires_in: '3600' })],
    ['a lifetime that is no whole number', answers({ expires_in: 3600.5 })],
    ['a smaller scope', answers({ scope: 'patient/Patient.read' })],
    ['token_type bearer', answers({ token_type: 'bearer' })],
  ])('%s', async (_what, change) => {
    const { token } = await launched();
    ehr.tokenAnswer = (body) => change(ehr, body);
    expect(await status(token)).toBe(200);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(1);
    expect(await status(token)).toBe(200);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(1);
    expect(ehr.revoked).toEqual([]);
  });
});

describe('IA-9 the grant ends, and all tokens of the EHR are revoked, after', () => {
  test.each<[string, Change]>([
    ['an id_token of another user', idToken({ sub: 'another' })],
    ['an id_token without a user', idToken({ sub: undefined })],
    ['an id_token signed by another key', idToken({}, { foreign: true })],
    [
      'an id_token without signature',
      (_ehr, body) => {
        const claims = (body['id_token'] as string).split('.')[1];
        body['id_token'] = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
      },
    ],
    ['an id_token of another issuer', idToken({ iss: 'https://evil.example.org' })],
    ['an id_token for another client', idToken({ aud: 'portal' })],
    ['an id_token for another client as well', idToken({ aud: ['gateway-secret', 'portal'] })],
    ['an id_token with another authorized party', idToken({ azp: 'portal' })],
    ['an id_token with an authorized party that the first one had not', idToken({ azp: 'gateway-secret' })],
    ['an id_token of a later sign-in', idToken({ auth_time: now() + 3600 })],
    ['an id_token with another nonce', idToken({ nonce: 'another' })],
    ['an id_token of the future', idToken({ iat: now() + 3600, exp: now() + 7200 })],
    ['an id_token from before the sign-in', idToken({ iat: now() - 3600 })],
    ['an id_token that has expired', idToken({ exp: now() - 3600 })],
    ['an id_token without exp', idToken({ exp: undefined })],
    ['an id_token that is no JWT', answers({ id_token: 'none' })],
    ['an id_token that is null', answers({ id_token: null })],
    ['another patient', answers({ patient: 'demo-maria-alvarez' })],
    ['a patient that is null', answers({ patient: null })],
    ['token_type DPoP', answers({ token_type: 'DPoP' })],
    ['no token_type', answers({ token_type: undefined })],
    ['no access token', answers({ access_token: undefined })],
    ['a lifetime below zero', answers({ expires_in: -1 })],
    ['a lifetime that is a word', answers({ expires_in: 'NaN' })],
  ])('%s', async (_what, change) => {
    const { app, token, refresh } = await launched();
    ehr.tokenAnswer = (body) => change(ehr, body);
    expect(await status(token)).toBe(401);
    await expect.poll(() => new Set(ehr.revoked), SOON).toEqual(ehr.given);
    ehr.tokenAnswer = undefined;
    expect(await status(token)).toBe(401);
    await expect(app.refresh(refresh)).rejects.toMatchObject({ error: 'invalid_grant' });
  });
});

describe('SM-17 the current token serves until it ends, nothing is revoked, and the next try succeeds, after', () => {
  const huge = 'x'.repeat(2 << 20);
  test.each<[string, Reply]>([
    ['an HTML page', '<h1>Back soon</h1>'],
    [
      'JSON that is cut off',
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"acc'),
    ],
    ['JSON without tokens', 200],
    [
      'two megabytes',
      (response) =>
        void response.writeHead(200, { 'content-type': 'application/json' }).end(`{"x":"${huge}"}`),
    ],
    ['a redirect', (response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
    ['500', 500],
    ['503', 503],
    ['429', 429],
    ['404', 404],
    ['a connection that ends', (response) => void response.destroy()],
    [
      'an unknown client',
      (response) => void response.writeHead(401, { 'www-authenticate': 'Basic realm="ehr"' }).end(),
    ],
  ])('%s', async (_what, reply) => {
    const { token } = await launched();
    replying(ehr, { 'POST /token': reply });
    for (let request = 0; request < 3; request++) expect(await status(token)).toBe(200);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(1);
    ehr.instead = undefined;
    ahead += 6000;
    expect(await status(token)).toBe(200);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(2);
    expect(ehr.revoked).toEqual([]);
  });
});

test('IA-9 tokens that cannot be verified, because the keys of the EHR cannot be read, are not used; the next ones are', async () => {
  const { token } = await launched(400);
  const [first] = ehr.given;
  const given: unknown[] = [];
  ehr.tokenAnswer = (body) => void given.push(body['access_token']);
  let keys = false;
  let bearer: string | undefined;
  ehr.instead = ({ url, headers }, response) => {
    if (url!.startsWith('/fhir/Patient')) bearer = headers.authorization;
    if (keys || url !== '/jwks') return false;
    response.writeHead(503).end();
    return true;
  };
  // The keys are fetched again after five minutes.
  ahead = 390_000;
  expect(await status(token)).toBe(200);
  expect(given).toHaveLength(1);
  expect(bearer).toBe(`Bearer ${first}`);
  keys = true;
  ahead += 6000;
  expect(await status(token)).toBe(200);
  expect(given).toHaveLength(2);
  expect(bearer).toBe(`Bearer ${String(given[1])}`);
  expect(ehr.revoked).toEqual([]);
});

describe('SM-17 a token of the EHR is renewed within the hour, however long its lifetime', () => {
  beforeAll(() => void (ahead = 0));

  test.each([1e15, '1000000000000000', 86_400, Number.MAX_VALUE])('expires_in %s', async (lifetime) => {
    const user = new Journey(ehr.issuer, gateway.baseUrl);
    const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
    const app = new App(`${gateway.baseUrl}/one/fhir`, 'viewer', APP);
    ehr.tokenAnswer = async (body) => {
      await byClock(ehr, body, ahead);
      body['expires_in'] = lifetime;
    };
    const consent = await user.open(await app.url({ login_hint: hint! }));
    const { access_token: token } = await app.tokens((await allow(user, consent)).url);
    ehr.seen.length = 0;
    ahead += 3500_000;
    expect(await status(token)).toBe(200);
    expect(ehr.seen).not.toContain('POST /token');
    ahead += 45_000;
    expect(await status(token)).toBe(200);
    expect(ehr.seen).toContain('POST /token');
  });
});
