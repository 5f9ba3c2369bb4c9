/** The table of sizes: what the image has, and that nothing wraps or is cut. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Allergy } from '../../src/domain/record/record.ts';
import { RECORD } from './fixtures.ts';
import { choose, open, scrollsSideways, shot } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&layout=1x1';
const box = (selector: string) => document.querySelector<HTMLElement>(selector)!.getBoundingClientRect();
const allergy = (id: string, text: string, high = false): Allergy => ({ id, concept: { text }, high });

/** Viewport, least size of the image, and heights of the header and of the bar. */
const SIZES: readonly [viewport: [number, number], image: [number, number], heights: [number, number]][] = [
  [
    [1440, 900],
    [770, 690],
    [56, 52],
  ],
  [
    [1280, 800],
    [685, 590],
    [56, 52],
  ],
  [
    [1024, 768],
    [755, 560],
    [56, 52],
  ],
  [
    [390, 844],
    [390, 615],
    [84, 60],
  ],
  [
    [844, 390],
    [780, 310],
    [44, 346],
  ],
];

/** Fails if the header or the bar is wider than its place, or if something of it is outside. */
function expectWhole(what: string): void {
  for (const selector of ['header', '.foot > .tools']) {
    const { scrollWidth, clientWidth } = document.querySelector(selector)!;
    expect(scrollWidth, `${what}: ${selector}`).toBe(clientWidth);
    for (const button of document.querySelectorAll<HTMLElement>(`${selector} button`)) {
      if (!button.checkVisibility({ visibilityProperty: true })) continue;
      const { left, right } = button.getBoundingClientRect();
      expect(left, `${what}: ${button.ariaLabel}`).toBeGreaterThanOrEqual(-0.5);
      expect(right, `${what}: ${button.ariaLabel}`).toBeLessThanOrEqual(innerWidth + 0.5);
    }
  }
  const said = document.querySelector('header .said')!;
  const words = document.createRange();
  words.selectNodeContents(said);
  const room = box('header .allergies');
  expect(words.getBoundingClientRect().right, `${what}: ${said.textContent}`).toBeLessThanOrEqual(room.right);
  expect(scrollsSideways(), what).toBe(false);
}

describe.each(SIZES)('at %j', (viewport, [width, height], [header, bar]) => {
  afterEach(() => void (document.documentElement.style.fontSize = ''));

  test('the image has its place; one row of tools; the header neither wraps nor cuts', async () => {
    await open(STUDY, { size: viewport });
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    const glass = box('.glass');
    await shot(`layout-${viewport[0]}`);
    expect(glass.width).toBeGreaterThanOrEqual(width);
    expect(glass.height).toBeGreaterThanOrEqual(height);
    expect(box('header').height).toBe(header);
    expect(Math.round(box('.foot > .tools').height)).toBe(bar);
    expectWhole('English');
    await choose('Account', 'Settings');
    await page.getByRole('dialog').getByText('Español').click();
    await userEvent.keyboard('{Escape}');
    await expect.element(page.getByRole('dialog')).not.toBeInTheDocument();
    await vi.waitFor(() => expectWhole('Spanish'));
    await shot(`layout-${viewport[0]}-es`);
    document.documentElement.style.fontSize = '200%';
    // What is measured follows in the next frames.
    await vi.waitFor(() => expectWhole('Spanish at 200 %'));
    await shot(`layout-${viewport[0]}-200`);
  });
});

test.each<[string, readonly Allergy[], RegExp]>([
  [
    'all that fit',
    [allergy('a', 'Penicillin', true), allergy('b', 'Latex')],
    /^Allergies: Penicillin \(high\), Latex$/,
  ],
  [
    'whole substances, then how many more',
    ['Acetylsalicylic acid', 'Iodinated contrast media', 'Sulfamethoxazole and trimethoprim', 'Latex'].map(
      (text, at) => allergy(`${at}`, text, at === 0),
    ),
    /^Allergies: Acetylsalicylic acid \(high\)(, [\w ]+)* \+[1-3] more$/,
  ],
  [
    'how many, where none fits',
    [allergy('a', 'Amoxicillin and beta-lactamase inhibitor '.repeat(4), true), allergy('b', 'Latex')],
    /^2 allergies \(1 high\)$/,
  ],
  ['that there is none', [], /^Allergies: none recorded$/],
])('the allergies: %s', async (_, allergies, expected) => {
  await open(STUDY, {
    size: [1280, 800],
    prepare: ({ records }) => (records.answer = { ...RECORD, allergies }),
  });
  await expect.element(page.getByRole('button', { name: expected })).toBeVisible();
});

