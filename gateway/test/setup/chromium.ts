/** The system's Chromium, driven by Playwright, kept off the network and drawing WebGL in software. */
import { chromium, type Browser } from 'playwright-core';

/** How Chromium is launched, also by the tests of components. */
export const CHROMIUM = {
  executablePath: '/usr/bin/chromium',
  args: [
    '--headless=new',
    '--no-sandbox',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    // Pages are put together without WebGL: drawn in software, that took more than half of all time of a page.
    '--disable-gpu-compositing',
  ],
};

/** Launches Chromium without a window. @param more arguments of its command line. Call `close()` on it in `afterAll`. */
export function startChromium(...more: string[]): Promise<Browser> {
  return chromium.launch({ ...CHROMIUM, args: [...CHROMIUM.args, ...more] });
}
