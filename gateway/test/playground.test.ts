/** The playground of the demonstration in a real Chromium with the whole gateway: a SMART launch gets it a token. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { startChromium } from './setup/chromium.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { longTest } from './setup/usual-run.ts';

const shots = join(import.meta.dirname, '../../dist/screenshots');

let gateway: GatewayProcess;
let browser: Browser;
let page: Page;
let complaints: string[];
let address: string;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway(),
    startChromium(),
    mkdir(shots, { recursive: true }),
  ]);
  address = `${gateway.url}/demo/playground`;
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

beforeEach(async () => {
  page = await browser.newPage();
  complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(address);
  return () => page.close();
});

const answer = () => page.locator('#out').innerText();
const said = () => page.getByRole('status').innerText();

test('redirects from another name of this machine to the address with the sign-in', async () => {
  await page.goto(address.replace('localhost', '127.0.0.1'));
  expect(page.url()).toBe(address);
  await page.goto(`${gateway.url.replace('localhost', '127.0.0.1')}/app/?tenant=open`);
  expect(page.url()).toBe(`${gateway.url}/app/?tenant=open`);
});

test('gives a token after three clicks and an answer after one more, and keeps the text of the query', async () => {
  await page.screenshot({ path: join(shots, 'playground.png') });
  const query = 'query ($id: ID!) { Patient(id: $id) { id ImagingStudyList { id } } }';
  await page.getByLabel('Query').fill(query);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Helen Marie Castellanos' }).click();
  expect(await page.getByRole('main').innerText()).toContain('The playground');
  await page.getByRole('button', { name: 'Allow' }).click();
  await expect
    .poll(said, { timeout: 10_000 })
    .toBe('Signed in: the token opens one patient’s record for 60 minutes.');
  expect(page.url()).toBe(address);
  expect(await page.getByLabel('Query').inputValue()).toBe(query);
  await page.getByRole('button', { name: 'Run' }).click();
  await expect.poll(answer, { timeout: 10_000 }).toMatch(/^200\n/);
  const { data } = JSON.parse((await answer()).slice(4)) as {
    data: { Patient: { id: string; ImagingStudyList: object[] } };
  };
  expect(data.Patient.id).toBe(DEMO_PATIENT);
  expect(data.Patient.ImagingStudyList.length).toBeGreaterThan(0);
  expect(complaints).toEqual([]);
  expect(await page.evaluate('Object.keys(sessionStorage).concat(Object.keys(localStorage))')).toEqual([]);
  expect(gateway.log()).not.toContain(await page.getByLabel('Access token').inputValue());
  await page.screenshot({ path: join(shots, 'playground-answer.png') });
}, 60_000);

test('SM-12, IA-7 gives no data without a token, nor with the token of another patient', async () => {
  await page.getByRole('button', { name: 'Run' }).click();
  await expect.poll(answer, { timeout: 10_000 }).toMatch(/^401\n/);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Samir Haddad' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await expect.poll(said, { timeout: 10_000 }).toContain('Signed in');
  expect(await page.getByLabel('Variables').inputValue()).toContain('demo-samir-haddad');
  await page.getByLabel('Variables').fill(JSON.stringify({ id: DEMO_PATIENT }));
  await page.getByRole('button', { name: 'Run' }).click();
  await expect.poll(answer, { timeout: 10_000 }).toContain('forbidden');
  expect(await answer()).not.toContain('Castellanos');
}, 60_000);

longTest(
  'reports a denied sign-in, and ignores the answer of a sign-in from another tab',
  async () => {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(said, { timeout: 10_000 }).toContain('did not agree');
    expect(page.url()).toBe(address);
    const tokens: string[] = [];
    page.on('request', (request) => request.url().endsWith('/oauth/token') && tokens.push(request.url()));
    await page.goto(`${address}?code=stolen&state=unknown&iss=${gateway.url}/demo/oauth`);
    await expect.poll(said, { timeout: 10_000 }).toContain('not begun in this tab');
    expect(tokens).toEqual([]);
  },
  60_000,
);

longTest(
  'ignores an answer with the issuer of another server (RFC 9207)',
  async () => {
    const tokens: string[] = [];
    page.on('request', (request) => request.url().endsWith('/oauth/token') && tokens.push(request.url()));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Samir Haddad' }).waitFor();
    await page.goto(address);
    const [state] = (await page.evaluate('Object.keys(sessionStorage)')) as [string];
    await page.goto(`${address}?code=stolen&state=${state}&iss=https://elsewhere.example`);
    await expect.poll(said, { timeout: 10_000 }).toContain('Another server answered');
    expect(tokens).toEqual([]);
  },
  60_000,
);
