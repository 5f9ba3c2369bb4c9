/** Opens the test page of the engine in Chromium, on the origin of a gateway. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { engineParts } from '../../engine-parts.ts';
import type { TestPage } from './page.ts';

const here = import.meta.dirname;
const viewer = join(here, '../..');

/** The window of the test page. */
interface TestWindow {
  page: TestPage;
  readGlass(): Promise<{ width: number; height: number; data: string }>;
}
declare const window: TestWindow;

export interface Pixels {
  width: number;
  height: number;
  /** Red, green and blue. */
  data: Buffer;
}

/** Builds the page, unless that has been done for the same sources. @returns its folder */
export async function buildPage(): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of ['src/domain', 'src/data', 'src/pixels', 'src/engine', 'src/state', 'test/engine']) {
    for (const name of readdirSync(join(viewer, folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (/\.(ts|html)$/.test(name)) hash.update(name).update(readFileSync(join(viewer, folder, name)));
    }
  }
  for (const name of ['engine-parts.ts', 'src/volumes.ts']) hash.update(readFileSync(join(viewer, name)));
  hash.update(readFileSync(join(viewer, '../package-lock.json')));
  const cache = join(viewer, '../node_modules/.cache/engine-page');
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  // Two files of tests may begin at the same time.
  const lock = `${folder}.lock`;
  mkdirSync(cache, { recursive: true });
  while (!existsSync(folder)) {
    if (!isFirst(lock)) await new Promise((resolve) => setTimeout(resolve, 200));
    else await buildInto(folder).finally(() => rmSync(lock, { recursive: true, force: true }));
  }
  return folder;
}

function isFirst(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}

async function buildInto(folder: string): Promise<void> {
  const outDir = `${folder}.part`;
  await build({
    root: here,
    configFile: false,
    logLevel: 'error',
    base: './',
    plugins: [engineParts()],
    build: { outDir, emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 9000 },
    worker: { format: 'es', plugins: () => [engineParts()] },
  });
  for (const name of readdirSync(dirname(folder))) {
    if (!name.startsWith(basename(folder))) rmSync(join(dirname(folder), name), { recursive: true });
  }
  renameSync(outDir, folder);
}

const TYPES: Record<string, string> = {
  html: 'text/html',
  js: 'text/javascript',
  wasm: 'application/wasm',
  css: 'text/css',
};

/** A page, with the requests it has sent. */
export class EnginePage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** URLs of frames, in the order of the requests. */
  readonly frames: string[] = [];
  /** Files of the page. */
  readonly files: string[] = [];
  /** Requests that the page has ended. */
  readonly cancelled: string[] = [];
  readonly errors: string[] = [];

  private constructor(page: Page, context: BrowserContext) {
    this.page = page;
    this.context = context;
    page.on('request', (request) => {
      if (isFrame(request.url())) this.frames.push(request.url());
    });
    page.on('requestfailed', (request) => {
      if (request.failure()?.errorText === 'net::ERR_ABORTED') this.cancelled.push(request.url());
    });
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  /** @param options `query` is `?rendering=cpu` or `webgl` */
  static async open(
    browser: Browser,
    gateway: string,
    { query = '', deviceScaleFactor = 1 } = {},
  ): Promise<EnginePage> {
    const folder = await buildPage();
    const viewport = { width: 1400, height: 1100 };
    const context = await browser.newContext({ viewport, deviceScaleFactor });
    const opened = new EnginePage(await context.newPage(), context);
    await context.route('**/engine-page/**', (route) => {
      const name = new URL(route.request().url()).pathname.split('/engine-page/')[1] || 'index.html';
      opened.files.push(name);
      const contentType = TYPES[name.split('.').at(-1)!] ?? 'application/octet-stream';
      return route.fulfill({ body: readFileSync(join(folder, name)), contentType });
    });
    await opened.page.goto(`${gateway}/engine-page/${query}`);
    await opened.page.waitForFunction(() => 'page' in window);
    return opened;
  }

  openSeries(
    { study, series }: SeriesName,
    to: { index: number; width?: number; height?: number },
  ): Promise<number> {
    return this.page.evaluate(([study, series, to]) => window.page.open(study, series, to), [
      study,
      series,
      to,
    ] as const);
  }

  want(index: number): Promise<void> {
    return this.page.evaluate((index) => window.page.want(index), index);
  }

  /** Waits until an image is on the glass. */
  async shows(index: number): Promise<void> {
    await this.page.waitForFunction((index) => window.page.last()?.index === index, index, {
      timeout: 40_000,
    });
  }

  async glass(): Promise<Pixels> {
    const { width, height, data } = await this.page.evaluate(() => window.readGlass());
    return { width, height, data: Buffer.from(data, 'base64') };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.context.close();
  }
}

export function isFrame(url: string): boolean {
  return /\/frames\/\d+$/.test(url);
}

export interface SeriesName {
  study: string;
  series: string;
}

type Instance = Record<string, { Value?: unknown[] }>;

/** Returns the name of the longest series of a modality. */
export async function seriesOf(gateway: string, modality: string): Promise<SeriesName> {
  const url = `${gateway}/open/dicomweb/series?Modality=${modality}&includefield=00201209`;
  let answer = await fetch(url);
  // The folder of images is still read.
  while (answer.status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    answer = await fetch(url);
  }
  const found = ((await answer.json()) as Instance[]).map((row) => ({
    study: String(row['0020000D']!.Value![0]),
    series: String(row['0020000E']!.Value![0]),
    count: Number(row['00201209']?.Value?.[0] ?? 0),
  }));
  return found.reduce((a, b) => (b.count > a.count ? b : a));
}

/** Returns the grey values that an image has by PS3.3 §C.11.2.1.2, with its own window or another. */
export async function expectedGrey(
  gateway: string,
  { study, series }: SeriesName,
  image: { instance: string; frame: number; window?: { centre: number; width: number } },
): Promise<Uint8Array> {
  const base = `${gateway}/open/dicomweb/studies/${study}/series/${series}/instances/${image.instance}`;
  const [metadata] = (await (await fetch(`${base}/metadata`)).json()) as Instance[];
  const value = (tag: string) => Number(metadata![tag]?.Value?.[0] ?? NaN);
  const answer = await fetch(`${base}/frames/${image.frame}`, {
    headers: { accept: 'application/octet-stream' },
  });
  const bytes = await answer.arrayBuffer();
  const stored = value('00280103') === 1 ? new Int16Array(bytes) : new Uint16Array(bytes);
  const [slope, intercept] = [value('00281053') || 1, value('00281052') || 0];
  const centre = image.window?.centre ?? value('00281050');
  const width = image.window?.width ?? value('00281051');
  return Uint8Array.from(stored, (pixel) => {
    const grey = ((pixel * slope + intercept - (centre - 0.5)) / (width - 1) + 0.5) * 255;
    return Math.round(Math.min(Math.max(grey, 0), 255));
  });
}

/** Returns the greatest difference between the glass and grey values, and how many differ by more than one. */
export function difference(glass: Pixels, grey: Uint8Array): { greatest: number; more: number } {
  let greatest = 0;
  let more = 0;
  for (const [at, expected] of grey.entries()) {
    const off = Math.max(...[0, 1, 2].map((channel) => Math.abs(glass.data[3 * at + channel]! - expected)));
    greatest = Math.max(greatest, off);
    if (off > 1) more++;
  }
  return { greatest, more };
}
