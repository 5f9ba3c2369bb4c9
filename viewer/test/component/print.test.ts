import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { KeyImage } from '../../src/domain/series/key-image.ts';
import { keyImagesOf } from '../../src/state/stage/key-images.svelte.ts';
import { download } from '../../src/features/download/download.ts';
import { keyImages } from '../../src/features/key-images/key-images.ts';
import { measure } from '../../src/features/measure/measure.ts';
import { print } from '../../src/features/print/print.ts';
import { features } from '../../src/features.ts';
import type { Page } from '../../src/ui/context.ts';
import { stackOf } from './fixtures.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations, type Opened, type Opening } from './open.ts';
import { HELEN, TREND } from './trend-fixtures.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10&series=1.2.10.3&image=14&layout=1x1';
/** 128 mm wide and 160 mm high. */
const METADATA: Instance = {
  '00080060': { vr: 'CS', Value: ['MR'] },
  '00280010': { vr: 'US', Value: [320] },
  '00280011': { vr: 'US', Value: [256] },
  '00280030': { vr: 'DS', Value: [0.5, 0.5] },
};
/** CSS pixels of a millimetre. */
const MM = 96 / 25.4;

let printed = vi.fn();
let opened: Page;
beforeEach(() => {
  printed = vi.fn();
  vi.spyOn(window, 'print').mockImplementation(printed);
});
afterEach(() => vi.restoreAllMocks());

/** Takes the page out of the page. */
const grab = {
  commands: (one: Page) => {
    opened = one;
    return [];
  },
};

async function openPage(options: Opening = {}): Promise<Opened> {
  const fakes = await open(STUDY, {
    features: [...features, grab],
    ...options,
    prepare: (all) => {
      all.imaging.drawn.fits = true;
      all.imaging.metadata = METADATA;
      options.prepare?.(all);
    },
  });
  await expect.element(page.getByText('image 14/24')).toBeVisible();
  return fakes;
}

const askToPrint = () => userEvent.keyboard('{Control>}p{/Control}');
const dialog = () => page.getByRole('dialog', { name: 'Print' });
const go = () => dialog().getByRole('button', { name: 'Print or save as PDF' });
const check = (name: string) => dialog().getByRole('checkbox', { name, exact: true });
const paper = () => document.querySelector<HTMLElement>('body > .printed')!;
const figures = () => [...paper().querySelectorAll('figure')];

async function press() {
  await go().click();
  await expect.poll(() => printed.mock.calls.length).toBe(1);
}

/** Marks so many images of the series without showing them. */
function mark(count: number): void {
  const key = (number: number): KeyImage => ({
    image: { study: '1.2.10', series: '1.2.10.3', instance: `1.2.10.3.${number}`, frame: 1 },
    number,
    window: { centre: 100, width: 300 },
    inverted: false,
    camera: { zoom: 1, rotation: 0, flipped: false, centre: undefined },
    overlays: true,
    title: '',
    comment: '',
  });
  keyImagesOf(opened.workspace).all = Array.from({ length: count }, (_, at) => key(at + 1));
}

test('the list of what is saved has it; the report and the image that is shown are chosen', async () => {
  await openPage({ features: [keyImages, measure, download, print, grab] });
  await choose('Save', 'Print');
  await expect.element(check('Report')).toBeChecked();
  await expect.element(check('The image on the screen')).toBeChecked();
  expect(await violations()).toEqual([]);
  await shot('print-dialog');
  await press();
  expect(paper().textContent).toContain('There is a 9 mm lesion in the left frontal white matter');
  expect(paper().querySelectorAll('button, a')).toHaveLength(0);
  expect(figures()).toHaveLength(1);
  expect(figures()[0]!.textContent).toContain('12 Mar 2026, series 3, image 14 · size not to scale');
  // On the screen the pages are not seen.
  expect(getComputedStyle(paper()).display).toBe('none');
  await userEvent.keyboard('{Escape}');
  await expect.poll(paper).toBeNull();
  expect(document.adoptedStyleSheets.flatMap(({ cssRules }) => [...cssRules])).toEqual([]);
});

test('what is not chosen is not printed; with nothing chosen there is nothing to press', async () => {
  await openPage({ size: PHONE });
  await askToPrint();
  await check('The image on the screen').click();
  await press();
  expect(figures()).toHaveLength(0);
  expect(paper().querySelectorAll('article')).toHaveLength(1);
  await check('Report').click();
  await expect.element(dialog().getByText('Choose what to print.')).toBeVisible();
  await expect.element(go()).toBeDisabled();
  expect(scrollsSideways()).toBe(false);
  await shot('print-dialog-phone');
  expect(await violations()).toEqual([]);
});

