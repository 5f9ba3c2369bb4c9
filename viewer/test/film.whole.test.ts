/** The viewer in Chromium with the whole gateway: images in colour, and films. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { canvasOf, entryOf } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const system = new ViewerSystem({ timeout: 240_000 });

interface Film {
  /** Number and checksum of each image that was on the glass, as it appeared. */
  seen: { image: number; sum: number }[];
  /** From the first to the last. */
  seconds: number;
}

/** Watches a film: at each change of the number, the picture that belongs to it. */
function watchFilm(page: Page, milliseconds: number): Promise<Film> {
  return page.evaluate(async (time) => {
    const seen: { image: number; sum: number; at: number }[] = [];
    const copy = new OffscreenCanvas(64, 64).getContext('2d', { willReadFrequently: true })!;
    for (const begun = performance.now(); performance.now() - begun < time;) {
      await new Promise(requestAnimationFrame);
      const [, image] = /image (\d+)\//.exec(document.querySelector('.overlay')!.textContent!)!;
      if (seen.at(-1)?.image === Number(image)) continue;
      copy.drawImage(document.querySelector<HTMLCanvasElement>('.engine canvas')!, 0, 0, 64, 64);
      const sum = copy
        .getImageData(0, 0, 64, 64)
        .data.reduce((sum, value) => (sum * 31 + value) % 1_000_003, 0);
      seen.push({ image: Number(image), sum, at: performance.now() });
    }
    return { seen, seconds: (seen.at(-1)!.at - seen[0]!.at) / 1000 };
  }, milliseconds);
}

test('a colour palette is applied: the echocardiogram is visible', async () => {
  const { page, errors } = await system.openAs('George Allen Whitfield');
  await entryOf(page, '20 Jan 2026').click();
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

test('a film plays: each picture has its number, and what a busy machine skips is said', async () => {
  const { page, errors } = await system.openAs('George Allen Whitfield');
  await entryOf(page, '20 Jan 2026').click();
  const bar = page.getByRole('group', { name: 'Film' });
  await bar.getByText('(true time)').waitFor({ timeout: 30_000 });
  const rate = parseFloat(await bar.innerText());
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  // All its images are here.
  await page.waitForFunction(() => {
    const ring = document.querySelector('[role=option][aria-selected=true] svg[role=img]');
    const [ready, count] = ring?.getAttribute('aria-label')?.match(/\d+/g) ?? [];
    return ready !== undefined && ready === count;
  });
  await page.keyboard.press('k');
  const { seen, seconds } = await watchFilm(page, 3000);
  // Of each image there is one picture.
  const pictures = new Map(seen.map(({ image, sum }) => [image, sum]));
  expect(seen.filter(({ image, sum }) => pictures.get(image) !== sum)).toEqual([]);
  expect(new Set(pictures.values()).size).toBeGreaterThan(1);
  // A busy machine shows fewer images than the film has; then the bar says so.
  const reached = (seen.length - 1) / seconds;
  expect(reached).toBeLessThan(rate * 1.2);
  expect(reached > rate / 2 || (await bar.innerText()).includes('images are skipped')).toBe(true);
  await saveShot(page, 'film-plays');
  await page.keyboard.press('k');
  await page.waitForTimeout(300);
  const stopped = (await canvasOf(page)).sum;
  await page.waitForTimeout(300);
  expect((await canvasOf(page)).sum).toBe(stopped);
  expect(errors).toEqual([]);
  await page.close();
}, 90_000);
