/** From a study in an answer of SQL to its images, in a real Chromium: nobody has to know whose study it is. */
import { expect, test } from 'vitest';
import { canvasOf, glassOf } from '../../viewer/test/setup/viewer-page.ts';
import { saveShot, ViewerSystem } from '../../viewer/test/setup/viewer-system.ts';
import { inventPerson } from '../demo/population/person.ts';

const system = new ViewerSystem({ timeout: 90_000, images: false });

test('a study_id opens its images after two clicks, person and consent; another patient is found by name', async () => {
  const { id } = inventPerson(900);
  const { page } = await system.openPage('/population/playground?analyst');
  await page.getByText('Signed in: all patients that the user may see: everything').waitFor();
  await page.getByText('SQL', { exact: true }).click();
  await page.locator('.place .editor .view-lines[role=presentation]').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type(`SELECT id AS study_id FROM imaging_study WHERE patient_id = '${id}'`);
  await page.keyboard.press('Escape');
  const link = page.locator('.place').getByRole('link').first();
  // While the population and its tables are made, the answer says so.
  const run = async () => {
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('Running…', { exact: true }).waitFor({ state: 'hidden' });
    return link.isVisible();
  };
  await expect.poll(run, { timeout: 60_000, interval: 2000 }).toBe(true);
  const study = (await link.innerText()).trim();
  const [tab] = await Promise.all([page.context().waitForEvent('page'), link.click()]);
  const errors: string[] = [];
  tab.on('pageerror', (error) => errors.push(error.message));
  const images: string[] = [];
  tab.on('request', (request) =>
    images.push(...(/\/studies\/([\d.]+)\/.*\/frames\//.exec(request.url())?.slice(1) ?? [])),
  );

  await tab.getByRole('heading', { name: 'Sign in' }).waitFor();
  await saveShot(tab, 'study-link-sign-in');
  await tab.getByRole('button', { name: 'Analyst' }).click();
  await tab.getByRole('heading', { name: 'Allow access?' }).waitFor();
  await saveShot(tab, 'study-link-consent');
  expect(tab.url()).not.toContain(id);
  await tab.getByRole('button', { name: 'Allow' }).click();

  await glassOf(tab).first().waitFor({ timeout: 30_000 });
  await expect.poll(async () => (await canvasOf(tab)).lit, { timeout: 30_000 }).toBeGreaterThan(0.01);
  await saveShot(tab, 'study-link-images');
  const { searchParams } = new URL(tab.url());
  expect(searchParams.get('tenant')).toBe('population');
  expect(searchParams.get('study')).toBe(study);
  expect(tab.url()).not.toContain(id);
  expect([...new Set(images)]).toEqual([study]);

  // Another patient, of 1,000, is found by the name.
  const other = inventPerson(901);
  await tab.getByRole('button', { name: 'Account' }).click();
  await tab.getByRole('menuitem', { name: 'Other patient' }).click();
  await tab.getByRole('heading', { name: 'Choose a patient' }).waitFor();
  await tab.getByText('Patients shown: 24 of 1,000.').waitFor();
  await saveShot(tab, 'study-link-choice');
  await tab.getByRole('searchbox', { name: 'Name of a patient' }).fill(`${other.family} ${other.given}`);
  await tab.keyboard.press('Enter');
  const found = tab.getByRole('button', { name: other.birthDate });
  await found.waitFor();
  await saveShot(tab, 'study-link-found');
  await found.click();
  await tab.getByRole('button', { name: 'Allow' }).click();
  await tab.getByRole('heading', { name: `${other.given} ${other.family}`, level: 1 }).waitFor();
  expect(errors).toEqual([]);
}, 180_000);
