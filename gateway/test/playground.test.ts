/** The playground in a real Chromium with the whole gateway: without the internet, and with a real sign-in. */
import type axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { startChromium } from './setup/chromium.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { seriesOf } from '../../viewer/test/engine/engine-page.ts';

declare const window: { axe: typeof axe };

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const shots = join(import.meta.dirname, '../../dist/screenshots');

let gateway: GatewayProcess;
let browser: Browser;
let page: Page;
let complaints: string[];
let elsewhere: string[];
let address: string;
/** File with the secret of the demonstration's backend service: the start names it. */
let secretFile: string;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway(),
    startChromium(),
    mkdir(shots, { recursive: true }),
  ]);
  address = `${gateway.url}/demo/playground`;
  await seriesOf(gateway.url, 'CT');
  secretFile = /\$\(cat '([^']+)'\)/.exec(gateway.log())![1]!;
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

/** A token of the demonstration's backend service. */
async function backendToken(): Promise<string> {
  const secret = readFileSync(secretFile, 'utf8');
  const answer = await fetch(`${gateway.url}/demo/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`demo-analyst:${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** What axe finds outside of GraphiQL, which is not ours. */
async function violations(colours: boolean): Promise<string[]> {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  return page.evaluate(async (contrast) => {
    const { violations } = await window.axe.run(
      { exclude: ['.graphiql-container'] },
      {
        resultTypes: ['violations'],
        rules: { 'color-contrast': { enabled: contrast } },
      },
    );
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
  }, colours);
}

/** The text of an editor of GraphiQL, as far as it is on the screen. */
const textOf = async (part: 'query-editor' | 'response') => {
  const text = await page.locator(`.graphiql-${part} .view-lines`).first().innerText();
  return text.replaceAll(/\s+/g, ' ');
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

test('DW-14 the page is revalidated, its files are kept for good, and compressed', async () => {
  const first = await fetch(address);
  expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'no-cache']);
  const again = await fetch(address, { headers: { 'if-none-match': first.headers.get('etag')! } });
  expect(again.status).toBe(304);
  const script = /src="([^"]+\.js)"/.exec(await first.text())![1]!;
  const file = await fetch(new URL(script, address), { headers: { 'accept-encoding': 'br' } });
  expect([file.status, file.headers.get('content-encoding')]).toEqual([200, 'br']);
  expect(file.headers.get('cache-control')).toContain('immutable');
});

