/** Opening, launches and tokens with a server that answers as told, and a tab's storage. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { forgetSignIn, openPage, type Opened, type PageOpening } from './opening.ts';
import { Servers } from '../browser/servers.ts';
import type { Grant } from './smart-launch.ts';
import type { Known } from './smart-server.ts';
import { Tokens } from './tokens.ts';

const GATEWAY = 'https://gateway.example/';
const APP = `${GATEWAY}app/`;
const AS = 'https://gateway.example/demo/oauth';
const SMART = {
  issuer: AS,
  authorization_endpoint: `${AS}/authorize`,
  token_endpoint: `${AS}/token`,
  revocation_endpoint: `${AS}/revoke`,
  capabilities: ['launch-ehr', 'sso-openid-connect'],
};

function memory() {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
}

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });

/** Requests that the server was sent: path and form. */
let seen: [path: string, form: URLSearchParams][];
let answer: (path: string, form: URLSearchParams) => Response | undefined;
let tab: ReturnType<typeof memory>;
let servers: Servers;

beforeEach(() => {
  seen = [];
  answer = () => undefined;
  tab = memory();
  servers = new Servers({ gateway: GATEWAY, storage: memory() });
  vi.stubGlobal('fetch', async (url: unknown, init?: RequestInit) => {
    const { pathname } = new URL(String(url));
    const form = new URLSearchParams(String(init?.body ?? ''));
    seen.push([pathname, form]);
    const own = answer(pathname, form);
    if (own) return own;
    if (pathname.endsWith('smart-configuration')) return json(SMART);
    if (pathname.endsWith('/revoke')) return new Response(null);
    return json({
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      token_type: 'Bearer',
      expires_in: 3600,
      patient: 'p1',
    });
  });
});
afterEach(() => void vi.unstubAllGlobals());

function open(query: string, page: Partial<PageOpening> = {}): Promise<Opened> {
  return openPage({
    address: new URL(`${APP}${query}`),
    servers,
    server: servers.byId('demo'),
    redirectUri: APP,
    returnTo: 'tenant=demo&study=1.2',
    waits: false,
    storage: tab,
    ...page,
  });
}

/** Returns the authorization request that the page leaves for. */
async function leaving(query: string, page: Partial<PageOpening> = {}): Promise<URLSearchParams> {
  const opened = await open(query, page);
  expect(opened.phase).toBe('leaving');
  return (opened as { to: URL }).to.searchParams;
}

/** Signs in as a browser does, and returns what the page has then. */
async function signedIn(query = ''): Promise<Opened> {
  const asked = await leaving(query);
  return open(`?code=c1&state=${asked.get('state')}&iss=${encodeURIComponent(AS)}`);
}

