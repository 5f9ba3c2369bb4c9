/** A gateway and a browser for tests of the whole viewer. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { startChromium } from '../../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../../gateway/test/setup/gateway.ts';
import { imagesAreThere } from './images-are-there.ts';

const shots = join(import.meta.dirname, '../../../dist/screenshots');

export class ViewerSystem {
  gateway!: GatewayProcess;
  browser!: Browser;

  /**
   * Starts all before the tests of a file, and ends it after them.
   * @param options timeout: milliseconds until all has started; images: false if the tests need not wait for the demo's index
   */
  constructor({ timeout, images = true }: { timeout: number; images?: boolean }) {
    beforeAll(async () => {
      [this.gateway, this.browser] = await Promise.all([
        startGateway(),
        startChromium(),
        mkdir(shots, { recursive: true }),
      ]);
      if (images) await imagesAreThere(this.gateway.url);
    }, timeout);
    afterAll(async () => {
      await this.browser?.close();
      await this.gateway?.stop();
    });
  }
}

/** Saves what a page looks like in `dist/screenshots/`. */
export async function saveShot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `${name}.png`) });
}
