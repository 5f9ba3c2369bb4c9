/** Faults of the network, of frames and of the graphics, in Chromium, on the demo images of a real gateway. */
import { expect, test } from 'vitest';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { startGateway } from '../../gateway/test/setup/gateway.ts';
import { longTest } from '../../gateway/test/setup/usual-run.ts';
import { difference, EnginePage, seriesOf } from './engine/engine-page.ts';
import { EngineSystem, isFrameUrl } from './engine/engine-system.ts';
import type { TestPage } from './engine/page.ts';

declare const window: { page: TestPage };

const system = new EngineSystem();

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
  const times: number[] = [];
  const route = (page: EnginePage) =>
    page.context.route(isFrameUrl, (route) => {
      if (!busy) return route.continue();
      times.push(performance.now());
      return route.fulfill({ status: 503, headers: { 'retry-after': '2' } });
    });
  await using page = await system.open(system.ct, { index: 30, before: route });
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
