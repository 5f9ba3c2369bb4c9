/** The engine under faults of servers and graphics, and its camera: what only the long run tests. */
import { expect } from 'vitest';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { startGateway } from '../../gateway/test/setup/gateway.ts';
import { longTest } from '../../gateway/test/setup/usual-run.ts';
import { difference, EnginePage, seriesOf } from './engine/engine-page.ts';
import { EngineSystem, isFrameUrl } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();

longTest(
  'read-ahead goes the way of scrolling; a jump aims it anew and ends what is under way',
  async () => {
    const slow = (page: EnginePage) =>
      page.context.route(isFrameUrl, async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await route.continue().catch(() => undefined);
      });
    await using page = await system.open(system.ct, { index: 50, before: slow });
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
  },
  60_000,
);

longTest(
  'the gateway is killed in mid-scroll: it is said, and all goes on when it is back',
  async () => {
    const port = String(await freePort());
    let own = await startGateway({ PORT: port });
    await using page = await EnginePage.open(system.browser, own.url);
    await page.openSeries(await seriesOf(own.url, 'CT'), { index: 30 });
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
  },
  120_000,
);

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
    await using page = await system.open(system.ct, { index: 30, query: '?rendering=webgl', before: record });
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
    expect(difference(await page.glass(), await system.grey(page, system.ct, { index: 30 })).more).toBe(0);
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
    await using page = await system.open(system.ct, {
      index: 30,
      query: '?rendering=webgl',
      before: async (page) => {
        await remove(page);
        await page.page.reload();
        await page.page.waitForFunction(() => 'page' in window);
      },
    });
    await page.shows(30);
    expect(difference(await page.glass(), await system.grey(page, system.ct, { index: 30 })).more).toBe(0);
  },
  60_000,
);

longTest.each(['cpu', 'webgl'])(
  'window, zoom, pan, rotation, flip and inversion, and back: %s',
  async (rendering) => {
    await using page = await system.open(system.ct, { index: 30, query: `?rendering=${rendering}` });
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
    const voi = { centre: -600, width: 1500 };
    const lung = await glass((page) => page.setWindow({ centre: -600, width: 1500 }));
    expect(difference(lung, await system.grey(page, system.ct, { index: 30, window: voi })).more).toBe(0);
    expect(await page.page.evaluate(() => window.page.last()!.window)).toEqual(voi);
  },
  60_000,
);

longTest(
  'after a change of size the whole image is on the glass; the element stays in the Tab order',
  async () => {
    await using page = await system.open(system.ct, { index: 30 });
    await page.shows(30);
    const before = await page.glass();
    await page.page.evaluate(() => {
      const glass = document.querySelector<HTMLElement>('#glass')!;
      glass.style.width = `${glass.clientWidth / 2}px`;
      glass.style.height = `${glass.clientHeight / 2}px`;
    });
    await expect.poll(async () => (await page.glass()).width, { timeout: 10_000 }).toBe(before.width / 2);
    await page.page.waitForTimeout(300);
    const mean = ({ data }: { data: Buffer }) => data.reduce((sum, value) => sum + value, 0) / data.length;
    expect(Math.abs(mean(await page.glass()) - mean(before))).toBeLessThan(2);
    expect(await page.page.evaluate(() => document.querySelector('#glass')!.getAttribute('tabindex'))).toBe(
      '0',
    );
  },
  60_000,
);

longTest(
  'another series takes the place of the first when its image is there; the first is forgotten',
  async () => {
    await using page = await system.open(system.ct, { index: 30 });
    await page.shows(30);
    await page.openSeries(system.mr, { index: 5 });
    await page.shows(5);
    expect(await page.page.evaluate(() => window.page.last()!.frame)).toContain(system.mr.series);
    expect(await page.page.evaluate(() => window.page.known())).toBe(20);
    await page.page.waitForTimeout(300);
    expect(difference(await page.glass(), await system.grey(page, system.mr, { index: 5 })).more).toBe(0);
  },
  60_000,
);
