/** A page of the viewer in Chromium, as the tests of journeys see it. */
import type { Browser, BrowserContext, Page } from 'playwright-core';

export interface ViewerPage {
  page: Page;
  /** Errors of scripts. */
  errors: string[];
}

/** Opens an address in a context of its own, or in one that is given, as another tab. */
export async function openViewer(
  browser: Browser | BrowserContext,
  address: string,
  viewport = { width: 1400, height: 900 },
): Promise<ViewerPage> {
  const page = 'newContext' in browser ? await browser.newPage({ viewport }) : await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(address);
  return { page, errors };
}

/** Signs in on the pages of a demonstration's authorization server, and agrees. */
export async function signInAs(page: Page, person: string): Promise<void> {
  await page.getByRole('button', { name: person }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

/** Signs in as a clinician. @param patient whom the clinician chooses; undefined where the launch names one */
export async function signInAsClinician(page: Page, patient?: string): Promise<void> {
  await page.locator('button[value^="Practitioner/"]').first().click();
  if (patient !== undefined) await page.getByRole('button', { name: patient }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
}

/** Signs out by the menu of the account. */
export async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
}

/** Slows down all that a page loads. @param bytesPerSecond from servers; -1 for a line without a limit */
export async function limitLine(page: Page, bytesPerSecond: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const line = { offline: false, latency: 0, uploadThroughput: -1, downloadThroughput: bytesPerSecond };
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', line);
}

/** The glass: its value is the number of the image on it. */
export const glassOf = (page: Page) => page.getByRole('slider', { name: 'Image; arrow keys scroll' });

/** The name of the entry of a day that has images: `6 weeks ago (14 Oct 2026) · CT scan …, 261 images`. */
export const entryName = (day: string) => new RegExp(`\\(${day}\\).*\\d (image|film)`);

/** The entry of the timeline of a day that has images. Titles are as the person wants them: plain or clinical. */
export const entryOf = (page: Page, day: string) =>
  page.getByRole('navigation', { name: 'Timeline' }).getByRole('button', { name: entryName(day) });

/** Returns the share of the engine's canvas that is not black, and a checksum of its pixels. */
export async function canvasOf(page: Page): Promise<{ lit: number; sum: number }> {
  return page.evaluate(() => {
    const element = document.querySelector<HTMLCanvasElement>('.engine canvas');
    if (!element) return { lit: 0, sum: 0 };
    const copy = new OffscreenCanvas(element.width, element.height).getContext('2d')!;
    copy.drawImage(element, 0, 0);
    const { data } = copy.getImageData(0, 0, element.width, element.height);
    let lit = 0;
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at]! > 20) lit++;
      sum = (sum * 31 + data[at]!) % 1_000_003;
    }
    return { lit: (lit * 4) / data.length, sum };
  });
}
