import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { asked, BESIDE, current, FLAIR, openPage, prior, timeline } from './comparing.ts';
import { stackOf } from './fixtures.ts';
import { shot } from './open.ts';

describe('linked scrolling', () => {
  test('either image moves the other one; the end of a stack is told', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await userEvent.keyboard('{ArrowDown}');
    await expect.element(current().getByText('image 15/24')).toBeVisible();
    await expect.element(prior().getByText('image 12/24')).toBeVisible();
    await prior().getByRole('slider', { name: 'Image number' }).fill('5');
    await expect.element(current().getByText('image 8/24')).toBeVisible();
    await expect.element(prior()).not.toHaveTextContent('nothing at this position');
    await current().getByRole('slider', { name: 'Image number' }).fill('1');
    await expect.element(prior().getByText('image 1/24')).toBeVisible();
    await expect.element(prior()).toHaveTextContent('nothing at this position: the nearest image');
  });

  test('`Shift+c` ends it; the offset that is made then stays when it is linked again, and after a reload', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await userEvent.keyboard('{Shift>}C{/Shift}');
    await expect.element(prior()).toHaveTextContent('off: scroll');
    await userEvent.keyboard('{ArrowDown}{ArrowDown}');
    await expect.element(current().getByText('image 16/24')).toBeVisible();
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await userEvent.keyboard('{Shift>}C{/Shift}');
    await expect.element(prior()).toHaveTextContent(/linked: scroll.* · 10 mm apart/);
    await userEvent.keyboard('{ArrowUp}');
    await expect.element(current().getByText('image 15/24')).toBeVisible();
    await expect.element(prior().getByText('image 10/24')).toBeVisible();
    await expect.poll(() => asked('beside')).toBe('1.2.40/1.2.40.2/10');
    await openPage(location.search);
    await expect.element(prior()).toHaveTextContent(/linked: scroll.* · 10 mm apart/);
    await expect.element(prior().getByText('image 10/24')).toBeVisible();
  });

  test('without positions it is by number, and says so', async () => {
    await openPage(BESIDE, { prepare: ({ imaging }) => (imaging.stacks = (name) => [stackOf(name)]) });
    await expect.element(prior()).toHaveTextContent('no common position: by image number');
    await expect.element(prior().getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('{End}');
    await expect.element(prior().getByText('image 24/24')).toBeVisible();
  });

  test('another series of the prior goes to the place of the current image', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await prior().getByRole('slider', { name: 'Image; arrow keys scroll' }).click();
    await page.getByRole('option').first().click();
    await expect.element(prior().getByText('image 11/21')).toBeVisible();
    await expect.element(current().getByText('image 14/24')).toBeVisible();
  });

  test('of four images those of one study are told apart by their numbers, too', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await userEvent.keyboard('4');
    await expect.poll(() => asked('layout')).toBe('2x2');
    await page
      .getByRole('button', { name: /^Choose a series/ })
      .first()
      .click();
    await page.getByRole('option').last().click();
    await expect.element(page.getByText('image 16/30')).toBeVisible();
    const names = page
      .getByRole('region', { name: /^Image/ })
      .elements()
      .map((one) => one.ariaLabel);
    expect(names).toEqual([
      'Image 1 of 12 Mar 2026',
      'Image of 8 Jan 2025',
      'Image 3 of 12 Mar 2026',
      'Image 4',
    ]);
  });

  test('two series of one study are linked when the person asks for it', async () => {
    await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('2');
    await page.getByRole('button', { name: /^Choose a series/ }).click();
    await page.getByRole('option').last().click();
    await expect.element(page.getByText('image 16/30')).toBeVisible();
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    await userEvent.keyboard('{Shift>}C{/Shift}');
    await expect.element(page.getByText(/^linked: scroll · 10 mm apart · off: zoom/).first()).toBeVisible();
    await page.getByRole('slider', { name: 'Image; arrow keys scroll' }).nth(1).click();
    await userEvent.keyboard('{ArrowDown}');
    await expect.element(page.getByText('image 17/30')).toBeVisible();
    await expect.element(page.getByText('image 15/24')).toBeVisible();
  });
});

