/** What the engine puts on the glass, in Chromium, on the demo images of a real gateway. */
import type { Request } from 'playwright-core';
import { expect, test } from 'vitest';
import { testEach } from '../../gateway/test/setup/usual-run.ts';
import { difference, type EnginePage } from './engine/engine-page.ts';
import { EngineSystem, isFrameUrl } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();

testEach(
  [
    ['CT', 'cpu'],
    ['MR', 'cpu'],
    ['CT', 'webgl'],
    ['MR', 'webgl'],
  ] as const,
  ([modality, rendering]) => modality === 'MR' && rendering === 'cpu',
)(
  'the pixels on the glass are those of the frame, within one grey level: %s, %s',
  async (modality, rendering) => {
    const series = modality === 'CT' ? system.ct : system.mr;
    await using page = await system.open(series, { index: 10, query: `?rendering=${rendering}` });
    await page.shows(10);
    const expected = await system.grey(page, series, { index: 10 });
    const glass = await page.glass();
    expect(glass.width * glass.height).toBe(expected.length);
    expect(new Set(expected).size).toBeGreaterThan(20);
    expect(difference(glass, expected).more).toBe(0);
    expect(page.errors).toEqual([]);
    // The frames are not compressed: no codec is fetched.
    expect(page.files.filter((name) => name.endsWith('.wasm'))).toEqual([]);
  },
  60_000,
);

/** Counts how often the page asks for WebGL. A worker may ask: it holds nothing up. */
async function countWebgl({ page }: EnginePage): Promise<void> {
  await page.addInitScript(`{
    globalThis.asksForWebgl = 0;
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (type, ...more) {
      if (/webgl/.test(type)) globalThis.asksForWebgl++;
      return getContext.call(this, type, ...more);
    };
  }`);
  await page.reload();
}
const asksForWebgl = ({ page }: EnginePage) => page.evaluate('asksForWebgl') as Promise<number>;

test.each([
  ['with a graphics card the first image is drawn without it, and then with it', '?card', 2],
  ['without a graphics card the page itself never asks for WebGL', '', 1],
])(
  '%s',
  async (_what, query, drawings) => {
    await using page = await system.open(system.mr, { index: 10, query, before: countWebgl });
    await page.shows(10);
    expect(await asksForWebgl(page)).toBe(0);
    const shown = () => page.page.evaluate(() => window.page.events.filter(({ shown }) => shown).length);
    if (drawings > 1) await expect.poll(() => asksForWebgl(page), { timeout: 20_000 }).toBeGreaterThan(0);
    else await page.page.waitForTimeout(4_000);
    await expect.poll(shown, { timeout: 20_000 }).toBeGreaterThanOrEqual(drawings);
    expect((await asksForWebgl(page)) > 0).toBe(drawings > 1);
    const expected = await system.grey(page, system.mr, { index: 10 });
    await expect.poll(async () => difference(await page.glass(), expected).more, { timeout: 20_000 }).toBe(0);
    expect(page.errors).toEqual([]);
  },
  90_000,
);

testEach(['cpu', 'webgl'], (rendering) => rendering === 'cpu')(
  'when the network lags, what is said to be shown is what is drawn: %s',
  async (rendering) => {
    const lag = async (page: EnginePage) => {
      let count = 0;
      await page.context.route(isFrameUrl, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 100 + ((count++ * 97) % 400)));
        await route.continue().catch(() => undefined);
      });
    };
    await using page = await system.open(system.ct, {
      index: 50,
      query: `?rendering=${rendering}`,
      before: lag,
    });
    await page.shows(50);
    for (let index = 51; index <= 90; index++) {
      await page.want(index);
      await page.page.waitForTimeout(25);
    }
    await page.shows(90);
    const shown = await page.page.evaluate(() =>
      window.page.events.flatMap(({ wanted, shown, sum }) =>
        shown ? [{ wanted, index: shown.index, sum }] : [],
      ),
    );
    // While it lagged, slices other than the wanted one were on the glass, and were called by their own number.
    expect(shown.some(({ wanted, index }) => wanted !== index)).toBe(true);
    for (const index of new Set(shown.map((one) => one.index))) {
      const sums = new Set(shown.filter((one) => one.index === index).map(({ sum }) => sum));
      expect(sums.size).toBe(1);
      const expected = (await system.grey(page, system.ct, { index: index })).reduce(
        (sum, value) => sum + value,
        0,
      );
      expect(Math.abs([...sums][0]! - expected)).toBeLessThan(expected / 500);
    }
    expect(difference(await page.glass(), await system.grey(page, system.ct, { index: 90 })).more).toBe(0);
  },
  60_000,
);

