/** Pages that Chromium prints as a PDF, measured and read by other programs. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TEST_OBJECT } from '../../gateway/demo/test-object.ts';
import { ensureInstalled } from '../../gateway/test/setup/parts.ts';
import { ViewerSystem } from './setup/viewer-system.ts';

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const { bar, spacing } = TEST_OBJECT;
/** Pixels of a millimetre at 254 dpi. */
const MM = 10;
/** Of a length on paper. */
const TOLERANCE = 0.01;

beforeAll(() => ensureInstalled({ ghostscript: '/usr/bin/gs', 'poppler-utils': '/usr/bin/pdftotext' }));
const system = new ViewerSystem({ timeout: 90_000, images: false });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'printed-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Raster {
  width: number;
  height: number;
  at(x: number, y: number): number;
}

/** A PDF, as text by page and as grey pages of ten pixels a millimetre. */
interface Printed {
  texts: string[];
  pages: Raster[];
}

/** Prints what is chosen in the dialog, as the browser's dialog does. */
async function printed(page: Page, name: string): Promise<Printed> {
  await page.getByRole('button', { name: 'Print or save as PDF' }).click();
  await page.waitForFunction(() => document.documentElement.dataset['asked'] !== undefined, undefined, {
    timeout: 60_000,
  });
  const file = join(folder, `${name}.pdf`);
  await writeFile(file, await page.pdf({ format: 'A4', printBackground: false }));
  const text = execFileSync('/usr/bin/pdftotext', ['-layout', file, '-'], { encoding: 'utf8' });
  execFileSync('/usr/bin/gs', [
    '-q', '-dNOPAUSE', '-dBATCH', '-dSAFER', '-r254', '-sDEVICE=pgmraw', `-sOutputFile=${join(folder, name)}-%03d.pgm`, file,
  ]); // prettier-ignore
  const files = (await readdir(folder)).filter((one) => one.startsWith(name) && one.endsWith('.pgm')).sort();
  const pages = await Promise.all(files.map(async (one) => rasterOf(await readFile(join(folder, one)))));
  return { texts: text.split('\f').slice(0, -1), pages };
}

/** Reads a PGM (raw, 8 bits). */
function rasterOf(bytes: Buffer): Raster {
  const [head, width, height] = /^P5\s+(?:#.*\s+)*(\d+)\s+(\d+)\s+255\s/.exec(
    bytes.toString('latin1', 0, 200),
  )!;
  const from = head.length;
  return { width: Number(width), height: Number(height), at: (x, y) => bytes[from + y * Number(width) + x]! };
}

/** Returns the longest run of pixels along a row that are as they should be. */
function longestRun({ width, at }: Raster, y: number, is: (grey: number) => boolean): number {
  let [longest, run] = [0, 0];
  for (let x = 0; x < width; x++) {
    run = is(at(x, y)) ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

/** Returns the length of the ruler at the bottom of a page, in millimetres. */
function rulerOf(raster: Raster): number {
  const rows = Array.from({ length: 20 * MM }, (_, at) => raster.height - 1 - at);
  return Math.max(...rows.map((y) => longestRun(raster, y, (grey) => grey < 64))) / MM;
}

/** The longest run of a grey on a page, in millimetres. */
function longest(raster: Raster, is: (grey: number) => boolean): number {
  const rows = Array.from({ length: raster.height - 40 * MM }, (_, at) => at + 20 * MM);
  return Math.max(...rows.map((y) => longestRun(raster, y, is))) / MM;
}

async function openPage(query: string): Promise<Page> {
  const context = await system.browser.newContext({ viewport: { width: 1400, height: 900 } });
  await context.addInitScript(() => {
    window.print = () => (document.documentElement.dataset['asked'] = 'yes');
  });
  const page = await context.newPage();
  await page.goto(`${system.gateway.url}/app/?tenant=open&patient=${PATIENT}${query}`);
  return page;
}

/** Returns the address of the test object. */
async function testObject(): Promise<string> {
  const url = `${system.gateway.url}/open/dicomweb/series?SeriesNumber=99&includefield=0008103E`;
  let answer = await fetch(url);
  while (answer.status === 503) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    answer = await fetch(url);
  }
  const rows = (await answer.json()) as Record<string, { Value?: unknown[] }>[];
  const row = rows.find((one) => String(one['0008103E']?.Value?.[0]).startsWith('Test object'))!;
  return `&study=${String(row['0020000D']!.Value![0])}&series=${String(row['0020000E']!.Value![0])}&image=2`;
}

const FAMILY = 'O\'Neil "Nan" \\ Weiss';

test('a key image in true size: 50 mm are 50 mm, and a bar of 40 mm is 40 mm, however it was zoomed and turned', async () => {
  const query = await testObject();
  const page = await openPage(query);
  await page.getByText('image 2/3').waitFor({ timeout: 60_000 });
  for (const key of ['+', '+', 'r', 'r']) await page.keyboard.press(key);
  // A key image is as it is on the glass: the second turn has to be there.
  await page.locator('.mark.top').getByText('P', { exact: true }).waitFor();
  await page.getByText('156 %').waitFor();
  await page.keyboard.press('y');
  await page.getByText('Key image 1 of 1').waitFor();
  await page.keyboard.press('Control+p');
  await page.getByText('Key images (1)').waitFor();
  for (const box of await page.getByRole('dialog').getByRole('checkbox').all())
    if ((await box.getAttribute('id')) === null && (await box.isChecked())) await box.uncheck();
  await page.getByRole('checkbox', { name: 'Key images (1)' }).check();
  await page.getByText('True size', { exact: true }).click();
  const { texts, pages } = await printed(page, 'true-size');
  expect(pages).toHaveLength(1);
  const [raster, text] = [pages[0]!, texts[0]!];
  expect(Math.abs(rulerOf(raster) / 50 - 1)).toBeLessThanOrEqual(TOLERANCE);
  // 400 HU are brighter than water.
  const length = (bar.columns[1] - bar.columns[0] + 1) * spacing;
  const measured = longest(raster, (grey) => grey > 140 && grey < 235);
  expect(Math.abs(measured / length - 1)).toBeLessThanOrEqual(TOLERANCE);
  for (const words of [
    'This line is 50 mm long',
    'page 1 of 1',
    'Not for primary diagnosis',
    'image 2/3',
    'True size',
  ])
    expect(text.toLowerCase()).toContain(words.toLowerCase());
  await page.context().close();
}, 120_000);

test('one usual report is one page, and a name with quotes is right', async () => {
  const page = await openPage('');
  await page.route(/graphql$/, async (route) => {
    const answer = await route.fetch();
    const body = (await answer.text()).replaceAll('"Castellanos"', JSON.stringify(FAMILY));
    await route.fulfill({ response: answer, body });
  });
  await page.reload();
  await page
    .getByText(/image \d+\/\d+/)
    .first()
    .waitFor({ timeout: 60_000 });
  await page.keyboard.press('Control+p');
  await page.getByRole('checkbox', { name: 'The image on the screen' }).uncheck();
  const { texts, pages } = await printed(page, 'report');
  expect(pages).toHaveLength(1);
  expect(texts[0]).toContain(`Helen Marie ${FAMILY}`);
  expect(texts[0]).toContain('page 1 of 1');
  expect(texts[0]!.length).toBeGreaterThan(600);
  await page.context().close();
}, 120_000);
