/** A person without a mouse: the focus is moved by Tab and arrow keys only, in the page's own order. */
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { entryName, entryOf } from '../setup/viewer-page.ts';
import { CHEST_PRIOR, cornerOf, HELEN, isLit, type JourneySystem, SLOW } from './journey.ts';

/** Returns the name of what has the focus, and whether the browser shows that it has. */
function focused(page: Page): Promise<{ name: string; visible: boolean }> {
  return page.evaluate(() => {
    const element = document.activeElement!;
    const name = element.getAttribute('aria-label') ?? element.textContent ?? '';
    const { outlineStyle } = getComputedStyle(element);
    return { name: name.replace(/\s+/g, ' ').trim(), visible: outlineStyle !== 'none' };
  });
}

/** Presses Tab until something of that name has the focus. @returns the names on the way */
async function tabTo(page: Page, name: RegExp, { key = 'Tab', within = 60 } = {}): Promise<string[]> {
  const passed: string[] = [];
  while (passed.length < within) {
    await page.keyboard.press(key);
    const at = await focused(page);
    passed.push(at.name);
    if (!name.test(at.name)) continue;
    expect(at.visible, `the focus on ${at.name} is seen`).toBe(true);
    return passed;
  }
  throw new Error(`Tab does not reach ${name.source}: ${passed.join(' | ')}`);
}

/** From the sign-in to a measured length, and back to the image. */
export async function byKeys(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=demo');
  const { page } = journey;
  await page.getByRole('button', { name: HELEN }).waitFor(SLOW);
  await tabTo(page, new RegExp(HELEN));
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Allow' }).waitFor(SLOW);
  await tabTo(page, /^Allow$/);
  await page.keyboard.press('Enter');
  await entryOf(page, CHEST_PRIOR).waitFor(SLOW);

  const before = page.url();
  const passed = await tabTo(page, /^Fold or open the timeline$/);
  expect(passed).toContain('Search the record');
  // The timeline is one stop.
  await page.keyboard.press('Tab');
  await tabTo(page, entryName(CHEST_PRIOR), { key: 'ArrowDown' });
  await page.keyboard.press('Enter');
  await expect.poll(() => page.url(), SLOW).not.toBe(before);
  await tabTo(page, /^2 · /);
  await page.keyboard.press('Enter');
  await cornerOf(page, /Soft tissue 5 mm/).waitFor(SLOW);
  await tabTo(page, /^Image; arrow keys scroll$/);
  await isLit(page);

  await page.keyboard.press('Home');
  await cornerOf(page, 'image 1/60').waitFor(SLOW);
  for (const key of ['PageDown', 'ArrowDown', 'ArrowDown']) await page.keyboard.press(key);
  await cornerOf(page, 'image 13/60').waitFor(SLOW);

  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keys and gestures' });
  await help.waitFor(SLOW);
  await help.getByText('Compare with an earlier study').waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => help.count()).toBe(0);
  // The focus is where it was.
  expect((await focused(page)).name).toMatch(/^Image; arrow keys scroll/);

  await page.keyboard.press('l');
  await expect.poll(async () => (await focused(page)).name).toMatch(/^Length: arrow keys move the cross/);
  await page.keyboard.press('Enter');
  for (let step = 0; step < 5; step++) await page.keyboard.press('Shift+ArrowRight');
  await page.keyboard.press('Enter');
  // 50 pixels of 360 / 512 mm.
  await expect.poll(async () => (await focused(page)).name).toBe('Length: 35.2 mm');

  await page.keyboard.press('a');
  await page.getByRole('application', { name: /^Angle/ }).waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => page.getByRole('application').count()).toBe(0);
  expect(await page.locator('[data-measurement]').count()).toBe(1);
  await cornerOf(page, 'image 13/60').waitFor();
  expect(journey.errors).toEqual([]);
}
