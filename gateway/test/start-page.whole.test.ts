/**
 * A visitor of the demonstration's start page goes its four ways in a real Chromium without the internet: on a desktop and at
 * 390 pixels, in light and dark, without scripts.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { HELEN, PHONE } from './playground-page.ts';

declare const window: { axe: typeof axe };

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const system = new ViewerSystem({ timeout: 90_000 });
const SLOW = { timeout: 20_000 };
const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: PHONE };

/** Opens the start page in a context of its own, and follows the errors of scripts and of the policy. */
async function open(
  name: keyof typeof VIEWPORTS,
  settings: { colorScheme?: 'dark'; javaScriptEnabled?: boolean } = {},
) {
  const context = await system.browser.newContext({ viewport: VIEWPORTS[name], ...settings });
  const page = await context.newPage();
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on(
    'request',
    (request) => request.url().startsWith(system.gateway.url) || elsewhere.push(request.url()),
  );
  await page.goto(`${system.gateway.url}/`);
  return { page, complaints, elsewhere, [Symbol.asyncDispose]: () => context.close() };
}

const way = (page: Page, name: RegExp) => page.getByRole('navigation').getByRole('link', { name });
/** Tells whether something is wider than the screen. */
const isTooWide = (page: Page) => page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth');

describe.each(Object.keys(VIEWPORTS) as (keyof typeof VIEWPORTS)[])('the start page on a %s', (name) => {
  test('has its four ways on the first screen, nothing beside the screen, and is accessible in light and dark', async () => {
    for (const colorScheme of [undefined, 'dark'] as const) {
      await using visited = await open(name, colorScheme && { colorScheme });
      const { page, complaints, elsewhere } = visited;
      for (const title of [
        /^Open the viewer/,
        /^Open the playground/,
        /^Sign in as analyst/,
        /^Make a request/,
      ]) {
        const box = (await way(page, title).boundingBox())!;
        expect(box.y + box.height).toBeLessThan(VIEWPORTS[name].height);
      }
      await saveShot(page, `start-page-${name}-${colorScheme ?? 'light'}`);
      await page.locator('summary').click();
      expect(await isTooWide(page)).toBe(false);
      await page.evaluate(AXE);
      const found = await page.evaluate(async () =>
        (await window.axe.run()).violations.map(({ id, nodes }) => [id, nodes[0]!.html]),
      );
      expect(found).toEqual([]);
      expect([complaints.filter((text) => !text.includes('404')), elsewhere]).toEqual([[], []]);
    }
  });

  test('opens the viewer, signed in by two clicks', async () => {
    await using visited = await open(name);
    const { page } = visited;
    await way(page, /^Open the viewer/).click();
    await page.getByRole('button', { name: HELEN }).click(SLOW);
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.waitForURL(/\/app\/\?tenant=demo/, SLOW);
    await page.getByText('Castellanos').first().waitFor(SLOW);
  });

  test('opens the playground', async () => {
    await using visited = await open(name);
    await way(visited.page, /^Open the playground/).click();
    await visited.page.waitForURL(/\/demo\/playground/);
    await visited.page.locator('.graphiql-query-editor .view-lines').first().waitFor(SLOW);
  });

  test('sends the request, shows its answer, and copies the command', async () => {
    await using visited = await open(name);
    const { page } = visited;
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await way(page, /^Make a request/).click();
    await page.getByRole('button', { name: 'Send it' }).click();
    await page.getByText(/^Status 200, \d+ ms/).waitFor(SLOW);
    const answer = page.getByRole('region', { name: 'Answer' });
    expect(JSON.parse(await answer.innerText())).toMatchObject({
      data: { Patient: { birthDate: '1963-05-17' } },
    });
    expect(await isTooWide(page)).toBe(false);
    await saveShot(page, `start-page-${name}-answer`);
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('Copied.').waitFor();
    const command = await page.getByRole('region', { name: 'Command' }).innerText();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(command);
  });

  test('without scripts, has the four ways, the command as text, and a link that is answered', async () => {
    await using visited = await open(name, { javaScriptEnabled: false });
    const { page } = visited;
    expect(await way(page, /./).count()).toBe(4);
    expect(await page.getByRole('button').count()).toBe(0);
    expect(await page.getByRole('region', { name: 'Command' }).innerText()).toMatch(
      /^curl -s http\S+ -H "authorization: Bearer \S+"/,
    );
    await page.getByRole('link', { name: 'the studies of this patient' }).click();
    expect(await page.innerText('body')).toContain('"resourceType":"Bundle"');
  });
});

test('the shipped sandboxes are folded, and marked when they cannot be reached', async () => {
  await using visited = await open('desktop');
  const { page } = visited;
  await expect
    .poll(async () => {
      await page.reload();
      return page.locator('summary').innerText();
    }, SLOW)
    .toMatch(/^Tenants that need other servers: 10, unreachable: ([1-9]|10)$/);
  expect(await page.getByRole('heading', { level: 3 }).allInnerTexts()).toEqual([
    'demo',
    'hardcoded-patient',
    'open',
    'population',
    expect.stringMatching(/^delayed/),
  ]);
  await page.locator('summary').click();
  expect(await page.getByRole('heading', { name: /\(unreachable\)/ }).count()).toBeGreaterThan(0);
});