test('the tools are one stop of Tab; arrow keys go through those that are seen', async () => {
  await open(STUDY, { size: [1440, 900] });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const stops = [...document.querySelectorAll<HTMLElement>('.foot .tool')].filter(
    ({ tabIndex }) => tabIndex === 0,
  );
  expect(stops).toHaveLength(1);
  stops[0]!.focus();
  await userEvent.keyboard('{ArrowRight}');
  await expect.element(page.getByRole('button', { name: 'Measure', exact: true })).toHaveFocus();
  await userEvent.keyboard('{End}');
  await expect.element(page.getByRole('button', { name: 'Report', exact: true })).toHaveFocus();
  await userEvent.keyboard('{ArrowLeft}');
  await expect.element(page.getByRole('button', { name: 'Save', exact: true })).toHaveFocus();
});

test('the first stop of Tab leads to the image, the second to the report', async () => {
  await open(STUDY, { size: [1440, 900] });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const first = document.querySelector<HTMLElement>('button, a[href], input, [tabindex="0"]')!;
  expect(first.textContent).toBe('To the image');
  first.focus();
  await userEvent.keyboard('{Enter}');
  expect(document.activeElement).toBe(document.querySelector('.glass'));
  await userEvent.keyboard('q');
  await expect.element(page.getByRole('region', { name: 'Report' })).not.toBeInTheDocument();
  (page.getByRole('button', { name: 'To the report' }).element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByRole('region', { name: 'Report' })).toHaveFocus();
});

test('the timeline folds to a button, and opens again', async () => {
  await open(STUDY, { size: [1440, 900] });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const before = box('.glass').width;
  await userEvent.keyboard('j');
  await expect.element(page.getByRole('navigation', { name: 'Timeline' })).not.toBeInTheDocument();
  expect(box('.glass').width).toBeGreaterThan(before + 200);
  await page.getByRole('button', { name: 'Fold or open the timeline' }).click();
  await expect.element(page.getByRole('navigation', { name: 'Timeline' })).toBeVisible();
});

test.each(['Window', 'Adjust', 'Layout', 'Account'])(
  'nothing of the stage lies on the menu %s',
  async (name) => {
    await open(STUDY, { size: [1280, 800] });
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    await page.getByRole('button', { name: new RegExp(`^${name}`) }).click();
    const menu = page.getByRole('menu').element();
    // So that it is found, if it is above.
    for (const part of document.querySelectorAll<HTMLElement>('.overlay, .overlay *'))
      part.style.pointerEvents = 'auto';
    for (const item of menu.querySelectorAll('[role^="menuitem"]')) {
      const { left, top, width, height } = item.getBoundingClientRect();
      expect(menu.contains(document.elementFromPoint(left + width / 2, top + height / 2))).toBe(true);
    }
  },
);

test('cells of a grid have one height', async () => {
  await open(`${STUDY.replace('1x1', '2x2')}`, { size: [1440, 900] });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const heights = [...document.querySelectorAll('.cell')].map((one) => one.getBoundingClientRect().height);
  expect(heights).toHaveLength(4);
  expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(1);
});

test.each([
  [1440, 900],
  [390, 844],
])('at %i × %i words of one place do not lie on another: timeline, strip, banner', async (...size) => {
  await open(STUDY, { size });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Español').click();
  await userEvent.keyboard('{Escape}');
  for (const part of ['100%', '200%']) {
    document.documentElement.style.fontSize = part;
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const selector of ['.zones > nav', '[role="option"]', 'header .allergies .said'])
      for (const one of document.querySelectorAll<HTMLElement>(selector)) {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        const words = document.createRange();
        words.selectNodeContents(one);
        const inside = [...words.getClientRects()].filter(({ width }) => width > 0);
        expect(one.scrollWidth, `${part} ${selector}`).toBeLessThanOrEqual(Math.ceil(right - left));
        expect(inside.length).toBeGreaterThan(0);
        if (selector.startsWith('header')) {
          expect(Math.min(...inside.map((at) => at.top))).toBeGreaterThanOrEqual(top - 0.5);
          expect(Math.max(...inside.map((at) => at.bottom))).toBeLessThanOrEqual(bottom + 0.5);
        }
      }
  }
  document.documentElement.style.fontSize = '';
});
