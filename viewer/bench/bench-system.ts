/** The gateway with the demonstration, a browser, and the series that is measured: a CT of 208 images, 512 × 512. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { startChromium } from '../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';

/** No process is started for a page that somebody may open next: it would compete with the one that is measured. */
const QUIET = ['--disable-features=SpareRendererForSitePerProcess'];

/** The canvas of the images, in pixels. */
const CANVAS = { width: 740, height: 692 };

export interface BenchSystem extends AsyncDisposable {
  gateway: GatewayProcess;
  browser: Browser;
  /** DICOMweb base of the tenant that needs no sign-in. */
  dicomweb: string;
  study: string;
  series: string;
  /** Images in the series. */
  count: number;
  /** Query of the viewer's address of that series. */
  query: string;
}

interface ImagingStudy {
  identifier: { value: string }[];
  subject: { reference: string };
  series?: { uid: string; numberOfInstances: number }[];
}

export async function startBenchSystem(environment: Record<string, string> = {}): Promise<BenchSystem> {
  const [gateway, browser] = await Promise.all([startGateway(environment), startChromium(...QUIET)]);
  const { study, series, patient, count } = await longestSeries(gateway.url);
  return {
    gateway,
    browser,
    study,
    series,
    count,
    dicomweb: `${gateway.url}/open/dicomweb`,
    query: `tenant=open&patient=${patient}&study=${study}&series=${series}`,
    async [Symbol.asyncDispose]() {
      await browser.close();
      await gateway.stop();
    },
  };
}

/** Waits until the images are indexed, and returns the series with the most of them. */
async function longestSeries(gateway: string) {
  for (;;) {
    const response = await fetch(`${gateway}/open/fhir/ImagingStudy?_count=100`);
    const { entry = [] } = (await response.json()) as { entry?: { resource: ImagingStudy }[] };
    const all = entry.flatMap(({ resource: { identifier, subject, series = [] } }) =>
      series.map(({ uid, numberOfInstances }) => ({
        study: identifier[0]!.value.replace('urn:oid:', ''),
        series: uid,
        count: numberOfInstances,
        patient: subject.reference.replace('Patient/', ''),
      })),
    );
    if (all.length > 0) return all.reduce((best, one) => (one.count > best.count ? one : best));
    await delay(500);
  }
}

/**
 * Milliseconds since the address was opened at which a page had drawn its first picture, its first frame, and that frame with
 * the tools for it.
 */
export interface Drawn {
  picture: number;
  frame: number;
  tools: number;
}

/** Where the pictures of a page are. */
export interface Pictures {
  /** Pictures that the server draws; empty for a viewer without them. */
  preview: string;
  /** The canvas of the first frame; empty for a viewer that draws none before its tools are there. */
  frame: string;
  /** The canvas of the frames that tools act on. */
  tools: string;
}

export const OURS: Pictures = {
  preview: 'img.foreseen, img.preview',
  frame: 'canvas.foreseen',
  tools: '.engine:not(.absent) canvas',
};

/**
 * Watches from the start of a page for its pictures: at each drawing of the screen it looks whether one is there that is not
 * black. Runs in the page, so it uses nothing from outside.
 */
function watchPictures({ preview, frame, tools }: Pictures): void {
  const seen: Partial<Drawn> = {};
  Object.assign(globalThis, { seen });
  const copy = new OffscreenCanvas(24, 24).getContext('2d', { willReadFrequently: true })!;
  const isLit = (source: HTMLCanvasElement | HTMLImageElement): boolean => {
    const width = source instanceof HTMLImageElement ? source.naturalWidth : source.width;
    if (!width || source.getBoundingClientRect().width === 0) return false;
    copy.drawImage(source, 0, 0, 24, 24);
    const { data } = copy.getImageData(0, 0, 24, 24);
    let lit = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at]! > 30) lit++;
    return lit > 24;
  };
  const find = (selector: string) =>
    selector === '' ? [] : [...document.querySelectorAll<HTMLCanvasElement | HTMLImageElement>(selector)];
  const look = (): void => {
    if (find(tools).some(isLit)) seen.tools ??= performance.now();
    if (seen.tools !== undefined || find(frame).some(isLit)) seen.frame ??= performance.now();
    if (seen.frame !== undefined || find(preview).some(isLit)) seen.picture ??= performance.now();
    if (seen.tools === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** Opens an address in a new page of a context, and returns when its pictures were there. */
export async function openedIn(
  context: BrowserContext,
  { url, pictures, window }: { url: string; pictures: Pictures; window: { width: number; height: number } },
): Promise<Drawn> {
  const page = await context.newPage();
  try {
    await page.setViewportSize(window);
    await watch(page, pictures);
    // The browser has to do with the new page itself.
    await delay(500);
    await page.goto(url, { waitUntil: 'commit' });
    return await drawnIn(page);
  } finally {
    await page.close();
  }
}

async function watch(page: Page, pictures: Pictures): Promise<void> {
  // The compiler of these files gives functions their names by a function of its own, which the page does not have.
  await page.addInitScript('globalThis.__name = (named) => named;');
  await page.addInitScript(watchPictures, pictures);
}

async function drawnIn(page: Page): Promise<Drawn> {
  const handle = await page.waitForFunction(
    () => {
      const { seen } = globalThis as unknown as { seen?: Partial<Drawn> };
      return seen?.tools !== undefined && seen;
    },
    undefined,
    { timeout: 120_000, polling: 50 },
  );
  return (await handle.jsonValue()) as Drawn;
}

/** Returns the size of the window with which the canvas of a page has the wanted size. */
export async function windowFor(
  context: BrowserContext,
  { url, pictures }: { url: string; pictures: Pictures },
): Promise<{ width: number; height: number }> {
  const page = await context.newPage();
  let window = { width: 1400, height: 900 };
  await page.setViewportSize(window);
  await watch(page, pictures);
  await page.goto(url);
  await drawnIn(page);
  for (let round = 0; round < 3; round++) {
    const box = (await page.locator(pictures.tools).first().boundingBox())!;
    window = {
      width: Math.round(window.width + CANVAS.width - box.width),
      height: Math.round(window.height + CANVAS.height - box.height),
    };
    await page.setViewportSize(window);
    await delay(500);
  }
  await page.close();
  return window;
}
