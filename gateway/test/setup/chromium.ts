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
  ],
};

/** Launches Chromium without a window. @param more arguments of its command line. Call `close()` on it in `afterAll`. */
export function startChromium(...more: string[]): Promise<Browser> {
  return chromium.launch({ ...CHROMIUM, args: [...CHROMIUM.args, ...more] });
}
