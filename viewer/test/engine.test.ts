/** The engine and the frame store in Chromium, on the demo images of a real gateway. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChromium } from '../../gateway/test/setup/chromium.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { longTest, testEach } from '../../gateway/test/setup/usual-run.ts';
import {
  buildPage,
  difference,
  EnginePage,
  expectedGrey,
  isFrame,
  seriesOf,
  type SeriesName,
} from './engine/engine-page.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

let gateway: GatewayProcess;
let browser: Browser;
let ct: SeriesName;
let mr: SeriesName;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), startChromium(), buildPage()]);
  [ct, mr] = (await Promise.all(['CT', 'MR'].map((modality) => seriesOf(gateway.url, modality)))) as [
    SeriesName,
    SeriesName,
  ];
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

/** Opens a series in a page of its own, which is closed after the test. */
async function open(
  series: SeriesName,
  {
    index,
    query,
    before,
  }: { index: number; query?: string; before?: (page: EnginePage) => Promise<unknown> },
): Promise<EnginePage> {
  const page = await EnginePage.open(browser, gateway.url, query);
  await before?.(page);
  await page.openSeries(series, { index });
  return page;
}

const grey = async (
  page: EnginePage,
  series: SeriesName,
  index: number,
  window?: { centre: number; width: number },
) =>
  expectedGrey(gateway.url, series, {
    ...(await page.page.evaluate((index) => globalThis.window.page.instanceOf(index), index)),
    ...(window && { window }),
  });

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
    const series = modality === 'CT' ? ct : mr;
    await using page = await open(series, { index: 10, query: `?rendering=${rendering}` });
    await page.shows(10);
    const expected = await grey(page, series, 10);
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
    await using page = await open(ct, { index: 50, query: `?rendering=${rendering}`, before: lag });
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
      const expected = (await grey(page, ct, index)).reduce((sum, value) => sum + value, 0);
      expect(Math.abs([...sums][0]! - expected)).toBeLessThan(expected / 500);
    }
    expect(difference(await page.glass(), await grey(page, ct, 90)).more).toBe(0);
  },
  60_000,
);

test('read-ahead goes the way of scrolling; a jump aims it anew and ends what is under way', async () => {
  const slow = (page: EnginePage) =>
    page.context.route(isFrameUrl, async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await route.continue().catch(() => undefined);
    });
  await using page = await open(ct, { index: 50, before: slow });
  await page.shows(50);
  const indexes = await page.page.evaluate(() =>
    window.page.stacks[0]!.frames.map(({ name }) => name.instance),
  );
  const indexOf = (url: string) => indexes.indexOf(/instances\/([\d.]+)/.exec(url)![1]!);
  await expect.poll(() => page.frames.length).toBeGreaterThan(12);
  await page.want(150);
  const before = page.frames.length;
  await page.shows(150);
  await expect.poll(() => page.frames.length).toBeGreaterThan(before + 6);
  expect(page.cancelled.length).toBeGreaterThan(0);
  expect(indexOf(page.frames[0]!)).toBe(50);
  expect(
    page.frames
      .slice(before - 1)
      .map(indexOf)
      .every((at) => Math.abs(at - 150) < 30),
  ).toBe(true);
}, 60_000);

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
      let instance: string | undefined;
      await page.context.route(isFrameUrl, async (route) => {
        const url = route.request().url();
        instance ??= url;
        if (url !== instance) return route.continue();
        const response = await route.fetch();
        const full = await response.body();
        return route.fulfill({ status: 200, ...answer(full, full) });
      });
    };
    await using page = await open(ct, { index: 30, before: tamper });
    await page.page.waitForFunction(() => window.page.troubles().length > 0);
    await page.shows(31);
    expect(
      await page.page.evaluate(() => [
        window.page.troubles().map((one) => one!.kind),
        window.page.states()[30],
      ]),
    ).toEqual([[kind], 'failed']);
    expect(difference(await page.glass(), await grey(page, ct, 31)).more).toBe(0);
    expect(await page.page.evaluate(() => window.page.counts().failed)).toBe(1);
    expect(page.errors).toEqual([]);
  },
  60_000,
);

