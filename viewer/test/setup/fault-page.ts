/** The viewer in Chromium, with the real gateway behind a proxy that answers wrongly; and what a user sees of a fault. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, vi } from 'vitest';
import { startChromium } from '../../../gateway/test/setup/chromium.ts';
import { freePort } from '../../../gateway/test/setup/free-port.ts';
import { startGateway, type GatewayProcess } from '../../../gateway/test/setup/gateway.ts';
import { startFaultProxy, type Fault, type FaultProxy } from './fault-proxy.ts';
import { imagesAreThere } from './images-are-there.ts';
import { canvasOf, glassOf, openViewer, type ViewerPage } from './viewer-page.ts';

/** The patient of the demonstration whose images are opened. */
export const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';

/** Returns a fault for the requests whose path has a word. */
export const on = (word: string, fault: Fault) => (about: { path: string }) =>
  about.path.includes(word) ? fault : undefined;

/** Proxy, gateway and browser of a test file. Call `start()` before all tests, and `stop()` after them. */
export class FaultPage {
  proxy!: FaultProxy;
  gateway!: GatewayProcess;
  browser!: Browser;
  #port = '';
  /** Checksums of the first images as they are without a fault, by their number. */
  #drawn = new Map<number, number>();

  async start(): Promise<void> {
    this.proxy = await startFaultProxy();
    this.#port = String(await freePort());
    [, this.browser] = await Promise.all([this.startGateway(), startChromium()]);
    this.proxy.target = Number(this.#port);
    await imagesAreThere(this.proxy.url);
    const { page } = await this.open();
    await glassOf(page).press('Home');
    for (let image = 1; image <= 3; image++) {
      await this.isShown(page, image);
      await page.waitForTimeout(300);
      this.#drawn.set(image, (await canvasOf(page)).sum);
      await glassOf(page).press('ArrowDown');
    }
    expect(new Set(this.#drawn.values()).size).toBe(3);
    await page.context().close();
  }

  /** Starts the gateway, also once more: on the same port. */
  async startGateway(): Promise<void> {
    this.gateway = await startGateway({ BASE_URL: this.proxy.url, PORT: this.#port, DIMSE_PORT: '0' });
  }

  async stop(): Promise<void> {
    await this.browser?.close();
    await this.gateway?.stop();
    await this.proxy?.stop();
  }

  /** Opens an address of the viewer. @param query by default the record of a patient */
  visit(query = `?tenant=open&patient=${HELEN}`, by: Browser | BrowserContext = this.browser) {
    return openViewer(by, `${this.proxy.url}/app/${query}`);
  }

  /** Opens an address, and waits for its image. */
  async open(query?: string, by?: Browser | BrowserContext): Promise<ViewerPage> {
    const opened = await this.visit(query, by);
    await glassOf(opened.page).waitFor({ timeout: 60_000 });
    const wait = { timeout: 60_000, interval: 100 };
    await vi.waitUntil(async () => (await canvasOf(opened.page)).lit > 0.05, wait);
    return opened;
  }

  /** Waits until an image is on the glass by its label, and looks whether it is that image. */
  async isShown(page: Page, image: number): Promise<void> {
    const wait = { timeout: 60_000, interval: 100 };
    const label = async () => (await glassOf(page).getAttribute('aria-valuetext')) ?? '';
    await vi.waitFor(async () => expect(await label()).toMatch(new RegExp(`^image ${image}/`)), wait);
    const expected = this.#drawn.get(image);
    if (expected === undefined) return;
    await vi.waitFor(async () => expect((await canvasOf(page)).sum).toBe(expected), {
      ...wait,
      timeout: 10_000,
    });
  }
}

/** Waits for the sentence. The glass then has no label, or that of the image that is there. */
export async function says(page: Page, sentence: string, todo?: string): Promise<void> {
  const alert = page.getByRole('alert').filter({ hasText: sentence });
  await alert.first().waitFor({ timeout: 60_000 });
  if (todo !== undefined) await alert.getByRole('button', { name: todo }).waitFor();
}
