/** Planes of a volume on the glass, in Chromium: of values that are known everywhere, and of the demo's CT. */
import { expect, test } from 'vitest';
import { testEach } from '../../gateway/test/setup/usual-run.ts';
import type { Orientation } from '../src/domain/space/geometry.ts';
import type { Slab } from '../src/domain/series/stacks.ts';
import { difference, EnginePage } from './engine/engine-page.ts';
import { EngineSystem } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();
const SYNTHETIC = { study: '1', series: '2' };

async function openSynthetic(query: string, name = 'small'): Promise<EnginePage> {
  const page = await EnginePage.open(system.browser, system.gateway.url, {
    query: `?synthetic=${name}&${query}`,
  });
  await page.openSeries(SYNTHETIC, { index: 0 });
  return page;
}

/** Returns the values of an image of a plane, by rows. */
async function planeValues(
  page: EnginePage,
  plane: Orientation,
  to: { index: number; slab?: Slab },
): Promise<number[][]> {
  await page.page.evaluate(([plane, to]) => window.page.openPlane(plane, to), [plane, to] as const);
  await page.shows(to.index);
  const { columns, rows, values } = await page.page.evaluate(() => window.page.allValues());
  return Array.from({ length: rows }, (_, row) => values.slice(row * columns, (row + 1) * columns));
}

testEach(['cpu', 'webgl'], (rendering) => rendering === 'cpu')(
  'values of planes are those of the volume, between slices they are interpolated: %s',
  async (rendering) => {
    await using page = await openSynthetic(`rendering=${rendering}`);
    // 20 slices of 2.5 mm: 48 rows of 1 mm, the head above.
    const coronal = await planeValues(page, 'coronal', { index: 11 });
    expect([coronal.length, coronal[0]!.length]).toEqual([48, 40]);
    // Rows count from the highest slice downwards.
    expect(coronal[0]![30]).toBe(20 * 19 + 30);
    expect(coronal[5]![30]).toBe(20 * 17 + 30);
    expect(coronal[6]![30]).toBe(20 * (17 - 0.4) + 30);
    // The rod goes through all coronal planes at the same place.
    expect(coronal[30]![12]).toBe(3000);
    expect(coronal[31]![12]).toBe(Math.round(0.6 * 3000 + 0.4 * (20 * 6 + 12)));

    const sagittal = await planeValues(page, 'sagittal', { index: 12 });
    expect([sagittal.length, sagittal[0]!.length]).toEqual([48, 30]);
    // It is a line from the front to the back.
    expect(new Set(sagittal[30])).toEqual(new Set([3000]));
    expect((await planeValues(page, 'sagittal', { index: 13 }))[30]![4]).toBe(20 * 7 + 13);

    const axial = await planeValues(page, 'axial', { index: 7 });
    expect(axial.every((row) => row[12] === 3000 && row[11] === 20 * 7 + 11)).toBe(true);
    expect(page.errors).toEqual([]);
  },
  60_000,
);

test('MIP gives the greatest value of a slab, the mean its mean; the glass shows it by the window', async () => {
  await using page = await openSynthetic('rendering=cpu');
  const mip = await planeValues(page, 'sagittal', { index: 10, slab: { mode: 'mip', thickness: 5 } });
  // Columns 8 to 12.
  expect(mip[30]![3]).toBe(3000);
  expect(mip[0]![3]).toBe(20 * 19 + 12);
  expect(
    (await planeValues(page, 'sagittal', { index: 9, slab: { mode: 'mip', thickness: 5 } }))[30]![3],
  ).toBe(20 * 7 + 11);
  const average = { mode: 'average', thickness: 5 } as const;
  expect((await planeValues(page, 'sagittal', { index: 20, slab: average }))[0]![3]).toBe(20 * 19 + 20);
  const values = await planeValues(page, 'axial', { index: 10, slab: { mode: 'mip', thickness: 10 } });
  expect(values[3]![20]).toBe(20 * 12 + 20);
  const grey = Uint8Array.from(values.flat(), (value) =>
    Math.round(Math.min(Math.max(((value - 199.5) / 399 + 0.5) * 255, 0), 255)),
  );
  expect(difference(await page.glass(), grey).more).toBe(0);
}, 60_000);

