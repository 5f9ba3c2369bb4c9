/** The playground in a real Chromium with the whole gateway: without the internet, and with a real sign-in. */
import { beforeEach, expect, test } from 'vitest';
import { wholeLog } from './setup/child.ts';
import { testEach } from './setup/usual-run.ts';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { backendToken, HELEN, PHONE, PlaygroundPage } from './playground-page.ts';

const system = new ViewerSystem({ timeout: 90_000 });
let playground: PlaygroundPage;
let page: PlaygroundPage['page'];
let address: string;

beforeEach(async () => {
  playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  ({ page, address } = playground);
  return () => playground[Symbol.asyncDispose]();
});

const answer = () => playground.textOf('response');

test('redirects from another name of this machine to the address with the sign-in', async () => {
  await page.goto(address.replace('localhost', '127.0.0.1'));
  expect(page.url()).toBe(address);
  await page.goto(`${system.gateway.url.replace('localhost', '127.0.0.1')}/app/?tenant=open`);
  expect(page.url()).toBe(`${system.gateway.url}/app/?tenant=open`);
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
  await playground.signIn(HELEN);
  expect(page.url()).toBe(address);
  await page.getByRole('banner').getByText(DEMO_PATIENT).waitFor();
  await playground.chooseExample(/What does the record of a patient say/);
  expect(await playground.textOf('query-editor')).toContain('RecordAndImages');
  await playground.run();
  await expect.poll(answer).toContain('Castellanos');
  await saveShot(page, 'playground');
  expect(playground.complaints).toEqual([]);
  expect(playground.elsewhere).toEqual([]);
  expect(token).not.toBe('');
  const kept = await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])');
  expect(kept).not.toContain(token);
  expect(await page.content()).not.toContain(token);
  expect(await wholeLog(system.gateway)).not.toContain(token);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  expect(await page.evaluate('JSON.stringify({ ...sessionStorage })')).not.toContain(DEMO_PATIENT);
}, 60_000);

/** Opens a link in this page: its token stays. */
async function follow(variables: object): Promise<void> {
  const query = 'query Followed($id: ID!) { Patient(id: $id) { name { family } } }';
  const parts = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  await page.evaluate((hash) => void (location.hash = hash), String(parts));
  await expect.poll(() => playground.textOf('query-editor')).toContain('Followed');
}

test('SM-12, IA-7 gives no data without a token, nor with the token of another patient', async () => {
  await playground.run();
  await expect.poll(answer).toContain('token');
  expect(await answer()).not.toContain('Castellanos');
  await playground.signIn('Samir Haddad');
  await follow({ id: DEMO_PATIENT });
  await playground.run();
  await expect.poll(answer).toContain('forbidden');
  expect(await answer()).not.toContain('Castellanos');
}, 60_000);

