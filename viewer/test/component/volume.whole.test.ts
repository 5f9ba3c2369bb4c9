import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { adjust } from '../../src/features/adjust/adjust.ts';
import { layout } from '../../src/features/layout/layout.ts';
import { measure } from '../../src/features/measure/measure.ts';
import { mpr } from '../../src/features/mpr/feature.ts';
import { reference } from '../../src/features/reference/reference.ts';
import type { FakeImaging } from './fakes.ts';
import { slicesOf } from './fixtures.ts';
import { open, shot, violations } from './open.ts';

const features = [adjust, measure, layout, reference, mpr];
const CT = '?tenant=demo&patient=helen&study=1.2.20';
const cells = () => page.getByRole('region', { name: /^Image/ });
const cell = (index: number) => cells().nth(index);
const button = (name: string) => page.getByRole('button', { name });
const lines = (index: number) => [
  ...cell(index).element().querySelectorAll<SVGLineElement>('g line:not(.under)'),
];

/** A stack of 100 axial slices of 2 mm; the one with the number `missing` is not there. */
function chest(name: { study: string; series: string }, missing = 0): Stack {
  const stack = slicesOf(name, 100);
  return { ...stack, frames: stack.frames.filter((_, at) => at + 1 !== missing) };
}

async function openChest({ missing = 0, query = CT } = {}): Promise<FakeImaging> {
  const { imaging } = await open(query, {
    features,
    prepare: (fakes) => (fakes.imaging.stacks = (name) => [chest(name, missing)]),
  });
  await expect.element(page.getByText(/image 5\d\/(100|99)/)).toBeVisible();
  return imaging;
}

async function openPlanes(): Promise<FakeImaging> {
  const imaging = await openChest();
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  await expect.element(page.getByText('Loading the volume')).toBeVisible();
  imaging.volumes[0]!.arrive(100);
  await expect.element(page.getByText('sagittal')).toBeVisible();
  return imaging;
}

test('m loads the volume, says how far it is, and shows three planes and a slab', async () => {
  const imaging = await openChest();
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  imaging.volumes[0]!.arrive(11);
  await expect.element(page.getByText('Loading the volume: 11 of 100 images')).toBeVisible();
  expect(await violations()).toEqual([]);
  await shot('volume-loading');
  imaging.volumes[0]!.arrive(100);
  for (const [at, words] of ['axial', 'coronal', 'sagittal', 'coronal · MIP 30 mm'].entries())
    await expect.element(cell(at)).toHaveTextContent(words);
  // The plane of the acquisition shows the image that was shown; the others their middle.
  await expect.element(cell(0)).toHaveTextContent('image 51/100');
  await expect.element(cell(1)).toHaveTextContent('image 33/64');
  await expect.element(cell(1)).toHaveTextContent('P 0.0 mm');
  await expect.element(button('Layout')).toHaveClass('used');
  expect(await violations()).toEqual([]);
  await shot('volume-planes');
});

test('the address keeps the stack and its layout while planes are shown', async () => {
  await openPlanes();
  const named = () => {
    const address = new URLSearchParams(location.search);
    return [address.get('image'), address.get('layout'), address.get('series')];
  };
  // It is written a quarter of a second late.
  await expect.poll(named).toEqual(['51', null, '1.2.20.1']);
  await userEvent.keyboard('{ArrowDown}{ArrowDown}');
  await expect.element(cell(0)).toHaveTextContent('image 53/100');
  await new Promise((done) => setTimeout(done, 400));
  expect(named()).toEqual(['51', null, '1.2.20.1']);
});

