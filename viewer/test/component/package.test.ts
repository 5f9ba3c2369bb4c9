import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { cleanup, render } from 'vitest-browser-svelte';
import '../../src/ui/classes.css';
import { PackageFault, PackageWriter, type SealedPart } from '../../src/domain/package/container.ts';
import type { MissingImages, PackageIndex } from '../../src/domain/package/content.ts';
import { download } from '../../src/features/download/download.ts';
import { takeAlong } from '../../src/features/package/package.ts';
import Package from '../../src/package/Package.svelte';
import { FakeImaging } from './fakes.ts';
import { RECORD } from './fixtures.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14';
const PASSCODE = 'blue whale 72';

test('the dialog says what it is for, its size, and what a passcode must have; nothing is made before', async () => {
  Reflect.deleteProperty(window, 'showSaveFilePicker');
  await open(STUDY, { size: PHONE, features: [download, takeAlong] });
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  await choose('More', 'Take the study along');
  await expect.element(page.getByText('It is not for primary diagnosis.', { exact: false })).toBeVisible();
  const field = page.getByRole('textbox', { name: 'Passcode' });
  expect((field.element() as HTMLInputElement).value).toMatch(/^[a-z2-9]{16}$/);
  await field.fill('123456789');
  await page.getByRole('button', { name: 'Make the package' }).click();
  await expect.element(field).toHaveAttribute('aria-invalid', 'true');
  await expect.element(field).toHaveFocus();
  expect(await violations()).toEqual([]);
  expect(scrollsSideways()).toBe(false);
  await shot('package-dialog-phone');
});

async function opened(missing: readonly MissingImages[]) {
  await cleanup();
  const index: PackageIndex = { record: RECORD, trends: {}, series: [], files: {}, values: {}, missing };
  const writer = await PackageWriter.begin(PASSCODE);
  const parts: SealedPart[] = [];
  for await (const part of writer.end(index)) parts.push(part);
  const head = { salt: writer.salt, parts: 1 };
  const answer = { load: () => Promise.resolve(parts[0]!) };
  await render(Package, { head, imagingOf: () => new FakeImaging(), load: () => answer.load() });
  return answer;
}

async function type(passcode: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Passcode' }).fill(passcode);
  await userEvent.keyboard('{Enter}');
}

test('it opens by its passcode; what went wrong is a sentence, and nobody is named before', async () => {
  const answer = await opened([]);
  await expect.element(page.getByText('It is not for primary diagnosis.', { exact: false })).toBeVisible();
  await type('blue whale 73');
  await expect
    .element(page.getByText('This passcode does not open the package.', { exact: false }))
    .toBeVisible();
  for (const [kind, words] of [
    ['absent', 'Unpack the whole zip file first'],
    ['damaged', 'The package is damaged or incomplete'],
  ] as const) {
    const { load } = answer;
    answer.load = () => Promise.reject(new PackageFault(kind));
    await type(PASSCODE);
    await expect.element(page.getByText(words, { exact: false })).toBeVisible();
    answer.load = load;
  }
  expect(document.body.textContent).not.toContain(RECORD.person.name);
  expect(await violations()).toEqual([]);
  await type(PASSCODE);
  await expect.element(page.getByRole('heading', { name: RECORD.person.name })).toBeVisible();
});

test('images that are missing are said before anything is shown', async () => {
  await opened([{ series: '4', count: 3 }]);
  await type(PASSCODE);
  await expect
    .element(page.getByText('Series 4: 3 images did not arrive and are not in the package.'))
    .toBeVisible();
  expect(document.body.textContent).not.toContain(RECORD.person.name);
  await shot('package-missing');
  await page.getByRole('button', { name: 'Show what is there' }).click();
  await expect.element(page.getByRole('heading', { name: RECORD.person.name })).toBeVisible();
});
