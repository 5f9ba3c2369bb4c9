/** What two compared images share: zoom and pan, window, rotation. */
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import { asked, BESIDE, current, openPage, prior } from './comparing.ts';
import type { DrawnView } from './drawn.ts';
import { stackOf } from './fixtures.ts';
import { choose, PHONE, scrollsSideways, shot, violations, type Opened } from './open.ts';

type Point = readonly [number, number];
const LINKED = 'linked: scroll, zoom, window, rotation';
const is = (Value: readonly unknown[], vr = 'DS') => ({ vr, Value });
/** Slices of 5 mm that begin at a corner, with pixels of some millimetres; both have 500 × 400. */
const SLICES = {
  '1.2.10': { corner: [-180, -170], spacing: 0.7 },
  '1.2.40': { corner: [-200, -160], spacing: 0.9 },
} as const;

/** A CT now, and one of the year before. @param changes of the earlier one */
async function opened(
  changes: Instance | ((index: number) => Instance) = {},
  size?: readonly [number, number],
): Promise<[DrawnView, DrawnView]> {
  let fakes!: Opened;
  await openPage(BESIDE, {
    ...(size && { size }),
    prepare: (all) => {
      fakes = all;
      all.imaging.drawn.fits = true;
      all.imaging.stacks = (name) => {
        const { corner, spacing } = SLICES[name.study as keyof typeof SLICES];
        const stack = stackOf(name);
        const frames = stack.frames.map((frame, index) => {
          const metadata: Instance = {
            ...frame.metadata,
            '00080022': is([name.study === '1.2.40' ? '20250108' : '20260312'], 'DA'),
            '00080060': is(['CT'], 'CS'),
            '00200032': is([...corner, 5 * index]),
            '00280010': is([400]),
            '00280011': is([500]),
            '00280030': is([spacing, spacing]),
            '00281052': is([-1024]),
          };
          const changed = typeof changes === 'function' ? changes(index) : changes;
          return { ...frame, metadata: name.study === '1.2.40' ? { ...metadata, ...changed } : metadata };
        });
        return [{ ...stack, frames }];
      };
    },
  });
  await expect.element(prior().getByText('image 14/24')).toBeVisible();
  await expect.poll(() => fakes.imaging.drawn.views.length).toBe(2);
  const [one, other] = fakes.imaging.drawn.views as [DrawnView, DrawnView];
  return one.series === '1.2.40.2' ? [other, one] : [one, other];
}

/** The point of the image that shows a place of the patient, by the numbers of its slices. */
const pixelOf = (study: keyof typeof SLICES, [x, y]: Point): Point => {
  const { corner, spacing } = SLICES[study];
  return [(x - corner[0]) / spacing, (y - corner[1]) / spacing];
};
/** Where the glass shows it, from its middle. */
const placeOf = (view: DrawnView, study: keyof typeof SLICES, point: Point): Point => {
  const [x, y] = view.toGlass(pixelOf(study, point));
  const { width, height } = view.picture();
  return [x - width / 2, y - height / 2];
};

/** Fails unless both show places of the patient in the same places of the glass. */
function expectSame(now: DrawnView, before: DrawnView): void {
  for (const point of [
    [0, 0],
    [-60, 40],
    [55, -20],
  ] as const) {
    const [one, other] = [placeOf(now, '1.2.10', point), placeOf(before, '1.2.40', point)];
    expect(Math.hypot(one[0] - other[0], one[1] - other[1]), `${one} and ${other}`).toBeLessThan(1);
  }
}
const millimetre = (view: DrawnView, study: keyof typeof SLICES) => {
  const [from, to] = [placeOf(view, study, [0, 0]), placeOf(view, study, [100, 0])];
  return Math.hypot(to[0] - from[0], to[1] - from[1]) / 100;
};

function point(cell: typeof prior, type: string, [x, y]: Point, rest: PointerEventInit) {
  const glass = cell().getByRole('slider', { name: 'Image; arrow keys scroll' }).element();
  const { left, top } = glass.getBoundingClientRect();
  const init = { pointerId: 1, pointerType: 'mouse', isPrimary: true, bubbles: true, ...rest };
  glass.dispatchEvent(new PointerEvent(type, { ...init, clientX: left + x, clientY: top + y }));
}
/** Drags with a button of the mouse. */
function drag(cell: typeof prior, from: Point, to: Point, rest: { button: number; buttons: number }) {
  point(cell, 'pointerdown', from, rest);
  point(cell, 'pointermove', to, rest);
  point(cell, 'pointerup', to, { ...rest, buttons: 0 });
}
const MIDDLE_BUTTON = { button: 1, buttons: 4 };

test('zoom, pan and window of one are those of the other: same place of the patient, same millimetres', async () => {
  const [now, before] = await opened();
  await expect.element(prior()).toHaveTextContent(LINKED);
  await expect.element(current()).toHaveTextContent(LINKED);
  expectSame(now, before);
  await userEvent.keyboard('+++');
  const mm = millimetre(now, '1.2.10');
  drag(current, [200, 200], [200 + 30 * mm, 200 - 10 * mm], MIDDLE_BUTTON);
  await userEvent.keyboard('{Shift>}{ArrowUp}{ArrowRight}{/Shift}');
  await expect.element(current().getByText('195 %')).toBeVisible();
  expectSame(now, before);
  expect(millimetre(before, '1.2.40') / mm).toBeCloseTo(1, 2);
  await expect.element(current()).toHaveTextContent('W 360 L 0');
  await expect.element(prior()).toHaveTextContent('W 360 L 0');
  await shot('compare-linked');
  expect(await violations()).toEqual([]);
});

