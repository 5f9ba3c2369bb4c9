/** A patient with a phone, by touch only. */
import type { CDPSession } from 'playwright-core';
import { expect } from 'vitest';
import { entryOf, glassOf } from '../setup/viewer-page.ts';
import { CHEST_NOW, cornerOf, HELEN, isLit, type JourneySystem, seriesOf, shot, SLOW } from './journey.ts';

const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

type Point = readonly [x: number, y: number];

/** Moves fingers over the screen, as the browser gets them from a touch screen. @param paths one of each finger */
async function touch(client: CDPSession, paths: readonly (readonly Point[])[]): Promise<void> {
  const points = (step: number) => paths.map((path, id) => ({ id, x: path[step]![0], y: path[step]![1] }));
  const steps = paths[0]!.length;
  for (let step = 0; step < steps; step++) {
    const type = step === 0 ? 'touchStart' : 'touchMove';
    await client.send('Input.dispatchTouchEvent', { type, touchPoints: points(step) });
  }
  await client.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
}

const line = ([x, y]: Point, [toX, toY]: Point): Point[] =>
  [0, 0.25, 0.5, 0.75, 1].map((part) => [x + part * (toX - x), y + part * (toY - y)]);

/** From the sign-in to a report, and back by the browser. */
export async function byTouch(system: JourneySystem): Promise<void> {
  await using journey = await system.open('?tenant=demo', PHONE);
  const { page } = journey;
  const client = await page.context().newCDPSession(page);
  await page.getByRole('button', { name: HELEN }).tap(SLOW);
  await page.getByRole('button', { name: 'Allow' }).tap(SLOW);
  await entryOf(page, CHEST_NOW).waitFor(SLOW);
  await page.getByRole('button', { name: 'Back to the patient' }).tap(SLOW);
  await page.getByRole('heading', { name: 'Allergies' }).waitFor();
  await shot(page, 'phone-patient');
  await page.getByRole('button', { name: 'Open the timeline' }).tap(SLOW);
  await entryOf(page, CHEST_NOW).waitFor();
  await shot(page, 'phone-timeline');

  await entryOf(page, CHEST_NOW).tap(SLOW);
  await page.getByRole('button', { name: /^Series \d of \d/ }).tap(SLOW);
  await seriesOf(page, /^2 ·/).tap(SLOW);
  await cornerOf(page, /image \d+\/208/).waitFor(SLOW);
  await isLit(page);
  const image = async () => Number(await glassOf(page).getAttribute('aria-valuenow'));
  const { x, y, width, height } = (await glassOf(page).boundingBox())!;
  const [middleX, middleY] = [x + width / 2, y + height / 2];

  const before = await image();
  await touch(client, [line([middleX, middleY + 60], [middleX, middleY - 60])]);
  await expect.poll(image, SLOW).toBe(before + 10);
  await cornerOf(page, `image ${before + 10}/208`).waitFor(SLOW);
  await shot(page, 'phone');

  await touch(client, [
    line([middleX - 40, middleY], [middleX - 80, middleY]),
    line([middleX + 40, middleY], [middleX + 80, middleY]),
  ]);
  await cornerOf(page, /^200 %/).waitFor(SLOW);
  expect(await image()).toBe(before + 10);
  await shot(page, 'phone-zoomed');
  await page.touchscreen.tap(middleX, middleY);
  await page.touchscreen.tap(middleX, middleY);
  await cornerOf(page, /^100 %/).waitFor(SLOW);

  await page.getByRole('button', { name: 'Report', exact: true }).tap(SLOW);
  await page.getByRole('region', { name: 'Report' }).waitFor(SLOW);
  await shot(page, 'phone-report');
  await page.getByRole('button', { name: 'Report', exact: true }).tap(SLOW);
  await expect.poll(() => page.getByRole('region', { name: 'Report' }).count()).toBe(0);
  await glassOf(page).waitFor();

  await page.goBack();
  await entryOf(page, CHEST_NOW).waitFor(SLOW);
  await page.goForward();
  await glassOf(page).waitFor(SLOW);
  expect(journey.errors).toEqual([]);
}
