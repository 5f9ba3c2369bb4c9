import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { startChromium } from '../setup/chromium.ts';
import { freePort } from '../setup/free-port.ts';
import { testAbilities } from './abilities.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

/** The library as a browser loads it, from its own build. */
const library = readFileSync(
  join(dirname(createRequire(import.meta.url).resolve('fhirclient')), '../../build/fhir-client.min.js'),
);
let gateway: DemoGateway;
let app: Server;
let browser: Browser;
let page: Page;

/** An app of two pages: one that begins the sign-in, one that ends it and leaves the client as `client`. */
function pageOf(path: string): string {
  const begin = `FHIR.oauth2.authorize({ clientId: 'viewer', iss: '${gateway.tenant}/fhir', redirectUri: '/app',
    scope: 'openid fhirUser launch/patient patient/*.rs' })`;
  const run = path === '/launch' ? begin : `FHIR.oauth2.ready().then((ready) => (window.client = ready))`;
  return `<!doctype html><script src="/fhir-client.js"></script><script>${run}</script>`;
}

beforeAll(async () => {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  gateway = await startDemoGateway(`${origin}/app`);
  app = createServer(({ url = '/' }, response) => {
    const [path = ''] = url.split('?');
    const isLibrary = path === '/fhir-client.js';
    response.setHeader('content-type', isLibrary ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isLibrary ? library : pageOf(path));
  });
  await new Promise<void>((done) => app.listen(port, '127.0.0.1', done));
  browser = await startChromium();
  page = await browser.newPage();
  await page.goto(`${origin}/launch`);
  await page.locator(`[value="Patient/${DEMO_PATIENT}"]`).click();
  await page.locator('button[value="allow"]').click();
  await page.waitForFunction('window.client');
}, 120_000);
afterAll(async () => {
  await browser?.close();
  app?.close();
  await gateway?.close();
});

/** Evaluates an expression in the page; `client` is the signed-in client. */
const inPage = <T>(expression: string) => page.evaluate<T>(`(async () => (${expression}))()`);

testAbilities('fhirclient in a browser', {
  'finds the endpoints for sign-in': async () => {
    expect(await inPage('client.state.tokenUri')).toBe(`${gateway.tenant}/oauth/token`);
  },
  'signs in a user (SMART App Launch, PKCE)': async () => {
    expect(await inPage('client.patient.id')).toBe(DEMO_PATIENT);
    expect(await inPage('client.user.fhirUser')).toBe(`Patient/${DEMO_PATIENT}`);
  },
  'reads the CapabilityStatement': async () => {
    expect(await inPage('client.request("metadata")')).toMatchObject({ resourceType: 'CapabilityStatement' });
  },
  'reads a resource': async () => {
    expect(await inPage('client.patient.read()')).toMatchObject({ id: DEMO_PATIENT });
  },
  searches: async () => {
    const found = await inPage<{ entry: object[] }>('client.patient.request("Condition")');
    expect(found.entry.length).toBeGreaterThan(0);
  },
  'follows pages': async () => {
    const all = 'client.patient.request("Observation?_count=1000", { flat: true })';
    const paged = 'client.patient.request("Observation?_count=5", { pageLimit: 0, flat: true })';
    const [whole, pages] = await Promise.all([inPage<object[]>(all), inPage<object[]>(paged)]);
    expect(whole.length).toBeGreaterThan(5);
    expect(pages).toEqual(whole);
  },
  'includes referenced resources': async () => {
    const path = 'Condition?_include=Condition:patient';
    const found = await inPage<{ entry: { resource: { id: string } }[] }>(
      `client.patient.request("${path}")`,
    );
    expect(found.entry.map(({ resource }) => resource.id)).toContain(DEMO_PATIENT);
  },
  'finds images (ImagingStudy)': async () => {
    const found = await inPage<{ entry: object[] }>('client.patient.request("ImagingStudy")');
    expect(found.entry.length).toBeGreaterThan(0);
  },
  'queries by GraphQL': async () => {
    const body = JSON.stringify({ query: `{ Patient(id: "${DEMO_PATIENT}") { ImagingStudyList { id } } }` });
    const options = `{ url: "$graphql", method: "POST", headers: { "content-type": "application/json" }, body: ${JSON.stringify(body)} }`;
    const { data } = await inPage<{ data: { Patient: { ImagingStudyList: object[] } } }>(
      `client.request(${options})`,
    );
    expect(data.Patient.ImagingStudyList.length).toBeGreaterThan(0);
  },
});