test('503: the server is left alone as long as it says, then asked by one request', async () => {
  let busy = false;
  const times: number[] = [];
  const route = (page: EnginePage) =>
    page.context.route(isFrameUrl, (route) => {
      if (!busy) return route.continue();
      times.push(performance.now());
      return route.fulfill({ status: 503, headers: { 'retry-after': '2' } });
    });
  await using page = await open(ct, { index: 30, before: route });
  await page.shows(30);
  busy = true;
  await page.want(180);
  await expect.poll(() => times.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(3);
  // What was under way when the first answer came; then one every two seconds.
  const [first] = times;
  const later = times.filter((time) => time > first! + 500);
  expect(times.length - later.length).toBeLessThanOrEqual(6);
  for (const [at, time] of later.entries()) expect(time - (later[at - 1] ?? first!)).toBeGreaterThan(1900);
  expect(await page.page.evaluate(() => window.page.troubles().at(-1)!.kind)).toBe('busy');
  busy = false;
  await page.shows(180);
}, 60_000);

test('the gateway is killed in mid-scroll: it is said, and all goes on when it is back', async () => {
  const port = String(await freePort());
  let own = await startGateway({ PORT: port });
  await using page = await EnginePage.open(browser, own.url);
  await page.openSeries(ct, { index: 30 });
  await page.shows(30);
  await own.stop();
  await page.want(180);
  await page.page.waitForFunction(() => window.page.troubles().at(-1)?.kind === 'offline');
  await page.page.waitForTimeout(1500);
  expect(page.frames.length).toBeLessThan(200);
  const shown = await page.page.evaluate(() => window.page.last()!.index);
  expect(shown).not.toBe(180);
  own = await startGateway({ PORT: port });
  await page.shows(180);
  await own.stop();
}, 120_000);

longTest(
  'a WebGL context that is lost is said; after it is restored the image is drawn again',
  async () => {
    const record = (page: EnginePage) =>
      page.page.evaluate(() => {
        const contexts = ((globalThis as { contexts?: WebGL2RenderingContext[] }).contexts =
          [] as WebGL2RenderingContext[]);
        const original = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, ...args: unknown[]) {
          const context = Reflect.apply(original, this, args) as RenderingContext | null;
          if (context instanceof WebGL2RenderingContext) contexts.push(context);
          return context;
        } as typeof original;
      });
    await using page = await open(ct, { index: 30, query: '?rendering=webgl', before: record });
    await page.shows(30);
    await page.page.evaluate(async () => {
      const { contexts } = globalThis as unknown as { contexts: WebGL2RenderingContext[] };
      const losers = contexts.map((context) => context.getExtension('WEBGL_lose_context'));
      for (const loser of losers) loser?.loseContext();
      await new Promise((resolve) => setTimeout(resolve, 500));
      window.page.events.push({ wanted: -1 });
      for (const loser of losers) loser?.restoreContext();
    });
    expect(await page.page.evaluate(() => window.page.troubles().at(-1)!.kind)).toBe('graphics');
    await page.page.waitForFunction(() => {
      const { events } = window.page;
      return events.slice(events.findLastIndex(({ wanted }) => wanted === -1)).some(({ shown }) => shown);
    });
    expect(difference(await page.glass(), await grey(page, ct, 30)).more).toBe(0);
  },
  60_000,
);

