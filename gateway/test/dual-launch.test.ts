import { decodeJwt } from 'jose';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { logger } from '../http/logger.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { unescape } from '../smart/server/test/started.ts';
import { allow, App, APP, independent, Journey, portal } from './dual-launch.ts';
import { CLINICIAN, foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/** A tenant over a foreign EHR, end to end (IA-28, SM-17). */

const USER = `user-of-${DEMO_PATIENT}`;
const OTHER = 'demo-maria-alvarez';
const SECRET = 'a-secret-of-the-analyst';
let ehr: ForeignEhr;
let gateway: TestGateway;
const logged: string[] = [];
/** Milliseconds by which the clock of the gateway is ahead of that of the EHR. */
let late = 0;
/** Lets time pass for the gateway. */
const pass = (milliseconds: number) => void (late += milliseconds);

beforeAll(async () => {
  const port = await freePort();
  const kinds = ['key', 'secret', 'post', 'public'] as const;
  ehr = await foreignEhr(
    [...kinds, 'reference'].map((kind) => `http://127.0.0.1:${port}/${kind}/oauth/ehr-callback`),
  );
  gateway = await buildTestGateway(
    ({ images }) => {
      const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
      const { client_id: id, jwkPrivate } = ehr.clients.key;
      const shared = { scope: 'system/Patient.read' };
      const services = {
        ...shared,
        modes: ['app-launch', 'backend-services'],
        clients: [{ client_id: 'analyst', client_secret: SECRET }],
        policy: [{ client_id: 'analyst', patients: [DEMO_PATIENT] }],
      };
      return {
        ...Object.fromEntries(kinds.map((kind) => [kind, independent(ehr, ehr.clients[kind], folder)])),
        // Shaped like the files of the reference server: the tenant has no clients of its own.
        reference: independent(ehr, { client_id: id, jwkPrivate }, folder, { ...shared, clients: undefined }),
        services: independent(ehr, ehr.clients.key, folder, services),
      };
    },
    undefined,
    undefined,
    { port, now: () => Date.now() + late, log: logger('warn', { write: (line) => void logged.push(line) }) },
  );
}, 120_000);
afterAll(async () => {
  await gateway.close();
  await ehr.close();
});
beforeEach(() => {
  late = 0;
  ehr.mode = 'up';
  ehr.lifetime = 3600;
  ehr.hints = 'ignored';
  ehr.tokenAnswer = undefined;
  logged.length = 0;
});

const appOf = (tenant = 'key') => new App(`${gateway.baseUrl}/${tenant}/fhir`, 'viewer', APP);
const journey = () => new Journey(ehr.issuer, gateway.baseUrl);

/** Completes a launch: signs in at the EHR, launches with its id_token, consents. */
async function launched(tenant = 'key', account = USER, scope?: string) {
  const user = journey();
  const { id_token: hint } = await portal(ehr, user, account);
  const app = appOf(tenant);
  const consent = await user.open(await app.url({ login_hint: hint!, ...(scope && { scope }) }));
  const done = await allow(user, consent);
  return { user, app, consent, tokens: await app.tokens(done.url) };
}

async function get(path: string, token: string, tenant = 'key') {
  const response = await fetch(`${gateway.baseUrl}/${tenant}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: await response.text() };
}

async function graphql(token: string, query: string, tenant = 'key') {
  const response = await fetch(`${gateway.baseUrl}/${tenant}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as {
    data: { Patient: { ConditionList: object[] | null; ImagingStudyList: object[] | null } };
    errors?: { extensions: { code: string; service?: string } }[];
  };
}
const BOTH = `{ Patient(id: "${DEMO_PATIENT}") { ConditionList { id } ImagingStudyList { id } } }`;

test('IA-1, IA-2, IA-28, SM-1, SM-2: discovery has our endpoints and the dual launch, and no launch of our own', async () => {
  const base = `${gateway.baseUrl}/key`;
  const answer = await fetch(`${base}/fhir/.well-known/smart-configuration`);
  const smart = (await answer.json()) as { capabilities: string[]; scopes_supported: string[] };
  expect(smart).toMatchObject({
    issuer: `${base}/oauth`,
    authorization_endpoint: `${base}/oauth/authorize`,
    token_endpoint: `${base}/oauth/token`,
    introspection_endpoint: `${base}/oauth/introspect`,
    code_challenge_methods_supported: ['S256'],
  });
  expect(smart.capabilities).toEqual(
    expect.arrayContaining([
      'smart-imaging-access',
      'smart-imaging-access-dual-launch',
      'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch',
      'launch-standalone',
    ]),
  );
  expect(smart.capabilities).not.toContain('launch-ehr');
  expect(smart.capabilities).not.toContain(
    'http://fhir.org/argonaut/smart-imaging/capabilities/backend-services',
  );
  const metadata = await fetch(`${gateway.baseUrl}/.well-known/oauth-protected-resource/key`);
  expect(await metadata.json()).toMatchObject({ authorization_servers: [`${base}/oauth`] });
  expect((await fetch(`${base}/oauth/launch`, { method: 'POST', body: '{"patient":"p"}' })).status).toBe(404);
});

test.each(['key', 'secret', 'post', 'public'])(
  'IA-28 dual launch with %s: one sign-in page, consent names app, user and patient, the token is for the patient of the EHR',
  async (tenant) => {
    const { user, consent, tokens, app } = await launched(tenant);
    expect(Object.fromEntries(ehr.asked)).toMatchObject({
      prompt: 'none',
      id_token_hint: expect.stringMatching(/^ey/),
      code_challenge_method: 'S256',
      code_challenge: expect.any(String),
      nonce: expect.any(String),
      aud: ehr.fhirBaseUrl,
      scope: 'openid fhirUser launch/patient patient/*.read offline_access',
    });
    // One page at the portal of the EHR, then only ours.
    expect(user.trail.filter((url) => url.startsWith(`${ehr.issuer}/authorize`))).toHaveLength(2);
    const words = unescape(consent.html.replace(/<[^>]+>/g, ' '));
    for (const word of ['Imaging viewer', '127.0.0.1:9', 'Castellanos', '1963-05-17'])
      expect(words).toContain(word);
    expect(tokens).toMatchObject({ patient: DEMO_PATIENT, need_patient_banner: true });
    expect(decodeJwt(tokens.id_token!)).toMatchObject({
      iss: `${gateway.baseUrl}/${tenant}/oauth`,
      aud: 'viewer',
      sub: USER,
      fhirUser: `${gateway.baseUrl}/${tenant}/fhir/Patient/${DEMO_PATIENT}`,
    });
    const again = await app.refresh(tokens.refresh_token!);
    expect(again['patient']).toBe(DEMO_PATIENT);
    expect((await get(`/fhir/Patient/${DEMO_PATIENT}`, again.access_token, tenant)).status).toBe(200);
  },
);

test('IA-28 a tenant file of the reference server works unchanged: an app on this machine registers itself', async () => {
  const { registration_endpoint: url } = await appOf('reference').server();
  const registered = await fetch(url!, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [APP], token_endpoint_auth_method: 'none', client_name: 'Mine' }),
  });
  const { client_id: id } = (await registered.json()) as { client_id: string };
  const user = journey();
  const { id_token: hint } = await portal(ehr, user, USER);
  const app = new App(`${gateway.baseUrl}/reference/fhir`, id, APP);
  const done = await allow(user, await user.open(await app.url({ login_hint: hint! })));
  // `system/` scopes are for our own token, not for the token of a person.
  expect(ehr.asked.get('scope')).toContain('patient/*.read');
  expect(ehr.asked.get('scope')).not.toContain('system/');
  expect((await app.tokens(done.url))['patient']).toBe(DEMO_PATIENT);
});

