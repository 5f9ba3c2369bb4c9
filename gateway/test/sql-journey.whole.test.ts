/** From the start page to a chart of the population by one's own SQL, in a real Chromium: in less than a minute. */
import { expect, test } from 'vitest';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { inventPerson, POPULATION } from '../demo/population/person.ts';

const system = new ViewerSystem({ timeout: 90_000, images: false });

/** The number of studies of each modality, as they were invented. */
function studiesByModality(): Record<string, number> {
  const people = Array.from({ length: POPULATION }, (_, index) => inventPerson(index + 1));
  const modalities = people.flatMap(({ studies }) => studies.map(({ kind }) => kind.modality));
  return Object.fromEntries(
    [...new Set(modalities)].map((one) => [one, modalities.filter((other) => other === one).length]),
  );
}

test('one click, a statement of one’s own, and its chart', async () => {
  const { page } = await system.openPage('/');
  const began = performance.now();
  await page.getByRole('link', { name: /Sign in as analyst/ }).click();
  await page.getByText('Signed in: all patients that the user may see: everything').waitFor();
  await page.getByText('SQL', { exact: true }).click();
  const lines = page.locator('.place .editor .view-lines[role=presentation]');
  await lines.click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('SELECT modality, count(*) AS studies FROM imaging_study GROUP BY modality');
  await page.keyboard.press('Escape');
  // While the population and its tables are made, the answer says so.
  const run = async () => {
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('Running…', { exact: true }).waitFor({ state: 'hidden' });
    return page.getByRole('columnheader', { name: 'studies' }).isVisible();
  };
  await expect.poll(run, { timeout: 60_000, interval: 2000 }).toBe(true);
  const cells = await page.getByRole('table').locator('tbody td').allInnerTexts();
  await saveShot(page, 'sql-journey-table');
  await page.locator('.place').getByText('Chart', { exact: true }).click();
  await page.getByRole('heading', { name: 'studies by modality' }).waitFor();
  expect((performance.now() - began) / 1000).toBeLessThan(60);
  await saveShot(page, 'sql-journey-chart');
  const found = cells.flatMap((cell, at) => (at % 2 === 0 ? [[cell.trim(), Number(cells[at + 1])]] : []));
  expect(Object.fromEntries(found)).toEqual(studiesByModality());
}, 120_000);