test('pointing at a plane brings the others there; Esc returns to the stack at that place', async () => {
  const imaging = await openPlanes();
  expect(lines(0)).toHaveLength(2);
  const surface = cell(1).element().querySelector('.surface')!;
  const { left, top } = surface.getBoundingClientRect();
  // The view of the test counts glass pixels as pixels of the image.
  const at = {
    clientX: left + 20,
    clientY: top + 50,
    button: 0,
    isPrimary: true,
    pointerId: 1,
    bubbles: true,
  };
  surface.querySelector('.glass')!.dispatchEvent(new PointerEvent('pointerdown', at));
  surface.querySelector('.glass')!.dispatchEvent(new PointerEvent('pointerup', at));
  // Column 20 of the coronal plane is the 21st sagittal one; row 50, from the head down, is 50 mm lower.
  await expect.element(cell(2)).toHaveTextContent('image 21/64');
  await expect.element(cell(0)).toHaveTextContent('image 75/100');
  await expect.element(cell(1)).toHaveTextContent('image 33/64');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText('image 75/100')).toBeVisible();
  expect(cells().all()).toHaveLength(1);
  expect(imaging.volumes[0]!.closed).toBe(true);
  await expect.element(button('Adjust')).not.toHaveClass('used');
});

test('the slab of the active plane is switched and made thicker', async () => {
  await openPlanes();
  await userEvent.keyboard('s');
  await expect.element(cell(0)).toHaveTextContent('axial · MIP 10 mm');
  await button('Layout').click();
  await expect
    .element(page.getByRole('menuitemcheckbox', { name: /MIP/ }))
    .toHaveAttribute('aria-checked', 'true');
  await page.getByRole('menuitem', { name: 'Thicker slab' }).click();
  await expect.element(cell(0)).toHaveTextContent('axial · MIP 20 mm');
  await userEvent.keyboard('{Shift>}S{/Shift}');
  await expect.element(cell(0)).toHaveTextContent('axial · mean of 20 mm');
  await expect.element(cell(0)).toHaveTextContent('image 51/100');
  await userEvent.keyboard('{Shift>}S{/Shift}');
  await expect.element(cell(0)).not.toHaveTextContent('mean');
  // A slab has no line of its own on the others.
  expect(lines(1)).toHaveLength(2);
});

test('planes are there with an eighth of the slices: marked, hatched, and not measured; then they become whole', async () => {
  const imaging = await openChest({ query: CT });
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  const [volume] = imaging.volumes;
  volume!.arrive(12);
  for (const [at, words] of ['axial', 'coronal', 'sagittal', 'coronal · MIP 30 mm'].entries()) {
    await expect.element(cell(at)).toHaveTextContent(words);
    await expect.element(cell(at)).toHaveTextContent('12 of 100, coarse');
  }
  const hatched = (at: number) =>
    [...cell(at).element().querySelectorAll('polygon')].map((one) => one.getAttribute('points'));
  // Slices 5, 13, 21 and so on from the feet are there. The first row is the 100th slice; rows are 1 mm, slices 2 mm.
  expect(hatched(1)[0]).toBe('-0.5 191 63.5 191 63.5 198.5 -0.5 198.5');
  expect(hatched(1)).toHaveLength(13);
  // The 51st slice is missing, the 53rd is there.
  expect(hatched(0)).toEqual(['-0.5 -0.5 63.5 -0.5 63.5 63.5 -0.5 63.5']);
  await userEvent.keyboard('{ArrowDown}{ArrowDown}');
  await expect.poll(() => hatched(0)).toEqual([]);
  await page.getByRole('button', { name: 'Measure', exact: true }).click();
  await expect.element(page.getByText('Planes are coarse until all images have arrived')).toBeVisible();
  await expect
    .element(page.getByRole('menuitem', { name: 'Length' }))
    .toHaveAttribute('aria-disabled', 'true');
  await userEvent.keyboard('{Escape}');
  expect(await violations()).toEqual([]);
  await shot('volume-coarse');
  volume!.arrive(25);
  await expect.element(cell(1)).toHaveTextContent('25 of 100, coarse');
  // Nothing changes between two steps.
  volume!.arrive(40);
  await expect.element(cell(1)).toHaveTextContent('25 of 100, coarse');
  volume!.arrive(100);
  for (const at of [0, 1, 2, 3]) await expect.element(cell(at)).not.toHaveTextContent('coarse');
  expect([0, 1, 2, 3].flatMap(hatched)).toEqual([]);
  // Where the person was, and with the texts of before.
  await expect.element(cell(0)).toHaveTextContent('image 53/100');
});