describe('SMART App Launch 2.2 §2.0.7 launches', () => {
  test('standalone: asks for a patient, with PKCE', async () => {
    const asked = Object.fromEntries(await leaving(''));
    expect(asked).toMatchObject({
      client_id: 'viewer',
      redirect_uri: APP,
      scope: 'openid fhirUser launch/patient patient/*.rs online_access',
      aud: `${GATEWAY}demo/fhir`,
      code_challenge_method: 'S256',
    });
    expect(asked).not.toHaveProperty('launch');
    expect(asked).not.toHaveProperty('prompt');
  });

  test('by an EHR: at the server of its iss, with its launch id', async () => {
    const iss = encodeURIComponent(`${GATEWAY}other/fhir`);
    const asked = await leaving(`?iss=${iss}&launch=xyz`);
    expect(asked.get('aud')).toBe(`${GATEWAY}other/fhir`);
    expect(asked.get('launch')).toBe('xyz');
    expect(asked.get('scope')).toBe('openid fhirUser launch patient/*.rs online_access');
  });

  test('by an EHR that the user has added: with the id of the viewer there', async () => {
    servers.keep({ name: 'EHR', fhirBase: 'https://ehr.example/r4', clientId: 'app-7' });
    const asked = await leaving('?iss=https://ehr.example/r4/&launch=xyz');
    expect(asked.get('client_id')).toBe('app-7');
    expect(asked.get('aud')).toBe('https://ehr.example/r4');
  });

  test('by a server that is not in the list: waits, without a request to it, until the user trusts it', async () => {
    const unknown = { kind: 'unknown-server', server: 'https://ehr.example/r4' };
    expect(await open('?iss=https://ehr.example/r4&launch=xyz')).toMatchObject({ problem: unknown });
    // A reload: the launch does not stay in the address.
    expect(await open('')).toMatchObject({ phase: 'signed-out', problem: unknown });
    expect(seen).toEqual([]);
    servers.keep({ name: 'EHR', fhirBase: 'https://ehr.example/r4' });
    const asked = await leaving('');
    expect([asked.get('aud'), asked.get('launch')]).toEqual(['https://ehr.example/r4', 'xyz']);
    expect((await leaving('')).has('launch')).toBe(false);
  });

  test('another server in the address ends the wait', async () => {
    await open('?iss=https://ehr.example/r4&launch=xyz');
    expect((await leaving('?tenant=demo')).get('aud')).toBe(`${GATEWAY}demo/fhir`);
    expect((await leaving('')).get('aud')).toBe(`${GATEWAY}demo/fhir`);
  });

  test('a server that does not answer at first: the launch goes on when it does', async () => {
    answer = () => json({}, 503);
    const iss = encodeURIComponent(`${GATEWAY}other/fhir`);
    expect(await open(`?iss=${iss}&launch=xyz`)).toMatchObject({ problem: { kind: 'unreachable' } });
    answer = () => undefined;
    expect((await leaving('')).get('launch')).toBe('xyz');
  });

  test.each([
    'http://ehr.example/r4',
    'ehr.example',
    'javascript:alert(1)',
    'https://u:p@ehr.example/r4',
    '',
  ])('by %j: refused', async (iss) => {
    const opened = await open(`?iss=${encodeURIComponent(iss)}&launch=xyz`);
    expect(opened).toMatchObject({ phase: 'signed-out', problem: { kind: 'refused-server' } });
    expect([seen, tab.values.size]).toEqual([[], 0]);
  });

  test('a code gives tokens, and the page comes back to where it was; no storage has a token', async () => {
    const opened = await signedIn();
    expect(opened).toMatchObject({
      phase: 'ready',
      returnTo: 'tenant=demo&study=1.2',
      grant: { token: 'access-1', refreshToken: 'refresh-1', patient: 'p1' },
    });
    expect([...tab.values.values()].join()).not.toMatch(/access-1|refresh-1/);
    expect(tab.values.size).toBe(1);
  });

  test.each([
    ['the token response', { fhirUser: 'Practitioner/d1' }],
    ['an id_token, whoever has signed it', { id_token: `e30.${btoa('{"fhirUser":"Practitioner/d1"}')}.x` }],
  ])('who the user is comes from %s', async (_, identity) => {
    const tokens = { access_token: 'access-1', token_type: 'Bearer', expires_in: 60, ...identity };
    answer = (path) => (path.endsWith('/token') ? json(tokens) : undefined);
    expect(await signedIn()).toMatchObject({ phase: 'ready', grant: { fhirUser: 'Practitioner/d1' } });
  });

  test('a server without OpenID Connect is not asked who the user is', async () => {
    answer = (path) =>
      path.includes('.well-known') ? json({ ...SMART, capabilities: ['launch-ehr'] }) : undefined;
    expect((await leaving('')).get('scope')).toBe('launch/patient patient/*.rs online_access');
  });

  test.each([
    ['?code=c&state=unknown', {}, 'not-begun-here'],
    ['?error=access_denied', { pending: true }, 'denied'],
    ['?error=server_error&error_description=broken', { pending: true }, 'refused'],
    ['?code=c&iss=https://evil.example', { pending: true }, 'refused'],
  ])('%s is a problem', async (query, { pending = false }: { pending?: boolean }, kind) => {
    const state = pending ? `&state=${(await leaving('')).get('state')}` : '';
    const iss = query.includes('iss') ? '' : `&iss=${encodeURIComponent(AS)}`;
    const opened = await open(`${query}${state}${iss}`);
    expect(opened).toMatchObject({ phase: 'signed-out', problem: { kind } });
    if (pending) expect(opened).toMatchObject({ returnTo: 'tenant=demo&study=1.2' });
  });

  test('a server that needs no token is ready at once; one that does not answer is a problem', async () => {
    answer = (path) => (path.includes('.well-known') ? json({ capabilities: [] }) : undefined);
    expect(await open('')).toMatchObject({ phase: 'ready', grant: undefined });
    answer = (path) => (path.includes('.well-known') ? json({}, 404) : undefined);
    expect(await open('')).toMatchObject({ phase: 'ready', grant: undefined });
    answer = (path) => json({}, path.includes('.well-known') ? 503 : 200);
    expect(await open('')).toMatchObject({ phase: 'signed-out', problem: { kind: 'unreachable' } });
  });

  test('a page whose site has no server says so; one whose address names a server says that it does not answer', async () => {
    answer = () => json({}, 404);
    expect(await open('', { isGuess: true })).toMatchObject({ problem: { kind: 'no-server' } });
    expect(await open('')).toMatchObject({ problem: { kind: 'unreachable' } });
    const iss = encodeURIComponent(`${GATEWAY}other/fhir`);
    expect(await open(`?iss=${iss}&launch=1`, { isGuess: true })).toMatchObject({
      problem: { kind: 'unreachable' },
    });
  });

  test('a configuration that the page brings along is not asked for; that of another server is', async () => {
    const configured = {
      fhirBase: `${GATEWAY}demo/fhir`,
      smart: { ...SMART, authorization_endpoint: `${AS}/x` },
    };
    expect(await open('', { configured })).toMatchObject({ to: { pathname: '/demo/oauth/x' } });
    expect(seen).toEqual([]);
    await open('', { configured, server: servers.byId('other') });
    expect(seen.map(([path]) => path)).toEqual(['/other/fhir/.well-known/smart-configuration']);
  });

  test('after signing out the page waits for the user', async () => {
    expect(await open('?signed-out=', { waits: true })).toMatchObject({ phase: 'signed-out' });
  });
});