test.each([
  ['1', 1, [152, 190]],
  ['2', 2, [88, 110]],
  ['4', 4, [73.6, 92]],
  ['True size', 1, [128, 160]],
] as const)('key images, %s on a page', async (name, perPage, [width, height]) => {
  const { imaging } = await openPage();
  mark(5);
  await askToPrint();
  await check('Report').click();
  await dialog().getByText(name, { exact: true }).click();
  await press();
  expect(figures()).toHaveLength(5);
  expect(paper().querySelectorAll('section')).toHaveLength(Math.ceil(5 / perPage));
  for (const figure of figures()) {
    const box = figure.querySelector<HTMLElement>('div.picture')!;
    expect(parseFloat(box.parentElement!.style.width)).toBeCloseTo(width, 3);
    expect(parseFloat(box.style.height)).toBeCloseTo(height, 3);
    const scale = name === 'True size' ? 'True size' : 'size not to scale';
    expect(figure.querySelector('figcaption')!.textContent!.toLowerCase()).toContain(scale.toLowerCase());
    // As many pixels as the image has to show, and no fewer than the page.
    const picture = figure.querySelector('img')!;
    expect(picture.naturalWidth).toBeGreaterThanOrEqual(Math.min(2 * 256, Math.floor(width * MM * 3.15)) - 1);
  }
  if (name !== 'True size') return;
  // Half a millimetre for each pixel of the image, on the glass that is enlarged.
  const { view } = imaging.drawn;
  const [from, to] = [view.toGlass([0, 0]), view.toGlass([100, 0])];
  expect((to[0] - from[0]) / (view.picture().width / width)).toBeCloseTo(50, 1);
});

test('an image has its window, its place, and what is measured and written on it', async () => {
  const { imaging } = await openPage();
  await userEvent.keyboard('++r{Shift>}{ArrowUp}{/Shift}i');
  await userEvent.keyboard('l{Enter}{Shift>}{ArrowRight}{ArrowRight}{ArrowRight}{/Shift}{Enter}y');
  await expect.element(page.getByText('Key image 1 of 1')).toBeVisible();
  const seen = imaging.drawn.view;
  const middle = () => seen.toImage([seen.picture().width / 2, seen.picture().height / 2]);
  const before = middle();
  await askToPrint();
  await expect.element(check('Measurements')).toBeChecked();
  await press();
  const [figure] = figures();
  const words = figure!.textContent;
  for (const part of ['156 %', 'W 400 L 0', 'image 14/24', 'CASTELLANOS HELEN MARIE', 'Key image 1 of 1'])
    expect(words).toContain(part);
  const length = document.querySelector('.stage [data-measurement] text')!.textContent.trim();
  expect(figure!.querySelector('[data-measurement] text')!.textContent.trim()).toBe(length);
  expect(figure!.querySelector('img')!.style.filter).toBe('invert(1)');
  expect(figure!.querySelectorAll('canvas, [role="application"]')).toHaveLength(0);
  expect(paper().querySelector('table')!.textContent).toContain(length);
  const { view } = imaging.drawn;
  const shown = view.toImage([view.picture().width / 2, view.picture().height / 2]);
  for (const axis of [0, 1] as const) expect(shown[axis]).toBeCloseTo(before[axis], 3);
  // The stage stays as it was.
  expect(middle()).toEqual(before);
});

test('values over time are printed where a person asks for them, with a line and all values', async () => {
  await openPage({
    prepare: ({ records }) => {
      records.answer = HELEN;
      records.trend = () => Promise.resolve([TREND]);
    },
  });
  await askToPrint();
  await check('The image on the screen').click();
  await dialog().getByText('Values over time').click();
  await dialog()
    .getByRole('checkbox', { name: /creatinine/i })
    .click();
  await press();
  expect(paper().querySelectorAll('svg circle')).toHaveLength(4);
  expect(paper().querySelectorAll('tbody tr')).toHaveLength(4);
  // Paper is read later: no "weeks ago".
  expect(paper().textContent).toContain('30 Mar 2026');
  expect(paper().textContent).not.toContain('ago');
  expect(paper().textContent).toContain('usual: 0.6 – 1.1 mg/dL');
});

