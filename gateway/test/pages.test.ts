import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { startChromium } from './setup/chromium.ts';

let gateway: GatewayAlone;
let browser: Browser;
beforeAll(async () => {
  gateway = await startGatewayAlone();
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

test('start page and playground work under their content security policy, and load nothing from other origins', async () => {
  const page = await browser.newPage();
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => request.url().startsWith(gateway.url) || elsewhere.push(request.url()));
  await page.goto(`${gateway.url}/`);
  await page.click('a[href="open/playground"]');
  await page.fill('#query', 'query($id: ID!) { Patient(id: $id) { birthDate } }');
  await page.fill('#variables', '{ "id": "p1" }');
  await page.click('#run');
  // Polled from outside: polling inside the page would be an eval, which its policy refuses.
  const shown = () => page.textContent('#out');
  await expect.poll(shown, { timeout: 10_000 }).toContain('1970-01-01');
  await page.fill('#variables', '{ not json');
  await page.click('#run');
  await expect.poll(shown, { timeout: 10_000 }).toContain('SyntaxError');
  expect(await page.evaluate('getComputedStyle(document.body).maxWidth')).not.toBe('none');
  expect(complaints.filter((text) => !text.includes('favicon') && !text.includes('404'))).toEqual([]);
  expect(elsewhere).toEqual([]);
});
