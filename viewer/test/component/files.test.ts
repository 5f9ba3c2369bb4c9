import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { readPart10 } from '../../src/domain/dicom/part10-reader.ts';
import { writePart10 } from '../../src/domain/dicom/part10.ts';
import { keyImagesIn } from '../../src/domain/files/key-selection.ts';
import { measurementsIn, reportOf } from '../../src/domain/files/measurement-report.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { download } from '../../src/features/download/download.ts';
import { files } from '../../src/features/files/files.ts';
import { keyImages } from '../../src/features/key-images/key-images.ts';
import { measure } from '../../src/features/measure/measure.ts';
import { drawnOverlays, overlays } from '../../src/features/overlays/overlays.ts';
import { authorship, CT, measured, ON_CT } from '../setup/marks.ts';
import { of } from '../setup/overlay-objects.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations, type Opened, type Opening } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14&layout=1x1';
const METADATA: Instance = {
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.4'),
  '00280010': of('US', 320),
  '00280011': of('US', 256),
  '00280030': of('DS', 0.5, 0.5),
};

/** Files that the page has given to the browser. */
const saved: { name: string; blob: Promise<Blob> }[] = [];
beforeEach(() => {
  saved.length = 0;
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, blob: fetch(this.href).then((answer) => answer.blob()) });
  });
});
afterEach(() => vi.restoreAllMocks());

async function opened(options: Opening = {}): Promise<Opened> {
  const fakes = await open(STUDY, {
    // With all of them the button is under "More".
    features: [drawnOverlays, measure, keyImages, overlays, download, files],
    ...options,
    prepare: (all) => {
      all.imaging.drawn.fits = true;
      all.imaging.metadata = METADATA;
      options.prepare?.(all);
    },
  });
  await expect.element(page.getByText(/14\/24/).first()).toBeVisible();
  return fakes;
}

const dialog = () => page.getByRole('dialog');
const status = () => dialog().getByRole('status');

/** Opens a dialog of the list "Save" by keys alone. */
async function openDialog(name: string): Promise<void> {
  (page.getByRole('button', { name: 'Save', exact: true }).element() as HTMLElement).focus();
  await userEvent.keyboard('{Enter}');
  const item = page.getByRole('menuitem', { name });
  await expect.element(item).toBeVisible();
  while (!item.element().matches(':focus, [data-highlighted]')) await userEvent.keyboard('{ArrowDown}');
  await userEvent.keyboard('{Enter}');
  await expect.element(dialog()).toBeVisible();
}

const focusImage = () => document.querySelector<HTMLElement>('.glass')!.focus();

/** A length of 40 pixels, which are 20 mm. */
const LENGTH = `l{Enter}{Shift>}${'{ArrowRight}'.repeat(4)}{/Shift}{Enter}`;

async function mark(): Promise<void> {
  focusImage();
  await userEvent.keyboard(`${LENGTH}{Escape}y{ArrowDown}y`);
  await expect.element(page.getByText(/15\/24/).first()).toBeVisible();
}

/** Returns the files of a zip that is not compressed, by their names (APPNOTE 4.3). */
async function unzipped(blob: Blob): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (let at = 0; at + 46 <= bytes.length; at++) {
    if (view.getUint32(at, true) !== 0x02014b50) continue;
    const size = view.getUint32(at + 24, true);
    const local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const name = new TextDecoder().decode(bytes.slice(at + 46, at + 46 + view.getUint16(at + 28, true)));
    files.set(name, bytes.slice(start, start + size));
  }
  return files;
}

function instanceOf(bytes: Uint8Array<ArrayBuffer>): Instance {
  const reading = readPart10(bytes);
  if ('refused' in reading) throw new Error(reading.refused);
  return reading.instance;
}

const fileOf = (name: string, bytes: Uint8Array<ArrayBuffer> | string) => new File([bytes], name);

/** Drops files on the page, as the browser does. */
function drop(...files: readonly File[]): DragEvent {
  const dataTransfer = new DataTransfer();
  for (const file of files) dataTransfer.items.add(file);
  const event = (type: string) =>
    new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true, composed: true });
  document.querySelector('.glass')!.dispatchEvent(event('dragover'));
  const dropped = event('drop');
  document.querySelector('.glass')!.dispatchEvent(dropped);
  return dropped;
}

/** Marks images and saves all. @param look called while the dialog is open */
async function savedFiles(look?: () => Promise<void>): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  await mark();
  await openDialog('Save my measurements and key images');
  await look?.();
  await dialog().getByRole('textbox').fill('Ana García');
  await dialog().getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => saved.length).toBe(1);
  await userEvent.keyboard('{Escape}');
  return unzipped(await saved[0]!.blob);
}

