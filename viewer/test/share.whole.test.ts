/** A patient shares a study; a doctor opens the link on a phone, without an account; the patient stops it (IA-36). */
import { expect, test } from 'vitest';
import { CHEST_NOW, cornerOf, HELEN, isLit, JourneySystem, shot, SLOW } from './journeys/journey.ts';
import { entryOf, openViewer, signInAs } from './setup/viewer-page.ts';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const PASSCODE = 'blue whale 7';
const system = new JourneySystem({ timeout: 120_000 });

test('a link is made, opened on a phone, looked at, and stopped', async () => {
  await using patient = await system.open('?tenant=demo');
  const { page } = patient;
  await signInAs(page, HELEN);
  await entryOf(page, CHEST_NOW).click(SLOW);
  await isLit(page);
  await page.getByRole('button', { name: 'More', exact: true }).click(SLOW);
  await shot(page, 'share-more');
  await page.getByText('Show to my doctor', { exact: true }).last().click(SLOW);
  await page.getByRole('textbox', { name: 'Passcode' }).fill(PASSCODE);
  await page.getByRole('button', { name: 'Make the link' }).click();
  const link = await page.getByRole('textbox', { name: 'Link' }).inputValue(SLOW);
  await shot(page, 'share-link');

  const profile = await system.browser.newContext(PHONE);
  const asked: string[] = [];
  profile.on('request', (request) => asked.push(request.url()));
  const { page: phone, errors } = await openViewer(profile, link);
  await expect.poll(() => phone.url()).toBe(`${system.gateway.url}/app/shared`);
  await phone.getByRole('textbox', { name: 'Your name and where you work' }).fill('Dr Weiss, Kiel', SLOW);
  const open = async (passcode: string) => {
    await phone.getByRole('textbox', { name: 'Passcode' }).fill(passcode);
    await phone.getByRole('button', { name: 'Open', exact: true }).tap();
  };
  await open('red whale 7');
  await phone.getByText('The passcode is wrong.', { exact: false }).waitFor(SLOW);
  await open(PASSCODE);
  await phone.getByRole('heading', { name: HELEN }).waitFor(SLOW);
  await shot(phone, 'share-received');
  // What was not shared is not there.
  expect(await phone.getByRole('navigation', { name: 'Timeline' }).locator('.entry').count()).toBe(1);
  await entryOf(phone, CHEST_NOW).tap(SLOW);
  await cornerOf(phone, /image \d+\/\d+/).waitFor(SLOW);
  await isLit(phone);
  await shot(phone, 'share-received-image');
  const images = asked.filter((url) => url.includes('/dicom-web/studies/'));
  expect(images.length).toBeGreaterThan(0);
  // No request carries what is behind the "#", or the passcode.
  expect(asked.filter((url) => /shlink|whale/.test(url))).toEqual([]);

  await page.getByRole('button', { name: /^Stop sharing: / }).click(SLOW);
  await page.getByRole('button', { name: 'Stop it now' }).click();
  await page.getByText('The link no longer works.').waitFor(SLOW);
  expect((await fetch(images[0]!)).status).toBe(404);
  await phone.reload();
  await phone.getByRole('textbox', { name: 'Your name and where you work' }).fill('Dr Weiss, Kiel', SLOW);
  await open(PASSCODE);
  await phone.getByText('This link does not exist or has ended.', { exact: false }).waitFor(SLOW);
  expect([...errors, ...patient.errors]).toEqual([]);
  await profile.close();
}, 150_000);