describe('ways to choose the study', () => {
  test('the list of all earlier studies, by keys', async () => {
    await openPage(FLAIR, { prepare: ({ records }) => (records.comparable = ['1.2.30', '1.2.40']) });
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    (page.getByRole('button', { name: 'Compare' }).element() as HTMLElement).focus();
    await userEvent.keyboard('{Enter}');
    const items = page.getByRole('menuitemcheckbox');
    await expect.element(items.nth(0)).toHaveTextContent('Compare with an earlier study');
    await expect.element(items.nth(1)).toHaveTextContent('images are not stored here');
    await expect.element(items.nth(2)).toHaveTextContent('MRI brain 8 Jan 2025 · 14 months before');
    await shot('compare-menu');
    await userEvent.keyboard('{ArrowDown}');
    await expect.element(items.nth(2)).toHaveAttribute('data-highlighted');
    await userEvent.keyboard('{Enter}');
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    (page.getByRole('button', { name: 'Compare' }).element() as HTMLElement).focus();
    await userEvent.keyboard('{Enter}');
    await expect.element(items.nth(2)).toHaveAttribute('aria-checked', 'true');
    // Esc closes the list alone.
    await userEvent.keyboard('{Escape}');
    await expect.element(items.first()).not.toBeInTheDocument();
    await expect.element(prior()).toBeVisible();
  });

  test('“Show beside” on the timeline; again ends it', async () => {
    await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    const button = timeline().getByRole('button', { name: 'Show beside: CT chest, 2 Feb 2026' });
    await button.click();
    await expect.element(page.getByText(/Prior · 2 Feb 2026 · 5 weeks before/)).toBeVisible();
    await expect.element(button).toHaveAttribute('aria-pressed', 'true');
    await expect
      .element(timeline().getByRole('button', { name: /Show beside: MRI brain with/ }))
      .not.toBeInTheDocument();
    await button.click();
    await expect.element(page.getByText(/Prior ·/)).not.toBeInTheDocument();
    await expect.element(page.getByText('image 14/24')).toBeVisible();
  });

  test('a study is dragged from the timeline, a series from the strip; a click is no drag', async () => {
    await openPage(FLAIR);
    await expect.element(page.getByText('image 14/24')).toBeVisible();
    const entry = timeline()
      .getByRole('button', { name: /ago.*MRI of the brain/ })
      .nth(1);
    await userEvent.dragAndDrop(entry, page.getByRole('slider', { name: 'Image; arrow keys scroll' }));
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    expect(asked('study')).toBe('1.2.10');
    await userEvent.dragAndDrop(
      page.getByRole('option').nth(4),
      current().getByRole('slider', { name: 'Image; arrow keys scroll' }),
    );
    await expect.element(current()).toHaveTextContent('T1 axial after contrast');
    // A series of the study that was opened takes the place of the prior: the comparison ends.
    await userEvent.dragAndDrop(
      page.getByRole('option').nth(2),
      prior().getByRole('slider', { name: 'Image; arrow keys scroll' }),
    );
    await expect.element(page.getByText(/Prior ·/)).not.toBeInTheDocument();
    await expect.element(page.getByText('image 13/24')).toBeVisible();
    await expect.poll(() => asked('beside')).toBe(null);
    expect(document.querySelector('.dragged')).toBe(null);
    expect(document.querySelector('[data-over]')).toBe(null);
  });

  test('a study that is clicked is opened alone; Back returns to the comparison', async () => {
    await openPage(BESIDE);
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await timeline()
      .getByRole('button', { name: /ago.*CT scan of the chest/ })
      .first()
      .click();
    await expect.element(page.getByText('image 101/200')).toBeVisible();
    await expect.element(page.getByText(/Prior ·/)).not.toBeInTheDocument();
    expect(page.getByRole('region', { name: 'Image', exact: true }).elements()).toHaveLength(1);
    history.back();
    await expect.element(prior().getByText('image 11/24')).toBeVisible();
    await expect.element(current().getByText('image 14/24')).toBeVisible();
  });
});
