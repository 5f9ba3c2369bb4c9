import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChromium } from '../../test/setup/chromium.ts';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';
import { startServer, type Started } from './test/started.ts';

let started: Started;
let chromium: Browser;
let app: Server;
let redirectUri: string;

beforeAll(async () => {
  app = createServer((_, response) => response.end('<title>App</title>back'));
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

test('two clicks: a person, Allow; the browser comes back to the app with a code', async () => {
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

test('a clinician chooses a patient, unticks what the app need not see, and may deny', async () => {
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
