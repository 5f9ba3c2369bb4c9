/** From the hand to the pixels, over slices that are loaded; without a graphics card: wheel, film, and planes of a volume. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright-core';
import type { Figure } from '../../gateway/bench/measure.ts';
import { OURS, startBenchSystem, windowFor } from './bench-system.ts';

const STEPS = 100;
/** Images a second: ten, the usual rate of slices, at the greatest speed. */
const FILM_RATE = 40;
const FILM_SECONDS = 5;

export async function bench(): Promise<Figure[]> {
  await using system = await startBenchSystem();
  const { browser, gateway, query, count } = system;
  const context = await browser.newContext();
  const url = `${gateway.url}/app/?${query}&image=1`;
  const window = await windowFor(context, { url, pictures: OURS });
  const page = await context.newPage();
  await page.setViewportSize(window);
  await page.goto(url);
  await page.locator(OURS.tools).waitFor();
  await allLoaded(page, count);
  const wheel = await wheelSteps(page);
  // The study has a segmentation, key images and a region of a report, which are shown at the start.
  await page.keyboard.press('o');
  const bare = await wheelSteps(page, -1);
  const shown = await filmRate(page);
  const drag = await dragSteps(page);
  const planes = await planeTimes(await browser.newContext(), { url, window });
  return [
    { what: 'wheel to pixels with overlays, median', value: part(wheel, 0.5), unit: 'ms' },
    { what: '… 95th percentile', value: part(wheel, 0.95), unit: 'ms', atMost: 50 },
    { what: 'wheel to pixels, median', value: part(bare, 0.5), unit: 'ms' },
    { what: 'wheel to pixels, 95th percentile', value: part(bare, 0.95), unit: 'ms', atMost: 50 },
    { what: 'first plane of a volume', value: planes.first, unit: 'ms' },
    { what: '… the whole volume', value: planes.whole, unit: 'ms' },
    { what: '… the first beside the whole', value: planes.first / planes.whole, unit: '×', atMost: 0.3 },
    { what: `film of ${FILM_RATE} images a second, on the glass`, value: shown, unit: '/s' },
    { what: 'drag of the crosshair to another plane, median', value: part(drag, 0.5), unit: 'ms' },
    { what: 'drag of the crosshair to another plane, 95th percentile', value: part(drag, 0.95), unit: 'ms' },
  ];
}

function part(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;
}

/** Milliseconds of turns of the wheel. @param way 1 for down, -1 for up */
async function wheelSteps(page: Page, way = 1): Promise<number[]> {
  await page.evaluate(watchSteps, { type: 'wheel', label: '.overlay .bottom-left' });
  await page.locator(OURS.tools).hover();
  for (let step = 0; step < STEPS; step++) {
    await page.mouse.wheel(0, 100 * way);
    await delay(100);
  }
  return stepsIn(page);
}

/** Images of a film that come onto the glass in a second. */
async function filmRate(page: Page): Promise<number> {
  await page.keyboard.press('Home');
  for (let faster = 0; faster < 4; faster++) await page.keyboard.press(']');
  await page.keyboard.press('k');
  await delay(500);
  const changes = await page.evaluate(async (milliseconds) => {
    let changes = 0;
    const watching = new MutationObserver(() => changes++);
    const label = document.querySelector('.overlay .bottom-left')!;
    watching.observe(label, { subtree: true, childList: true, characterData: true });
    await new Promise((done) => setTimeout(done, milliseconds));
    watching.disconnect();
    return changes;
  }, FILM_SECONDS * 1000);
  await page.keyboard.press('k');
  return changes / FILM_SECONDS;
}

/** Milliseconds from a movement of the crosshair on one plane until another plane is drawn. */
async function dragSteps(page: Page): Promise<number[]> {
  await page.keyboard.press('m');
  const label = '[data-place="1"] .overlay .bottom-left';
  await page.locator(label).waitFor({ timeout: 120_000 });
  const box = (await page.locator('[data-place="0"] .surface').boundingBox())!;
  const [x, y] = [box.x + box.width / 4, box.y + box.height / 4];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await delay(1000);
  await page.evaluate(watchSteps, { type: 'pointermove', label });
  for (let step = 1; step <= STEPS; step++) {
    // Each movement leads to another image of both other planes.
    await page.mouse.move(x + (step * box.width) / 2 / STEPS, y + (step * box.height) / 2 / STEPS);
    await delay(100);
  }
  await page.mouse.up();
  return stepsIn(page);
}

/** Milliseconds from the key until the first plane of a volume of which nothing is loaded, and until all is exact. */
async function planeTimes(
  context: BrowserContext,
  { url, window }: { url: string; window: { width: number; height: number } },
): Promise<{ first: number; whole: number }> {
  const page = await context.newPage();
  await page.setViewportSize(window);
  await page.goto(url);
  await page.locator(OURS.tools).waitFor();
  const begun = performance.now();
  await page.keyboard.press('m');
  await page.locator('[data-place="1"] .overlay .bottom-left').waitFor({ timeout: 120_000 });
  const first = performance.now() - begun;
  await page.locator('[data-place="1"] pattern').waitFor({ state: 'detached', timeout: 120_000 });
  await context.close();
  return { first, whole: performance.now() - begun };
}

async function stepsIn(page: Page): Promise<number[]> {
  await delay(500);
  const steps = await page.evaluate(() => (globalThis as unknown as { steps: number[] }).steps);
  if (steps.length < 0.9 * STEPS) throw new Error(`Only ${steps.length} of ${STEPS} steps were drawn.`);
  return steps;
}

/** Waits until all frames of the series are there: the ring in the strip is then full. */
async function allLoaded(page: Page, count: number): Promise<void> {
  const frames = () =>
    page.evaluate(
      () => performance.getEntriesByType('resource').filter(({ name }) => /\/frames\/\d+$/.test(name)).length,
    );
  await page.evaluate(() => performance.setResourceTimingBufferSize(5000));
  for (let waits = 0; (await frames()) < count; waits++) {
    if (waits === 240) throw new Error('The frames of the series did not all come.');
    await delay(500);
  }
}

/**
 * Notes for each input event of a type how long it took, from the event to the end of the drawing of the screen in which the
 * next image was on the canvas that a label belongs to. Runs in the page.
 */
function watchSteps({ type, label: selector }: { type: string; label: string }): void {
  const steps: number[] = [];
  Object.assign(globalThis, { steps });
  let turned: number | undefined;
  addEventListener(type, ({ timeStamp }) => (turned = timeStamp), { capture: true, passive: true });
  const label = document.querySelector(selector)!;
  // The label changes when the engine has drawn the image, and never before.
  new MutationObserver(() => {
    const begun = turned;
    turned = undefined;
    if (begun === undefined) return;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => steps.push(performance.now() - begun);
      port2.postMessage(undefined);
    });
  }).observe(label, { subtree: true, childList: true, characterData: true });
}
