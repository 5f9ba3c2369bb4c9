import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import { frameId } from '../../src/domain/study.ts';
import { slicesOf, stackOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot, violations, type Opened, type Opening } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14&layout=1x1';
const METADATA: Instance = {
  '00280010': { vr: 'US', Value: [320] },
  '00280011': { vr: 'US', Value: [256] },
  '00280030': { vr: 'DS', Value: [0.5, 0.5] },
};

async function opened(options: Opening = {}): Promise<Opened> {
  const fakes = await open(STUDY, {
    ...options,
    prepare: (all) => {
      all.imaging.drawn.fits = true;
      all.imaging.metadata = METADATA;
      options.prepare?.(all);
    },
  });
  await expect.element(page.getByText(/image 14\/\d+/)).toBeVisible();
  return fakes;
}

const tool = () => page.getByRole('button', { name: 'Key image', exact: true });
const star = (text: string) => page.getByText(text, { exact: true });
const list = () => page.getByRole('region', { name: 'Measurements' });
const row = (number: number) =>
  list().getByRole('button', { name: new RegExp(`^Show key image ${number} ·`) });
/** The arrow keys of the tool bar are its own. */
const focusImage = () => document.querySelector<HTMLElement>('.glass')!.focus();
const said = () => document.querySelector('.surface .said')?.textContent;
const ticks = () => [...document.querySelectorAll<HTMLElement>('.track > span')];
const titles = () =>
  list()
    .getByRole('listitem')
    .elements()
    .map((one) => one.querySelector('strong')!.textContent);

test('the button marks the image shown, and is lit on it alone; star, thumbnail and slider have it', async () => {
  await opened();
  await expect.element(tool()).toHaveAttribute('aria-pressed', 'false');
  await tool().click();
  await expect.element(tool()).toHaveAttribute('aria-pressed', 'true');
  await expect.element(star('Key image 1 of 1')).toBeVisible();
  await expect
    .element(page.getByRole('option', { name: /T2 FLAIR axial/ }))
    .toHaveTextContent('Key images: 1');
  await expect.element(page.getByRole('option', { name: /MPRAGE/ })).not.toHaveTextContent('Key images');
  // As far along the slider as the middle of its knob, which has 16 pixels.
  const slider = page.getByRole('slider', { name: 'Image number' }).element().getBoundingClientRect();
  const tick = ticks()[0]!.getBoundingClientRect();
  expect((tick.left + tick.right) / 2).toBeCloseTo(slider.left + 8 + ((slider.width - 16) * 13) / 23, 0);
  await shot('key-image');
  expect(await violations()).toEqual([]);
  focusImage();
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('image 15/24')).toBeVisible();
  await expect.element(tool()).toHaveAttribute('aria-pressed', 'false');
  await expect.element(star('Key image 1 of 1')).not.toBeInTheDocument();
  await userEvent.keyboard('{ArrowUp}');
  await tool().click();
  await expect.element(star('Key image 1 of 1')).not.toBeInTheDocument();
  expect(said()).toMatch(/^No key image any more/);
  expect(ticks()).toHaveLength(0);
});

test('`y` marks, `Shift+y` goes round through all, also to those of other series and studies', async () => {
  await opened();
  await userEvent.keyboard('y{ArrowDown}{ArrowDown}y');
  await expect.element(star('Key image 2 of 2')).toBeVisible();
  expect(ticks()).toHaveLength(2);
  await page
    .getByRole('navigation', { name: 'Timeline' })
    .getByRole('button', { name: /ago.*CT scan of the chest/ })
    .first()
    .click();
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  await userEvent.keyboard('y');
  await expect.element(star('Key image 3 of 3')).toBeVisible();
  await userEvent.keyboard('{Shift>}Y{/Shift}');
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(star('Key image 1 of 3')).toBeVisible();
  await userEvent.keyboard('{Shift>}Y{/Shift}');
  await expect.element(star('Key image 2 of 3')).toBeVisible();
  await userEvent.keyboard('{Shift>}Y{/Shift}');
  await expect.element(page.getByText('image 101/200')).toBeVisible();
});

test('the list opens the image with its window and camera, on a glass of another size too', async () => {
  const { imaging } = await opened();
  await userEvent.keyboard('++r{Shift>}{ArrowUp}{/Shift}i');
  const { view } = imaging.drawn;
  const glass = document.querySelector('.glass')!;
  const at = glass.getBoundingClientRect();
  const event = (type: string, x: number, buttons: number) =>
    glass.dispatchEvent(
      new PointerEvent(type, {
        pointerId: 1,
        isPrimary: true,
        bubbles: true,
        button: 1,
        buttons,
        clientX: at.left + x,
        clientY: at.top + 200,
      }),
    );
  event('pointerdown', 200, 4);
  event('pointermove', 290, 4);
  event('pointerup', 290, 0);
  const middle = () => view.toImage([view.picture().width / 2, view.picture().height / 2]);
  const marked = middle();
  await userEvent.keyboard('y{ArrowDown}0');
  await expect.element(page.getByText('100 %')).toBeVisible();
  await expect.poll(middle).not.toEqual(marked);
  await userEvent.keyboard('{Shift>}M{/Shift}');
  await page.viewport(1100, 760);
  await expect.element(row(1)).toBeVisible();
  await row(1).click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(page.getByText('156 %')).toBeVisible();
  await expect.element(page.getByText('W 400 L 0')).toBeVisible();
  for (const axis of [0, 1] as const) await expect.poll(() => middle()[axis]).toBeCloseTo(marked[axis], 3);
  expect(view.picture().style.filter).toBe('invert(1)');
  await expect.element(row(1)).toHaveAttribute('aria-current', 'true');
  // From another series: it is opened as it was.
  await page.getByRole('option').nth(3).click();
  await expect.element(page.getByText('image 25/48')).toBeVisible();
  await row(1).click();
  await expect.element(page.getByText('156 %')).toBeVisible();
  await expect.element(page.getByText('W 400 L 0')).toBeVisible();
  await expect.poll(() => middle()[0]).toBeCloseTo(marked[0], 3);
});

