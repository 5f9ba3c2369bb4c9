/** A gateway and a browser for tests of the whole viewer. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { startChromium } from '../../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../../gateway/test/setup/gateway.ts';
import { imagesAreThere } from './images-are-there.ts';

const shots = join(import.meta.dirname, '../../../dist/screenshots');

interface Opened {
  page: Page;
  /** Bodies of the page's GraphQL requests. */
  graphql: string[];
  errors: string[];
}

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

  /** Opens a page in a browser context of its own and records its errors and GraphQL requests. */
  async openPage(path: string): Promise<Opened> {
    const page = await this.browser.newPage({ viewport: { width: 1400, height: 900 } });
    const graphql: string[] = [];
    const errors: string[] = [];
    page.on(
      'request',
      (request) => request.url().endsWith('/graphql') && graphql.push(request.postData() ?? ''),
    );
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await page.goto(`${this.gateway.url}${path}`);
    return { page, graphql, errors };
  }

  /** Opens a page of the tenant `demo` and signs in with two clicks: a person, and consent. */
  async openAs(person: string, path = '/app/?tenant=demo'): Promise<Opened> {
    const opened = await this.openPage(path);
    await opened.page.getByRole('button', { name: person }).click();
    await opened.page.getByRole('button', { name: 'Allow' }).click();
    await opened.page.waitForURL(/\/app\/\?tenant=demo/);
    return opened;
  }
}

/** Saves what a page looks like in `dist/screenshots/`. */
export async function saveShot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `${name}.png`) });
}
