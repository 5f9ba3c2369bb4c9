import axe from 'axe-core';
import { commands, page } from 'vitest/browser';
import { render } from 'vitest-browser-svelte';
import '../../src/ui/tokens.css';
import Shell from '../../src/ui/Shell.svelte';
import { FakeAccount, FakeImaging, FakeRecords } from './fakes.ts';

declare module 'vitest/browser' {
  interface BrowserCommands {
    emulate(media: { forcedColors?: 'active' | 'none' }): Promise<void>;
  }
}

export const DESKTOP = [1400, 900] as const;
export const TABLET = [820, 1180] as const;
export const PHONE = [390, 844] as const;

export interface Opened {
  account: FakeAccount;
  records: FakeRecords;
  imaging: FakeImaging;
}

/** Opens the page at an address. @param prepare changes the fakes before */
export async function open(
  query = '?tenant=demo&patient=helen',
  {
    size = DESKTOP,
    prepare,
  }: { size?: readonly [number, number]; prepare?: (fakes: Opened) => void } = {},
): Promise<Opened> {
  await page.viewport(...size);
  localStorage.clear();
  delete document.documentElement.dataset['theme'];
  history.replaceState(null, '', query);
  const fakes = { account: new FakeAccount(), records: new FakeRecords(), imaging: new FakeImaging() };
  prepare?.(fakes);
  await render(Shell, fakes);
  return fakes;
}

/** Saves what the page looks like in `dist/screenshots/`. */
export async function shot(name: string): Promise<void> {
  await page.screenshot({ path: `../../../dist/screenshots/${name}.png` });
}

/** Returns what axe finds wrong, as `rule: selector`. */
export async function violations(): Promise<string[]> {
  const { violations: found } = await axe.run(document.body, { resultTypes: ['violations'] });
  return found.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** True if the page is wider than the screen. */
export function scrollsSideways(): boolean {
  const { scrollWidth, clientWidth } = document.documentElement;
  return scrollWidth > clientWidth;
}

export { commands };