test('IA-8 a backend service gets the images of the patients of its policy, with our own token at the EHR, and no clinical record', async () => {
  const answer = await fetch(`${gateway.baseUrl}/services/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`analyst:${SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const studies = await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, token, 'services');
  expect((JSON.parse(studies.body) as { total: number }).total).toBeGreaterThan(0);
  expect((await get(`/fhir/ImagingStudy?patient=${OTHER}`, token, 'services')).status).toBe(403);
  expect((await get(`/fhir/Condition?patient=${DEMO_PATIENT}`, token, 'services')).status).toBe(401);
});

test('IA-28 consent names the clinician beside the patient that is open in the EHR', async () => {
  const { consent, tokens } = await launched('key', CLINICIAN);
  const words = unescape(consent.html.replace(/<[^>]+>/g, ' '));
  expect(words).toContain('Dr. Ngozi Okafor');
  expect(words).toContain('Castellanos');
  expect(tokens['fhirUser']).toBe(`${gateway.baseUrl}/key/fhir/Practitioner/demo-dr-okafor`);
});

test('SM-17, IA-7 gives clinical data with the token of the EHR and images of that patient, and none of others', async () => {
  const { tokens } = await launched();
  const { data, errors } = await graphql(tokens.access_token, BOTH);
  expect(errors).toBeUndefined();
  expect(data.Patient.ConditionList).toHaveLength(5);
  expect(data.Patient.ImagingStudyList!.length).toBeGreaterThan(0);
  const token = tokens.access_token;
  const studies = await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, token);
  expect((JSON.parse(studies.body) as { total: number }).total).toBe(data.Patient.ImagingStudyList!.length);
  expect((await get(`/fhir/ImagingStudy?patient=${OTHER}`, token)).status).toBe(403);
  expect((await get(`/fhir/Patient/${OTHER}`, token)).status).toBe(403);
  expect((await get(`/fhir/Patient/${DEMO_PATIENT}`, token, 'secret')).status).toBe(401);
});