/** Makes the editor arrive a second later than the page. */
function delayEditor(): Promise<unknown> {
  return page.context().route('**/assets/query-editor*.js', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
}

test('a link that is opened before the editor is there opens with it, also after a sign-in', async () => {
  await delayEditor();
  const opened = page
    .getByText('renewed by itself')
    .waitFor()
    .then(() => follow({ id: '' }));
  await playground.signIn(HELEN);
  await opened;
  await expect.poll(() => playground.textOf('editor-tool')).toContain(DEMO_PATIENT);
  expect(await playground.textOf('query-editor')).toContain('Followed');
}, 60_000);

test('a link that is opened after a sign-in gets the patient', async () => {
  await playground.signIn(HELEN);
  await follow({ id: '' });
  await expect.poll(() => playground.textOf('editor-tool')).toContain(DEMO_PATIENT);
}, 60_000);

test('an example that is chosen before the editor is there opens with it', async () => {
  await delayEditor();
  await page.goto(address);
  await playground.chooseExample(/What happened to the patient/);
  await playground.editorIsThere();
  await expect.poll(() => playground.textOf('query-editor')).toContain('query Timeline');
}, 60_000);

test('a link opens in a new tab, and in a tab that keeps others, with its query and variables', async () => {
  const parts = (query: string, id: string) => new URLSearchParams({ query, variables: `{ "id": "${id}" }` });
  const first = parts('query First($id: ID!) { Patient(id: $id) { birthDate } }', 'of-the-first');
  const second = parts('query Second($id: ID!) { Patient(id: $id) { gender } }', 'of-the-second');
  const tab = new PlaygroundPage(await page.context().newPage(), address);
  const opened = async () => [
    await tab.textOf('query-editor'),
    await tab.textOf('editor-tool'),
    await tab.tabs(),
  ];
  await tab.goto(`${address}#${first}`);
  await expect
    .poll(opened)
    .toEqual([expect.stringContaining('First'), expect.stringContaining('of-the-first'), ['First']]);
  await expect
    .poll(() => tab.page.evaluate('JSON.stringify({ ...sessionStorage })'))
    .toContain('of-the-first');
  await tab.page.goto('about:blank');
  await tab.goto(`${address}#${second}`);
  await expect
    .poll(opened)
    .toEqual([
      expect.stringContaining('Second'),
      expect.stringContaining('of-the-second'),
      ['First', 'Second'],
    ]);
}, 60_000);

test('a link brings a query, which is not run by itself, and stays through a sign-in', async () => {
  const sent: string[] = [];
  page.on('request', (request) => {
    // Its cost is asked for, which runs nothing.
    const body = request.postData() ?? '';
    if (request.url().endsWith('/graphql') && !body.includes('"explain":"cost"')) sent.push(body);
  });
  const parts = new URLSearchParams({ query: 'query Linked($id: ID!) { Patient(id: $id) { birthDate } }' });
  await page.goto('about:blank');
  await playground.goto(`${address}#${parts}`);
  await expect.poll(() => playground.textOf('query-editor')).toContain('Linked');
  await page.waitForTimeout(1000);
  expect(sent).toEqual([]);
  await playground.signIn(HELEN);
  await expect.poll(() => playground.textOf('query-editor')).toContain('Linked');
  expect(sent).toEqual([]);
  await playground.run();
  await expect.poll(answer).toContain('1963-05-17');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByText('The link is copied').waitFor();
  const link = (await page.evaluate('navigator.clipboard.readText()')) as string;
  expect(link.startsWith(`${address}#query=query+Linked`)).toBe(true);
  expect(link).toContain(DEMO_PATIENT);
}, 60_000);

test('a pasted token is not shown; one that the server refuses is said, and the query is kept', async () => {
  await playground.paste('no-such-token');
  // The page asks what the token opens: it is said before a query is run.
  await page.getByRole('alert').getByText('does not take this token').waitFor();
  expect(await playground.textOf('query-editor')).toContain('RecordAndImages');
  const token = await backendToken(system.gateway);
  await playground.paste(token);
  await page.getByText('Pasted token').waitFor();
  expect(await page.content()).not.toContain(token);
  await follow({ id: DEMO_PATIENT });
  await playground.run();
  await expect.poll(answer).toContain('Castellanos');
  await page.getByRole('button', { name: 'Forget token' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
}, 60_000);

test('a gateway that does not answer is said, and the query is kept', async () => {
  await page.context().route('**/demo/graphql', (route) => route.abort());
  await playground.run();
  await expect.poll(answer).toContain('The gateway does not answer. The query is kept');
  await page.context().unroute('**/demo/graphql');
  await playground.run();
  await expect.poll(answer).toContain('token');
}, 60_000);

testEach(
  [
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
  ],
  ([what]) => what === 'an answer to a sign-in of another tab',
)(
  '%s is said, and gives no token',
  async (_what, query, message) => {
    const asked: string[] = [];
    page.on('request', (request) => request.url().endsWith('/oauth/token') && asked.push(request.url()));
    await playground.openSignIn();
    await page.getByRole('dialog').getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('button', { name: 'Samir Haddad' }).waitFor();
    await playground.goto(address);
    const keys = (await page.evaluate('Object.keys(sessionStorage)')) as string[];
    const state = keys.find((key) => key.startsWith('smart-launch '))!.slice('smart-launch '.length);
    await playground.goto(
      address + query.replace('{state}', state).replace('{issuer}', `${system.gateway.url}/demo/oauth`),
    );
    await page.getByRole('alert').getByText(message).waitFor();
    expect(page.url()).toBe(address);
    expect(asked).toEqual([]);
  },
  60_000,
);

testEach(
  [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['forced colours', { forcedColors: 'active' }],
  ] as const,
  (_, row) => row === 1,
)(
  'in %s axe finds nothing outside the editor',
  async (_name, media) => {
    await page.emulateMedia(media);
    await playground.openSignIn();
    await page.getByRole('dialog').waitFor();
    // In forced colours contrast is the person's choice, and axe cannot see it.
    expect(await playground.violations('page', !('forcedColors' in media))).toEqual([]);
  },
  60_000,
);

test('on a phone nothing scrolls to the side', async () => {
  await page.setViewportSize(PHONE);
  await saveShot(page, 'playground-phone');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
}, 60_000);
