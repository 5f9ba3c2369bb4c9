/** A gateway and a browser for whole journeys, from the sign-in to what a person came for. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { startChromium } from '../../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../../gateway/test/setup/gateway.ts';
import { imagesAreThere } from '../setup/images-are-there.ts';
import { canvasOf, openViewer } from '../setup/viewer-page.ts';

export const HELEN = 'Helen Marie Castellanos';
/** Days of Helen's CTs of the chest. */
export const CHEST_NOW = '14 Oct 2026';
export const CHEST_PRIOR = '6 Nov 2025';
export const GEORGE = 'George Allen Whitfield';
export const DESKTOP = { width: 1400, height: 900 };
const shots = join(import.meta.dirname, '../../../dist/screenshots');

/** A busy machine is slow. */
export const SLOW = { timeout: 30_000 };

export interface Journey extends AsyncDisposable {
  page: Page;
  /** Errors of scripts and of the console. */
  errors: string[];
  /** Bodies of the page's GraphQL requests. */
  graphql: string[];
}

export class JourneySystem {
  gateway!: GatewayProcess;
  browser!: Browser;

  /** Starts all before the tests of a file, and ends it after them. */
  constructor() {
    beforeAll(async () => {
      [this.gateway, this.browser] = await Promise.all([
        startGateway(),
        startChromium(),
        mkdir(shots, { recursive: true }),
      ]);
      await imagesAreThere(this.gateway.url);
    }, 120_000);
    afterAll(async () => {
      await this.browser?.close();
      await this.gateway?.stop();
    });
  }

  /** Opens the viewer in a browser context of its own. @param script runs in every page before its own scripts */
  async open(
    query: string,
    options: BrowserContextOptions = { viewport: DESKTOP },
    script?: string,
  ): Promise<Journey> {
    const context = await this.browser.newContext(options);
    // A dialog of the system that no test can answer; without it a file is a download, as in Firefox and Safari.
    await context.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
    if (script) await context.addInitScript({ path: script });
    const graphql: string[] = [];
    const messages: string[] = [];
    context.on(
      'request',
      (request) => request.url().endsWith('/graphql') && graphql.push(request.postData() ?? ''),
    );
    context.on('console', (message) => message.type() === 'error' && messages.push(message.text()));
    const { page, errors } = await openViewer(context, `${this.gateway.url}/app/${query}`);
    return {
      page,
      graphql,
      get errors() {
        return [...errors, ...messages];
      },
      [Symbol.asyncDispose]: () => context.close(),
    };
  }
}

/** Waits until an image is on the glass. */
export async function isLit(page: Page): Promise<void> {
  await expect.poll(async () => (await canvasOf(page)).lit, SLOW).toBeGreaterThan(0.02);
}

/** A series of the strip. */
export const seriesOf = (page: Page, series: RegExp) => page.getByRole('option', { name: series });

/** The text in the corner of the image: of the one that is on the glass. */
export const cornerOf = (page: Page, words: string | RegExp) => page.locator('.overlay').getByText(words);

/** Saves what the page looks like in `dist/screenshots/`. */
export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(shots, `journey-${name}.png`) });
}
