/** Documents of the demonstration in Chromium, with the whole gateway: a report, a PDF and an electrocardiogram. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { entryOf } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const GEORGE = 'demo-george-whitfield';

const system = new ViewerSystem({ timeout: 240_000 });

/** Opens a patient of the tenant that needs no sign-in, at the study of a day. */
async function openStudy(patient: string, day: string): Promise<{ page: Page; errors: string[] }> {
  const page = await system.browser.newPage({ viewport: { width: 1400, height: 900 } });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(`${system.gateway.url}/app/?tenant=open&patient=${patient}`);
  await entryOf(page, day).click({ timeout: 90_000 });
  return { page, errors };
}

/** Chooses a series of the strip. */
const choose = (page: Page, series: RegExp) => page.getByRole('option', { name: series }).click();

test('a structured report is read, and its measurement leads to the image', async () => {
  const { page, errors } = await openStudy(HELEN, '14 Oct 2026');
  await choose(page, /^900 ·/);
  await page.getByRole('heading', { name: 'Imaging Measurement Report' }).waitFor({ timeout: 90_000 });
  const row = page.getByRole('row', { name: /Long Axis/ });
  expect((await row.innerText()).replace(/\s+/g, ' ')).toBe(
    'Long Axis 9 mm Structure of upper lobe of lung, Right Open the image (series 2)',
  );
  await saveShot(page, 'demo-structured-report');
  await row.getByRole('link').click();
  await page.getByText('image 87/208').waitFor({ timeout: 90_000 });
  // The report of the record names the same image.
  await page.getByText('in the report', { exact: true }).waitFor();
  const marked = (await page.locator('mark').allInnerTexts()).join(' ');
  expect(marked).toContain('now measures 9 mm (series 2, image 87;');
  await saveShot(page, 'demo-in-the-report');
  await page.getByRole('link', { name: 'series 2, image 25' }).click();
  await page.getByText('image 25/60').waitFor({ timeout: 90_000 });
  expect(errors).toEqual([]);
  await page.close();
}, 240_000);

test('a PDF is shown in the page, as the policy of its content allows', async () => {
  const { page, errors } = await openStudy(GEORGE, '20 Jan 2026');
  await choose(page, /^900 ·/);
  await page.getByRole('heading', { name: 'Echocardiography report' }).waitFor({ timeout: 90_000 });
  const frame = page.locator('iframe');
  await frame.waitFor();
  const url = (await frame.getAttribute('src'))!;
  expect(url).toMatch(/^blob:/);
  const kept = await page.evaluate(async (address) => {
    const { headers, ...answer } = await fetch(address).then(async (response) => ({
      headers: response.headers.get('content-type'),
      begins: (await response.text()).slice(0, 5),
    }));
    return { type: headers, ...answer };
  }, url);
  expect(kept).toEqual({ type: 'application/pdf', begins: '%PDF-' });
  // A frame that the policy refuses is an error page.
  await expect.poll(() => page.frames().map((one) => one.url())).toContain(url);
  await saveShot(page, 'demo-pdf');
  expect(errors).toEqual([]);
  await page.close();
}, 240_000);

test('an electrocardiogram is drawn, and measured with two points', async () => {
  const { page, errors } = await openStudy(GEORGE, '20 Jan 2026');
  await choose(page, /^2 ·/);
  const paper = page.getByRole('img', { name: /^Recording of: I, II, III, aVR/ });
  await paper.waitFor({ timeout: 90_000 });
  await page.getByText('12 leads, 10 s, 500 samples a second').waitFor();
  const [, , width] = (await paper.getAttribute('viewBox'))!.split(' ').map(Number);
  const box = (await paper.boundingBox())!;
  const pixels = box.width / width!;
  // The peaks of the first two beats of lead I, at 72 beats a minute.
  for (const seconds of [0.19, 0.19 + 60 / 72])
    await paper.click({ position: { x: (13 + 25 * seconds) * pixels, y: 10 * pixels } });
  const result = await page.getByText(/ms · \d+\/min · I /).innerText();
  const [, milliseconds, rate] = /^(\d+) ms · (\d+)\/min/.exec(result)!;
  expect(Math.abs(Number(milliseconds) - 833)).toBeLessThanOrEqual(10);
  expect(Math.abs(Number(rate) - 72)).toBeLessThanOrEqual(1);
  await saveShot(page, 'demo-electrocardiogram');
  await page.keyboard.press('g');
  await page.getByText('Waveform Sequence (5400,0100) SQ').waitFor();
  await saveShot(page, 'demo-attributes');
  expect(errors).toEqual([]);
  await page.close();
}, 240_000);
