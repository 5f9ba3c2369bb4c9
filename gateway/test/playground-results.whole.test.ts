/** The results of the playground in a real Chromium, with the pictures of the gateway and its token. */
import { expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { HELEN, PHONE, PlaygroundPage } from './playground-page.ts';

const system = new ViewerSystem({ timeout: 90_000 });

test('shows an answer as a table with pictures that lead to the viewer, as a chart, and as code', async () => {
  await using playground = await PlaygroundPage.open(system.browser, system.gateway.url);
  const { page } = playground;
  await playground.signIn(HELEN);
  await playground.chooseExample(/What does the record of a patient say/);
  // It fills in the patient of the token.
  const texts = page.locator('.graphiql-editors .view-lines');
  await expect.poll(async () => (await texts.allInnerTexts()).join(' ')).toContain(DEMO_PATIENT);
  await playground.run();
  await page.getByRole('combobox', { name: 'List' }).selectOption('Patient.ImagingStudyList.series');
  const picture = page.getByRole('link', { name: 'Open the series in the viewer' }).first();
  await picture.waitFor({ timeout: 15_000 });
  expect(await picture.getAttribute('href')).toMatch(
    new RegExp(`^${system.gateway.url}/app/\\?tenant=demo&study=[\\d.]+&series=[\\d.]+$`),
  );
  await saveShot(page, 'playground-page-table');

  await page.getByText('Chart', { exact: true }).click();
  await page.getByRole('img', { name: /The table has its values/ }).waitFor();
  await saveShot(page, 'playground-page-chart');

  await page.getByRole('button', { name: 'Code', exact: true }).click();
  await page.getByText('Python', { exact: true }).click();
  await page.getByText('for field in ["Patient", ').waitFor();
  expect(await page.locator('pre').innerText()).toContain('query RecordAndImages');

  await page.getByRole('button', { name: 'Results', exact: true }).click();
  for (const size of [{ width: 800, height: 1100 }, PHONE]) {
    await page.setViewportSize(size);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(size.width);
    await page.getByRole('region', { name: 'Results', exact: true }).scrollIntoViewIfNeeded();
    await page.emulateMedia({ colorScheme: 'dark' });
    await saveShot(page, `playground-page-${size.width}`);
  }
}, 90_000);
