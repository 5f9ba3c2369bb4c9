/** The playground in a real Chromium with the whole gateway: without the internet, and with a real sign-in. */
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
let elsewhere: string[];
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
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  elsewhere = [];
  complaints = [];
  await context.route('**', (route) => {
    const url = route.request().url();
    const isOurs = [gateway.url, gateway.url.replace('localhost', '127.0.0.1')].some((own) =>
      url.startsWith(own),
    );
    if (isOurs || /^(data|blob):/.test(url)) return route.continue();
    elsewhere.push(url);
    return route.abort();
  });
  page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await open(address);
  return () => context.close();
});

async function open(url: string): Promise<void> {
  await page.goto(url);
  await editorIsThere();
}
const editorIsThere = () => page.locator('.graphiql-query-editor .view-lines').first().waitFor();

/** The text of an editor of GraphiQL, as far as it is on the screen. */
const textOf = async (part: 'query-editor' | 'response') => {
  const text = await page.locator(`.graphiql-${part} .view-lines`).first().innerText();
  return text.replaceAll('\u00a0', ' ');
};
const answer = () => textOf('response');
const run = () => page.getByRole('button', { name: 'Execute query' }).click();
const example = (name: RegExp) => page.getByRole('button', { name }).click();

async function signIn(person: string): Promise<void> {
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: person }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('minutes left').waitFor();
  await editorIsThere();
}

test('redirects from another name of this machine to the address with the sign-in', async () => {
  await page.goto(address.replace('localhost', '127.0.0.1'));
  expect(page.url()).toBe(address);
  await page.goto(`${gateway.url.replace('localhost', '127.0.0.1')}/app/?tenant=open`);
  expect(page.url()).toBe(`${gateway.url}/app/?tenant=open`);
});

test('signs in, runs an example, asks no other host, and keeps the token in memory', async () => {
  let token = '';
  page.on('request', (request) => {
    token ||= /^Bearer (.+)/.exec(request.headers()['authorization'] ?? '')?.[1] ?? '';
  });
  await signIn('Helen Marie Castellanos');
  expect(page.url()).toBe(address);
  expect(await page.getByRole('status').first().innerText()).toContain(DEMO_PATIENT);
  await example(/What does the record of a patient say/);
  expect(await textOf('query-editor')).toContain('RecordAndImages');
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('Castellanos');
  await page.screenshot({ path: join(shots, 'playground.png') });
  expect(complaints).toEqual([]);
  expect(elsewhere).toEqual([]);
  expect(token).not.toBe('');
  const kept = await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])');
  expect(kept).not.toContain(token);
  expect(await page.content()).not.toContain(token);
  expect(gateway.log()).not.toContain(token);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  expect(await page.evaluate('JSON.stringify({ ...sessionStorage })')).not.toContain(DEMO_PATIENT);
}, 60_000);
