/**
 * What a user sees of a fault, in Chromium with the real gateway behind a proxy that answers wrongly: one sentence, one thing
 * to do, no label that is of another image than the one on the glass, and the same page afterwards.
 */
import { testEach } from '../../gateway/test/setup/usual-run.ts';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Fault } from './setup/fault-proxy.ts';
import { FaultPage, HELEN, on, says } from './setup/fault-page.ts';
import { glassOf } from './setup/viewer-page.ts';

const BUSY =
  'The image archive cannot answer now; the page tries again by itself. Clinical data are complete.';
const OFFLINE = 'There is no network connection. Nothing was lost; this goes on when it is back.';

const faulty = new FaultPage();
beforeAll(() => faulty.start(), 180_000);
afterEach(() => void (faulty.proxy.fault = () => undefined));
afterAll(() => faulty.stop());

/** Bytes that are no image, as a frame in JPEG 2000. */
const GARBAGE: Fault = {
  status: 200,
  headers: { 'content-type': 'multipart/related; type="image/jp2"; boundary=x' },
  body: `--x\r\nContent-Type: image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90\r\n\r\n${'no image '.repeat(50)}\r\n--x--\r\n`,
};
const busy: Fault = { status: 503, headers: { 'retry-after': '1' } };

testEach<[what: string, word: string, fault: Fault, says: string, todo: string, itself: boolean]>(
  [
    ['a frame: 503 with Retry-After', '/frames/', busy, BUSY, 'Try again', true],
    ['metadata: 503 with Retry-After', '/metadata', busy, BUSY, 'Try again', true],
    [
      ...(['metadata: 500', '/metadata', { status: 500 }] as const),
      ...(['The image archive did not answer. Clinical data are complete.', 'Try again', false] as const),
    ],
    [
      ...(['a frame: 403', '/frames/', { status: 403 }] as const),
      ...(['You are not allowed to see these images. Clinical data are complete.', '', false] as const),
    ],
    [
      ...(['a frame of a wrong length', '/frames/', { cutAfter: 5_000, how: 'ends' }] as const),
      ...(['This image arrived damaged and is not shown.', 'Try again', false] as const),
    ],
    [
      ...(['a frame: the connection breaks', '/frames/', { cutAfter: 5_000, how: 'breaks' }] as const),
      ...([OFFLINE, 'Try again', true] as const),
    ],
    [
      ...(['a frame that is no image', '/frames/', GARBAGE] as const),
      ...(['This browser cannot decode this image.', "Show the server's picture", false] as const),
    ],
  ],
  (_, row) => [0, 2, 6].includes(row),
)(
  '%s',
  async (_, word, fault, sentence, todo, itself) => {
    faulty.proxy.fault = on(word, fault);
    const { page, errors } = await faulty.visit(`?tenant=open&patient=${HELEN}&image=2`);
    await says(page, sentence, todo || undefined);
    // Nothing is called by a number while nothing is on the glass.
    expect(await glassOf(page).getAttribute('aria-valuetext')).not.toMatch(/^image \d+\/\d+$/);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Helen Marie Castellanos');
    faulty.proxy.fault = () => undefined;
    if (!itself) {
      const again = page.getByRole('alert').getByRole('button', { name: 'Try again' });
      if (todo === 'Try again') await again.first().click();
      else await page.reload();
    }
    await faulty.isShown(page, 2);
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    expect(errors).toEqual([]);
    await page.context().close();
  },
  120_000,
);

test('GraphQL: 500 is not “no such patient”; a try again shows the record', async () => {
  faulty.proxy.fault = on('/graphql', { status: 500 });
  const { page } = await faulty.visit();
  await says(page, 'The record could not be read. Nothing was lost.', 'Try again');
  expect(await page.getByText('no such patient').count()).toBe(0);
  faulty.proxy.fault = () => undefined;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Helen Marie Castellanos', level: 1 }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  await page.context().close();
}, 60_000);

test('the network goes away in mid-scroll, and comes back', async () => {
  const { page, errors } = await faulty.open(`?tenant=open&patient=${HELEN}&image=3`);
  await faulty.isShown(page, 3);
  await page.context().setOffline(true);
  await glassOf(page).press('End');
  await says(page, OFFLINE);
  await glassOf(page).press('Home');
  await glassOf(page).press('ArrowDown');
  await page.context().setOffline(false);
  await faulty.isShown(page, 2);
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 90_000);

test('the gateway is killed in mid-scroll, and started again', async () => {
  const { page, errors } = await faulty.open(`?tenant=open&patient=${HELEN}&image=3`);
  await faulty.isShown(page, 3);
  process.kill(faulty.gateway.pid, 'SIGKILL');
  await faulty.gateway.stop();
  await glassOf(page).press('End');
  await says(page, OFFLINE, 'Try again');
  await faulty.startGateway();
  const last = Number(await glassOf(page).getAttribute('aria-valuemax'));
  await faulty.isShown(page, last);
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  await glassOf(page).press('Home');
  await faulty.isShown(page, 1);
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);