test('IA-6 our token has only the scopes that the user allowed, whatever the token of the EHR allows', async () => {
  const scope = 'launch/patient patient/ImagingStudy.rs';
  const { tokens } = await launched('key', USER, scope);
  expect(tokens.scope).toBe(scope);
  expect((await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, tokens.access_token)).status).toBe(200);
  expect((await get(`/fhir/Condition?patient=${DEMO_PATIENT}`, tokens.access_token)).status).toBe(403);
  expect(tokens.refresh_token).toBeUndefined();
});

describe('IA-28 a user who is not signed in at the EHR', () => {
  test('without a hint the EHR shows its sign-in page once', async () => {
    const user = journey();
    const app = appOf();
    const signIn = await user.open(await app.url());
    expect(signIn.html).toContain('<title>EHR</title>');
    expect(ehr.asked.has('prompt')).toBe(false);
    expect(ehr.asked.has('id_token_hint')).toBe(false);
    const consent = await user.submit(signIn, [['account', USER]]);
    expect((await app.tokens((await allow(user, consent)).url))['patient']).toBe(DEMO_PATIENT);
  });

  test('with a hint the EHR first answers login_required, then shows its sign-in page', async () => {
    const { id_token: hint } = await portal(ehr, journey(), USER);
    const fresh = journey();
    const app = appOf();
    const signIn = await fresh.open(await app.url({ login_hint: hint! }));
    expect(fresh.trail.filter((url) => url.includes('error=login_required'))).toHaveLength(1);
    expect(signIn.html).toContain('<title>EHR</title>');
    expect(ehr.asked.has('prompt')).toBe(false);
    const consent = await fresh.submit(signIn, [['account', USER]]);
    expect((await app.tokens((await allow(fresh, consent)).url))['patient']).toBe(DEMO_PATIENT);
  });

  test('an EHR that refuses the id_token of another client is asked without it, and shows no page either', async () => {
    ehr.hints = 'own client';
    const { user, tokens } = await launched();
    ehr.hints = 'ignored';
    expect(user.trail.filter((url) => url.includes('error=invalid_request'))).toHaveLength(1);
    expect(ehr.asked.get('prompt')).toBe('none');
    expect(ehr.asked.has('id_token_hint')).toBe(false);
    expect(tokens['patient']).toBe(DEMO_PATIENT);
  });

  test('a user who cancels at the EHR is access_denied at the app', async () => {
    const user = journey();
    const done = await user.submit(await user.open(await appOf().url()), [['account', '']]);
    expect(done.url).toContain(`${APP}?error=access_denied`);
    expect(new URL(done.url).searchParams.get('state')).toBe('of-the-app');
    expect(logged).toEqual([]);
  });
});

