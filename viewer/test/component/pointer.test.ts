/** Measuring, the crosshair and planes want the same button. */
import axe from 'axe-core';
import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { slicesOf } from './fixtures.ts';
import { open, shot, type Opened } from './open.ts';

const CT = '?tenant=demo&patient=helen&study=1.2.20';
/** Its button is marked while the crosshair is on. */
const crosshair = () => page.getByRole('button', { name: 'Adjust' });
const surface = () => page.getByRole('application');

async function openChest(): Promise<Opened> {
  const fakes = await open(CT, {
    prepare: ({ imaging }) => (imaging.stacks = (name) => [slicesOf(name, 20)]),
  });
  await expect.element(page.getByText('image 11/20')).toBeVisible();
  return fakes;
}

test('a tool that measures ends the crosshair, and the crosshair ends it', async () => {
  await openChest();
  await userEvent.keyboard('x');
  await expect.element(crosshair()).toHaveClass('used');
  await userEvent.keyboard('l');
  await expect.element(surface()).toBeVisible();
  await expect.element(crosshair()).not.toHaveClass('used');
  await userEvent.keyboard('x');
  await expect.element(surface()).not.toBeInTheDocument();
  await expect.element(crosshair()).toHaveClass('used');
  // Each also ends by its own key, and begins again.
  await userEvent.keyboard('x');
  await expect.element(crosshair()).not.toHaveClass('used');
  await userEvent.keyboard('l');
  await expect.element(surface()).toBeVisible();
});

test('computed planes are not measured, and the menu says why; they end the tool that is in use', async () => {
  const { imaging } = await openChest();
  await userEvent.keyboard('l');
  await expect.element(surface()).toBeVisible();
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  imaging.volumes[0]!.arrive(20);
  await expect.element(page.getByRole('region', { name: 'Image 3' })).toHaveTextContent('sagittal');
  await expect.element(surface()).not.toBeInTheDocument();
  await userEvent.keyboard('l');
  await page.getByRole('button', { name: 'Measure', exact: true }).click();
  await expect
    .element(page.getByRole('menu'))
    .toHaveTextContent('Planes are computed: measure on the images of the series.');
  await expect
    .element(page.getByRole('menuitem', { name: /^Length/ }))
    .toHaveAttribute('aria-disabled', 'true');
  await shot('measure-planes');
  await expect.element(surface()).not.toBeInTheDocument();
  const found = await axe.run('[role="menu"]', { resultTypes: ['violations'] });
  expect(found.violations.map(({ id }) => id)).toEqual([]);
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('menu')).not.toBeInTheDocument();
  // The stack itself is measured again.
  await userEvent.keyboard('m');
  await expect.element(page.getByText('image 11/20')).toBeVisible();
  await userEvent.keyboard('l');
  await expect.element(surface()).toBeVisible();
});