test('title and comment are written, the order is changed, deleted ones come back, by keys alone', async () => {
  await opened();
  await userEvent.keyboard('y{ArrowDown}y{ArrowDown}y{Shift>}M{/Shift}');
  const place = (image: number) => `12 Mar 2026, series 3, image ${image}`;
  await expect.poll(titles).toEqual([`1 · ${place(14)}`, `2 · ${place(15)}`, `3 · ${place(16)}`]);
  (
    list()
      .getByRole('button', { name: `Write title and comment: ${place(16)}` })
      .element() as HTMLElement
  ).focus();
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByRole('textbox', { name: 'Title' })).toHaveFocus();
  await userEvent.keyboard('The lesion{Tab}9 mm, left frontal{Tab}{Enter}');
  await expect.element(row(3)).toHaveTextContent('The lesion');
  await expect.element(row(3)).toHaveTextContent('9 mm, left frontal');
  await expect.element(star('Key image 3 of 3: The lesion')).toBeVisible();
  const up = list().getByRole('button', { name: 'Move up: The lesion' });
  (up.element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  await expect.poll(titles).toEqual([`1 · ${place(14)}`, '2 · The lesion', `3 · ${place(15)}`]);
  await expect.element(up).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => titles()[0]).toBe('1 · The lesion');
  await expect.element(list().getByRole('button', { name: 'Move down: The lesion' })).toHaveFocus();
  await shot('key-images-list');
  expect(await violations()).toEqual([]);
  (list().getByRole('button', { name: 'Delete The lesion' }).element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => titles().length).toBe(2);
  await expect.element(list().getByRole('button', { name: 'Undo' })).toHaveFocus();
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => titles()[0]).toBe('1 · The lesion');
  await expect.element(row(1)).toHaveTextContent('9 mm, left frontal');
});

test('the last one that is deleted can still be brought back', async () => {
  await opened();
  await userEvent.keyboard('y{Shift>}M{/Shift}');
  await list()
    .getByRole('button', { name: /^Delete / })
    .click();
  await expect.element(star('Key image 1 of 1')).not.toBeInTheDocument();
  await list().getByRole('button', { name: 'Undo' }).click();
  await expect.element(star('Key image 1 of 1')).toBeVisible();
});

test('of a multi-frame object the frame counts', async () => {
  await opened({
    prepare: ({ imaging }) =>
      (imaging.stacks = (name) => {
        const stack = stackOf(name);
        const frames = stack.frames.map((frame, index) => {
          const own = { ...name, instance: '1.2.3.4', frame: index + 1 };
          return { ...frame, id: frameId(own), name: own };
        });
        return [{ ...stack, frames }];
      }),
  });
  await userEvent.keyboard('y{ArrowDown}');
  await expect.element(page.getByText('image 15/24')).toBeVisible();
  await expect.element(tool()).toHaveAttribute('aria-pressed', 'false');
  await userEvent.keyboard('{Home}{Shift>}Y{/Shift}');
  await expect.element(page.getByText('image 14/24')).toBeVisible();
});

test('a plane of a volume cannot be marked, and the page says why', async () => {
  const { imaging } = await open('?tenant=demo&patient=helen&study=1.2.20&layout=1x1', {
    prepare: (all) => (all.imaging.stacks = (name) => [slicesOf(name, 100)]),
  });
  await expect.element(page.getByText('image 51/100')).toBeVisible();
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  imaging.volumes[0]!.arrive(100);
  await expect.element(page.getByText('sagittal')).toBeVisible();
  await userEvent.keyboard('y');
  await expect.poll(said).toMatch(/^A key image is a stored image/);
  await expect.element(tool()).toHaveAttribute('aria-pressed', 'false');
  await shot('key-image-planes');
  await userEvent.keyboard('{Escape}');
  await expect.poll(said).toBeUndefined();
  await expect.element(page.getByText('sagittal')).toBeVisible();
});

test('another patient has no key images of the one before', async () => {
  const { records } = await opened();
  await userEvent.keyboard('y{Shift>}M{/Shift}');
  await expect.element(row(1)).toBeVisible();
  const before = records.answer;
  records.answer = { ...before, person: { ...before.person, id: 'samir', name: 'Samir Haddad' } };
  history.pushState(null, '', STUDY.replace('helen', 'samir'));
  window.dispatchEvent(new PopStateEvent('popstate'));
  await expect.element(page.getByRole('heading', { name: 'Samir Haddad' })).toBeVisible();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(page.getByText(/Key image \d/)).not.toBeInTheDocument();
  await expect.element(page.getByText(/Key images: 1/)).not.toBeInTheDocument();
  expect(ticks()).toHaveLength(0);
  await userEvent.keyboard('{Shift>}Y{/Shift}');
  await expect.element(page.getByText('image 14/24')).toBeVisible();
});

test('on a phone the button is in the bar, and the list returns to the image', async () => {
  await opened({ size: PHONE });
  await tool().click();
  await expect.element(star('Key image 1 of 1')).toBeVisible();
  await shot('key-image-phone');
  expect(scrollsSideways()).toBe(false);
  focusImage();
  await userEvent.keyboard('{ArrowDown}{Shift>}M{/Shift}');
  await expect.element(row(1)).toBeVisible();
  await shot('key-images-phone');
  expect(scrollsSideways()).toBe(false);
  expect(await violations()).toEqual([]);
  await row(1).click();
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(star('Key image 1 of 1')).toBeVisible();
});
