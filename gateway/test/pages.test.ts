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

test('the start page works under its content security policy, and loads nothing from other origins', async () => {
  const page = await browser.newPage();
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => request.url().startsWith(gateway.url) || elsewhere.push(request.url()));
  await page.goto(`${gateway.url}/`);
  expect(await page.getByRole('link', { name: 'playground' }).first().getAttribute('href')).toMatch(
    /^[\w-]+\/playground$/,
  );
  expect(await page.evaluate('getComputedStyle(document.body).maxWidth')).not.toBe('none');
  expect(complaints.filter((text) => !text.includes('favicon') && !text.includes('404'))).toEqual([]);
  expect(elsewhere).toEqual([]);
});
