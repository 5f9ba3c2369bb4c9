/** Faults after which the page goes on: a slow line, an archive that is late, tokens that are refused, graphics that stop. */
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { CHROMIUM } from '../../gateway/test/setup/chromium.ts';
import { FaultPage, HELEN, says } from './setup/fault-page.ts';
import { canvasOf, glassOf, signInAs } from './setup/viewer-page.ts';

const faulty = new FaultPage();
beforeAll(() => faulty.start(), 180_000);
afterEach(() => {
  faulty.proxy.fault = () => undefined;
  faulty.proxy.seen.length = 0;
});
afterAll(() => faulty.stop());

const isFrame = ({ path }: { path: string }) => path.includes('/frames/');
const isToken = ({ path }: { path: string }) => path.endsWith('/oauth/token');

test('a slow line: what is shown is dimmed and called by its own number until what is wanted is there', async () => {
  let frames = 0;
  faulty.proxy.fault = (about) => (isFrame(about) && ++frames > 10 ? { delay: 1500 } : undefined);
  const { page, errors } = await faulty.open(`?tenant=open&patient=${HELEN}&image=1`);
  await faulty.isShown(page, 1);
  await glassOf(page).press('End');
  const last = Number(await glassOf(page).getAttribute('aria-valuemax'));
  const loading = page.getByRole('status').filter({ hasText: `is shown; ${last} is loading` });
  await loading.waitFor();
  expect(await glassOf(page).getAttribute('aria-valuetext')).toMatch(/^image \d+ is shown; \d+ is loading$/);
  expect(await page.locator('.engine.behind').count()).toBe(1);
  await faulty.isShown(page, last);
  expect(await loading.count()).toBe(0);
  expect(await page.locator('.engine.behind').count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test('an archive that is late: the record is there, and the page says what is missing', async () => {
  const { page, errors } = await faulty.visit(`?tenant=delayed&patient=${HELEN}`);
  await page.getByText('The image archive did not answer. Clinical data are complete.').waitFor();
  await page.getByText('whether there are any is not known').waitFor();
  await page.getByRole('heading', { name: 'Helen Marie Castellanos', level: 1 }).waitFor();
  await page.getByRole('navigation', { name: 'Timeline' }).getByRole('button').first().waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test('401 on frames: the token is renewed once, and nobody is asked or told anything', async () => {
  let refused: string | undefined;
  faulty.proxy.fault = (about) =>
    isFrame(about) && about.token === (refused ??= about.token) ? { status: 401 } : undefined;
  const { page, errors } = await faulty.visit('?tenant=demo&image=1');
  await signInAs(page, 'Helen Marie Castellanos');
  await faulty.isShown(page, 1);
  // One for the code of the sign-in, and one renewal.
  expect(faulty.proxy.seen.filter(isToken)).toHaveLength(2);
  const tokens = new Set(faulty.proxy.seen.filter(isFrame).map(({ token }) => token));
  expect(tokens.size).toBe(2);
  expect(await page.getByRole('alert').count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test('a refused renewal: the session has ended, nothing is lost, and a sign-in goes on at the same image', async () => {
  faulty.proxy.fault = (about) => {
    if (isFrame(about)) return { status: 401 };
    if (!isToken(about) || faulty.proxy.seen.filter(isToken).length === 1) return undefined;
    const headers = { 'content-type': 'application/json' };
    return { status: 400, headers, body: '{"error":"invalid_grant"}' };
  };
  const { page, errors } = await faulty.visit('?tenant=demo&image=2');
  await signInAs(page, 'Helen Marie Castellanos');
  await says(page, 'Your session has ended. Nothing was lost: sign in to go on where you were.');
  expect(await glassOf(page).count()).toBe(0);
  faulty.proxy.fault = () => undefined;
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await signInAs(page, 'Helen Marie Castellanos');
  await faulty.isShown(page, 2);
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test('a browser without WebGL shows the same image', async () => {
  const own = await chromium.launch({ ...CHROMIUM, args: [...CHROMIUM.args, '--disable-3d-apis'] });
  try {
    const { page, errors } = await faulty.open(`?tenant=open&patient=${HELEN}&image=2`, own);
    expect(await page.evaluate(() => document.createElement('canvas').getContext('webgl2'))).toBeNull();
    await faulty.isShown(page, 2);
    expect(errors).toEqual([]);
  } finally {
    await own.close();
  }
}, 60_000);

interface Graphics {
  contexts: WebGL2RenderingContext[];
  lost: WEBGL_lose_context[];
}

/** Pages of the context draw by WebGL, as with a graphics card: without one, Chromium's name tells that it is software. */
async function withGraphics(context: BrowserContext): Promise<void> {
  const answer = { contentType: 'text/javascript', body: `postMessage('A graphics card')` };
  await context.route(/graphics-worker/, (route) => route.fulfill(answer));
  await context.addInitScript(() => {
    const contexts: WebGL2RenderingContext[] = [];
    Object.assign(globalThis, { graphics: { contexts, lost: [] } satisfies Graphics });
    const getContext = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, ...args: unknown[]) {
      const found = Reflect.apply(getContext, this, args) as RenderingContext | null;
      if (found instanceof WebGL2RenderingContext && !contexts.includes(found)) contexts.push(found);
      return found;
    } as typeof getContext;
    const RENDERER = 0x1f01;
    const UNMASKED_RENDERER_WEBGL = 0x9246;
    for (const { prototype } of [WebGLRenderingContext, WebGL2RenderingContext]) {
      const getParameter = prototype.getParameter;
      prototype.getParameter = function (this: WebGLRenderingContext, name: number) {
        if (name === RENDERER || name === UNMASKED_RENDERER_WEBGL) return 'A graphics card';
        return Reflect.apply(getParameter, this, [name]) as unknown;
      } as typeof getParameter;
    }
  });
}

/** Takes all graphics away from a page. @returns how many there were */
function loseGraphics(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { graphics } = globalThis as unknown as { graphics: Graphics };
    const working = graphics.contexts.filter((context) => !context.isContextLost());
    graphics.lost = working.map((context) => context.getExtension('WEBGL_lose_context')!);
    for (const extension of graphics.lost) extension.loseContext();
    return working.length;
  });
}

test('graphics that stop: the page says it, and goes on with them when they are back, and without them', async () => {
  const STOPPED = "The browser's graphics have stopped: what is on the screen may be old. Nothing was lost.";
  const context = await faulty.browser.newContext({ viewport: { width: 1400, height: 900 } });
  await withGraphics(context);
  const { page, errors } = await faulty.open(`?tenant=open&patient=${HELEN}&image=60`, context);
  await faulty.isShown(page, 60);
  // After the first image they are looked for.
  const working = () =>
    page.evaluate(() => {
      const { graphics } = globalThis as unknown as { graphics: Graphics };
      return graphics.contexts.filter((context) => !context.isContextLost()).length;
    });
  await expect.poll(working, { timeout: 20_000 }).toBeGreaterThan(0);
  await page.waitForTimeout(1_000);
  const before = await canvasOf(page);

  expect(await loseGraphics(page)).toBeGreaterThan(0);
  await says(page, STOPPED);
  await page.evaluate(() => {
    const { graphics } = globalThis as unknown as { graphics: Graphics };
    for (const extension of graphics.lost) extension.restoreContext();
  });
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  await expect.poll(async () => (await canvasOf(page)).sum).toBe(before.sum);

  expect(await loseGraphics(page)).toBeGreaterThan(0);
  await says(page, STOPPED);
  // They do not come back: after a while it draws without them, as a browser that has none.
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  await glassOf(page).press('Home');
  await faulty.isShown(page, 1);
  expect(errors).toEqual([]);
  await context.close();
}, 60_000);
