/** A patient takes a CT along: the package opens from a file, with the network off, with its passcode only. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Download, Page } from 'playwright-core';
import { afterAll, expect, test } from 'vitest';
import { CHEST_NOW, cornerOf, DESKTOP, HELEN, isLit, JourneySystem, shot, SLOW } from './journeys/journey.ts';
import { filesOfZip } from './journeys/zip.ts';
import { canvasOf, entryOf, glassOf, signInAs } from './setup/viewer-page.ts';

const PASSCODE = 'blue whale 72';
const system = new JourneySystem({ timeout: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'package-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Unpacks a zip. @returns its bytes */
async function unpacked(download: Download, name: string): Promise<Buffer> {
  const zip = readFileSync(await download.path());
  for (const [path, bytes] of filesOfZip(zip)) {
    mkdirSync(join(folder, name, dirname(path)), { recursive: true });
    writeFileSync(join(folder, name, path), bytes);
  }
  return zip;
}

/** Returns the download that a click begins. */
async function downloaded(page: Page, button: string): Promise<Download> {
  const [download] = await Promise.all([
    page.waitForEvent('download', { timeout: 120_000 }),
    page.getByRole('button', { name: button }).click(),
  ]);
  return download;
}

async function chooseSaving(page: Page, item: string): Promise<void> {
  // Where there is no room for its button, it is in the list of what is more.
  await page
    .getByRole('button', { name: /^(Save|More)$/ })
    .first()
    .click(SLOW);
  await page.getByText(item, { exact: true }).last().click(SLOW);
}

/** Returns the image that is drawn last: the sum of its pixels does not change any longer. */
async function drawn(page: Page): Promise<number> {
  await isLit(page);
  let last = -1;
  await expect
    .poll(
      async () => {
        const before = last;
        last = (await canvasOf(page)).sum;
        return last === before;
      },
      { ...SLOW, interval: 500 },
    )
    .toBe(true);
  return last;
}

/** Opens the unpacked package, without a network. */
async function openFile(name: string) {
  const context = await system.browser.newContext({ viewport: DESKTOP });
  await context.addInitScript(() => Reflect.deleteProperty(window, 'showSaveFilePicker'));
  await context.setOffline(true);
  const page = await context.newPage();
  const errors: string[] = [];
  const asked: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(pathToFileURL(join(folder, name, 'OPEN-ME.html')).href);
  const open = async (passcode: string) => {
    await page.getByRole('textbox', { name: 'Passcode' }).fill(passcode);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
  };
  return { page, open, errors, asked, [Symbol.asyncDispose]: () => context.close() };
}