test('a slice that does not come is named; when it comes, the volume is whole', async () => {
  await using page = await EnginePage.open(system.browser, system.gateway.url, {
    query: '?synthetic=small&rendering=cpu',
  });
  await page.page.evaluate(() => (window.page.source as unknown as { fails: Set<number> }).fails.add(5));
  await page.openSeries(SYNTHETIC, { index: 0 });
  const opening = planeValues(page, 'coronal', { index: 3 });
  await page.page.waitForFunction(() => window.page.progress.at(-1)?.ready === 19);
  const { trouble, all } = await page.page.evaluate(() => {
    const { trouble, ...counts } = window.page.progress.at(-1)!;
    return { ...counts, trouble: { kind: trouble?.trouble.kind, image: trouble?.image } };
  });
  expect({ trouble, all }).toEqual({ trouble: { kind: 'server', image: 6 }, all: 20 });
  await page.page.evaluate(() => {
    (window.page.source as unknown as { fails: Set<number> }).fails.clear();
    window.page.retry(5);
  });
  expect((await opening)[35]![30]).toBe(20 * 5 + 30);
}, 60_000);

test('on the plane of the acquisition each image of the CT comes back unchanged', async () => {
  await using page = await system.open(system.ct, { index: 87, query: '?rendering=cpu' });
  await page.shows(87);
  const expected = await system.grey(page, system.ct, { index: 87 });
  await page.page.evaluate(() => window.page.openPlane('axial', { index: 87 }));
  await page.shows(87);
  expect(difference(await page.glass(), expected).more).toBe(0);
}, 120_000);

test('planes of an eighth of the slices have the values of the nearest ones; with all of them they are as always', async () => {
  const HERE = [4, 12];
  const fails = Array.from({ length: 20 }, (_, at) => at).filter((at) => !HERE.includes(at));
  await using page = await EnginePage.open(system.browser, system.gateway.url, {
    query: '?synthetic=small&rendering=cpu',
  });
  await page.page.evaluate((fails) => {
    const source = window.page.source as unknown as { fails: Set<number> };
    for (const at of fails) source.fails.add(at);
  }, fails);
  await page.openSeries(SYNTHETIC, { index: 4 });
  await page.page.evaluate(() => window.page.openPlane('coronal', { index: 11, ready: 2 }));
  await page.shows(11);
  expect(await page.page.evaluate(() => window.page.coarse())).toEqual({ ready: 2, all: 20, missing: fails });
  const rows = async () => {
    const { columns, values } = await page.page.evaluate(() => window.page.allValues());
    return Array.from({ length: values.length / columns }, (_, row) => values[row * columns + 30]);
  };
  // Rows count from the highest slice downwards, 2.5 to each. Slices up to the 8th are as the 4th: it is as near as the 12th.
  const nearest = (row: number) => (19 - row / 2.5 > 8 ? 12 : 4);
  const coarse = await rows();
  for (const row of [0, 5, 25, 30, 45]) expect(coarse[row]).toBe(20 * nearest(row) + 30);

  await page.page.evaluate(() => {
    (window.page.source as unknown as { fails: Set<number> }).fails.clear();
    for (const { id } of window.page.slices) window.page.store.retry(id);
  });
  await page.page.evaluate(() => window.page.refinePlane());
  await page.page.waitForFunction(() => window.page.last()?.index === 11);
  expect(await page.page.evaluate(() => window.page.coarse())).toBeUndefined();
  const whole = await rows();
  for (const [row, value] of whole.entries()) expect(value).toBe(Math.round(20 * (19 - row / 2.5) + 30));
}, 60_000);
