/** The viewer in Chromium with the whole gateway: images in colour, and films. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { Region } from './component/judged-video.ts';
import { judgedVideo } from './setup/judge-video.ts';
import { canvasOf, entryOf, glassOf } from './setup/viewer-page.ts';
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

/** Reads the luma (BT.709) of the middle of the image that is on the glass, where nothing is written on it. */
async function middleOf(page: Page): Promise<{ luma: number[]; region: Region }> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.engine canvas')!;
    const [width, height] = [canvas.width >> 1, canvas.height >> 1];
    const region = { left: canvas.width >> 2, top: canvas.height >> 2, width, height };
    const copy = new OffscreenCanvas(width, height).getContext('2d')!;
    copy.drawImage(canvas, -region.left, -region.top);
    const { data } = copy.getImageData(0, 0, width, height);
    const luma = Array.from({ length: width * height }, (_, at) =>
      Math.round(0.2126 * data[4 * at]! + 0.7152 * data[4 * at + 1]! + 0.0722 * data[4 * at + 2]!),
    );
    return { luma, region };
  });
}

test('a film is saved as a video: each image once, in its time, as it is on the glass', async () => {
  const { page, errors } = await system.openAs('George Allen Whitfield');
  // Without it a file is a download, as in most browsers.
  await page.evaluate(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
  await entryOf(page, '20 Jan 2026').click();
  const bar = page.getByRole('group', { name: 'Film' });
  await bar.getByText('(true time)').waitFor({ timeout: 30_000 });
  const rate = parseFloat(await bar.innerText());
  const count = Number(await glassOf(page).getAttribute('aria-valuemax'));
  const images: Awaited<ReturnType<typeof middleOf>>[] = [];
  for (let image = 1; image <= count; image++) {
    await glassOf(page).press(image === 1 ? 'Home' : 'ArrowDown');
    await page.getByText(`image ${image}/${count}`).first().waitFor();
    images.push(await middleOf(page));
  }
  await page.keyboard.press('Shift+V');
  const downloading = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the video' }).click();
  await saveShot(page, 'film-is-saved');
  const download = await downloading;
  await page.getByText(`Saved: ${count} images.`).waitFor();
  const luma = Buffer.from(images.flatMap((image) => image.luma));
  const video = judgedVideo(await readFile(await download.path()), luma, images[0]!.region);
  expect(download.suggestedFilename()).toBe('US-20260120-series-1.mp4');
  expect(video.times).toHaveLength(count);
  expect(Math.max(...video.times.map((time, index) => Math.abs(time - index / rate)))).toBeLessThan(
    0.5 / rate,
  );
  expect(Math.abs(video.duration - count / rate)).toBeLessThan(1 / rate);
  expect(video.decibels.reduce((sum, one) => sum + one, 0) / count).toBeGreaterThanOrEqual(40);
  expect(Math.min(...video.decibels)).toBeGreaterThanOrEqual(36);
  expect(errors).toEqual([]);
  await page.close();
}, 120_000);
