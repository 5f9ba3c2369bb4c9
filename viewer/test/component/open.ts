import axe from 'axe-core';
import { page, userEvent } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import { features as allFeatures } from '../../src/features.ts';
import Shell from '../../src/ui/Shell.svelte';
import type { Feature } from '../../src/ui/feature.ts';
import type { JudgedVideo, Region } from './judged-video.ts';
import { FakeAccount, FakeImaging, FakeRecords } from './fakes.ts';

declare module 'vitest/browser' {
  interface BrowserCommands {
    emulate(media: { forcedColors?: 'active' | 'none' }): Promise<void>;
    judgeVideo(file: string, luma: string, region: Region): Promise<JudgedVideo>;
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
  /** `here` opens it again at the address and with the storage that the tab has, as a reload does. */
  at?: 'here';
  /** Changes the fakes before. */
  prepare?: (fakes: Opened) => void;
}

/** Opens the page at an address. */
export async function open(
  query = '?tenant=demo&patient=helen',
  { size = DESKTOP, features = allFeatures, at, prepare }: Opening = {},
): Promise<Opened> {
  await cleanup();
  await page.viewport(...size);
  delete document.documentElement.dataset['theme'];
  if (at === undefined) {
    localStorage.clear();
    sessionStorage.clear();
    history.replaceState(null, '', query);
  }
  const fakes = { account: new FakeAccount(), records: new FakeRecords(), imaging: new FakeImaging() };
  prepare?.(fakes);
  await render(Shell, { ...fakes, features: () => Promise.resolve(features) });
  return fakes;
}

/** Chooses an item of a list of the tool bar or of the banner. */
export async function choose(list: string, item: string): Promise<void> {
  await page.getByRole('button', { name: list, exact: true }).click();
  await page.getByText(item, { exact: true }).last().click();
}

/** Moves the focus by the Tab key until it is on an element. @throws where it does not come there */
export async function tabTo(name: string | RegExp): Promise<HTMLElement> {
  const isName = (one: string | null | undefined) =>
    typeof name === 'string' ? one?.trim() === name : name.test(one ?? '');
  for (let presses = 0; presses < 150; presses++) {
    await userEvent.keyboard('{Tab}');
    const on = document.activeElement;
    if (!(on instanceof HTMLElement)) continue;
    const labelled = [on.ariaLabel, on.textContent, on.closest('label')?.textContent];
    if (labelled.some(isName)) return on;
  }
  throw new Error(`No Tab leads to ${name}`);
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
