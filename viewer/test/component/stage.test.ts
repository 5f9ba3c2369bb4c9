import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import { stackOf } from './fixtures.ts';
import { choose, open, shot } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const slider = () => page.getByRole('slider', { name: 'Image; arrow keys scroll' });
const glass = () => slider().element() as HTMLElement;
const cell = () => page.getByRole('region', { name: 'Image', exact: true });

test('Tab reaches the image, and arrow keys scroll it', async () => {
  await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const reached: string[] = [];
  for (let presses = 0; presses < 60 && document.activeElement !== glass(); presses++) {
    await userEvent.keyboard('{Tab}');
    reached.push(
      document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
    );
  }
  expect(document.activeElement, reached.join(' | ')).toBe(glass());
  await userEvent.keyboard('{ArrowDown}{ArrowDown}{PageDown}');
  await expect.element(page.getByText('image 101/176')).toBeVisible();
  await userEvent.keyboard('{Home}');
  await expect.element(slider()).toHaveAttribute('aria-valuenow', '1');
});

test('arrow keys go through the series; Enter opens one; the strip is one stop of Tab', async () => {
  await open(STUDY);
  const options = page.getByRole('option');
  await expect.element(options.nth(1)).toHaveAttribute('aria-selected', 'true');
  expect(options.all().map((one) => (one.element() as HTMLElement).tabIndex)).toEqual([-1, 0, -1, -1, -1]);
  (options.nth(1).element() as HTMLElement).focus();
  await userEvent.keyboard('{ArrowRight}');
  await expect.element(options.nth(2)).toHaveFocus();
  await expect.element(options.nth(2)).toHaveAttribute('aria-selected', 'false');
  await userEvent.keyboard('{Enter}');
  await expect.element(options.nth(2)).toHaveAttribute('aria-selected', 'true');
  await expect.element(page.getByText('image 13/24')).toBeVisible();
  await userEvent.keyboard('{End}');
  await expect.element(options.nth(4)).toHaveFocus();
});

test('labels belong to the image that is shown; while another is wanted it is dimmed and says its number', async () => {
  const { imaging } = await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  imaging.drawn.held = true;
  await userEvent.keyboard('{End}');
  await expect.element(page.getByText('image 89 is shown; 176 is loading')).toBeVisible();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(page.getByText('89/176', { exact: true })).toBeVisible();
  await expect.element(slider()).toHaveAttribute('aria-valuetext', 'image 89 is shown; 176 is loading');
  await expect
    .poll(() => Number(getComputedStyle(glass().querySelector('.engine')!).opacity))
    .toBeLessThan(0.6);
  await shot('behind');
  imaging.drawn.view.show(150);
  await expect.element(page.getByText('image 151/176')).toBeVisible();
  imaging.drawn.view.show();
  await expect.element(page.getByText('image 176/176')).toBeVisible();
  await expect.element(page.getByText('is loading')).not.toBeInTheDocument();
});

test('the preview is marked until the diagnostic image replaces it', async () => {
  const { imaging } = await open(STUDY, { prepare: (fakes) => (fakes.imaging.drawn.held = true) });
  await expect.element(cell().getByText('Preview', { exact: true })).toBeVisible();
  await expect.element(cell().getByRole('img', { name: /Preview/ })).toBeVisible();
  expect(cell().element().textContent).not.toContain('image 89');
  await expect.poll(() => imaging.drawn.views.length).toBe(1);
  imaging.drawn.view.show();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(cell().getByText('Preview', { exact: true })).not.toBeInTheDocument();
});

test('a frame that failed says why in its place, with one thing to do', async () => {
  const { imaging } = await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  imaging.drawn.held = true;
  await userEvent.keyboard('{ArrowDown}');
  imaging.drawn.view.fail(new Trouble('damaged', 'length'));
  await expect
    .element(cell().getByRole('alert'))
    .toHaveTextContent('Image 90: This image arrived damaged and is not shown.');
  await shot('failed');
  // The image below must not be taken for it.
  const covers = cell().getByRole('alert').element().parentElement!.getBoundingClientRect();
  expect(covers.height).toBeGreaterThanOrEqual(glass().clientHeight);
  await page.getByRole('button', { name: 'Try again' }).click();
  expect(imaging.retried).toEqual(['1.2.10/1.2.10.2/1.2.10.2.90/1']);
  imaging.drawn.view.show();
  await expect.element(page.getByText('image 90/176')).toBeVisible();
  await expect.element(cell().getByRole('alert')).not.toBeInTheDocument();
});