test('nothing to save: the command is off; a measurement and a key image turn it on', async () => {
  await opened();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const item = page.getByRole('menuitem', { name: 'Save my measurements and key images' });
  await expect.element(item).toHaveAttribute('aria-disabled', 'true');
  await userEvent.keyboard('{Escape}');
  await mark();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.element(item).not.toHaveAttribute('aria-disabled', 'true');
});

test('by keys alone: a report, a selection and a view of each image are saved in a zip', async () => {
  await opened();
  const written = await savedFiles(async () => {
    await shot('files-save');
    expect(await violations()).toEqual([]);
  });
  expect(saved[0]!.name).toBe('measurements-and-key-images.zip');
  const names = ['measurements.dcm', 'key-images.dcm', 'view-001.dcm', 'view-002.dcm'];
  expect([...written.keys()]).toEqual(names);
  const report = instanceOf(written.get('measurements.dcm')!);
  expect(report['00100010']!.Value).toEqual([{ Alphabetic: 'CASTELLANOS^HELEN^MARIE' }]);
  expect(JSON.stringify(report)).toContain('Ana García');
  expect(measurementsIn(report)).toMatchObject([{ kind: 'length', image: { instance: '1.2.10.3.14' } }]);
  const keys = keyImagesIn(instanceOf(written.get('key-images.dcm')!));
  expect(keys.map(({ image }) => image.instance)).toEqual(['1.2.10.3.14', '1.2.10.3.15']);
});

test('FHIR alone is one file; without a choice there is nothing to save', async () => {
  await opened();
  await mark();
  await openDialog('Save my measurements and key images');
  for (const name of [/SR/, /KO/, /PR/]) await dialog().getByRole('checkbox', { name }).click();
  const button = dialog().getByRole('button', { name: 'Save', exact: true });
  await expect.element(button).toBeDisabled();
  await dialog().getByRole('checkbox', { name: /FHIR/ }).click();
  await button.click();
  await expect.element(status()).toHaveTextContent('Saved files: 1.');
  expect(saved.map(({ name }) => name)).toEqual(['measurements-and-key-images.fhir.json']);
  const bundle = JSON.parse(await (await saved[0]!.blob).text()) as { entry: { resource: object }[] };
  expect(bundle.entry.map(({ resource }) => resource)).toMatchObject([
    { resourceType: 'Observation', valueQuantity: { value: 20, code: 'mm' } },
    { resourceType: 'Basic' },
    { resourceType: 'Basic' },
  ]);
});

test('what has no number is named; a writer that throws leaves no file', async () => {
  const { imaging } = await opened();
  focusImage();
  // An angle whose first arm has no length.
  await userEvent.keyboard('a{Enter}{Enter}{Shift>}{ArrowRight}{/Shift}{Enter}{Escape}');
  await openDialog('Save my measurements and key images');
  await dialog().getByRole('checkbox', { name: /PR/ }).click();
  await dialog().getByRole('button', { name: 'Save', exact: true }).click();
  await expect.element(status()).toHaveTextContent('There is nothing to save in this form.');
  await expect.element(status()).toHaveTextContent('in no file: Angle, series 3, image 14.');
  expect(saved).toEqual([]);
  // Of an image that the archive no longer describes there is no file, and of the others none either.
  await userEvent.keyboard('{Escape}');
  await page.getByRole('option').nth(0).click();
  imaging.metadataOf = () => Promise.resolve([]);
  await openDialog('Save my measurements and key images');
  await dialog().getByRole('button', { name: 'Save', exact: true }).click();
  await expect.element(status()).toHaveTextContent('The files could not be made. Nothing was saved.');
  expect(saved).toEqual([]);
});

test('dropped again, measurements and key images are back, once, with the same numbers in the same order', async () => {
  await opened();
  const written = await savedFiles();
  const before = page.getByRole('button', { name: 'Length: 20.0 mm' });
  await opened();
  await expect.element(before).not.toBeInTheDocument();
  const [report, selection] = ['measurements.dcm', 'key-images.dcm'].map((name) =>
    fileOf(name, written.get(name)!),
  );
  expect(drop(report!, selection!).defaultPrevented).toBe(true);
  await expect
    .element(status())
    .toHaveTextContent('measurements.dcm: measurements that are back on their images: 1.');
  await expect.element(status()).toHaveTextContent('key-images.dcm: key images that are marked again: 2.');
  expect(await violations()).toEqual([]);
  await shot('files-opened');
  await userEvent.keyboard('{Escape}');
  await expect.element(before).toBeInTheDocument();
  await expect.element(page.getByText('Key image 1 of 2', { exact: true })).toBeVisible();
  // It can be changed as before, and undone in one step.
  drop(report!);
  await expect.element(status()).toHaveTextContent('measurements.dcm: all of it is here already.');
  await userEvent.keyboard('{Escape}');
  focusImage();
  await userEvent.keyboard('{Control>}z{/Control}');
  await expect.element(before).not.toBeInTheDocument();
});

