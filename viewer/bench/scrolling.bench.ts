/** From the wheel to the pixels, over slices that are loaded; without a graphics card. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import type { Figure } from '../../gateway/bench/measure.ts';
import { OURS, startBenchSystem, windowFor } from './bench-system.ts';

const STEPS = 100;

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
  await page.evaluate(watchSteps);
  await page.locator(OURS.tools).hover();
  for (let step = 0; step < STEPS; step++) {
    await page.mouse.wheel(0, 100);
    await delay(100);
  }
  await delay(500);
  const steps = await page.evaluate(() => (globalThis as unknown as { steps: number[] }).steps);
  if (steps.length < 0.9 * STEPS) throw new Error(`Only ${steps.length} of ${STEPS} steps were drawn.`);
  const sorted = steps.toSorted((a, b) => a - b);
  const part = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!;
  return [
    { what: 'wheel to pixels, median', value: part(0.5), unit: 'ms' },
    { what: 'wheel to pixels, 95th percentile', value: part(0.95), unit: 'ms', atMost: 50 },
  ];
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
 * Notes for each turn of the wheel how long it took, from the input event to the end of the drawing of the screen in which
 * the next image was on the canvas. Runs in the page.
 */
function watchSteps(): void {
  const steps: number[] = [];
  Object.assign(globalThis, { steps });
  let turned: number | undefined;
  addEventListener('wheel', ({ timeStamp }) => (turned = timeStamp), { capture: true, passive: true });
  const label = document.querySelector('.overlay .bottom-left')!;
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