describe('OpenID Connect Core §3.1.2.1 after a reload', () => {
  test('the sign-in is silent; a server that has to ask is then asked with its pages, and is not tried again', async () => {
    await signedIn();
    const silent = await leaving('');
    expect(silent.get('prompt')).toBe('none');
    const state = silent.get('state')!;
    const asked = await leaving(`?error=consent_required&state=${state}&iss=${encodeURIComponent(AS)}`);
    expect(asked.has('prompt')).toBe(false);
    expect((await leaving('')).has('prompt')).toBe(false);
  });

  test('a server that has answered silently once is asked so again, after it had to ask the user', async () => {
    await signedIn();
    const answer = async (query: string) =>
      open(`?${query}&state=${(await leaving('')).get('state')}&iss=${encodeURIComponent(AS)}`);
    expect(await answer('code=c2')).toMatchObject({ phase: 'ready', grant: { patient: 'p1' } });
    expect(await answer('error=login_required')).toMatchObject({ phase: 'leaving' });
    await signedIn();
    expect((await leaving('')).get('prompt')).toBe('none');
  });

  test('another patient than before the reload is not opened: the user chooses', async () => {
    const before = { returnTo: 'tenant=demo&patient=p2&study=1.2' };
    await signedIn();
    const silent = await leaving('', before);
    expect(silent.get('prompt')).toBe('none');
    const asked = await leaving(`?code=c2&state=${silent.get('state')}&iss=${encodeURIComponent(AS)}`);
    expect(asked.has('prompt')).toBe(false);
    const opened = await open(`?code=c3&state=${asked.get('state')}&iss=${encodeURIComponent(AS)}`);
    expect(opened).toMatchObject({ phase: 'ready', returnTo: before.returnTo });
  });

  test('it is not after signing out, and not for a launch by an EHR', async () => {
    await signedIn();
    const iss = encodeURIComponent(`${GATEWAY}demo/fhir`);
    expect((await leaving(`?iss=${iss}&launch=1`)).has('prompt')).toBe(false);
    forgetSignIn(servers.byId('demo')!, tab);
    expect((await leaving('')).has('prompt')).toBe(false);
  });
});

describe('tokens', () => {
  const known = (): Known => ({ server: servers.byId('demo')!, smart: SMART });
  const grant = (seconds: number): Grant => ({
    token: 'old',
    refreshToken: 'refresh-0',
    expires: Date.now() + seconds * 1000,
  });
  const renewals = () => seen.filter(([path]) => path.endsWith('/token'));

  test('all who need a new token share one renewal, before it expires and after a 401', async () => {
    const tokens = new Tokens(known(), grant(5));
    expect(await Promise.all([tokens.token(), tokens.token(), tokens.renew('old')])).toEqual([
      'access-1',
      'access-1',
      true,
    ]);
    expect(await tokens.renew('old')).toBe(true);
    expect(renewals()).toHaveLength(1);
    expect(renewals()[0]![1].get('refresh_token')).toBe('refresh-0');
  });

  test('a refused renewal ends the session, once', async () => {
    answer = (path) => (path.endsWith('/token') ? json({ error: 'invalid_grant' }, 400) : undefined);
    const onEnd = vi.fn();
    const tokens = new Tokens(known(), grant(600), onEnd);
    expect(await tokens.token()).toBe('old');
    expect(await Promise.all([tokens.renew('old'), tokens.renew('old')])).toEqual([false, false]);
    expect(onEnd).toHaveBeenCalledTimes(1);
    await expect(tokens.token()).rejects.toMatchObject({ kind: 'signed-out' });
  });

  test('a server that cannot renew now does not end it', async () => {
    answer = (path) => (path.endsWith('/token') ? json({}, 503) : undefined);
    const tokens = new Tokens(known(), grant(5));
    expect(await tokens.token()).toBe('old');
    await expect(tokens.renew('old')).rejects.toMatchObject({ kind: 'busy' });
    answer = () => undefined;
    expect(await tokens.token()).toBe('access-1');
  });

  test('RFC 7009 the end revokes the refresh token and the access token, and says if that failed', async () => {
    expect(await new Tokens(known(), grant(600)).end()).toBe(true);
    const revoked = seen.map(([, form]) => [form.get('token_type_hint'), form.get('token')]);
    expect(revoked).toEqual([
      ['refresh_token', 'refresh-0'],
      ['access_token', 'old'],
    ]);
    answer = (path) => (path.endsWith('/revoke') ? json({}, 503) : undefined);
    expect(await new Tokens(known(), grant(600)).end()).toBe(false);
  });

  test('a renewal that comes after the end is revoked, and gives no token', async () => {
    const tokens = new Tokens(known(), grant(600));
    const renewal = tokens.renew('old');
    expect(await tokens.end()).toBe(true);
    expect(await renewal).toBe(false);
    await expect(tokens.token()).rejects.toMatchObject({ kind: 'signed-out' });
    expect(seen.map(([, form]) => form.get('token')).filter(Boolean)).toContain('refresh-1');
  });
});