test('a view is shown with the overlays, and so is the report of another maker', async () => {
  await opened();
  const written = await savedFiles();
  drop(fileOf('view-001.dcm', written.get('view-001.dcm')!));
  await expect.element(status()).toHaveTextContent('view-001.dcm: shown with the overlays of its study.');
  await userEvent.keyboard('{Escape}');
  await expect.poll(() => document.querySelector('[data-tool="overlays"]')?.textContent.trim()).toBe('1');
  const other = { ...instanceOf(written.get('measurements.dcm')!), '00080070': of('LO', 'Another maker') };
  drop(fileOf('other.dcm', writePart10(other)));
  await expect.element(status()).toHaveTextContent('other.dcm: shown with the overlays of its study.');
  await userEvent.keyboard('{Escape}');
  await expect.element(dialog()).not.toBeInTheDocument();
  focusImage();
  await userEvent.keyboard('{ArrowUp}');
  await expect.element(page.getByText(/14\/24/).first()).toBeVisible();
  await expect.poll(() => document.querySelectorAll('[data-overlay]').length).toBe(2);
});

/** An SR of the study on the page, whose patient and images are changed. */
const report = (changes: Instance = {}, image = {}) => {
  const on = { ...ON_CT, study: '1.2.10', series: '1.2.10.3', instance: '1.2.10.3.14', ...image };
  const one = measured('length', [[1, 1], [9, 9]], { image: on, metadata: { ...CT, ...changes } }); // prettier-ignore
  return writePart10(reportOf([one], authorship())!);
};
const HENRY = { '00100010': of('PN', { Alphabetic: 'HADDAD^SAMIR' }), '00100020': of('LO', 'MRN-0002342') };
const NOBODY = { '00100010': of('PN'), '00100020': of('LO'), '00100030': of('DA') };

test.each<[what: string, bytes: () => Uint8Array<ArrayBuffer> | string, sentence: string]>([
  ['of another patient', () => report(HENRY), 'It belongs to another patient.'],
  [
    'of the same number and another name',
    () => report({ '00100010': HENRY['00100010'] }),
    'It belongs to another patient.',
  ],
  ['of nobody', () => report(NOBODY), 'It does not say whose it is.'],
  ['of another study', () => report({}, { study: '1.2.99' }), 'Its study is not in this record.'],
  [
    'of another study and patient',
    () => report(HENRY, { study: '1.2.99' }),
    'It belongs to another patient.',
  ],
  ['cut', () => report().slice(0, 900), 'The file is damaged, or it ends too early.'],
  ['foreign', () => '{"resourceType":"Bundle"}', 'It is not a DICOM file.'],
  ['empty', () => '', 'It is not a DICOM file.'],
])('a file %s gets its sentence, and the image stays', async (_what, bytes, sentence) => {
  await opened();
  drop(fileOf('x.dcm', bytes()));
  await expect.element(status()).toHaveTextContent(`x.dcm: not shown. ${sentence}`);
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText(/14\/24/).first()).toBeVisible();
  await expect.element(page.getByRole('button', { name: /^Length/ })).not.toBeInTheDocument();
  expect(document.querySelectorAll('[data-overlay]')).toHaveLength(0);
});

test('images that are not there are counted', async () => {
  await opened();
  drop(fileOf('x.dcm', report({}, { instance: '1.2.10.3.99' })));
  await expect
    .element(status())
    .toHaveTextContent('back on their images: 0. Their images are not in this record: 1.');
});

test('files are chosen by a button, on a phone and in Spanish', async () => {
  await opened();
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Español').click();
  await userEvent.keyboard('{Escape}');
  await expect.element(dialog()).not.toBeInTheDocument();
  await page.viewport(...PHONE);
  drop(fileOf('a.txt', 'x'));
  await expect.element(dialog().getByRole('button', { name: 'Elegir archivos' })).toBeVisible();
  await expect.element(status()).toHaveTextContent('a.txt: no se muestra. No es un archivo DICOM.');
  await userEvent.upload(
    document.querySelector<HTMLElement>('input[type="file"]')!,
    fileOf('b.dcm', report()),
  );
  await expect
    .element(status())
    .toHaveTextContent('b.dcm: mediciones que vuelven a estar en sus imágenes: 1.');
  expect(status().element().textContent).not.toContain('a.txt');
  expect(scrollsSideways()).toBe(false);
  await shot('files-phone');
  expect(await violations()).toEqual([]);
});
