/** The image that an address names, before the record and the engine are there, in Chromium with the whole gateway. */
import { expect, test } from 'vitest';
import { testEach } from '../../gateway/test/setup/usual-run.ts';
import { difference, expectedGrey, seriesOf } from './engine/engine-page.ts';
import { pixelsOf } from './journeys/pixels.ts';
import { canvasOf, limitLine } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const system = new ViewerSystem({ timeout: 240_000 });

interface Opening {
  query?: string;
  bytesPerSecond?: number;
  /** Milliseconds for which answers are held, by the last part of their address. */
  late?: Record<string, number>;
}

/**
 * Opens an image of the longest series of a modality; the engine does not come before `goOn` is called.
 * @returns also the frame that was asked for first
 */
async function opened(modality: string, { query = '', bytesPerSecond = -1, late = {} }: Opening) {
  const { gateway, browser } = system;
  const series = await seriesOf(gateway.url, modality);
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  let goOn = () => undefined as void;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  await page.route(/\/assets\/engine-/, async (route) => {
    await held;
    await route.continue();
  });
  for (const [ending, milliseconds] of Object.entries(late))
    await page.route(new RegExp(`/${ending}(\\?|$)`), async (route) => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      await route.continue();
    });
  const frame = page.waitForResponse(/\/frames\/\d+$/, { timeout: 60_000 });
  const address = `tenant=open&patient=${await patientOf(series.study)}&study=${series.study}&series=${series.series}`;
  await limitLine(page, bytesPerSecond);
  await page.goto(`${gateway.url}/app/?${address}${query}`, { waitUntil: 'commit' });
  await page.locator('canvas.foreseen').waitFor({ timeout: 60_000 });
  const [, instance, number] = /\/instances\/([\d.]+)\/frames\/(\d+)$/.exec((await frame).url())!;
  return { page, series, frame: { instance: instance!, frame: Number(number) }, answer: await frame, goOn };
}

/** Returns the logical id of the patient of a study. */
async function patientOf(study: string): Promise<string> {
  const answer = await fetch(
    `${system.gateway.url}/open/fhir/ImagingStudy?identifier=urn:dicom:uid|urn:oid:${study}`,
  );
  const { entry } = (await answer.json()) as { entry: { resource: { subject: { reference: string } } }[] };
  return entry[0]!.resource.subject.reference.replace('Patient/', '');
}

testEach<[modality: string, how: Record<string, unknown>]>(
  [
    ['CT', {}],
    ['CT', { query: '&image=50&window=40/400' }],
    ['CT', { bytesPerSecond: 300_000 }],
    ['MR', {}],
    ['MR', { bytesPerSecond: 300_000 }],
  ],
  (_, row) => [0, 1, 4].includes(row),
)(
  'its pixels are those of the frame, within one grey level: %s, %o',
  async (modality, how) => {
    const { page, series, frame, answer } = await opened(modality, how);
    // On a busy machine a fast line may be measured as a slow one.
    if ('bytesPerSecond' in how) expect(await answer.headerValue('content-type')).toContain('image/jphc');
    const window = 'query' in how ? { centre: 40, width: 400 } : undefined;
    const expected = await expectedGrey(system.gateway.url, series, { ...frame, ...(window && { window }) });
    const drawn = await pixelsOf(page, 'canvas.foreseen');
    expect(drawn.width * drawn.height).toBe(expected.length);
    expect(difference(drawn, expected).more).toBe(0);
    if (window) await page.getByText(/Image 50 of \d+\. Its tools are loading\./).waitFor();
    await saveShot(page, `first-image-${modality}`);
    await page.close();
  },
  120_000,
);

test('it is drawn also when the record is there before it', async () => {
  const late = { rendered: 2500, metadata: 3500 };
  const { page } = await opened('CT', { late });
  expect(await page.getByRole('navigation', { name: 'Timeline' }).count()).toBe(1);
  await page.close();
}, 120_000);

test('the record is there beside it, and the engine draws in its place', async () => {
  const { page, goOn } = await opened('CT', { query: '&image=50' });
  await page.getByRole('navigation', { name: 'Timeline' }).waitFor({ timeout: 30_000 });
  await page.getByRole('slider', { name: 'Image; arrow keys scroll' }).waitFor();
  expect(await page.locator('canvas.foreseen').count()).toBe(1);
  expect(await page.getByText('Preview', { exact: true }).count()).toBe(0);
  goOn();
  await page.getByText(/image 50\/\d+/).waitFor({ timeout: 60_000 });
  expect(await page.locator('.foreseen').count()).toBe(0);
  expect((await canvasOf(page)).lit).toBeGreaterThan(0.05);
  await page.close();
}, 120_000);