test('a CT is packed, opened without a network, looked at, and saved as a medium', async () => {
  await using patient = await system.open('?tenant=demo');
  const { page } = patient;
  await signInAs(page, HELEN);
  await entryOf(page, CHEST_NOW).click(SLOW);
  const online = await drawn(page);
  const image = await glassOf(page).getAttribute('aria-valuenow');
  await chooseSaving(page, 'Take the study along');
  await page.getByText(/^At most \d+ MB/).waitFor(SLOW);
  await page.getByRole('textbox', { name: 'Passcode' }).fill('too short');
  await page.getByRole('button', { name: 'Make the package' }).click();
  await page
    .getByRole('textbox', { name: 'Passcode' })
    .and(page.locator('[aria-invalid=true]'))
    .waitFor(SLOW);
  await page.getByRole('textbox', { name: 'Passcode' }).fill(PASSCODE);
  await shot(page, 'package-dialog');
  const zip = await unpacked(await downloaded(page, 'Make the package'), 'whole');
  await page.getByText(/^The package is ready: \d+ images/).waitFor(SLOW);
  await shot(page, 'package-done');

  // In the clear there is nobody, and no name of a file says what it is.
  const clear = zip.toString('latin1');
  for (const word of ['Castellanos', 'Helen', 'helen', '2026-10-14', '20261014'])
    expect(clear.includes(word)).toBe(false);
  const names = [...filesOfZip(zip).keys()].filter((name) => !/^data\/part-\d{5}\.js$/.test(name));
  expect(names.toSorted()).toEqual(['OPEN-ME.html', 'README.txt', 'data/viewer.js']);
  const readme = readFileSync(join(folder, 'whole', 'README.txt'), 'utf8');
  expect(readme).toContain('No image is missing.');
  expect(readme).toContain('not for primary diagnosis');

  await using file = await openFile('whole');
  await file.open('blue whale 73');
  await file.page.getByText('This passcode does not open the package.', { exact: false }).waitFor(SLOW);
  await shot(file.page, 'package-wrong');
  // One part was enough to know it.
  expect(file.asked.filter((url) => url.includes('part-'))).toHaveLength(1);
  await file.open(PASSCODE);
  // A failure tells what the page says instead.
  const said = async () => [
    ...(await file.page.locator('h1, h2, [role=alert]').allInnerTexts()),
    ...file.errors,
  ];
  await expect.poll(said, { timeout: 120_000, interval: 500 }).toContain(HELEN);
  await entryOf(file.page, CHEST_NOW).click(SLOW);
  expect(await drawn(file.page)).toBe(online);
  expect(await glassOf(file.page).getAttribute('aria-valuenow')).toBe(image);
  await shot(file.page, 'package-opened');
  await glassOf(file.page).press('ArrowDown');
  await cornerOf(file.page, new RegExp(`image ${Number(image) + 1}/`)).waitFor(SLOW);
  expect(await drawn(file.page)).not.toBe(online);

  await chooseSaving(file.page, 'Save DICOM files');
  await file.page.getByText('The whole study', { exact: true }).click();
  await file.page.getByText('As on a disc for hospitals', { exact: false }).click();
  await unpacked(await downloaded(file.page, 'Save the zip'), 'medium');
  await file.page.getByText(/^Saved: \d+ files/).waitFor(SLOW);
  const listed = execFileSync('dcmdump', ['+P', '0004,1500', join(folder, 'medium', 'DICOMDIR')], {
    encoding: 'utf8',
  });
  const paths = [...listed.matchAll(/\[([^\]]+)\]/g)].map(([, path]) => path!.replaceAll('\\', '/'));
  const files = readdirSync(join(folder, 'medium', 'DICOM'), { recursive: true, encoding: 'utf8' })
    .map((path) => `DICOM/${path}`)
    .filter((path) => statSync(join(folder, 'medium', path)).isFile());
  expect(paths.toSorted()).toEqual(files.toSorted());
  expect(files.length).toBeGreaterThan(200);
  execFileSync('dcmftest', files, { cwd: join(folder, 'medium') });
  expect(file.asked.filter((url) => !/^(file|data|blob):/.test(url))).toEqual([]);
  expect(file.errors).toEqual([]);
}, 400_000);

test.each<[string, RegExp, (part: (number: number) => string) => void]>([
  [
    'with two parts swapped',
    /^The package is damaged or incomplete/,
    (part) => {
      const [one, two] = [readFileSync(part(1), 'latin1'), readFileSync(part(2), 'latin1')];
      writeFileSync(part(1), two.replace('part(2', 'part(1'));
      writeFileSync(part(2), one.replace('part(1', 'part(2'));
    },
  ],
  ['without a part', /^A part of the package is not beside this page/, (part) => rmSync(part(1))],
])(
  '%s it says so, and shows nothing',
  async (_what, sentence, change) => {
    change((number) => join(folder, 'whole', 'data', `part-${String(number).padStart(5, '0')}.js`));
    await using file = await openFile('whole');
    await file.open(PASSCODE);
    await file.page.getByRole('alert').getByText(sentence).waitFor({ timeout: 60_000 });
    expect(await file.page.getByText(HELEN).count()).toBe(0);
  },
  100_000,
);
