/** A new user at a desktop, with the mouse: from the sign-in to files on the disk. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { expect } from 'vitest';
import { studyUid } from '../../../gateway/demo/stories.ts';
import { difference, expectedGrey } from '../engine/engine-page.ts';
import { entryOf, glassOf, signInAs, signOut } from '../setup/viewer-page.ts';
import {
  CHEST_NOW,
  cornerOf,
  DESKTOP,
  GEORGE,
  HELEN,
  isLit,
  type JourneySystem,
  seriesOf,
  shot,
  SLOW,
} from './journey.ts';
import { imageOf, middle, pixelsOf } from './pixels.ts';
import { filesOfZip } from './zip.ts';

const CHEST = studyUid('castellanos-ct-chest-2026');

/** Drags on the glass with a button of the mouse. */
async function drag(page: Page, by: [x: number, y: number], button: 'left' | 'middle' | 'right' = 'left') {
  const { x, y, width, height } = (await glassOf(page).first().boundingBox())!;
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down({ button });
  await page.mouse.move(x + width / 2 + by[0], y + height / 2 + by[1], { steps: 4 });
  await page.mouse.up({ button });
}

/** A CT: one request, the frame of the server on the glass, an earlier study, a report, files, planes, sign-out. */
export async function withCt(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=demo', { viewport: DESKTOP });
  const { page, graphql } = journey;
  await signInAs(page, HELEN);
  await page.getByRole('heading', { name: HELEN, level: 1 }).waitFor(SLOW);
  await entryOf(page, CHEST_NOW).waitFor(SLOW);
  expect(graphql).toHaveLength(1);

  await entryOf(page, CHEST_NOW).click();
  await seriesOf(page, /^2 ·/).click();
  await cornerOf(page, /2 · Soft tissue 1\.5 mm/).waitFor(SLOW);
  await isLit(page);
  await page.getByRole('slider', { name: 'Image number' }).fill('87');
  await cornerOf(page, 'image 87/208').waitFor(SLOW);
  await page.getByText('in the report', { exact: true }).waitFor(SLOW);
  await shot(page, 'desktop');

  // One pixel of the image on one of the glass: then every one can be compared.
  await page.getByRole('button', { name: 'Report', exact: true }).click();
  const glass = (await glassOf(page).boundingBox())!;
  await page.setViewportSize({
    width: DESKTOP.width,
    height: Math.round(DESKTOP.height - glass.height + 512),
  });
  const name = await imageOf(system.gateway.url, CHEST, { series: 2, instance: 87 });
  const grey = (window?: { centre: number; width: number }) =>
    expectedGrey(system.gateway.url, { study: CHEST, series: name.series }, { instance: name.instance, frame: 1, ...(window && { window }) }); // prettier-ignore
  const size = { width: 512, height: 512 };
  const stored = await grey();
  await expect.poll(async () => difference(middle(await pixelsOf(page), size), stored).more, SLOW).toBe(0);

  await drag(page, [60, -30]);
  const words = await cornerOf(page, /W \d+ L/).innerText();
  const [, width, centre] = /W (\d+) L (-?\d+)/.exec(words)!.map(Number);
  expect(width).toBeGreaterThan(400);
  const windowed = middle(await pixelsOf(page), size);
  expect(difference(windowed, stored).more).toBeGreaterThan(1000);
  expect(difference(windowed, await grey({ centre: centre!, width: width! })).greatest).toBeLessThanOrEqual(
    2,
  );
  await page.setViewportSize(DESKTOP);

  const before = await glassOf(page).getAttribute('aria-valuenow');
  await glassOf(page).hover();
  await page.mouse.wheel(0, 300);
  await cornerOf(page, `image ${Number(before) + 3}/208`).waitFor(SLOW);

  await page.keyboard.press('0');
  await page.keyboard.press('c');
  await page.getByText('linked: scroll, zoom, window, rotation').first().waitFor(SLOW);
  await cornerOf(page, /Soft tissue 5 mm/).waitFor(SLOW);
  expect(await glassOf(page).count()).toBe(2);
  await expect.poll(() => page.locator('.overlay').count(), SLOW).toBe(2);
  await shot(page, 'compare');
  await page.getByRole('button', { name: 'Close the study beside' }).click();
  await expect.poll(() => glassOf(page).count(), SLOW).toBe(1);

  await seriesOf(page, /^900 ·/).click();
  await page.getByRole('heading', { name: 'Imaging Measurement Report' }).waitFor(SLOW);
  await page
    .getByRole('row', { name: /Long Axis/ })
    .getByRole('link')
    .click();
  await cornerOf(page, 'image 87/208').waitFor(SLOW);

  await page.keyboard.press('d');
  const picture = page.waitForEvent('download', SLOW);
  await page.getByRole('button', { name: 'Save the PNG' }).click();
  const png = await picture;
  expect(png.suggestedFilename()).toMatch(/image-87\.png$/);
  const { format, width: across, height: down } = await sharp(await png.path()).metadata();
  expect([format, across! > 500, down! > 500]).toEqual(['png', true, true]);

  await seriesOf(page, /^3 ·/).click();
  await cornerOf(page, /Lung 6 mm/).waitFor(SLOW);
  await page.keyboard.press('Shift+D');
  const saved = page.waitForEvent('download', SLOW);
  await page.getByRole('button', { name: 'Save the zip' }).click();
  const files = filesOfZip(await readFile(await (await saved).path()));
  expect(files.size).toBe(52);
  const prefixes = [...files.values()].map((file) => file.toString('latin1', 128, 132));
  expect(new Set(prefixes)).toEqual(new Set(['DICM']));
  await page.getByText(/^Saved: 52 files/).waitFor(SLOW);
  await page.keyboard.press('Escape');

  await page.keyboard.press('m');
  for (const plane of ['coronal', 'sagittal']) await page.getByText(plane).first().waitFor(SLOW);
  await shot(page, 'planes');

  await signOut(page);
  await page.getByText('You have signed out.').waitFor(SLOW);
  expect(await page.getByText('Castellanos').count()).toBe(0);
  expect(journey.errors).toEqual([]);
}