test('a slice that fails is named, with one thing to do; the planes stay without it', async () => {
  const imaging = await openChest();
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  const [volume] = imaging.volumes;
  volume!.arrive(5, { trouble: new Trouble('server', '', { status: 500 }), image: 87 });
  await expect.element(page.getByRole('alert')).toHaveTextContent('Image 87');
  await expect.element(button('Back to the images')).toBeVisible();
  volume!.arrive(99, { trouble: new Trouble('server', '', { status: 500 }), image: 87 });
  await expect.element(cell(1)).toHaveTextContent('99 of 100, coarse');
  await expect.element(page.getByRole('alert')).toHaveTextContent('Image 87');
  await shot('volume-failed-slice');
  await button('Try again').click();
  expect(volume!.triedAgain).toBe(1);
  volume!.arrive(100);
  await expect.element(cell(1)).not.toHaveTextContent('coarse');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText('image 51/100')).toBeVisible();
  expect(volume!.closed).toBe(true);
});

test('where images are missing there is no volume, and the page says why', async () => {
  const imaging = await openChest({ missing: 40 });
  await userEvent.keyboard('m');
  await expect
    .element(page.getByRole('alert'))
    .toHaveTextContent('The distance after image 39 is not the same');
  await expect.element(page.getByRole('alert')).toHaveTextContent('The images can still be scrolled.');
  expect(imaging.volumes).toHaveLength(0);
  await shot('no-volume');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test('another layout, and another study, end the planes', async () => {
  const imaging = await openPlanes();
  await userEvent.keyboard('2');
  expect(imaging.volumes[0]!.closed).toBe(true);
  expect(cells().all()).toHaveLength(2);
  await expect.element(page.getByText('image 51/100')).toBeVisible();
});

test('an image of another series shows where the active one cuts it; the crosshair brings it to one point', async () => {
  const coronal = (name: { study: string; series: string }): Stack => {
    const stack = chest(name);
    const frames = stack.frames.map((frame, at) => ({
      ...frame,
      metadata: {
        ...frame.metadata,
        '00200032': { vr: 'DS', Value: [-32, at - 50, 32] },
        '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 0, -1] },
      },
    }));
    return { ...stack, frames };
  };
  const { imaging } = await open('?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.2&layout=1x2', {
    features,
    prepare: (fakes) =>
      (fakes.imaging.stacks = (name) => [name.series === '1.2.10.3' ? coronal(name) : chest(name)]),
  });
  await expect.element(cell(0)).toHaveTextContent('image 51/100');
  await userEvent.click(cell(1).getByRole('slider', { name: 'Image; arrow keys scroll' }));
  await page.getByRole('option').nth(2).click();
  await expect.element(cell(1)).toHaveTextContent('image 51/100');
  await expect.poll(() => imaging.drawn.views.length).toBe(2);
  // The second is active: its line is on the first, and none on itself.
  await expect.poll(() => [lines(0).length, lines(1).length]).toEqual([1, 0]);
  expect(lines(0)[0]!.getAttribute('y1')).toBe('32');
  await userEvent.keyboard('x');
  const surface = cell(0).element().querySelector('.surface')!;
  const { left, top } = surface.getBoundingClientRect();
  const at = {
    clientX: left + 10,
    clientY: top + 40,
    button: 0,
    isPrimary: true,
    pointerId: 1,
    bubbles: true,
  };
  surface.querySelector('.glass')!.dispatchEvent(new PointerEvent('pointerdown', at));
  surface.querySelector('.glass')!.dispatchEvent(new PointerEvent('pointerup', at));
  // y is 8 mm: the 59th coronal image, at z = 0.
  await expect.element(cell(1)).toHaveTextContent('image 59/100');
  expect(cell(1).element().querySelector('path.mark')!.getAttribute('d')).toContain('M-4 32h10');
  await shot('crosshair');
  await userEvent.keyboard('x');
  await expect.poll(() => document.querySelector('path.mark')).toBeNull();
});
