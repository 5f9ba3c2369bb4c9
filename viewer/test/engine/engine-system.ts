/** A gateway and a browser for tests of the engine. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { startChromium } from '../../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../../gateway/test/setup/gateway.ts';
import { buildPage, EnginePage, expectedGrey, isFrame, seriesOf, type SeriesName } from './engine-page.ts';
import type { TestPage } from './page.ts';

declare const window: { page: TestPage };

export class EngineSystem {
  gateway!: GatewayProcess;
  browser!: Browser;
  /** The longest series of a CT and of an MR. */
  ct!: SeriesName;
  mr!: SeriesName;

  /** Starts all before the tests of a file, and ends it after them. */
  constructor() {
    beforeAll(async () => {
      [this.gateway, this.browser] = await Promise.all([startGateway(), startChromium(), buildPage()]);
      this.ct = await seriesOf(this.gateway.url, 'CT');
      this.mr = await seriesOf(this.gateway.url, 'MR');
    }, 120_000);
    afterAll(async () => {
      await this.browser?.close();
      await this.gateway?.stop();
    });
  }

  /** Opens a series in a page of its own. */
  async open(
    series: SeriesName,
    to: {
      index: number;
      query?: string;
      deviceScaleFactor?: number;
      /** Of the glass; that of the image if it is not given. */
      size?: { width: number; height: number };
      before?: (page: EnginePage) => Promise<unknown>;
    },
  ): Promise<EnginePage> {
    const page = await EnginePage.open(this.browser, this.gateway.url, to);
    await to.before?.(page);
    await page.openSeries(series, { index: to.index, ...to.size });
    return page;
  }

  /** Returns the grey values that an image of the page's stack has, with its own window or another. */
  async grey(
    page: EnginePage,
    series: SeriesName,
    image: { index: number; window?: { centre: number; width: number } },
  ): Promise<Uint8Array> {
    const name = await page.page.evaluate((index) => window.page.instanceOf(index), image.index);
    return expectedGrey(this.gateway.url, series, { ...name, ...(image.window && { window: image.window }) });
  }
}

export function isFrameUrl(url: URL): boolean {
  return isFrame(url.href);
}
