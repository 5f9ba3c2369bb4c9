import { afterEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import { download } from '../../src/features/download/download.ts';
import { measure } from '../../src/features/measure/measure.ts';
import { open, PHONE, shot, violations, type Opened } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14';

/** Files that the page has given to the browser. */
const saved: { name: string; blob: Promise<Blob> }[] = [];
let clicked: { mockRestore(): void };

async function opened(options: Parameters<typeof open>[1] = {}): Promise<Opened> {
  saved.length = 0;
  // Without it a file is a download, as in most browsers.
  Reflect.deleteProperty(window, 'showSaveFilePicker');
  clicked = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (
    this: HTMLAnchorElement,
  ) {
    saved.push({ name: this.download, blob: fetch(this.href).then((answer) => answer.blob()) });
  });
  const fakes = await open(STUDY, { features: [measure, download], ...options });
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  return fakes;
}
afterEach(() => clicked.mockRestore());

/** Returns the names in the central directory of a zip file (APPNOTE 4.3.12). */
async function namesIn(blob: Blob): Promise<string[]> {
  const view = new DataView(await blob.arrayBuffer());
  const names: string[] = [];
  for (let at = 0; at + 46 <= view.byteLength; at++) {
    if (view.getUint32(at, true) !== 0x02014b50) continue;
    const length = view.getUint16(at + 28, true);
    names.push(new TextDecoder().decode(new Uint8Array(view.buffer, at + 46, length)));
  }
  return names;
}

/** Counts pixels of a picture: of a measurement, of the texts in the upper corners, and of the brain. */
async function countsIn(blob: Blob) {
  const bitmap = await createImageBitmap(blob);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const counts = { blue: 0, corner: 0, name: 0, grey: 0 };
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at]!, data[at + 1]!, data[at + 2]!];
    const [x, y] = [(at / 4) % bitmap.width, Math.floor(at / 4 / bitmap.width)];
    if (blue > 200 && red < 140 && green < 200) counts.blue++;
    if (x < 200 && y < 40 && red > 150) counts.corner++;
    if (x > bitmap.width - 200 && y < 24 && red > 150) counts.name++;
    if (red === 150 && green === 150 && blue === 150) counts.grey++;
  }
  return { ...counts, size: [bitmap.width, bitmap.height] };
}

test('a picture of the image, with its text and measurements; it says who only if it is asked to', async () => {
  await opened();
  await userEvent.keyboard('l{Enter}{Shift>}{ArrowRight}{ArrowRight}{ArrowRight}{ArrowRight}{/Shift}{Enter}');
  await userEvent.keyboard('d');
  expect(await violations()).toEqual([]);
  await page.getByRole('button', { name: 'Save the PNG' }).click();
  await expect.poll(() => saved.length).toBe(1);
  expect(saved[0]!.name).toBe('20260312-series-3-image-14.png');
  const { size, ...counts } = await countsIn(await saved[0]!.blob);
  const { width, height } = document.querySelector('.surface')!.getBoundingClientRect();
  expect(size).toEqual([Math.round(width), Math.round(height)]);
  // The line and its number, the text in the corner, the brain.
  expect(counts.blue).toBeGreaterThan(60);
  expect(counts.corner).toBeGreaterThan(60);
  expect(counts.grey).toBeGreaterThan(1000);
  expect(counts.name).toBe(0);
  const shown = document.createElement('img');
  shown.src = URL.createObjectURL(await saved[0]!.blob);
  shown.style.cssText = 'position: fixed; inset: 0; z-index: 99';
  document.body.append(shown);
  await shown.decode();
  await shot('download-picture');
  shown.remove();
  await userEvent.keyboard('d');
  await page.getByRole('checkbox', { name: "Put the patient's name on the images" }).click();
  await page.getByRole('button', { name: 'Save the PNG' }).click();
  await expect.poll(() => saved.length).toBe(2);
  expect((await countsIn(await saved[1]!.blob)).name).toBeGreaterThan(60);
  expect(saved[1]!.name).toBe('Helen-Marie-Castellanos-20260312-series-3-image-14.png');
});

const file = (byte: number) => new Uint8Array(1_000_000).fill(byte);

test('a series is saved as files in a zip', async () => {
  await opened({
    prepare: ({ imaging }) =>
      (imaging.files = async function* () {
        for (const byte of [1, 2, 3]) yield await Promise.resolve(file(byte));
      }),
  });
  await userEvent.keyboard('{Shift>}D{/Shift}');
  await page.getByRole('button', { name: 'Save the zip' }).click();
  await expect.element(page.getByText('Saved: 3 files, 3 MB.')).toBeVisible();
  expect(saved[0]!.name).toBe('MR-2026-03-12-series-3.zip');
  expect(await namesIn(await saved[0]!.blob)).toEqual(['series-3/00001.dcm', 'series-3/00002.dcm', 'series-3/00003.dcm']); // prettier-ignore
});

test('what arrived before an error is saved, and the page says that it is not all', async () => {
  await opened({
    size: PHONE,
    prepare: ({ imaging }) =>
      (imaging.files = async function* () {
        yield await Promise.resolve(file(1));
        throw new Trouble('offline', 'gone');
      }),
  });
  await userEvent.keyboard('{Shift>}D{/Shift}');
  await page.getByRole('radio', { name: 'The whole study' }).click();
  await page.getByRole('button', { name: 'Save the zip' }).click();
  await expect
    .element(page.getByText('Not complete: 1 files were saved, the others did not arrive.'))
    .toBeVisible();
  await expect.element(page.getByRole('alert')).toHaveTextContent('There is no network connection.');
  expect(await namesIn(await saved[0]!.blob)).toEqual(['series-1/00001.dcm']);
  await shot('download-part-phone');
  expect(await violations()).toEqual([]);
});

test('saving can be cancelled: nothing is saved', async () => {
  let wait: () => void = () => undefined;
  await opened({
    prepare: ({ imaging }) =>
      (imaging.files = async function* () {
        yield await Promise.resolve(file(1));
        await new Promise<void>((resolve) => (wait = resolve));
        yield file(2);
      }),
  });
  await userEvent.keyboard('{Shift>}D{/Shift}');
  await page.getByRole('button', { name: 'Save the zip' }).click();
  await expect.element(page.getByText('1 of 24 files, 1 MB')).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  wait();
  await expect.element(page.getByText('Cancelled; nothing was saved.')).toBeVisible();
  expect(saved).toEqual([]);
});

test('where a file can be chosen, the zip is written into it while it comes', async () => {
  const written: Uint8Array[] = [];
  await opened({
    prepare: ({ imaging }) =>
      (imaging.files = async function* () {
        yield await Promise.resolve(file(1));
      }),
  });
  const createWritable = () =>
    Promise.resolve(new WritableStream<Uint8Array>({ write: (chunk) => void written.push(chunk) }));
  Object.assign(window, { showSaveFilePicker: () => Promise.resolve({ createWritable }) });
  await userEvent.keyboard('{Shift>}D{/Shift}');
  await page.getByRole('button', { name: 'Save the zip' }).click();
  await expect.element(page.getByText('Saved: 1 files, 1 MB.')).toBeVisible();
  expect(await namesIn(new Blob(written as BlobPart[]))).toEqual(['series-3/00001.dcm']);
  expect(saved).toEqual([]);
});