describe('SM-17 the token of the EHR stays at the gateway', () => {
  test('is renewed before it ends, once for many requests', async () => {
    ehr.lifetime = 3;
    const { tokens } = await launched();
    pass(2000);
    ehr.lifetime = 3600;
    ehr.seen.length = 0;
    const path = `/fhir/Condition?patient=${DEMO_PATIENT}`;
    const answers = await Promise.all([1, 2, 3, 4].map(() => get(path, tokens.access_token)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(1);
    pass(1200);
    expect((await get(path, tokens.access_token)).status).toBe(200);
    expect(ehr.seen.filter((line) => line === 'POST /token')).toHaveLength(1);
  });

  test('IA-9 a renewed token for another patient ends the grant', async () => {
    ehr.lifetime = 3;
    const { tokens } = await launched();
    pass(1700);
    ehr.tokenAnswer = (body) => void (body['patient'] = OTHER);
    const studies = `/fhir/ImagingStudy?patient=${DEMO_PATIENT}`;
    expect((await get(studies, tokens.access_token)).status).toBe(401);
    ehr.tokenAnswer = undefined;
    expect((await get(studies, tokens.access_token)).status).toBe(401);
    expect(logged.join('')).toContain('another patient');
  });

  test('IA-5, IA-9 a grant that the EHR has ended is ended here, for images and refresh too, and no error is logged', async () => {
    ehr.lifetime = 3;
    const refreshed: string[] = [];
    ehr.tokenAnswer = (body) => void refreshed.push(String(body['refresh_token']));
    const { app, tokens } = await launched();
    ehr.tokenAnswer = undefined;
    const studies = `/fhir/ImagingStudy?patient=${DEMO_PATIENT}`;
    expect((await get(studies, tokens.access_token)).status).toBe(200);
    await (await ehr.provider.RefreshToken.find(refreshed.at(-1)!))!.destroy();
    pass(1700);
    const response = await fetch(`${gateway.baseUrl}/key${studies}`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    await expect(app.refresh(tokens.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' });
    const asked = await fetch(`${gateway.baseUrl}/key/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token: tokens.access_token, client_id: 'viewer' }),
    });
    expect(await asked.json()).toEqual({ active: false });
    expect(logged).toEqual([]);
  });

  test('IA-9, FG-10 while the EHR is down our token serves until it ends and is not refreshed; then the same refresh works', async () => {
    ehr.lifetime = 3;
    const { app, tokens } = await launched();
    pass(3100);
    ehr.mode = 'down';
    expect((await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, tokens.access_token)).status).toBe(200);
    const server = await app.server();
    const answer = await fetch(server.token_endpoint!, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: 'viewer',
        refresh_token: tokens.refresh_token!,
      }),
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({ error: 'temporarily_unavailable' });
    ehr.mode = 'up';
    pass(5100);
    const again = await app.refresh(tokens.refresh_token!);
    expect((await get(`/fhir/Condition?patient=${DEMO_PATIENT}`, again.access_token)).status).toBe(200);
  }, 20_000);

  test('FG-10, SM-17 while the EHR is down or has ended its token, clinical fields are null with an error and images are given', async () => {
    ehr.lifetime = 3;
    const { tokens } = await launched('public');
    ehr.mode = 'down';
    pass(3100);
    const { data, errors } = await graphql(tokens.access_token, BOTH, 'public');
    expect(data.Patient.ConditionList).toBeNull();
    expect(data.Patient.ImagingStudyList!.length).toBeGreaterThan(0);
    expect(errors).toHaveLength(1);
    const studies = await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, tokens.access_token, 'public');
    expect(studies.status).toBe(200);
    expect((await get(`/fhir/Condition?patient=${DEMO_PATIENT}`, tokens.access_token, 'public')).status).toBe(
      401,
    );
  });

  test('a valid token while the FHIR server of the EHR is down: 503 for the record, and images are given', async () => {
    const { tokens } = await launched();
    ehr.mode = 'fhir-down';
    expect((await get(`/fhir/Condition?patient=${DEMO_PATIENT}`, tokens.access_token)).status).toBe(503);
    expect((await get(`/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, tokens.access_token)).status).toBe(200);
  });

  test.each(['access', 'refresh'] as const)(
    'revoking our %s token ends the whole grant, with the tokens of the EHR',
    async (which) => {
      const given: string[] = [];
      ehr.tokenAnswer = (body) => void given.push(String(body['access_token']));
      const { app, tokens } = await launched();
      ehr.tokenAnswer = undefined;
      const theirs = given.at(-1)!;
      expect((await ehr.provider.AccessToken.find(theirs))?.isValid).toBe(true);
      expect(await app.revoke(which === 'access' ? tokens.access_token : tokens.refresh_token!)).toBe(200);
      expect((await get(`/fhir/Patient/${DEMO_PATIENT}`, tokens.access_token)).status).toBe(401);
      await expect(app.refresh(tokens.refresh_token!)).rejects.toThrow();
      await expect.poll(() => ehr.provider.AccessToken.find(theirs)).toBeUndefined();
    },
  );

  test('a user who denies here has no valid token left at the EHR', async () => {
    const given: string[] = [];
    ehr.tokenAnswer = (body) => void given.push(String(body['access_token']));
    const user = journey();
    const { id_token: hint } = await portal(ehr, user, USER);
    const consent = await user.open(await appOf().url({ login_hint: hint! }));
    ehr.tokenAnswer = undefined;
    const done = await user.submit(consent, [['step', 'deny']]);
    expect(done.url).toContain('error=access_denied');
    await expect.poll(() => ehr.provider.AccessToken.find(given.at(-1)!)).toBeUndefined();
  });

  test('the tokens of the EHR and the name of the patient are in no page, token response or state on disk', async () => {
    const given: Record<string, unknown>[] = [];
    ehr.tokenAnswer = (body) => void given.push({ ...body });
    const { consent, tokens } = await launched();
    ehr.tokenAnswer = undefined;
    const folder = `${gateway.dataDir}/oauth`;
    const stored = readdirSync(folder)
      .filter((name) => name.startsWith('state'))
      .map((name) => readFileSync(`${folder}/${name}`, 'latin1'))
      .join('');
    expect(stored).toContain('EhrSession');
    for (const name of ['access_token', 'refresh_token', 'id_token']) {
      const secret = String(given.at(-1)![name]);
      expect(secret.length).toBeGreaterThan(20);
      expect(JSON.stringify(tokens) + consent.html).not.toContain(secret);
      expect(stored.includes(secret), name).toBe(false);
    }
    expect(stored.includes('Castellanos')).toBe(false);
    const asked = await fetch(`${gateway.baseUrl}/key/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token: tokens.access_token, client_id: 'viewer' }),
    });
    expect(await asked.json()).toMatchObject({ active: true, patient: DEMO_PATIENT });
  });
});