test('over 24 images it asks; over 200 it refuses, and says what can be done', async () => {
  await openPage();
  mark(201);
  await askToPrint();
  await expect.element(dialog().getByText(/At most 200 images can be printed at once/)).toBeVisible();
  await expect.element(go()).toBeDisabled();
  await userEvent.keyboard('{Escape}');
  await expect.element(dialog()).not.toBeInTheDocument();
  mark(24);
  keyImagesOf(opened.workspace).add({ ...keyImagesOf(opened.workspace).all[0]!, number: 25 });
  await askToPrint();
  await go().click();
  await expect
    .element(dialog().getByText('These are 25 images. Making their pictures takes a while.'))
    .toBeVisible();
  expect(await violations()).toEqual([]);
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  expect(printed).not.toHaveBeenCalled();
  await go().click();
  await dialog().getByRole('button', { name: 'Print all 25' }).click();
  await expect.poll(() => printed.mock.calls.length).toBe(1);
  expect(figures()).toHaveLength(25);
});

test('while pictures are made it says how far it is, and can be cancelled', async () => {
  const { imaging } = await openPage();
  mark(3);
  await askToPrint();
  imaging.drawn.held = true;
  await go().click();
  await expect.element(dialog().getByText('Picture 1 of 3')).toBeVisible();
  expect(await violations()).toEqual([]);
  await dialog().getByRole('button', { name: 'Cancel' }).click();
  imaging.drawn.held = false;
  await expect.element(go()).toBeVisible();
  expect(paper()).toBeNull();
  await press();
  expect(figures()).toHaveLength(3);
});

test('an image that does not come is named, and the others are printed if a person wants that', async () => {
  const { imaging } = await openPage();
  mark(2);
  await askToPrint();
  imaging.drawn.held = true;
  await go().click();
  await expect.element(dialog().getByText('Picture 1 of 2')).toBeVisible();
  await expect.poll(() => imaging.drawn.views.length).toBe(2);
  imaging.drawn.view.fail(new Trouble('not-found', 'gone'));
  imaging.drawn.held = false;
  await expect.element(dialog().getByRole('alert')).toHaveTextContent('Images that cannot be printed: 1.');
  expect(printed).not.toHaveBeenCalled();
  await dialog().getByRole('button', { name: 'Print without them' }).click();
  await expect.poll(() => printed.mock.calls.length).toBe(1);
  expect(figures()).toHaveLength(1);
});

test('planes are computed: they are not printed, and the dialog says why', async () => {
  await openPage({
    prepare: ({ imaging }) => {
      imaging.stacks = (name) => [{ ...stackOf(name), reformatted: { plane: 'axial' } }];
    },
  });
  await askToPrint();
  await expect.element(dialog().getByText(/Planes are computed/)).toBeVisible();
  await press();
  expect(figures()).toHaveLength(0);
});

test.each([
  'Anna "Nan" O\'Neil',
  'A\\B \\22 ; } body { display: none }',
  'Anna\nWeiss',
  '</style><script>window.hostile = 1</script>',
  'محمد الأمين',
  '\u202EsseiW annA',
])('a name is only a name: %j', async (name) => {
  await openPage({
    prepare: ({ records }) => {
      records.answer = { ...records.answer, person: { ...records.answer.person, name } };
    },
  });
  await askToPrint();
  await check('The image on the screen').click();
  await press();
  const [sheet, ...others] = document.adoptedStyleSheets;
  expect(others).toHaveLength(0);
  expect(sheet!.cssRules).toHaveLength(1);
  const [who] = [...(sheet!.cssRules[0] as CSSGroupingRule).cssRules] as CSSStyleRule[];
  // The text that a browser makes of the strings.
  const probe = document.createElement('p');
  probe.className = 'probe';
  document.body.append(probe);
  const read = new CSSStyleSheet();
  read.replaceSync(`.probe::before { content: ${who!.style.content} }`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, read];
  const content = getComputedStyle(probe, '::before').content;
  document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== read);
  probe.remove();
  const string = JSON.stringify(`\u2068${name.replace('\n', ' ')}\u2069`);
  expect(content).toContain(string.slice(0, -1));
  expect('hostile' in window).toBe(false);
});

test('in Spanish', async () => {
  await openPage();
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Español').click();
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('dialog')).not.toBeInTheDocument();
  await askToPrint();
  const spanish = page.getByRole('dialog', { name: 'Imprimir' });
  await expect.element(spanish.getByText('Informe')).toBeVisible();
  await spanish.getByRole('button', { name: 'Imprimir o guardar como PDF' }).click();
  await expect.poll(() => printed.mock.calls.length).toBe(1);
  const { cssText } = document.adoptedStyleSheets[0]!.cssRules[0]!;
  for (const words of ['No para diagnóstico primario', 'Esta línea mide 50 mm', 'página '])
    expect(cssText).toContain(words);
  expect(figures()[0]!.textContent).toContain('tamaño sin escala');
});