longTest(
  'without WebGL the image is drawn',
  async () => {
    const remove = (page: EnginePage) =>
      page.context.addInitScript(() => {
        const original = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, ...args: unknown[]) {
          return String(args[0]).includes('webgl') ? null : (Reflect.apply(original, this, args) as never);
        } as typeof original;
      });
    await using page = await open(ct, {
      index: 30,
      query: '?rendering=webgl',
      before: async (page) => {
        await remove(page);
        await page.page.reload();
        await page.page.waitForFunction(() => 'page' in window);
      },
    });
    await page.shows(30);
    expect(difference(await page.glass(), await grey(page, ct, 30)).more).toBe(0);
  },
  60_000,
);

test.each(['cpu', 'webgl'])(
  'window, zoom, pan, rotation, flip and inversion, and back: %s',
  async (rendering) => {
    await using page = await open(ct, { index: 30, query: `?rendering=${rendering}` });
    await page.shows(30);
    const glass = async (act: (page: TestPage) => void, argument = 0) => {
      await page.page.evaluate(`(${act.toString()})(window.page, ${argument})`);
      await page.page.waitForTimeout(300);
      return page.glass();
    };
    const original = await page.glass();
    const { width, height } = original;
    const at = (pixels: typeof original, x: number, y: number) => pixels.data[3 * (y * width + x)]!;
    /** Compares each pixel with the one of the original that has to be there; interpolation may blur edges. */
    const matches = (pixels: typeof original, from: (x: number, y: number) => [number, number]) => {
      let off = 0;
      let all = 0;
      for (let y = 40; y < height - 40; y += 3) {
        for (let x = 40; x < width - 40; x += 3) {
          const [fromX, fromY] = from(x, y);
          if (fromX < 0 || fromY < 0 || fromX >= width || fromY >= height) continue;
          all++;
          if (Math.abs(at(pixels, x, y) - at(original, fromX, fromY)) > 24) off++;
        }
      }
      return off / all;
    };
    const few = 0.02;
    expect(
      matches(await glass((page) => page.setCamera({ flipped: true })), (x, y) => [width - 1 - x, y]),
    ).toBeLessThan(few);
    expect(
      matches(await glass((page) => page.setCamera({ flipped: false, rotation: 90 })), (x, y) => [
        y,
        height - 1 - x,
      ]),
    ).toBeLessThan(few);
    expect(
      matches(await glass((page) => page.setCamera({ rotation: 0, pan: [30, -20] })), (x, y) => [
        x - 30,
        y + 20,
      ]),
    ).toBeLessThan(few);
    const zoomed = await glass((page) => page.setCamera({ pan: [0, 0], zoom: 2 }));
    const half = (value: number, size: number) => Math.floor(size / 2 + (value - size / 2) / 2);
    expect(matches(zoomed, (x, y) => [half(x, width), half(y, height)])).toBeLessThan(0.15);
    await page.want(31);
    await page.shows(31);
    await page.want(30);
    await page.shows(30);
    expect(matches(await page.glass(), (x, y) => [half(x, width), half(y, height)])).toBeLessThan(0.15);
    await glass((page) => page.view.reset());
    expect(matches(await page.glass(), (x, y) => [x, y])).toBe(0);
    const inverted = await glass((page) => page.view.setInverted(true));
    expect(inverted.data.every((value, index) => Math.abs(value - (255 - original.data[index]!)) <= 1)).toBe(
      true,
    );
    await glass((page) => page.view.reset());
    const window = { centre: -600, width: 1500 };
    const lung = await glass((page) => page.setWindow({ centre: -600, width: 1500 }));
    expect(difference(lung, await grey(page, ct, 30, window)).more).toBe(0);
    expect(await page.page.evaluate(() => globalThis.window.page.last()!.window)).toEqual(window);
  },
  60_000,
);

test('a view that closes leaves no metadata and no bytes behind', async () => {
  await using page = await open(ct, { index: 30 });
  await page.shows(30);
  expect(await page.page.evaluate(() => [window.page.close(), window.page.store.bytesKept])).toEqual([0, 0]);
}, 60_000);

function isFrameUrl(url: URL): boolean {
  return isFrame(url.href);
}
