import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { open, shot } from './open.ts';

test('a patient opens with banner, timeline, series, image and report', async () => {
  const { records } = await open();
  await expect.element(page.getByRole('heading', { level: 1 })).toHaveTextContent('Helen Marie Castellanos');
  await expect.element(page.getByRole('navigation', { name: 'Timeline' })).toBeVisible();
  await expect.element(page.getByRole('listbox').getByRole('option').first()).toBeVisible();
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await expect.element(page.getByRole('region', { name: 'Report' })).toHaveTextContent('white matter lesion');
  expect(records.asked).toEqual(['helen']);
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('image 90/176')).toBeVisible();
  await shot('desktop');
});
