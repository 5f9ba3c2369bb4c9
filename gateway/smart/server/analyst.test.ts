import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../test/setup/free-port.ts';
import { SmartApp } from './test/smart-app.ts';
import { Browser, REDIRECT, startServer, type Started } from './test/started.ts';

const ANALYST = 'Practitioner/analyst';
const SCOPE = 'openid fhirUser user/*.rs online_access';

let started: Started;
beforeAll(async () => {
  const port = await freePort();
  const user = `http://127.0.0.1:${port}/prefix/demo/fhir/${ANALYST}`;
  const policy = [
    { user, patients: ['p1', 'p2'] },
    { user: 'http://elsewhere.example.org/fhir/Practitioner/other', patients: ['p1'] },
  ];
  const clients = ['playground', 'public-app'].map((id) => ({ client_id: id, redirect_uris: [REDIRECT] }));
  started = await startServer({ policy, clients }, { port, patientsOfStudy: async () => ['p2'] });
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

const withHint = { login_hint: ANALYST };

test('the own playground signs an analyst in without a page, for the patients of the policy', async () => {
  const playground = new SmartApp(started, 'playground');
  const { url, html } = await new Browser(started.issuer).open(await playground.url(SCOPE, withHint));
  expect(html).toBe('');
  const tokens = await playground.exchange(new URL(url));
  expect(tokens).toMatchObject({ scope: SCOPE, fhirUser: `${started.base}/fhir/${ANALYST}` });
  expect(tokens['patient']).toBeUndefined();
});

test.each<[string, string, Record<string, string>]>([
  ['another app', 'public-app', withHint],
  ['no hint', 'playground', {}],
  ['a patient', 'playground', { login_hint: 'Patient/p1' }],
  ['a user of another server', 'playground', { login_hint: 'Practitioner/other' }],
  ['an absolute URL', 'playground', { login_hint: `http://127.0.0.1/prefix/demo/fhir/${ANALYST}` }],
])('%s: the page of people', async (_who, client, parameters) => {
  const page = await new Browser(started.issuer).open(
    await new SmartApp(started, client).url(SCOPE, parameters),
  );
  expect(page.html).toContain('An analyst, with the records of many patients');
  expect(page.html).toContain(`value="${ANALYST}"`);
  expect(page.html).not.toContain('Practitioner/other');
});

test('without a page no patient is taken from a study that is named: the analyst chooses', async () => {
  const parameters = { ...withHint, study_hint: '1.2' };
  const url = await new SmartApp(started, 'playground').url('launch/patient patient/*.rs', parameters);
  const { html } = await new Browser(started.issuer).open(url);
  expect(html).toContain('Choose a patient');
  expect(html).toContain('value="p1"');
});

test('an analyst signs in at that page too, and agrees', async () => {
  const tokens = await new SmartApp(started).tokens({ scope: SCOPE, account: ANALYST });
  expect(tokens).toMatchObject({ fhirUser: `${started.base}/fhir/${ANALYST}` });
});