/** Films, an electrocardiogram and a PDF of one patient. */
export async function withFilms(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=demo');
  const { page } = journey;
  await signInAs(page, GEORGE);
  await entryOf(page, '20 Jan 2026').click(SLOW);
  await isLit(page);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  const seen = new Set<string | null>();
  await expect
    .poll(async () => seen.add(await glassOf(page).getAttribute('aria-valuenow')).size, SLOW)
    .toBeGreaterThan(3);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();

  await seriesOf(page, /^2 ·/).click();
  await page.getByRole('img', { name: /^Recording of: I, II, III/ }).waitFor(SLOW);
  await seriesOf(page, /^900 ·/).click();
  await page.getByRole('heading', { name: 'Echocardiography report' }).waitFor(SLOW);
  await expect.poll(() => page.frames().map((one) => one.url().split(':')[0]), SLOW).toContain('blob');

  for (const [day, series] of [
    ['2 Feb 2026', /Right coronary artery/],
    ['5 Feb 2026', /Directional coronary atherectomy/],
    ['18 Jun 2026', /Cine gradient echo/],
  ] as const) {
    await entryOf(page, day).click();
    await cornerOf(page, series).waitFor(SLOW);
    await isLit(page);
  }
  expect(journey.errors).toEqual([]);
}

/** An image of each modality that the other patients have. */
export async function withOtherModalities(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=open');
  const { page } = journey;
  for (const [patient, day, series] of [
    ['demo-maria-alvarez', '12 Mar 2026', /FSE PD axial/],
    ['demo-tomas-novak', '11 Aug 2026', /Axial 5 mm/],
    ['demo-tomas-novak', '19 Aug 2026', /PET attenuation corrected/],
    ['demo-samir-haddad', '7 May 2026', /Colour fundus/],
    ['demo-ruth-lindqvist', '14 May 2025', /Scout/],
  ] as const) {
    await page.goto(`${system.gateway.url}/app/?tenant=open&patient=${patient}`);
    await entryOf(page, day).click(SLOW);
    await cornerOf(page, series).waitFor(SLOW);
    await isLit(page);
    expect(await page.getByRole('alert').count(), patient).toBe(0);
  }
  expect(journey.errors).toEqual([]);
}
