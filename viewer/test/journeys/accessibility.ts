/** What axe finds on the real pages, in light, in dark and in forced colours; and what they look like. */
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { entryOf, glassOf, signOut } from '../setup/viewer-page.ts';
import {
  CHEST_NOW,
  cornerOf,
  DESKTOP,
  HELEN,
  isLit,
  type JourneySystem,
  seriesOf,
  shot,
  SLOW,
} from './journey.ts';

declare const window: { axe: typeof axe };

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const COLOURS = {
  light: { colorScheme: 'light', forcedColors: 'none' },
  dark: { colorScheme: 'dark', forcedColors: 'none' },
  forced: { colorScheme: 'light', forcedColors: 'active' },
} as const;

/** Fails if axe finds something. In forced colours contrast is the person's choice, and axe cannot see it. */
async function expectNoViolations(page: Page, name: string): Promise<void> {
  // A tooltip of a button.
  await page.mouse.move(0, 0);
  for (const [colours, media] of Object.entries(COLOURS)) {
    await page.emulateMedia({ ...media, reducedMotion: 'reduce' });
    await page.waitForTimeout(100);
    const found = await page.evaluate(async (contrast) => {
      const { violations } = await window.axe.run(document, {
        resultTypes: ['violations'],
        rules: { 'color-contrast': { enabled: contrast } },
      });
      return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
    }, colours !== 'forced');
    expect.soft(found, `${name}, ${colours}`).toEqual([]);
    if (colours === 'dark' || name === 'record') await shot(page, `${colours}-${name}`);
  }
  await page.emulateMedia({ ...COLOURS.light, reducedMotion: null });
}

/** Every page of the record, its study and its documents. */
export async function isAccessible(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=demo', { viewport: DESKTOP }, AXE);
  const { page } = journey;
  await page.getByRole('button', { name: HELEN }).waitFor(SLOW);
  await expectNoViolations(page, 'sign-in');
  await page.getByRole('button', { name: HELEN }).click();
  await page.getByRole('button', { name: 'Allow' }).waitFor(SLOW);
  await expectNoViolations(page, 'consent');
  await page.getByRole('button', { name: 'Allow' }).click();

  await entryOf(page, CHEST_NOW).click(SLOW);
  await seriesOf(page, /^3 ·/).click();
  await cornerOf(page, /Lung 6 mm/).waitFor(SLOW);
  await isLit(page);
  await expectNoViolations(page, 'record');
  await page.setViewportSize({ width: 820, height: 1180 });
  await glassOf(page).waitFor();
  await shot(page, 'tablet');
  await page.setViewportSize(DESKTOP);

  await page.keyboard.press(',');
  await page.getByRole('dialog', { name: 'Settings' }).waitFor(SLOW);
  await expectNoViolations(page, 'settings');
  await page.keyboard.press('Escape');

  await page.keyboard.press('c');
  await expect.poll(() => page.locator('.overlay').count(), SLOW).toBe(2);
  await expectNoViolations(page, 'compare');
  await page.getByRole('button', { name: 'Close the study beside' }).click();
  await expect.poll(() => glassOf(page).count(), SLOW).toBe(1);

  await page.keyboard.press('m');
  await page.getByText('sagittal').first().waitFor(SLOW);
  await expectNoViolations(page, 'planes');
  await page.keyboard.press('m');
  await expect.poll(() => glassOf(page).count(), SLOW).toBe(1);

  await seriesOf(page, /^900 ·/).click();
  await page.getByRole('heading', { name: 'Imaging Measurement Report' }).waitFor(SLOW);
  await expectNoViolations(page, 'structured-report');
  await signOut(page);
  await page.getByText('You have signed out.').waitFor(SLOW);
  await expectNoViolations(page, 'signed-out');

  await page.goto(`${system.gateway.url}/app/?tenant=open&patient=demo-george-whitfield`);
  await entryOf(page, '20 Jan 2026').click(SLOW);
  await seriesOf(page, /^2 ·/).click();
  await page.getByRole('img', { name: /^Recording of: I, II, III/ }).waitFor(SLOW);
  await expectNoViolations(page, 'electrocardiogram');
}
