/** The results of the playground in a real Chromium, with the pictures of the gateway and its token. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { startChromium } from './setup/chromium.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';

const shots = join(import.meta.dirname, '../../dist/screenshots');

let gateway: GatewayProcess;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([
    startGateway(),
    startChromium(),
    mkdir(shots, { recursive: true }),
  ]);
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

async function signIn(): Promise<void> {
  await page.goto(`${gateway.url}/demo/playground`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Helen Marie Castellanos' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('minutes left').waitFor();
  await page.locator('.graphiql-query-editor .view-lines').first().waitFor();
}

const isWide = () =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

test('shows an answer as a table with pictures that lead to the viewer, as a chart, and as code', async () => {
  await signIn();
  await page.getByRole('button', { name: /What does the record of a patient say/ }).click();
  // It fills in the patient of the token.
  const texts = page.locator('.graphiql-editors .view-lines');
  await expect.poll(async () => (await texts.allInnerTexts()).join(' ')).toContain(DEMO_PATIENT);
  await page.getByRole('button', { name: 'Execute query' }).click();
  await page.getByRole('combobox', { name: 'List' }).selectOption('Patient.ImagingStudyList.series');
  const picture = page.getByRole('link', { name: 'Open the series in the viewer' }).first();
  await picture.waitFor({ timeout: 15_000 });
  expect(await picture.getAttribute('href')).toMatch(
    new RegExp(`^${gateway.url}/app/\\?tenant=demo&study=[\\d.]+&series=[\\d.]+$`),
  );
  await page.screenshot({ path: join(shots, 'playground-page-table.png') });

  await page.getByText('Chart', { exact: true }).click();
  await page.getByRole('img', { name: /The table has its values/ }).waitFor();
  await page.screenshot({ path: join(shots, 'playground-page-chart.png') });

  await page.getByRole('button', { name: 'Code', exact: true }).click();
  await page.getByText('Python', { exact: true }).click();
  await page.getByText('for field in ["Patient", ').waitFor();
  expect(await page.locator('pre').innerText()).toContain('query RecordAndImages');

  await page.getByRole('button', { name: 'Results', exact: true }).click();
  for (const [width, height] of [
    [800, 1100],
    [390, 844],
  ] as const) {
    await page.setViewportSize({ width, height });
    expect(await isWide()).toBe(false);
    await page.getByRole('region', { name: 'Results', exact: true }).scrollIntoViewIfNeeded();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: join(shots, `playground-page-${width}.png`) });
  }
}, 90_000);