type Answer = { body: Buffer; contentType: string };
const truncated = (_: Buffer, full: Buffer): Answer => ({
  body: Buffer.concat([full.subarray(0, 1000), full.subarray(5000)]),
  contentType: 'multipart/related; type="application/octet-stream"; boundary=x',
});
const garbage = (): Answer => ({
  body: Buffer.from(
    `--x\r\nContent-Type: image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90\r\n\r\n${'no image '.repeat(50)}\r\n--x--\r\n`,
  ),
  contentType: 'multipart/related; type="image/jp2"; boundary=x',
});

test.each([
  ['of a wrong length', 'damaged', truncated],
  ['that cannot be decoded', 'undecodable', garbage],
])(
  'a frame %s has failed, and is not drawn as grey; its neighbours are',
  async (_, kind, answer) => {
    const tamper = async (page: EnginePage) => {
      let opened: Promise<{ instance: string }> | undefined;
      await page.context.route(isFrameUrl, async (route) => {
        opened ??= page.page.evaluate(() => window.page.instanceOf(30));
        const { instance } = await opened;
        if (!route.request().url().includes(`/instances/${instance}/`)) return route.continue();
        const response = await route.fetch();
        const full = await response.body();
        return route.fulfill({ status: 200, ...answer(full, full) });
      });
    };
    await using page = await system.open(system.ct, { index: 30, before: tamper });
    await page.page.waitForFunction(() => window.page.troubles().length > 0);
    await page.shows(31);
    expect(
      await page.page.evaluate(() => [
        window.page.troubles().map((one) => one!.kind),
        window.page.states()[30],
      ]),
    ).toEqual([[kind], 'failed']);
    expect(difference(await page.glass(), await system.grey(page, system.ct, { index: 31 })).more).toBe(0);
    expect(await page.page.evaluate(() => window.page.counts().failed)).toBe(1);
    expect(page.errors).toEqual([]);
  },
  60_000,
);

test('503: the server is left alone as long as it says, then asked by one request', async () => {
  let busy = false;
  const asked: { request: Request; at: number }[] = [];
  const route = (page: EnginePage) =>
    page.context.route(isFrameUrl, (route) => {
      if (!busy) return route.continue();
      asked.push({ request: route.request(), at: performance.now() });
      return route.fulfill({ status: 503, headers: { 'retry-after': '2' } });
    });
  await using page = await system.open(system.ct, { index: 30, before: route });
  await page.shows(30);
  // It reads ahead.
  await expect.poll(() => page.page.evaluate(() => window.page.counts().ready)).toBeGreaterThan(6);
  busy = true;
  await page.want(180);
  await expect.poll(() => asked.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(3);
  // What was under way when the first answer came, without what the page had given up; then one every two seconds.
  const times = asked.filter(({ request }) => !request.failure()).map(({ at }) => at);
  const [first] = times;
  const later = times.filter((time) => time > first! + 500);
  expect(times.length - later.length).toBeLessThanOrEqual(6);
  for (const [at, time] of later.entries()) expect(time - (later[at - 1] ?? first!)).toBeGreaterThan(1900);
  await expect.poll(() => page.page.evaluate(() => window.page.troubles().at(-1)?.kind)).toBe('busy');
  busy = false;
  await page.shows(180);
}, 60_000);

test('a view that closes leaves no metadata and no bytes behind', async () => {
  await using page = await system.open(system.ct, { index: 30 });
  await page.shows(30);
  expect(await page.page.evaluate(() => [window.page.close(), window.page.store.bytesKept])).toEqual([0, 0]);
}, 60_000);
