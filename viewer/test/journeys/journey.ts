/** A gateway and a browser for whole journeys, from the sign-in to what a person came for. */
import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';
import { canvasOf, openViewer } from '../setup/viewer-page.ts';
import { saveShot, ViewerSystem } from '../setup/viewer-system.ts';

export const HELEN = 'Helen Marie Castellanos';
/** Days of Helen's CTs of the chest. */
export const CHEST_NOW = '14 Oct 2026';
export const CHEST_PRIOR = '6 Nov 2025';
export const GEORGE = 'George Allen Whitfield';
export const DESKTOP = { width: 1400, height: 900 };

/** A busy machine is slow. */
export const SLOW = { timeout: 30_000 };

export interface Journey extends AsyncDisposable {
  page: Page;
  /** Errors of scripts and of the console. */
  errors: string[];
  /** Bodies of the page's GraphQL requests. */
  graphql: string[];
}

export class JourneySystem extends ViewerSystem {
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
  await saveShot(page, `journey-${name}`);
}
