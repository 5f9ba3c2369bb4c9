import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import type { SharedRedis } from '../state/redis.ts';
import { sharedState } from '../state/shared-state.ts';
import type { Page } from '../smart/server/test/started.ts';
import {
  answers,
  App,
  APP,
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
import { patientRedis, startRedis, type Redis } from './setup/redis.ts';

/** A sign-in that is refused after the EHR gave its tokens leaves none of them valid at the EHR (IA-28, RFC 7009). */

const USER = `user-of-${DEMO_PATIENT}`;
const OTHER_PATIENT = 'demo-maria-alvarez';
const IMAGES = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
const NOWHERE = { images: '/nowhere', patients: '/nowhere' };

type Answer = Record<string, unknown>;
type Attempt = { user: Journey; callback: string };
interface Refusal {
  /** Changes the token response of the EHR. */
  answer?: (ehr: ForeignEhr, body: Answer) => void | Promise<void>;
  /** Answers of the EHR to other requests. */
  replies?: Record<string, Reply>;
  /** The next action of the user after the redirect from the EHR. */
  then?: (attempt: Attempt) => Promise<Page>;
  /** Further claims of the login_hint. */
  hint?: JWTPayload;
  error: 'access_denied' | 'server_error' | 'temporarily_unavailable';
}

const says =
  (fields: [string, string][]) =>
  async ({ user, callback }: Attempt) =>
    user.submit(await user.open(callback), fields);
const past = Math.floor(Date.now() / 1000) - 3600;
const PATIENT = `GET /fhir/Patient/${DEMO_PATIENT}`;

const REFUSALS: Record<string, Refusal> = {
  'the user denies': { then: says([['step', 'deny']]), error: 'access_denied' },
  'the user chooses another patient': {
    async then({ user, callback }) {
      const consent = await user.open(callback);
      const html = consent.html.replaceAll(`value="${DEMO_PATIENT}"`, `value="${OTHER_PATIENT}"`);
      return user.submit({ ...consent, html }, [['step', 'allow']]);
    },
    error: 'access_denied',
  },
  'another user than the hint': { answer: idToken({ sub: 'another' }), error: 'access_denied' },
  'another patient than the hint': { hint: { patient: OTHER_PATIENT }, error: 'access_denied' },
  'an id_token of another sign-in (nonce)': { answer: idToken({ nonce: 'another' }), error: 'server_error' },
  'an id_token without nonce': { answer: idToken({ nonce: undefined }), error: 'server_error' },
  'an id_token for another client': { answer: idToken({ aud: 'portal' }), error: 'server_error' },
  'an id_token of another issuer': {
    answer: idToken({ iss: 'https://evil.example.org' }),
    error: 'server_error',
  },
  'an id_token that has expired': { answer: idToken({ exp: past }), error: 'server_error' },
  'an id_token without a user': { answer: idToken({ sub: undefined }), error: 'server_error' },
  'an id_token signed by another key': { answer: idToken({}, { foreign: true }), error: 'server_error' },
  'an id_token that is no JWT': { answer: answers({ id_token: 'none' }), error: 'server_error' },
  'no id_token': { answer: answers({ id_token: undefined }), error: 'server_error' },
  'no patient': { answer: answers({ patient: undefined }), error: 'server_error' },
  'a patient that is not an id': { answer: answers({ patient: '../Patient/x' }), error: 'server_error' },
  'a patient that its token does not cover': {
    answer: answers({ patient: OTHER_PATIENT }),
    error: 'server_error',
  },
  'a scope that does not read the patient': {
    answer: answers({ scope: 'openid' }),
    replies: { [PATIENT]: 403 },
    error: 'server_error',
  },
  'a patient that may not be read': { replies: { [PATIENT]: 401 }, error: 'server_error' },
  'a patient that does not exist': { replies: { [PATIENT]: 404 }, error: 'server_error' },
  'a patient that is an HTML page': { replies: { [PATIENT]: '<h1>Not now</h1>' }, error: 'server_error' },
  'an EHR that fails meanwhile': { replies: { [PATIENT]: 503 }, error: 'temporarily_unavailable' },
  'no access token': { answer: answers({ access_token: undefined }), error: 'server_error' },
  'a refresh token that is no text': { answer: answers({ refresh_token: 7 }), error: 'server_error' },
  'no token_type': { answer: answers({ token_type: undefined }), error: 'server_error' },
  'token_type DPoP': { answer: answers({ token_type: 'DPoP' }), error: 'server_error' },
  'token_type mac': { answer: answers({ token_type: 'mac' }), error: 'server_error' },
  'a scope that is a list': { answer: answers({ scope: ['openid'] }), error: 'server_error' },
  ...Object.fromEntries(
    [-1, 0, 0.5, '-1', 'soon', '3600 seconds', '', null, [], {}].map((lifetime): [string, Refusal] => [
      `expires_in ${JSON.stringify(lifetime)}`,
      { answer: answers({ expires_in: lifetime }), error: 'server_error' },
    ]),
  ),
};

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
  let ehr: ForeignEhr;
  let gateway: TestGateway;

  beforeAll(async () => {
    const port = await freePort();
    ehr = await foreignEhr([`http://127.0.0.1:${port}/one/oauth/ehr-callback`]);
    const tenants = () => ({ one: independent(ehr, ehr.clients.secret, IMAGES) });
    const shared = backend === 'Redis' && sharedState(connection, ['a secret of these tests'], Date.now);
    gateway = await buildTestGateway(tenants, NOWHERE, undefined, { port, ...(shared && { shared }) });
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
  });

  /** Signs a user in at the EHR, up to the moment when the EHR sends them back here. */
  async function signedIn(claims: JWTPayload = {}) {
    const user = new Journey(ehr.issuer, gateway.baseUrl);
    await portal(ehr, user, USER);
    const hint = await ehr.sign({ sub: USER, aud: 'portal', ...claims });
    const app = new App(`${gateway.baseUrl}/one/fhir`, 'viewer', APP);
    user.stopAt = '/oauth/ehr-callback';
    const { url: callback } = await user.open(await app.url({ login_hint: hint }));
    user.stopAt = undefined;
    expect(callback).toContain('/oauth/ehr-callback?code=');
    return { user, app, callback };
  }

  test.each(Object.entries(REFUSALS))(
    '%s: revokes exactly the tokens that the EHR gave',
    async (_what, refusal) => {
      const {
        answer,
        replies = {},
        then = ({ user, callback }) => user.open(callback),
        hint,
        error,
      } = refusal;
      const attempt = await signedIn(hint);
      ehr.tokenAnswer = answer && ((body) => answer(ehr, body));
      replying(ehr, replies);
      const done = await then(attempt);
      expect(new URL(done.url).searchParams.get('error')).toBe(error);
      expect(ehr.given.size).toBeGreaterThan(0);
      await expect.poll(() => [...ehr.revoked].sort(), SOON).toEqual([...ehr.given].sort());
    },
  );
});
