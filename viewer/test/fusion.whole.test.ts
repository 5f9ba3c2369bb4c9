/** A PET over a CT of another spacing, in Chromium: both show one sphere in one place. */
import { expect, test } from 'vitest';
import { overlayPixels } from '../src/domain/grey/hot-iron.ts';
import type { Orientation } from '../src/domain/space/geometry.ts';
import { EnginePage } from './engine/engine-page.ts';
import { EngineSystem } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';
import { CENTRE, RADIUS, SECOND } from './engine/spheres-source.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();

/** Images of the CT, whose planes start at -60, -60, 0: those through the sphere's centre, and where that lies on them. */
const PLANES: readonly [Orientation, number, readonly [column: number, row: number]][] = [
  ['axial', 15, [CENTRE[0] + 60, CENTRE[1] + 60]],
  // The head is above, at 70 mm.
  ['coronal', CENTRE[1] + 60, [CENTRE[0] + 60, 70 - CENTRE[2]]],
  ['sagittal', CENTRE[0] + 60, [CENTRE[1] + 60, 70 - CENTRE[2]]],
];

/** Returns the centre, and the radius, of the pixels that hold. */
function discOf(columns: number, values: readonly number[], holds: (value: number) => boolean) {
  const inside = [...values.keys()].filter((at) => holds(values[at]!));
  const mean = (of: (at: number) => number) => inside.reduce((sum, at) => sum + of(at), 0) / inside.length;
  return {
    centre: [mean((at) => at % columns), mean((at) => Math.floor(at / columns))] as const,
    radius: Math.sqrt(inside.length / Math.PI),
  };
}

test.each(PLANES)(
  'the sphere is in one place: %s',
  async (plane, index, expected) => {
    await using page = await EnginePage.open(system.browser, system.gateway.url, {
      query: '?spheres&rendering=cpu',
    });
    await page.openSeries({ study: '1', series: '2' }, { index: 0 });
    await page.page.evaluate(([plane, index]) => window.page.openPlane(plane, { index }), [
      plane,
      index,
    ] as const);
    await page.shows(index);
    // The CT on the glass, whose size is that of the plane: 40 HU are mid-grey, 0 HU darker.
    const glass = await page.glass();
    const grey = Array.from({ length: glass.width * glass.height }, (_, at) => glass.data[3 * at]!);
    const ct = discOf(glass.width, grey, (value) => value > 115);
    const { columns, values } = await page.page.evaluate(
      ([plane, index]) => window.page.readOver('pet', { plane, index }),
      [plane, index] as const,
    );
    expect(columns).toBe(glass.width);
    const pet = discOf(columns, values, (value) => value > 10_000);
    for (const axis of [0, 1] as const) {
      expect(Math.abs(ct.centre[axis] - expected[axis])).toBeLessThan(1);
      // One voxel of the PET is 4 mm, between slices 3 mm: pixels are 1 mm.
      expect(Math.abs(pet.centre[axis] - ct.centre[axis])).toBeLessThan(3);
    }
    expect(Math.abs(pet.radius - ct.radius)).toBeLessThan(3);
    expect(Math.abs(ct.radius - RADIUS)).toBeLessThan(1);
    expect(page.errors).toEqual([]);
  },
  60_000,
);

test('values and colours at known points: activity after the rescale, nothing outside of the PET', async () => {
  await using page = await EnginePage.open(system.browser, system.gateway.url, {
    query: '?spheres&rendering=cpu',
  });
  await page.openSeries({ study: '1', series: '2' }, { index: 0 });
  // 40 mm: the middle of the second sphere; the first one is cut as well.
  const { columns, values } = await page.page.evaluate(() =>
    window.page.readOver('pet', { plane: 'axial', index: 20 }),
  );
  const at = (x: number, y: number) => (Math.round(y) + 60) * columns + Math.round(x) + 60;
  const first = at(CENTRE[0], CENTRE[1]);
  const second = at(SECOND[0], SECOND[1]);
  const air = at(-50, -50);
  expect([first, second, air].map((one) => values[one])).toEqual([20_000, 10_000, 0]);
  // The PET begins at -70, -66 and ends at 70, 66: the whole CT lies in it. A window up to 20,000 Bq/ml.
  const pixels = overlayPixels(Float32Array.from(values), 20_000);
  const colour = (one: number) => [...pixels.slice(4 * one, 4 * one + 4)];
  expect(colour(first)).toEqual([255, 255, 255, 255]);
  expect(colour(second)).toEqual([255, 0, 0, 255]);
  expect(colour(air)[3]).toBe(0);
}, 60_000);