test('for a frame that cannot be decoded, the server’s picture is offered, marked as a preview', async () => {
  const { imaging } = await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  imaging.drawn.held = true;
  await userEvent.keyboard('{ArrowDown}');
  imaging.drawn.view.fail(new Trouble('undecodable', 'syntax'));
  await page.getByRole('button', { name: "Show the server's picture" }).click();
  await expect.element(cell().getByText('Preview', { exact: true })).toBeVisible();
  expect(cell().element().textContent).not.toContain('image 89/176');
});

test('a series that does not open says why; again opens it where the address says', async () => {
  const { imaging } = await open(`${STUDY}&image=5`, {
    prepare: (fakes) => (fakes.imaging.trouble = new Trouble('server', '500', { status: 500 })),
  });
  await expect
    .element(cell().getByRole('alert'))
    .toHaveTextContent('The image archive did not answer. Clinical data are complete.');
  imaging.trouble = undefined;
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect.element(page.getByText('image 5/176')).toBeVisible();
});

test('a busy archive is asked again by itself, when it said', async () => {
  const { imaging } = await open(STUDY, {
    prepare: (fakes) =>
      (fakes.imaging.trouble = new Trouble('busy', '503', { status: 503, retryAfter: 150 })),
  });
  await expect.element(cell().getByRole('alert')).toHaveTextContent('cannot answer now');
  imaging.trouble = undefined;
  await expect.element(page.getByText('image 89/176')).toBeVisible();
});

test('the ring counts ready frames', async () => {
  const { imaging } = await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  imaging.arrive(44);
  await expect.element(page.getByRole('img', { name: '44 of 176 images are here' })).toBeVisible();
});

