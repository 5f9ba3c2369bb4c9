import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { App, independent } from './dual-launch.ts';
import { foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startChromium } from './setup/chromium.ts';
import { freePort } from './setup/free-port.ts';

/**
 * Dual launch (IA-28) in a real browser: the EHR is another site than the gateway, and the browser handles the
 * cookies.
 */

const USER = `user-of-${DEMO_PATIENT}`;
let ehr: ForeignEhr;
let gateway: TestGateway;
let site: Server;
let chromium: Browser;
let redirectUri: string;

beforeAll(async () => {
  site = createServer((_, response) => response.end('<title>App</title>back'));
  await new Promise<void>((done) => site.listen(0, '127.0.0.1', done));
  redirectUri = `http://127.0.0.1:${(site.address() as AddressInfo).port}/done`;
  const port = await freePort();
  ehr = await foreignEhr([`http://127.0.0.1:${port}/key/oauth/ehr-callback`]);
  const images = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
  const clients = [{ client_id: 'viewer', client_name: 'Imaging viewer', redirect_uris: [redirectUri] }];
  gateway = await buildTestGateway(
    () => ({ key: independent(ehr, ehr.clients.key, images, { clients }) }),
    { images: '/nowhere', patients: '/nowhere' },
    undefined,
    { port },
  );
  chromium = await startChromium();
});
afterAll(async () => {
  await chromium.close();
  site.close();
  await gateway.close();
  await ehr.close();
});

test('IA-28 sign-in at the EHR, then Allow; the next time the EHR shows no page, and Deny is access_denied', async () => {
  const page = await chromium.newPage();
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  const app = new App(`${gateway.baseUrl}/key/fhir`, 'viewer', redirectUri);

  await page.goto(await app.url());
  expect(await page.title()).toBe('EHR');
  await page.getByRole('button', { name: USER }).click();
  await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
  expect(new URL(page.url()).origin).toBe(gateway.baseUrl);
  const words = await page.getByRole('main').innerText();
  for (const word of ['Imaging viewer', 'Castellanos', '1963-05-17']) expect(words).toContain(word);
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${redirectUri}?**`);
  expect((await app.tokens(page.url()))['patient']).toBe(DEMO_PATIENT);

  const hint = await ehr.sign({ sub: USER, aud: 'portal' });
  await page.goto(await app.url({ login_hint: hint }));
  expect(await page.title()).toBe('Allow access?');
  expect(ehr.asked.get('prompt')).toBe('none');
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.waitForURL(`${redirectUri}?**`);
  expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied');
  expect(problems.filter((text) => !text.includes('favicon') && !text.includes('404'))).toEqual([]);
  await page.close();
});
