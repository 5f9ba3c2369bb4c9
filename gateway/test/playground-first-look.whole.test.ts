/** The first look at the playground, and the way back after a sign-in was lost, in a real Chromium with the whole gateway. */
import { beforeEach, expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { HELEN, PHONE, PlaygroundPage } from './playground-page.ts';
import { testEach } from './setup/usual-run.ts';

const system = new ViewerSystem({ timeout: 90_000 });
let playground: PlaygroundPage;
let page: PlaygroundPage['page'];
/** Queries that were sent; their cost is asked for too, which runs nothing. */
let sent: string[];

beforeEach(async () => {
  playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  ({ page } = playground);
  sent = [];
  page.on('request', (request) => {
    const body = request.postData() ?? '';
    if (request.url().endsWith('/graphql') && !body.includes('"explain":"cost"')) sent.push(body);
  });
  return () => playground[Symbol.asyncDispose]();
});

const response = () => playground.textOf('response');
const notice = () => page.getByRole('alert');
const runButton = () => page.getByRole('button', { name: 'Run the query' });

/** Writes a query of its own, which must not be lost. */
async function write(birth: string): Promise<void> {
  const query = `query Kept($id: ID!) { Patient(id: $id) { ${birth} } }`;
  const parts = new URLSearchParams({ query, variables: JSON.stringify({ id: DEMO_PATIENT }) });
  await page.evaluate((hash) => void (location.hash = hash), String(parts));
  await expectKept();
  // The editor keeps what is typed some moments later.
  await expect.poll(() => page.evaluate('JSON.stringify({ ...sessionStorage })')).toContain('query Kept');
}

async function expectKept(): Promise<void> {
  await expect.poll(() => playground.textOf('query-editor')).toContain('Kept');
  await expect.poll(() => playground.textOf('editor-tool')).toContain('87a339d0');
}

test('without a token the empty half leads to one, sends nothing before, and then runs the query', async () => {
  await page.getByText('This query has not run yet.').waitFor();
  await page.waitForTimeout(1000);
  expect(sent).toEqual([]);
  await page.getByRole('button', { name: 'Sign in to run it' }).click();
  await playground.choose(HELEN);
  await runButton().waitFor();
  expect(sent).toEqual([]);
  await runButton().click();
  await expect.poll(response).toContain('Castellanos');
  expect(await runButton().count()).toBe(0);
}, 60_000);

test('where no token is needed the first example has run, with a patient', async () => {
  await playground.goto(`${system.gateway.url}/open/playground`);
  await page.getByRole('region', { name: 'Results', exact: true }).getByText('HTTP 200').waitFor();
  expect(await response()).toContain('"birthDate"');
  // Another tab of the editor has no answer yet.
  await page.getByRole('button', { name: 'New tab' }).click();
  await page.getByText('Write a query, or choose an example.').waitFor();
}, 60_000);

testEach(
  [
    ['a small laptop', { width: 1280, height: 720 }],
    ['a phone', PHONE],
  ] as const,
  () => true,
)(
  'on %s no line of a query is wider than the editor, and the variables are in view',
  async (_name, size) => {
    await page.setViewportSize(size);
    await page.locator('[data-ready=schema]').waitFor();
    const widest = () =>
      page.evaluate(`(() => {
        const right = (one) => one.getBoundingClientRect().right;
        const lines = [...document.querySelectorAll('.graphiql-query-editor .view-line > span')];
        const editor = document.querySelector('.graphiql-query-editor .monaco-scrollable-element');
        return Math.max(...lines.map(right)) - right(editor);
      })()`);
    await expect.poll(widest).toBeLessThan(0);
    const [editor, variables] = await Promise.all(
      ['.editor', '.graphiql-editor-tool .view-lines'].map((part) =>
        page.locator(part).first().boundingBox(),
      ),
    );
    expect(variables!.y).toBeLessThan(editor!.y + editor!.height);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(size.width);
    await saveShot(page, `playground-first-look-${size.width}`);
  },
  60_000,
);

test('a sign-in that a reload lost leads back, with query and variables', async () => {
  await playground.signIn(HELEN);
  await write('birthDate');
  await page.reload();
  await notice().getByText('The page was loaded again.').waitFor();
  await expectKept();
  expect(await playground.violations('page')).toEqual([]);
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await playground.choose(HELEN);
  await expectKept();
  await runButton().click();
  await expect.poll(response).toContain('1963-05-17');
}, 90_000);

test('a sign-in that is cancelled at the server leads back', async () => {
  await write('gender');
  await page.getByRole('button', { name: 'Sign in to run it' }).click();
  await page.getByRole('button', { name: HELEN }).click();
  await page.getByRole('button', { name: 'Deny' }).click();
  await notice().getByText('Access was not allowed').waitFor();
  await expectKept();
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await playground.choose(HELEN);
  await expectKept();
}, 90_000);

test('a sign-in that is left without an answer is said', async () => {
  await page.getByRole('button', { name: 'Sign in to run it' }).click();
  await page.getByRole('button', { name: HELEN }).waitFor();
  await playground.goto(playground.address);
  await notice().getByText('The sign-in was not finished.').waitFor();
}, 60_000);

test('a token that was revoked elsewhere, with its refresh token, leads back', async () => {
  const answered = page.waitForResponse('**/demo/oauth/token');
  await playground.signIn(HELEN);
  const tokens = (await (await answered).json()) as { access_token: string; refresh_token: string };
  await write('birthDate');
  for (const token of [tokens.refresh_token, tokens.access_token]) {
    const body = new URLSearchParams({ token, client_id: 'playground' });
    const { status } = await fetch(`${system.gateway.url}/demo/oauth/revoke`, { method: 'POST', body });
    expect(status).toBe(200);
  }
  await playground.run();
  await notice().getByText('Your sign-in has ended').waitFor();
  await expectKept();
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await playground.choose(HELEN);
  await expectKept();
  await playground.run();
  await expect.poll(response).toContain('1963-05-17');
}, 90_000);

test('the time of a token is the truth, and its end leads back', async () => {
  const end = Math.floor(Date.now() / 1000) + 300;
  await page.clock.install({ time: (end - 295) * 1000 });
  await playground.goto(playground.address);
  await playground.openSignIn();
  const claims = Buffer.from(JSON.stringify({ exp: end, patient: 'p1' })).toString('base64url');
  await page.route('**/demo/graphql', (route) => route.fulfill({ json: { data: {} } }));
  await page.getByLabel('Or an access token').fill(`e30.${claims}.c2ln`);
  await page.getByRole('button', { name: 'Use this token' }).click();
  // Some seconds of the five minutes are over.
  await page.getByText('ends in 4 minutes').waitFor();
  await page.clock.fastForward('05:00');
  await notice().getByText('its time is over').waitFor();
  await page.getByRole('button', { name: 'Paste a token again' }).click();
  await page.getByRole('dialog').getByLabel('Or an access token').waitFor();
}, 60_000);

test('examples that the token does not answer in full are marked before they run', async () => {
  const mark = (question: string, words: string) =>
    page.getByRole('button', { name: question }).getByText(words).waitFor();
  await mark('Which CT studies are there since a date?', 'A sign-in here is for one patient.');
  await playground.openSignIn();
  await page.getByRole('checkbox', { name: 'Images' }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign in', exact: true }).click();
  await playground.choose(HELEN);
  await mark('How did a result change', 'A token with patient/Observation.rs gives it.');
  await mark('Which CT studies are there since a date?', 'The token is for one patient');
  expect(await page.getByRole('button', { name: 'What happened to the patient' }).innerText()).not.toContain(
    'token',
  );
}, 60_000);

test('dialogs of the editor have their close button, and links in the colour of the page', async () => {
  await page.locator('.graphiql-sidebar button').nth(3).click();
  const icon = page.locator('.graphiql-dialog-close > svg');
  const inner = await icon.evaluate(
    (svg) => svg.clientHeight - 2 * parseFloat(getComputedStyle(svg).paddingTop),
  );
  expect(inner).toBeGreaterThan(8);
  const colours = await page.evaluate(
    `['.graphiql-dialog a', 'header .primary'].map((one) => getComputedStyle(document.querySelector(one)))
      .map(({ color, backgroundColor }) => [color, backgroundColor])`,
  );
  const [[link], [, button]] = colours as [[string], [string, string]];
  expect(link).toBe(button);
}, 60_000);
