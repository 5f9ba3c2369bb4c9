import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { allow, App, APP, independent, Journey, portal, replying, type Reply } from './dual-launch.ts';
import { foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/** The EHR decides who a patient is (IA-9). Its answer at the sign-in counts only while it is down (SM-9). */

const PATIENT = `GET /fhir/Patient/${DEMO_PATIENT}`;
const json =
  (body: object): Reply =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const REFUSALS: Record<string, Reply> = {
  'is 400': 400,
  'is 401': 401,
  'is 403': 403,
  'is 404': 404,
  'is 410': 410,
  'is a page': '<h1>Sign in</h1>',
  'is another patient': json({ resourceType: 'Patient', id: 'demo-maria-alvarez' }),
  'is an OperationOutcome': json({ resourceType: 'OperationOutcome', issue: [] }),
};
/**
 * The patient is read with our own client, or only with the token of the user. One tenant for each case, because
 * answers are cached.
 */
const CASES = Object.keys(REFUSALS).flatMap((what, index) => [
  { tenant: `own-${index}`, reader: 'secret' as const, what },
  { tenant: `user-${index}`, reader: 'public' as const, what },
]);
const MORE = ['own-shown', 'user-two', 'own-down', 'user-down'];

let ahead = 0;
/** No images: the tests only ask whether the gateway searches for them. */
let images: string;
let ehr: ForeignEhr;
let gateway: TestGateway;

beforeAll(async () => {
  const port = await freePort();
  const tenants = [...CASES.map(({ tenant }) => tenant), ...MORE];
  ehr = await foreignEhr(tenants.map((key) => `http://127.0.0.1:${port}/${key}/oauth/ehr-callback`));
  images = await mkdtemp(join(tmpdir(), 'no-images-'));
  gateway = await buildTestGateway(
    () => {
      const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
      const client = (key: string) => ehr.clients[key.startsWith('own') ? 'secret' : 'public'];
      return Object.fromEntries(tenants.map((key) => [key, independent(ehr, client(key), folder)]));
    },
    { images, patients: '/nowhere' },
    undefined,
    { port, now: () => Date.now() + ahead },
  );
});
afterAll(async () => {
  await gateway.close();
  await ehr.close();
  await rm(images, { recursive: true });
});
beforeEach(() => {
  ehr.mode = 'up';
  ehr.instead = undefined;
  ehr.given.clear();
});

async function launched(tenant: string): Promise<string> {
  const user = new Journey(ehr.issuer, gateway.baseUrl);
  const { id_token: hint } = await portal(ehr, user, `user-of-${DEMO_PATIENT}`);
  const app = new App(`${gateway.baseUrl}/${tenant}/fhir`, 'viewer', APP);
  const done = await allow(user, await user.open(await app.url({ login_hint: hint! })));
  return (await app.tokens(done.url)).access_token;
}

/** Returns the status of a search for images and the number of studies found. */
async function studies(tenant: string, token: string): Promise<[number, number | undefined]> {
  const response = await fetch(`${gateway.baseUrl}/${tenant}/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return [response.status, ((await response.json()) as { total?: number }).total];
}
const FOUND = [200, 0];
const REFUSED = [403, undefined];

test.each(CASES)(
  'IA-9 the patient read with $reader client $what: no images, also in an outage afterwards; images once the EHR shows the patient again',
  async ({ tenant, what }) => {
    const token = await launched(tenant);
    replying(ehr, { [PATIENT]: REFUSALS[what]! });
    expect(await studies(tenant, token)).toEqual(REFUSED);
    ehr.instead = undefined;
    ehr.mode = 'fhir-down';
    ahead += 4000;
    expect(await studies(tenant, token)).toEqual([503, undefined]);
    ehr.mode = 'up';
    ahead += 4000;
    expect(await studies(tenant, token)).toEqual(FOUND);
  },
);

test.each(['own-down', 'user-down'])('SM-9 %s: a patient stays visible in an outage', async (tenant) => {
  const token = await launched(tenant);
  ehr.mode = 'fhir-down';
  expect(await studies(tenant, token)).toEqual(FOUND);
  ehr.mode = 'failing';
  ahead += 2000;
  expect(await studies(tenant, token)).toEqual(FOUND);
});

test('a patient whom the EHR hides from our own client and shows to the user is shown', async () => {
  const token = await launched('own-shown');
  const theirs = [...ehr.given].map((given) => `Bearer ${given}`);
  ehr.instead = ({ method, url, headers }, response) => {
    if (`${method} ${url}` !== PATIENT || theirs.includes(headers.authorization!)) return false;
    response.writeHead(403).end();
    return true;
  };
  expect(await studies('own-shown', token)).toEqual(FOUND);
});

test('IA-9 a refusal to one user does not count for another', async () => {
  const one = await launched('user-two');
  const theirs = [...ehr.given].map((given) => `Bearer ${given}`);
  const other = await launched('user-two');
  ehr.instead = ({ method, url, headers }, response) => {
    if (`${method} ${url}` !== PATIENT || !theirs.includes(headers.authorization!)) return false;
    response.writeHead(403).end();
    return true;
  };
  expect(await studies('user-two', one)).toEqual(REFUSED);
  expect(await studies('user-two', other)).toEqual(FOUND);
  ahead += 4000;
  expect(await studies('user-two', one)).toEqual(REFUSED);
});
