/** From the start page by one click to a table of the population, in a real Chromium. */
import { expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';

const system = new ViewerSystem({ timeout: 90_000, images: false });

test('one click: the population is made, and its patients are a table', async () => {
  const { page } = await system.openPage('/');
  await saveShot(page, 'analyst-start');
  await page.getByRole('link', { name: /Sign in as analyst/ }).click();
  await page.getByText('Signed in: all patients that the user may see: everything').waitFor();
  // It says how far it is, and goes on by itself.
  await page
    .getByRole('cell', { name: /^pop-\d{4}$/ })
    .first()
    .waitFor({ timeout: 150_000 });
  await saveShot(page, 'analyst-table');
  // With its images: a part would be taken for the whole.
  expect(await page.getByText('Code: unavailable').count()).toBe(0);
  await page.getByText('128 rows', { exact: true }).waitFor();
  expect(new URL(page.url()).search).toBe('');
}, 200_000);
