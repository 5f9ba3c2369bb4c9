/** What the page keeps: after many studies, and while somebody scrolls through a series of 2,000 images. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Figure } from '../../gateway/bench/measure.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { OURS, startBenchSystem } from './bench-system.ts';
import { startLongerSeries } from './many-images.ts';
import { PlainPage } from './plain-page.ts';

const STUDIES = 20;
const IMAGES = 2000;
const MB = 1e6;

export async function bench(): Promise<Figure[]> {
  return [await heapAfterStudies(), await memoryOfLongSeries(false), await memoryOfLongSeries(true)];
}

/** Opens studies of a patient in turn; how much more the heap holds after all than after the third. */
async function heapAfterStudies(): Promise<Figure> {
  await using system = await startBenchSystem();
  const page = await system.browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.goto(`${system.gateway.url}/app/?${system.query}`);
  const studies = page.getByRole('navigation', { name: 'Timeline' }).getByRole('button', { name: /\) · CT/ });
  const session = await page.context().newCDPSession(page);
  let third = 0;
  let last = 0;
  for (let opened = 1; opened <= STUDIES; opened++) {
    await page.locator(OURS.tools).waitFor();
    await delay(1000);
    await session.send('HeapProfiler.collectGarbage');
    last = (await session.send('Runtime.getHeapUsage')).usedSize;
    if (opened === 3) third = last;
    await studies.nth(opened % (await studies.count())).click();
    await page
      .locator(OURS.tools)
      .waitFor({ state: 'detached' })
      .catch(() => undefined);
  }
  return {
    what: `heap after ${STUDIES} studies, of that after 3`,
    value: last / third,
    unit: '×',
    atMost: 1.1,
  };
}

async function memoryOfLongSeries(isHtj2k: boolean): Promise<Figure> {
  const port = await freePort();
  let series = '';
  const longer = await startLongerSeries(
    () => port,
    () => series,
    { count: IMAGES, isHtj2k },
  );
  try {
    const url = `http://localhost:${longer.port}`;
    await using system = await startBenchSystem({ PORT: String(port), BASE_URL: url });
    series = system.series;
    await using page = await PlainPage.open(`${url}/app/?${system.query}&image=1`, {
      width: 1400,
      height: 900,
    });
    const most = await scrollThrough(page);
    return {
      what: `renderer, ${IMAGES} images scrolled through${isHtj2k ? ', HTJ2K' : ''}`,
      value: most / MB,
      unit: 'MB',
      atMost: 1000,
    };
  } finally {
    longer.close();
  }
}

const PAGE_DOWN = 34;

/** Goes on when an image is drawn, ten at a time. @returns the most bytes that the page's process has held */
async function scrollThrough(page: PlainPage): Promise<number> {
  await page.until(`document.querySelector('${OURS.tools}')`);
  await page.until(`document.querySelector('.glass').focus() ?? true`);
  let most = 0;
  for (let image = 11; image <= IMAGES; image += 10) {
    await page.press('PageDown', PAGE_DOWN);
    await page.until(`document.body.textContent.includes('image ${image}/${IMAGES}')`);
    if (image % 100 === 1) most = Math.max(most, await page.memory());
  }
  return Math.max(most, await page.memory());
}
