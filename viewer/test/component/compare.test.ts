import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import { asked, BESIDE, current, FLAIR, openPage, placed, prior, timeline } from './comparing.ts';
import { PHONE, scrollsSideways, shot, TABLET, violations } from './open.ts';

const glassOf = (cell: typeof prior) => cell().getByRole('slider', { name: 'Image; arrow keys scroll' });

describe('the prior beside the current study', () => {
  test('`c` opens its most similar series at the same place; both say what they are, and how they are linked', async () => {
    await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('c');
    await expect.element(current()).toHaveTextContent(/Current · 12 Mar 2026/);
    await expect.element(prior()).toHaveTextContent(/Prior · 8 Jan 2025 · 14 months before/);
    await expect.element(prior()).toHaveTextContent('linked: scroll, zoom, rotation');
    await expect.element(prior()).toHaveTextContent(/2 FLAIR axial 5 mm|FLAIR axial 5 mm/);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    const [left, right] = [current(), prior()].map((one) => one.element().getBoundingClientRect());
    expect(left!.right).toBeLessThanOrEqual(right!.left);
    await expect.poll(() => asked('beside')).toBe('1.2.40/1.2.40.2/11');
    expect(asked('layout')).toBe('1x2');
    expect(asked('image')).toBe('14');
    await shot('compare-desktop');
  });

  test('the address comes back to the same; Back ends the comparison, and forward opens it again', async () => {
    await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('c');
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    history.back();
    await expect.element(page.getByText(/Prior ·/)).not.toBeInTheDocument();
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    expect(asked('beside')).toBe(null);
    expect(page.getByRole('slider', { name: 'Image; arrow keys scroll' }).elements()).toHaveLength(1);
    history.forward();
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await expect.poll(() => asked('beside')).toBe('1.2.40/1.2.40.2/11');
    const address = location.search;
    await openPage(address);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await expect.element(current().getByText('image 14/24')).toBeVisible();
    await new Promise((done) => setTimeout(done, 400));
    expect(location.search).toBe(address);
    expect(address).not.toContain('Helen');
  });

  test('`c` again, the button of the image, Esc and one image end it', async () => {
    for (const end of [
      () => userEvent.keyboard('c'),
      () => page.getByRole('button', { name: 'Close the study beside' }).click(),
      () => userEvent.keyboard('{Escape}'),
      () => userEvent.keyboard('1'),
    ]) {
      await openPage(BESIDE);
      await expect.element(prior().getByText('image 11/24')).toBeVisible();
      await glassOf(prior).click();
      await end();
      await expect.element(page.getByText(/Prior ·/)).not.toBeInTheDocument();
      await expect.element(page.getByText('image 14/24')).toBeVisible();
      await expect.poll(() => asked('beside')).toBe(null);
      expect(page.getByRole('region', { name: 'Image', exact: true }).elements()).toHaveLength(1);
      await expect.element(page.getByRole('option').nth(4)).toBeInTheDocument();
    }
  });

  test('without an earlier study the page says so; what is not stored, and what fails, too', async () => {
    const { records } = await openPage(FLAIR, { prepare: (fakes) => (fakes.records.comparable = []) });
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('c');
    await expect.element(page.getByText('There is no comparable earlier study.')).toBeVisible();
    await shot('compare-none');
    await userEvent.keyboard('{Escape}');
    await expect.element(page.getByText('There is no comparable earlier study.')).not.toBeInTheDocument();
    await openPage(FLAIR, { prepare: (fakes) => (fakes.records.comparable = ['1.2.30']) });
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('c');
    await expect.element(page.getByText(/its images are not stored here\./)).toBeVisible();
    expect(records.comparable).toEqual([]);
    const other = await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    other.records.trouble = new Trouble('server', '500', { status: 500 });
    await userEvent.keyboard('c');
    await expect.element(page.getByRole('alert')).toHaveTextContent('Nothing was lost.');
    other.records.trouble = undefined;
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
  });

  test('an address with a study that the record does not have opens the other one', async () => {
    await openPage(`${FLAIR}&layout=1x2&beside=9.9.9`);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await expect.element(page.getByText('This record has no such study.')).toBeVisible();
    expect(asked('beside')).toBe(null);
  });

  test('images of another patient have their red bar', async () => {
    await openPage(BESIDE, {
      prepare: ({ imaging }) =>
        (imaging.stacks = (name) =>
          placed(name).map((stack) => ({
            ...stack,
            frames: stack.frames.map((frame) => ({
              ...frame,
              metadata: {
                ...frame.metadata,
                ...(name.study === '1.2.40' && {
                  '00100010': { vr: 'PN', Value: [{ Alphabetic: 'WHITFIELD^GEORGE' }] },
                }),
              },
            })),
          }))),
    });
    await expect.element(prior().getByRole('alert')).toHaveTextContent('These images name another patient.');
    await expect.element(current().getByRole('alert')).not.toBeInTheDocument();
    await shot('compare-other-patient');
  });

  test('strip, report and timeline say which study they are of', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await expect.element(page.getByRole('listbox', { name: /MRI brain with .*12 Mar 2026/ })).toBeVisible();
    await glassOf(prior).click();
    await expect.element(page.getByRole('listbox', { name: /MRI brain, 8 Jan 2025/ })).toBeVisible();
    expect(page.getByRole('option').elements()).toHaveLength(2);
    await expect.element(page.getByRole('region', { name: 'Report' })).toHaveTextContent('One 7 mm lesion.');
    await expect.element(timeline().getByText('shown beside')).toBeVisible();
    await expect
      .element(timeline().getByRole('button', { name: /12 Mar 2026.*MRI of the brain/ }))
      .toHaveAttribute('aria-current', 'true');
    await page.getByRole('option').first().click();
    await expect.element(prior()).toHaveTextContent('T1 sagittal');
    await expect.poll(() => asked('beside')).toContain('1.2.40/1.2.40.1');
    expect(asked('series')).toBe('1.2.10.3');
  });
});

