/** The playground from its address to an editor that takes text, with nothing kept from an earlier visit. */
import type { Browser } from 'playwright-core';
import { median, type Figure } from '../../gateway/bench/measure.ts';
import { startBenchSystem } from './bench-system.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);

export async function bench(): Promise<Figure[]> {
  await using system = await startBenchSystem();
  const url = `${system.gateway.url}/open/playground`;
  // Chromium itself loads parts of its own with the first page.
  await opened(system.browser, url);
  const samples: Opened[] = [];
  for (let round = 0; round < ROUNDS; round++) samples.push(await opened(system.browser, url));
  const figure = (what: keyof Opened) => median(samples.map((one) => one[what])) / 1000;
  return [
    { what: 'playground, cold: takes text', value: figure('takesText'), unit: 's', atMost: 1.5 },
    { what: 'playground, cold: completes names of the schema', value: figure('completes'), unit: 's' },
  ];
}

/** Milliseconds since the address was opened. */
interface Opened {
  takesText: number;
  completes: number;
}

async function opened(browser: Browser, url: string): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  try {
    const page = await context.newPage();
    const began = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('[data-ready="editor"], [data-ready="schema"]').waitFor();
    const takesText = performance.now() - began;
    await page.locator('[data-ready="schema"]').waitFor();
    return { takesText, completes: performance.now() - began };
  } finally {
    await context.close();
  }
}