test('signs in, runs an example, asks no other host, and keeps the token in memory', async () => {
  let token = '';
  page.on('request', (request) => {
    token ||= /^Bearer (.+)/.exec(request.headers()['authorization'] ?? '')?.[1] ?? '';
  });
  await signIn('Helen Marie Castellanos');
  expect(page.url()).toBe(address);
  await page.getByRole('status').getByText(DEMO_PATIENT).waitFor();
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

/** Opens a link in this page: its token stays. */
async function follow(variables: object): Promise<void> {
  const query = 'query Followed($id: ID!) { Patient(id: $id) { name { family } } }';
  const parts = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  await page.evaluate((hash) => void (location.hash = hash), String(parts));
  await expect.poll(() => textOf('query-editor')).toContain('Followed');
}

test('SM-12, IA-7 gives no data without a token, nor with the token of another patient', async () => {
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('token');
  expect(await answer()).not.toContain('Castellanos');
  await signIn('Samir Haddad');
  await follow({ id: DEMO_PATIENT });
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('forbidden');
  expect(await answer()).not.toContain('Castellanos');
}, 60_000);

test('an example that is chosen before the editor is there opens with it', async () => {
  await page.context().route('**/assets/query-editor*.js', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
  await page.goto(address);
  await example(/What happened to the patient/);
  await editorIsThere();
  await expect.poll(() => textOf('query-editor')).toContain('query Timeline');
}, 60_000);

test('a link brings a query, which is not run by itself, and stays through a sign-in', async () => {
  const sent: string[] = [];
  page.on('request', (request) => request.url().endsWith('/graphql') && sent.push(request.url()));
  const parts = new URLSearchParams({ query: 'query Linked($id: ID!) { Patient(id: $id) { birthDate } }' });
  await page.goto('about:blank');
  await open(`${address}#${parts}`);
  await expect.poll(() => textOf('query-editor')).toContain('Linked');
  await page.waitForTimeout(1000);
  expect(sent).toEqual([]);
  await signIn('Helen Marie Castellanos');
  await expect.poll(() => textOf('query-editor')).toContain('Linked');
  expect(sent).toEqual([]);
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('1963-05-17');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByText('The link is copied').waitFor();
  const link = (await page.evaluate('navigator.clipboard.readText()')) as string;
  expect(link.startsWith(`${address}#query=query+Linked`)).toBe(true);
  expect(link).toContain(DEMO_PATIENT);
}, 60_000);

test('a pasted token is not shown; one that the server refuses is said, and the query is kept', async () => {
  const paste = async (token: string) => {
    await page.getByRole('button', { name: 'Sign in' }).click();
    const field = page.getByLabel('Or an access token that another program got');
    expect(await field.getAttribute('type')).toBe('password');
    await field.fill(token);
    await page.getByRole('button', { name: 'Use this token' }).click();
  };
  await paste('no-such-token');
  // The page asks what the token opens: it is said before a query is run.
  await page.getByRole('alert').getByText('does not take this token any more').waitFor();
  expect(await textOf('query-editor')).toContain('RecordAndImages');
  const token = await backendToken();
  await paste(token);
  await page.getByText('Pasted token').waitFor();
  expect(await page.content()).not.toContain(token);
  await follow({ id: DEMO_PATIENT });
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('Castellanos');
  await page.getByRole('button', { name: 'Forget token' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
}, 60_000);

test('a gateway that does not answer is said, and the query is kept', async () => {
  await page.context().route('**/demo/graphql', (route) => route.abort());
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('The gateway does not answer. The query is kept');
  await page.context().unroute('**/demo/graphql');
  await run();
  await expect.poll(answer, { timeout: 10_000 }).toContain('token');
}, 60_000);

test.each([
  ['a denied sign-in', '?error=access_denied&state={state}&iss={issuer}', 'Access was not allowed'],
  [
    'an answer to a sign-in of another tab',
    '?code=stolen&state=unknown&iss={issuer}',
    'not begun in this tab',
  ],
  [
    'RFC 9207 the answer of another server',
    '?code=stolen&state={state}&iss=https://elsewhere.example',
    'could not sign you in',
  ],
])(
  '%s is said, and gives no token',
  async (_what, query, message) => {
    const asked: string[] = [];
    page.on('request', (request) => request.url().endsWith('/oauth/token') && asked.push(request.url()));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Samir Haddad' }).waitFor();
    await open(address);
    const keys = (await page.evaluate('Object.keys(sessionStorage)')) as string[];
    const state = keys.find((key) => key.startsWith('smart-launch '))!.slice('smart-launch '.length);
    await open(address + query.replace('{state}', state).replace('{issuer}', `${gateway.url}/demo/oauth`));
    await page.getByRole('alert').getByText(message).waitFor();
    expect(page.url()).toBe(address);
    expect(asked).toEqual([]);
  },
  60_000,
);

test.each([
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['forced colours', { forcedColors: 'active' }],
] as const)(
  'in %s axe finds nothing outside the editor',
  async (_name, media) => {
    // Colours change over a moment.
    await page.emulateMedia({ ...media, reducedMotion: 'reduce' });
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('dialog').waitFor();
    await page.mouse.move(0, 0);
    await page.waitForTimeout(200);
    // In forced colours contrast is the person's choice, and axe cannot see it.
    expect(await violations(!('forcedColors' in media))).toEqual([]);
  },
  60_000,
);

test('on a phone nothing scrolls to the side', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: join(shots, 'playground-phone.png'), fullPage: true });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
}, 60_000);