test('all of it is reached by Tab', async () => {
  await openPage(BESIDE);
  await expect.element(prior().getByText('image 11/24')).toBeVisible();
  (page.getByRole('button', { name: 'All patients' }).element() as HTMLElement).focus();
  const reached: string[] = [];
  for (let presses = 0; presses < 90; presses++) {
    await userEvent.keyboard('{Tab}');
    const at = document.activeElement!;
    const region = at.closest('section')?.getAttribute('aria-label');
    reached.push(
      [region, at.getAttribute('aria-label') ?? at.textContent?.trim()].filter(Boolean).join(': '),
    );
    if (at.closest('.foot')) break;
  }
  const wanted = [
    'Image of 12 Mar 2026: Image; arrow keys scroll',
    'Image of 12 Mar 2026: Image number',
    'Image of 8 Jan 2025: Close the study beside',
    'Image of 8 Jan 2025: Image; arrow keys scroll',
    'Image of 8 Jan 2025: Image number',
  ];
  expect(reached.filter((name) => wanted.includes(name))).toEqual(wanted);
  // Timeline, strip and tools are one stop each.
  expect(reached.length).toBeLessThan(wanted.length + 16);
});

describe('screens', () => {
  test.each([
    ['phone', 'above', PHONE],
    ['phone-landscape', 'beside', [844, 390]],
    ['tablet', 'above', TABLET],
    ['tablet-landscape', 'beside', [1180, 820]],
  ] as const)('%s: one %s the other', async (name, how, size) => {
    await openPage(BESIDE, { size });
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await expect.element(current().getByText('image 14/24')).toBeVisible();
    await shot(`compare-${name}`);
    const [one, other] = [current(), prior()].map((cell) => cell.element().getBoundingClientRect());
    if (how === 'above') expect(one!.bottom).toBeLessThanOrEqual(other!.top);
    else expect(one!.right).toBeLessThanOrEqual(other!.left);
    expect(scrollsSideways()).toBe(false);
    expect(document.documentElement.scrollHeight).toBeLessThanOrEqual(size[1]);
    const glass = glassOf(prior).element();
    expect(glass.getBoundingClientRect().height).toBeGreaterThan(150);
  });

  test('on a phone “Show beside” leads to the stage', async () => {
    await openPage(`${FLAIR}&screen=timeline`, { size: PHONE });
    await expect.element(page.getByText('Office visit')).toBeVisible();
    await shot('compare-phone-timeline');
    // Nothing is open before the stage has been seen.
    await timeline().getByRole('button', { name: 'Show beside: MRI brain, 8 Jan 2025' }).click();
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    history.back();
    await expect.element(page.getByText('Office visit')).toBeVisible();
  });

  test('axe finds nothing, in both themes; 320 pixels are enough', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    for (const theme of ['light', 'dark']) {
      document.documentElement.dataset['theme'] = theme;
      expect(await violations(), theme).toEqual([]);
    }
    await shot('compare-dark');
    await openPage(BESIDE, { size: [320, 640] });
    await expect.element(prior().getByText('image 11/24')).toBeInTheDocument();
    expect(scrollsSideways()).toBe(false);
    await shot('compare-320');
  });
});