test('either leads: the prior is turned, mirrored, moved and zoomed, and the current one follows', async () => {
  const [now, before] = await opened();
  await prior().getByRole('slider', { name: 'Image; arrow keys scroll' }).click();
  await userEvent.keyboard('rf+');
  drag(prior, [200, 200], [260, 170], MIDDLE_BUTTON);
  await expect.poll(() => now.toGlass([0, 0])[0] > now.toGlass([0, 399])[0]).toBe(true);
  await expect
    .poll(() => placeOf(now, '1.2.10', [0, 0])[0])
    .toBeCloseTo(placeOf(before, '1.2.40', [0, 0])[0], 0);
  expectSame(now, before);
  // Back to the other one: what it shows stays.
  const place = placeOf(now, '1.2.10', [0, 0]);
  await current().getByRole('slider', { name: 'Image; arrow keys scroll' }).click();
  await new Promise((done) => setTimeout(done, 100));
  expect(placeOf(now, '1.2.10', [0, 0])).toEqual(place);
  await userEvent.keyboard('0');
  await expect.element(current().getByText('100 %')).toBeVisible();
  await expect
    .poll(() => placeOf(before, '1.2.40', [0, 0])[0])
    .toBeCloseTo(placeOf(now, '1.2.10', [0, 0])[0], 0);
  expectSame(now, before);
});

test('each part has its switch in the menu; the header says what is off', async () => {
  const [now, before] = await opened();
  await choose('Compare', 'Link zoom and position');
  await expect.element(prior()).toHaveTextContent('linked: scroll, window, rotation · off: zoom');
  const [mm, other] = [millimetre(now, '1.2.10'), millimetre(before, '1.2.40')];
  await current().getByRole('slider', { name: 'Image; arrow keys scroll' }).click();
  await userEvent.keyboard('++');
  await expect.poll(() => millimetre(now, '1.2.10') / mm).toBeGreaterThan(1.5);
  expect(millimetre(before, '1.2.40')).toBe(other);
  await choose('Compare', 'Link rotation');
  await choose('Compare', 'Link brightness and contrast');
  await choose('Compare', 'Link scrolling');
  await expect.element(prior()).toHaveTextContent('not linked');
  await current().getByRole('slider', { name: 'Image; arrow keys scroll' }).click();
  await userEvent.keyboard('r{Shift>}{ArrowUp}{/Shift}{ArrowDown}');
  await expect.element(current().getByText('image 15/24')).toBeVisible();
  await expect.element(prior()).toHaveTextContent('W 400 L 40');
  await expect.element(prior().getByText('image 14/24')).toBeVisible();
  // On again: what the current one shows counts.
  await choose('Compare', 'Link zoom and position');
  await choose('Compare', 'Link rotation');
  await expect.poll(() => millimetre(before, '1.2.40')).toBeCloseTo(millimetre(now, '1.2.10'));
  expectSame(now, before);
});

test.each<[string, Instance | ((index: number) => Instance), string]>([
  [
    'without pixel size, by parts of the image',
    { '00280030': is([]) },
    `${LINKED} · zoom by part of the image: no pixel size`,
  ],
  [
    'another unit: its window stays',
    { '00281054': is(['OD'], 'LO'), '00080060': is(['MR'], 'CS') },
    'linked: scroll, zoom, rotation · window off: no common unit of values',
  ],
  [
    'another plane: by number',
    { '00200037': is([1, 0, 0, 0, 0, -1]) },
    `${LINKED} · different plane: by image number`,
  ],
  [
    'positions that do not meet: by number',
    (index: number) => ({ '00200032': is([0, 0, 9000 + 5 * index]), '00200052': is(['1.2.3'], 'UI') }),
    `${LINKED} · different frame of reference: by image number`,
  ],
  [
    'images in one place: by number',
    { '00200032': is([0, 0, 0]) },
    `${LINKED} · no common position: by image number`,
  ],
])('%s', async (_, changes, words) => {
  const [now, before] = await opened(changes);
  await expect.element(prior()).toHaveTextContent(words);
  await userEvent.keyboard('+++{Shift>}{ArrowUp}{/Shift}');
  await expect.element(current().getByText('195 %')).toBeVisible();
  const isMr = '00281054' in changes;
  await expect.element(prior()).toHaveTextContent(isMr ? 'W 400 L 40' : 'W 400 L 0');
  const middle = (view: DrawnView) => view.toImage([view.picture().width / 2, view.picture().height / 2]);
  // Both still have their images, and the middle of one is that of the other.
  expect(middle(now)[0]).toBeCloseTo(249.5, 0);
  if (!isMr) expect(middle(before)[0]).toBeCloseTo(249.5, 0);
  await expect.element(prior().getByText('image 14/24')).toBeVisible();
});

test('on a phone the switches are in the menu too; two fingers zoom both', async () => {
  const [now, before] = await opened({}, PHONE);
  await expect.element(prior()).toHaveTextContent(LINKED);
  const one = { pointerType: 'touch', pointerId: 1 };
  const two = { pointerType: 'touch', pointerId: 2, isPrimary: false };
  point(current, 'pointerdown', [100, 100], one);
  point(current, 'pointerdown', [200, 100], two);
  point(current, 'pointermove', [300, 100], two);
  point(current, 'pointerup', [300, 100], two);
  point(current, 'pointerup', [100, 100], one);
  await expect.element(current().getByText('200 %')).toBeVisible();
  expectSame(now, before);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect.element(page.getByRole('menuitemcheckbox', { name: 'Link rotation' })).toBeVisible();
  await shot('compare-links-phone');
  await page.getByRole('menuitemcheckbox', { name: 'Link rotation' }).click();
  await expect.element(prior()).toHaveTextContent('linked: scroll, zoom, window · off: rotation');
  await shot('compare-linked-phone');
  expect(scrollsSideways()).toBe(false);
  expect(asked('layout')).toBe('1x2');
});
