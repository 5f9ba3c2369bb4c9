/** The shipped demo tenant, used by a SMART app with an unmodified fhirclient. */
import type { Bundle, ImagingStudy, Patient } from 'fhir/r4.js';
import fhirclient from 'fhirclient';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { Browser, ticked } from '../smart/server/test/started.ts';
import { startDemoGateway, type DemoGateway } from './clients/demo-gateway.ts';

const REDIRECT = 'http://127.0.0.1:9/app';
const OTHER_PATIENT = 'demo-maria-alvarez';

let gateway: DemoGateway;
let base: string;

beforeAll(async () => {
  gateway = await startDemoGateway(REDIRECT);
  base = gateway.tenant;
}, 120_000);
afterAll(() => gateway.close());

/** Wraps a request to the app at `REDIRECT` for fhirclient. */
function visit(url: string, storage: ReturnType<typeof memory>) {
  let location = '';
  const request = { url, headers: { host: '127.0.0.1:9' }, socket: {} } as IncomingMessage;
  const response = {
    writeHead: (_: number, headers: { location: string }) => (location = headers.location),
    end: () => undefined,
  } as unknown as ServerResponse;
  return { smart: fhirclient(request, response, storage), location: () => location };
}

function memory() {
  const kept = new Map<string, unknown>();
  return {
    get: async (key: string) => kept.get(key),
    set: async (key: string, value: unknown) => void kept.set(key, value),
    unset: async (key: string) => kept.delete(key),
  };
}

test('fhirclient, unmodified: authorize, token, patient read, search, userinfo, refresh, introspect, revoke; another patient is refused', async () => {
  const storage = memory();
  const begun = visit('/launch', storage);
  await begun.smart.authorize({
    client_id: 'viewer',
    scope: 'openid fhirUser launch/patient patient/*.rs offline_access',
    iss: `${base}/fhir`,
    redirectUri: REDIRECT,
    pkceMode: 'required',
  });
  const browser = new Browser(base);
  const signIn = await browser.open(begun.location());
  expect(signIn.html).toContain('Castellanos');
  expect(signIn.html).toContain('Okafor');
  const consent = await browser.submit(signIn, [['account', `Patient/${DEMO_PATIENT}`]]);
  const done = await browser.submit(consent, [
    ...ticked(consent).map((scope): [string, string] => ['scope', scope]),
    ['step', 'allow'],
  ]);
  const { pathname, search } = new URL(done.url);
  const client = await visit(pathname + search, storage).smart.ready();
  expect(client.patient.id).toBe(DEMO_PATIENT);
  expect(client.user.fhirUser).toBe(`Patient/${DEMO_PATIENT}`);
  expect(((await client.patient.read()) as Patient).birthDate).toMatch(/^\d{4}-/);
  const conditions = await client.patient.request<Bundle>('Condition');
  expect(conditions.entry!.length).toBeGreaterThan(0);

  const studies = () => client.patient.request<Bundle<ImagingStudy>>('ImagingStudy');
  const found = await studies();
  expect(found).toMatchObject({ resourceType: 'Bundle', type: 'searchset' });
  expect(found.entry!.length).toBeGreaterThan(0);
  for (const { resource } of found.entry!) {
    expect(resource).toMatchObject({
      resourceType: 'ImagingStudy',
      subject: { reference: `Patient/${DEMO_PATIENT}` },
      identifier: expect.arrayContaining([
        { system: 'urn:dicom:uid', value: expect.stringMatching(/^urn:oid:[\d.]+$/) },
      ]) as unknown,
    });
  }
  await expect(client.request(`Patient/${OTHER_PATIENT}`)).rejects.toThrow(/403|404/);
  await expect(client.request(`ImagingStudy?patient=${OTHER_PATIENT}`)).rejects.toThrow(/403/);

  const before = client.getState('tokenResponse.access_token') as string;
  await client.refresh();
  expect(client.getState('tokenResponse.access_token')).not.toBe(before);
  expect((await studies()).entry!.length).toBe(found.entry!.length);

  // fhirclient has no functions for the rest; the endpoints are those of the document that it discovered.
  const smart = (await client.request('.well-known/smart-configuration')) as Record<string, string>;
  const userinfo = (await client.request(smart['userinfo_endpoint']!)) as Record<string, string>;
  expect(userinfo).toEqual({
    sub: `Patient/${DEMO_PATIENT}`,
    fhirUser: `${base}/fhir/Patient/${DEMO_PATIENT}`,
  });
  const token = client.getState('tokenResponse.access_token') as string;
  const ask = (url: string) =>
    fetch(url, { method: 'POST', body: new URLSearchParams({ token, client_id: 'viewer' }) });
  expect(await (await ask(smart['introspection_endpoint']!)).json()).toMatchObject({
    active: true,
    patient: DEMO_PATIENT,
    client_id: 'viewer',
  });
  expect((await ask(smart['revocation_endpoint']!)).status).toBe(200);
  expect(await (await ask(smart['introspection_endpoint']!)).json()).toEqual({ active: false });
  await expect(studies()).rejects.toThrow(/401/);
});
