import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChromium } from '../../test/setup/chromium.ts';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';
import { startServer, type Started } from './test/started.ts';
import { longTest } from '../../test/setup/usual-run.ts';

let started: Started;
let chromium: Browser;
let app: Server;
let redirectUri: string;

beforeAll(async () => {
  app = createServer((request, response) => {
    let posted = '';
    request.on('data', (chunk: Buffer) => (posted += chunk.toString()));
    request.on('end', () => response.end(`<title>App</title><p>${posted}`));
  });
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
  redirectUri = `http://127.0.0.1:${(app.address() as AddressInfo).port}/done`;
  started = await startServer({ clients: [{ client_id: 'app', redirect_uris: [redirectUri] }] });
  chromium = await startChromium();
});
afterAll(async () => {
  await chromium.close();
  app.close();
  await started.close();
});

test('after two clicks, a person and Allow, the browser returns to the app with a code', async () => {
  const page = await chromium.newPage();
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  const parameters = { redirect_uri: redirectUri };
  await page.goto(await new SmartApp(started, 'app').url(PATIENT_SCOPE, parameters));
  await page.getByRole('button', { name: 'Ann <b>One</b>' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${redirectUri}?**`);
  expect(new URL(page.url()).searchParams.get('code')).toBeTruthy();
  expect(problems.filter((text) => !text.includes('favicon'))).toEqual([]);
  await page.close();
});

test('a clinician can choose a patient, untick scopes, and deny', async () => {
  const page = await chromium.newPage();
  const parameters = { redirect_uri: redirectUri };
  await page.goto(await new SmartApp(started, 'app').url(PATIENT_SCOPE, parameters));
  await page.getByRole('button', { name: 'Dr. Three' }).click();
  await page.getByRole('button', { name: 'Bob Two' }).click();
  await page.getByRole('checkbox', { name: 'Keep this access' }).uncheck();
  expect(await page.getByText('Bob Two').count()).toBe(1);
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.waitForURL(`${redirectUri}?**`);
  expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied');
  await page.close();
});

longTest('Allow without a ticked scope says what to do; the next Allow works', async () => {
  const page = await chromium.newPage();
  const parameters = { redirect_uri: redirectUri };
  await page.goto(await new SmartApp(started, 'app').url(PATIENT_SCOPE, parameters));
  await page.getByRole('button', { name: 'Ann <b>One</b>' }).click();
  for (const box of await page.getByRole('checkbox').all()) await box.uncheck();
  await page.getByRole('button', { name: 'Allow' }).click();
  expect(await page.getByRole('alert').textContent()).toContain('Tick something');
  expect(await page.getByRole('checkbox', { checked: true }).count()).toBe(0);
  await page.getByRole('checkbox', { name: 'everything in the record' }).check();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(`${redirectUri}?**`);
  expect(new URL(page.url()).searchParams.get('code')).toBeTruthy();
  await page.close();
});

longTest('form_post: the browser posts the code to the app without a click or a policy error', async () => {
  const page = await chromium.newPage();
  const problems: string[] = [];
  page.on('console', (message) => problems.push(message.text()));
  const parameters = { redirect_uri: redirectUri, response_mode: 'form_post' };
  await page.goto(await new SmartApp(started, 'app').url(PATIENT_SCOPE, parameters));
  await page.getByRole('button', { name: 'Ann <b>One</b>' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(redirectUri);
  const posted = new URLSearchParams((await page.locator('p').textContent())!);
  expect(posted.get('code')).toBeTruthy();
  expect(posted.get('iss')).toBe(started.issuer);
  expect(problems.filter((text) => !text.includes('favicon'))).toEqual([]);
  await page.close();
});

longTest('two people can sign in in two tabs of one browser', async () => {
  const context = await chromium.newContext();
  const [one, two] = [await context.newPage(), await context.newPage()];
  const parameters = { redirect_uri: redirectUri };
  const problems: string[] = [];
  for (const page of [one, two]) {
    page.on('console', (message) => problems.push(message.text()));
    await page.goto(await new SmartApp(started, 'app').url(PATIENT_SCOPE, parameters));
  }
  for (const [page, name] of [
    [one, 'Ann <b>One</b>'],
    [two, 'Bob Two'],
  ] as const) {
    await page.getByRole('button', { name }).click();
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(`${redirectUri}?**`);
    expect(new URL(page.url()).searchParams.get('code')).toBeTruthy();
  }
  expect(problems.filter((text) => !text.includes('favicon'))).toEqual([]);
  await context.close();
});