test('images of another patient have a red bar; those of this patient have none', async () => {
  await open(STUDY, {
    prepare: ({ imaging }) =>
      (imaging.metadata = {
        '00100010': { vr: 'PN', Value: [{ Alphabetic: 'WHITFIELD^GEORGE' }] },
        '00100020': { vr: 'LO', Value: ['MRN-9'] },
        '00100030': { vr: 'DA', Value: ['19440217'] },
      }),
  });
  const bar = page.getByRole('alert');
  await expect.element(bar).toHaveTextContent('These images name another patient.');
  await expect
    .element(bar)
    .toHaveTextContent(
      'WHITFIELD GEORGE, born 17 Feb 1944, number MRN-9. The record is of Helen Marie Castellanos.',
    );
  expect(getComputedStyle(bar.element()).backgroundColor).toBe('rgb(179, 18, 29)');
  await shot('other-patient');
  await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test.each([
  ['a removed name', { '00100010': ['REMOVED'] }, 'Name removed; number agrees'],
  ['a birth date alone', { '00100010': [], '00100020': [] }, 'Name removed; birth date agrees'],
  ['nothing', { '00100010': [], '00100020': [], '00100030': [] }, 'These images do not say whose they are.'],
])('images with %s say so in a quiet line', async (_, values, words) => {
  const metadata = Object.fromEntries(
    Object.entries(values).map(([tag, Value]) => [tag, { vr: 'LO', Value }]),
  );
  await open(STUDY, { prepare: ({ imaging }) => (imaging.metadata = metadata) });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(cell().getByText(words)).toBeVisible();
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
  await shot(`whose-${words.length}`);
});

test('the parts of a mixed series can be chosen, and say by what they differ', async () => {
  await open(STUDY, {
    prepare: ({ imaging }) =>
      (imaging.stacks = (name) =>
        (['axial', 'coronal'] as const).map((value, index) =>
          stackOf(name, { count: 12 - 4 * index, by: { what: 'orientation', value } }),
        )),
  });
  await expect.element(page.getByText('image 7/12')).toBeVisible();
  await page.getByRole('button', { name: 'coronal · 8' }).click();
  await expect.element(page.getByText('image 5/8')).toBeVisible();
  await expect.poll(() => new URLSearchParams(location.search).get('stack')).toBe('coronal');
});

test('many times are a slider; it and Shift with the wheel stay at the same place', async () => {
  const times = Array.from({ length: 8 }, (_, at) => at + 1);
  await open(STUDY, {
    prepare: ({ imaging }) =>
      (imaging.stacks = (name) => [
        stackOf(name, { count: 20, by: { what: 'size', value: '9×9' } }),
        ...times.map((time) =>
          stackOf(name, {
            count: 12,
            by: { what: 'temporal', value: String(time) },
            changes: { '0020930D': { vr: 'FD', Value: [2 * time] } },
          }),
        ),
      ]),
  });
  await expect.element(page.getByText('image 11/20')).toBeVisible();
  const parts = page.getByRole('group', { name: 'Parts of this series' });
  expect(parts.getByRole('button').all()).toHaveLength(2);
  await parts.getByRole('button', { name: 'Time 1/8 · 0.0 s' }).click();
  const times8 = parts.getByRole('slider');
  await expect.element(times8).toHaveAttribute('aria-valuetext', 'Time 1/8 · 0.0 s');
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('image 8/12')).toBeVisible();
  await times8.fill('4');
  await expect.element(parts.getByText('Time 4/8 · 6.0 s')).toBeVisible();
  await expect.element(page.getByText('image 8/12')).toBeVisible();
  await expect.poll(() => new URLSearchParams(location.search).get('stack')).toBe('4');
  glass().dispatchEvent(
    new WheelEvent('wheel', { deltaX: 100, shiftKey: true, cancelable: true, bubbles: true }),
  );
  await expect.element(parts.getByText('Time 5/8 · 8.0 s')).toBeVisible();
  await expect.element(page.getByText('image 8/12')).toBeVisible();
  await shot('times');
  glass().dispatchEvent(new WheelEvent('wheel', { deltaY: 100, cancelable: true, bubbles: true }));
  await expect.element(page.getByText('image 9/12')).toBeVisible();
  await parts.getByRole('button', { name: '9×9 · 20' }).click();
  await expect.element(page.getByText('image 11/20')).toBeVisible();
});

test('the address follows series, image and window; opening it comes back to the same picture', async () => {
  await open(`${STUDY}&series=1.2.10.3&image=14&window=60%2F120`);
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await expect.element(page.getByText('W 120 L 60')).toBeVisible();
  await userEvent.keyboard('{ArrowDown}');
  await expect.poll(() => location.search).toContain('image=15');
  await userEvent.keyboard('{ArrowRight}');
  await expect.poll(() => location.search).toContain('series=1.2.10.4&image=25');
  expect(location.search).not.toContain('window');
});

test('the mouse: the wheel scrolls, the left button windows, the right one zooms; tools show what they do', async () => {
  await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const mouse = (type: string, rest: PointerEventInit) =>
    glass().dispatchEvent(
      new PointerEvent(type, { pointerId: 1, pointerType: 'mouse', bubbles: true, ...rest }),
    );
  const wheel = new WheelEvent('wheel', { deltaY: 100, cancelable: true, bubbles: true });
  glass().dispatchEvent(wheel);
  expect(wheel.defaultPrevented).toBe(true);
  await expect.element(page.getByText('image 90/176')).toBeVisible();
  mouse('pointerdown', { button: 0, clientX: 300, clientY: 300 });
  mouse('pointermove', { clientX: 450, clientY: 300 });
  mouse('pointerup', {});
  await expect.element(page.getByText('W 600 L 40')).toBeVisible();
  mouse('pointerdown', { button: 2, clientX: 300, clientY: 300 });
  mouse('pointermove', { clientX: 300, clientY: 150 });
  mouse('pointerup', {});
  await expect.element(page.getByText('200 %')).toBeVisible();
  await choose('Adjust', 'Flip');
  await expect.element(glass().querySelector<HTMLElement>('.mark.left')).toHaveTextContent('L');
  await page.getByRole('button', { name: 'Reset' }).hover();
  await expect.element(page.getByRole('tooltip')).toHaveTextContent('Reset 0');
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect.element(page.getByText('100 %')).toBeVisible();
  await expect.element(page.getByText('W 400 L 40')).toBeVisible();
});

test('the stage is divided; a series opens in the chosen place', async () => {
  await open(STUDY);
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await userEvent.keyboard('2');
  await page.getByRole('button', { name: /^Choose a series/ }).click();
  // Those of the strip come first.
  await page
    .getByRole('option')
    .nth(5 + 2)
    .click();
  await expect.element(page.getByText('image 13/24')).toBeVisible();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await shot('two-images');
});

test('the picture of the study in the address stands there, marked, until its record has come', async () => {
  const { imaging } = await open(STUDY, { prepare: ({ records }) => (records.held = true) });
  await expect.element(page.getByRole('img', { name: /Preview/ })).toBeVisible();
  await expect.element(page.getByText('Preview', { exact: true })).toBeVisible();
  expect(imaging.foreseen).toHaveLength(1);
  await shot('foreseen');
  history.pushState(null, '', location.search.replace(/study=[\d.]+/, 'study=1.2.99'));
  window.dispatchEvent(new PopStateEvent('popstate'));
  await expect.element(page.getByRole('img', { name: /Preview/ })).not.toBeInTheDocument();
});
