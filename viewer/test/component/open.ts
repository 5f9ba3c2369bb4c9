import axe from 'axe-core';
import { page, userEvent } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import { features as allFeatures } from '../../src/features.ts';
import Shell from '../../src/ui/Shell.svelte';
import type { Feature } from '../../src/ui/feature.ts';
import { FakeAccount, FakeImaging, FakeRecords } from './fakes.ts';

declare module 'vitest/browser' {
  interface BrowserCommands {
    emulate(media: { forcedColors?: 'active' | 'none' }): Promise<void>;
  }
}

const DESKTOP = [1400, 900] as const;
export const TABLET = [820, 1180] as const;
export const PHONE = [390, 844] as const;

export interface Opened {
  account: FakeAccount;
  records: FakeRecords;
  imaging: FakeImaging;
}

export interface Opening {
  size?: readonly [number, number];
  /** Those of the page by default. */
  features?: readonly Feature[];
  /** Changes the fakes before. */
  prepare?: (fakes: Opened) => void;
}

/** Opens the page at an address. */
export async function open(
  query = '?tenant=demo&patient=helen',
  { size = DESKTOP, features = allFeatures, prepare }: Opening = {},
): Promise<Opened> {
  await cleanup();
  await page.viewport(...size);
  localStorage.clear();
  delete document.documentElement.dataset['theme'];
  history.replaceState(null, '', query);
  const fakes = { account: new FakeAccount(), records: new FakeRecords(), imaging: new FakeImaging() };
  prepare?.(fakes);
  await render(Shell, { ...fakes, features: () => Promise.resolve(features) });
  return fakes;
}

/** Saves what the page looks like in `dist/screenshots/`. */
export async function shot(name: string): Promise<void> {
  await page.screenshot({ path: `../../../dist/screenshots/${name}.png` });
}

/**
 * Returns what axe finds wrong, as `rule: selector`.
 * @param ownColours false in forced colours: contrast is then the person's choice, and axe cannot see it
 */
export async function violations({ ownColours = true } = {}): Promise<string[]> {
  // A tooltip of the test before, and colours that change over a moment.
  await userEvent.unhover(document.body);
  await new Promise((done) => setTimeout(done, 150));
  const { violations: found } = await axe.run(document.body, {
    resultTypes: ['violations'],
    rules: { 'color-contrast': { enabled: ownColours } },
  });
  return found.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** True if the page is wider than the screen. */
export function scrollsSideways(): boolean {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth;
}
