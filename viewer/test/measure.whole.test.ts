/** A test object of known size, measured in Chromium on the images of a real gateway. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { TEST_OBJECT } from '../../gateway/demo/test-object.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const { rods, side, bar, size, spacing } = TEST_OBJECT;

const system = new ViewerSystem({ timeout: 90_000, images: false });

/** Returns the study and the series of the test object. */
async function testObject(): Promise<{ study: string; series: string }> {
  const url = `${system.gateway.url}/open/dicomweb/series?SeriesNumber=99&includefield=0008103E`;
  let answer = await fetch(url);
  while (answer.status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    answer = await fetch(url);
  }
  // The first record takes longer than others.
  await fetch(`${system.gateway.url}/open/fhir/ImagingStudy?patient=${PATIENT}`);
  const rows = (await answer.json()) as Record<string, { Value?: unknown[] }>[];
  const row = rows.find((one) => String(one['0008103E']?.Value?.[0]).startsWith('Test object'))!;
  return { study: String(row['0020000D']!.Value![0]), series: String(row['0020000E']!.Value![0]) };
}

/** Returns where the centre of a pixel of the test object is in the page, while the whole image is shown. */
async function onGlass(page: Page, [column, row]: readonly [number, number]) {
  const glass = (await page.locator('.measure').boundingBox())!;
  const scale = Math.min(glass.width, glass.height) / size;
  return {
    x: glass.x + glass.width / 2 + (column - (size - 1) / 2) * scale,
    y: glass.y + glass.height / 2 + (row - (size - 1) / 2) * scale,
  };
}

async function drag(page: Page, from: readonly [number, number], to: readonly [number, number]) {
  const [a, b] = [await onGlass(page, from), await onGlass(page, to)];
  await page.mouse.move(a.x, a.y);
  await page.mouse.down();
  await page.mouse.move((a.x + b.x) / 2, (a.y + b.y) / 2);
  await page.mouse.move(b.x, b.y);
  await page.mouse.up();
}

/** Returns the first number after a word in the name of the last measurement of a kind. */
async function measured(page: Page, kind: string, word: string): Promise<number> {
  const shape = page.locator(`[data-measurement][aria-label^="${kind}"]`).last();
  const name = (await shape.getAttribute('aria-label'))!;
  return Number(new RegExp(`${word} ?(-?[\\d.,]+)`).exec(name)![1]!.replaceAll(',', ''));
}

test.each([1, 2])(
  'rods 60 mm apart are 60 mm apart, within a pixel of half a millimetre, with %d pixels of the screen for one of the page',
  async (deviceScaleFactor) => {
    const { study, series } = await testObject();
    const context = await system.browser.newContext({
      viewport: { width: 1400, height: 900 },
      deviceScaleFactor,
    });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(
      `${system.gateway.url}/app/?tenant=open&patient=${PATIENT}&study=${study}&series=${series}&image=2`,
    );
    await page.getByText('image 2/3').waitFor({ timeout: 60_000 });
    const [first, second] = [rods.first, rods.second];
    const lengths = [
      [first, first, second, first, side],
      [first, first, first, second, side],
      [first, first, second, second, side * Math.SQRT2],
    ] as const;
    for (const [fromColumn, fromRow, toColumn, toRow, expected] of lengths) {
      await page.keyboard.press('l');
      await drag(page, [fromColumn, fromRow], [toColumn, toRow]);
      expect(Math.abs((await measured(page, 'Length', ':')) - expected)).toBeLessThanOrEqual(spacing);
    }
    await page.keyboard.press('a');
    await drag(page, [second, first], [first, first]);
    const end = await onGlass(page, [first, second]);
    await page.mouse.click(end.x, end.y);
    expect(Math.abs((await measured(page, 'Angle', ':')) - 90)).toBeLessThan(0.5);
    // Well within the bar: 400 HU everywhere.
    await page.keyboard.press('b');
    await drag(page, [bar.columns[0] + 2, bar.rows[0] + 2], [bar.columns[1] - 2, bar.rows[1] - 2]);
    expect(await measured(page, 'Rectangle', 'mean')).toBe(400);
    expect(await measured(page, 'Rectangle', 'SD')).toBe(0);
    // One pixel on the rod in the lower right.
    await page.keyboard.press('v');
    await drag(page, [second, second], [second, second]);
    expect(await measured(page, 'Value at a point', 'value')).toBe(700);
    // Not on the next image; and there again, at the same place, however the image is turned.
    await saveShot(page, `measured-${deviceScaleFactor}`);
    await page.keyboard.press('ArrowDown');
    await page.getByText('image 3/3').waitFor();
    expect(await page.locator('[data-measurement]').count()).toBe(0);
    await page.keyboard.press('ArrowUp');
    await page.getByText('image 2/3').waitFor();
    for (const key of ['r', 'f', '+', '+']) await page.keyboard.press(key);
    await page.getByText('156 %').waitFor();
    expect(await page.locator('[data-measurement]').count()).toBe(6);
    await saveShot(page, `measured-turned-${deviceScaleFactor}`);
    expect(errors).toEqual([]);
    await context.close();
  },
  120_000,
);
