import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { frameId } from '../../src/domain/study.ts';
import { stackOf } from './fixtures.ts';
import { open, type Opened, PHONE, scrollsSideways, shot } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.20';
/** A film of 24 images, 20 a second. */
const FILM: Instance = {
  '00080060': { vr: 'CS', Value: ['US'] },
  '00280008': { vr: 'IS', Value: [24] },
  '00181063': { vr: 'DS', Value: [50] },
};

/** The same frames as those of one instance. */
function film(name: { study: string; series: string }): Stack {
  const stack = stackOf(name, { count: 24, changes: FILM });
  const frames = stack.frames.map((frame, index) => {
    const named = { ...name, instance: `${name.series}.1`, frame: index + 1 };
    return { ...frame, id: frameId(named), name: named };
  });
  return { ...stack, frames };
}
const openFilm = (size?: readonly [number, number], prepare?: (fakes: Opened) => void) =>
  open(`${STUDY}&image=1`, {
    ...(size && { size }),
    prepare: (fakes) => {
      fakes.imaging.stacks = (name) => [film(name)];
      prepare?.(fakes);
    },
  });

const bar = () => page.getByRole('group', { name: 'Film' });
const image = () => Number(/image (\d+)\//.exec(document.querySelector('.overlay')?.textContent ?? '')?.[1]);
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

test('a film has a bar with its true speed; k plays it in true time, and pauses it', async () => {
  await openFilm();
  await expect.element(page.getByText('image 1/24')).toBeVisible();
  await expect.element(bar()).toHaveTextContent('20 images/s (true time)');
  const begun = performance.now();
  await userEvent.keyboard('k');
  const seen = new Set<number>();
  while (seen.size < 12 && performance.now() - begun < 4000) {
    seen.add(image());
    await pause(5);
  }
  const passed = performance.now() - begun;
  await expect.element(bar().getByRole('button', { name: 'Pause' })).toBeVisible();
  await shot('cine');
  await userEvent.keyboard('k');
  await expect.element(bar().getByRole('button', { name: 'Play' })).toBeVisible();
  const stopped = image();
  await pause(200);
  expect(image()).toBe(stopped);
  // Eleven steps of 50 ms; a slow machine skips images, and never takes less time.
  expect(passed).toBeGreaterThan(480);
});

test('slower and faster: the speed says how it compares with true time', async () => {
  await openFilm();
  await expect.element(bar()).toHaveTextContent('20 images/s (true time)');
  // Of two opening brackets one is typed.
  await userEvent.keyboard('[[[[[[');
  await expect.element(bar()).toHaveTextContent('5 images/s (0.25 × true time)');
  await userEvent.keyboard(']]]]]');
  await expect.element(bar()).toHaveTextContent('40 images/s (2 × true time)');
  const slider = bar().getByRole('slider', { name: 'Speed' });
  await expect.element(slider).toHaveAttribute('aria-valuetext', '40 images/s (2 × true time)');
});

test('to scroll stops the film where the person goes', async () => {
  await openFilm();
  await expect.element(bar()).toBeVisible();
  await userEvent.keyboard('k');
  await expect.poll(image).toBeGreaterThan(3);
  await userEvent.keyboard('{End}');
  await expect.element(bar().getByRole('button', { name: 'Play' })).toBeVisible();
  await expect.element(page.getByText('image 24/24')).toBeVisible();
});

test('a hidden page stops the film', async () => {
  await openFilm();
  await expect.element(bar()).toBeVisible();
  await userEvent.keyboard('k');
  await expect.element(bar().getByRole('button', { name: 'Pause' })).toBeVisible();
  Object.defineProperty(document, 'hidden', { configurable: true, value: true });
  document.dispatchEvent(new Event('visibilitychange'));
  Reflect.deleteProperty(document, 'hidden');
  await expect.element(bar().getByRole('button', { name: 'Play' })).toBeVisible();
});

test('an image that has not arrived: the film waits and says so; it goes on when the image is there', async () => {
  const absent = '1.2.20/1.2.20.1/1.2.20.1.1/6';
  const { imaging } = await openFilm(undefined, (fakes) => fakes.imaging.absent.add(absent));
  await expect.element(bar()).toBeVisible();
  await userEvent.keyboard('k');
  await expect.element(bar()).toHaveTextContent('loading');
  await pause(300);
  expect(image()).toBe(6);
  imaging.absent.clear();
  await expect.element(bar()).not.toHaveTextContent('loading');
  await expect.poll(image).toBeGreaterThan(6);
});

test('an image that cannot be shown stops the film at its reason', async () => {
  const { imaging } = await openFilm();
  await expect.element(bar()).toBeVisible();
  imaging.drawn.held = true;
  await userEvent.keyboard('k');
  await pause(150);
  imaging.drawn.view.fail(new Trouble('damaged', 'length'));
  await expect.element(page.getByRole('alert')).toHaveTextContent('arrived damaged');
  await expect.element(bar().getByRole('button', { name: 'Play' })).toBeVisible();
});

test('a machine that cannot keep up: images are skipped, and the bar says how many are shown', async () => {
  const { imaging } = await openFilm();
  await expect.element(bar()).toBeVisible();
  imaging.drawn.held = true;
  const slow = setInterval(() => imaging.drawn.view.show(), 250);
  await userEvent.keyboard('k');
  await expect.element(bar()).toHaveTextContent(/[3-5]\/s are shown: images are skipped/);
  await shot('cine-skips');
  clearInterval(slow);
});

test('forwards and backwards: the film turns at its ends', async () => {
  await openFilm();
  await expect.element(bar()).toBeVisible();
  await bar().getByRole('button', { name: 'Forwards and backwards' }).click();
  await userEvent.keyboard('{End}k');
  const seen: number[] = [];
  const begun = performance.now();
  while (performance.now() - begun < 600) {
    seen.push(image());
    await pause(10);
  }
  expect(Math.min(...seen)).toBeGreaterThan(6);
  expect(seen.at(-1)).toBeLessThan(24);
});

test('slices play at a usual speed, without true time; their bar comes when they are played', async () => {
  await open(STUDY);
  await expect.element(page.getByText('image 101/200')).toBeVisible();
  await expect.element(bar()).not.toBeInTheDocument();
  await page.getByRole('button', { name: 'Play or pause' }).click();
  await expect.element(bar()).toHaveTextContent('10 images/s');
  await expect.element(bar()).not.toHaveTextContent('true time');
  await expect.poll(image).toBeGreaterThan(102);
});

test('a phone has the bar without a scroll to the side', async () => {
  await openFilm(PHONE);
  await expect.element(bar()).toBeVisible();
  await bar().getByRole('button', { name: 'Play' }).click();
  await pause(100);
  await shot('phone-cine');
  expect(scrollsSideways()).toBe(false);
});
