import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { PatientRecord } from '../../src/domain/record/record.ts';
import type { Series } from '../../src/domain/study.ts';
import {
  AXIAL,
  circle,
  frame,
  items,
  of,
  packed,
  planeGroups,
  segment,
  segmentation,
  structureSet,
} from '../setup/overlay-objects.ts';
import { RECORD, slicesOf } from './fixtures.ts';
import {
  choose,
  open,
  PHONE,
  scrollsSideways,
  shot,
  tabTo,
  violations,
  type Opened,
  type Opening,
} from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.20&series=1.2.20.1&image=5';
/** The frame of reference of the images. */
const HERE = '1.2.20.9';
const SLICES = 9;
/** Height of the fifth image. */
const Z = 2 * 4 - SLICES;
const BULK = 'https://images.example/pixels';

/** Columns 10 to 19 and rows 20 to 29 of the fifth image, of two segments the first. */
const SEG = segmentation({
  rows: 64,
  columns: 64,
  segments: [segment(1, { '00620005': of('LO', 'Liver') }), segment(2, { '00620005': of('LO', 'Spleen') })],
  frames: [frame([-32, -32, Z]), frame([-32, -32, Z], 2)],
  more: {
    '00200052': of('UI', HERE),
    '52009229': items(planeGroups(AXIAL, [1, 1], 2)),
    '7FE00010': { vr: 'OB', BulkDataURI: BULK },
  },
});
const box = (left: number, top: number) =>
  Array.from({ length: 64 * 64 }, (_, at) => {
    const [column, row] = [at % 64, Math.floor(at / 64)];
    return column >= left && column < left + 10 && row >= top && row < top + 10 ? 1 : 0;
  });
const PIXELS = packed([...box(10, 20), ...box(40, 20)]);
const STRUCTURES = structureSet([
  { number: 1, name: 'Heart', frameOfReference: HERE, contours: [{ points: circle([0, 0, Z], 12) }] },
]);

const series = (uid: string, modality: string): Series => ({ uid, modality, number: 8 });
const SERIES = [series('1.2.20.2', 'SEG'), series('1.2.20.3', 'RTSTRUCT')];

function openWith(
  objects: Readonly<Record<string, readonly Instance[]>>,
  { prepare, ...rest }: Opening = {},
): Promise<Opened> {
  return open(STUDY, {
    ...rest,
    prepare: (fakes) => {
      const { imaging, records } = fakes;
      imaging.stacks = (name) => [slicesOf(name, SLICES)];
      imaging.objects = objects;
      Object.assign(imaging.images, { bulk: () => Promise.resolve(PIXELS) });
      records.answer = withSeries(RECORD);
      prepare?.(fakes);
    },
  });
}

function withSeries(record: PatientRecord): PatientRecord {
  const studies = record.studies.map((study) =>
    study.uid === '1.2.20' ? { ...study, series: [...study.series, ...SERIES] } : study,
  );
  return { ...record, studies };
}

const drawn = () => [...document.querySelectorAll<SVGGElement>('[data-overlay]')];
const path = (part = '1') => document.querySelector<SVGPathElement>(`[data-overlay="${part}"] path`)!;
const panel = () => page.getByRole('region', { name: 'Overlays', exact: true });
const button = () => document.querySelector('[data-tool="overlays"]')?.textContent.trim();

/** Opens the list by its key, when overlays are found. */
async function openList(): Promise<void> {
  await expect.poll(button).toBe('2');
  await userEvent.keyboard('{Shift>}O{/Shift}');
}

const BOTH = { '1.2.20.2': [SEG], '1.2.20.3': [STRUCTURES] };

test('overlays are drawn where their pixels and contours are, in their colours', async () => {
  await openWith(BOTH);
  await expect.poll(() => drawn().length).toBe(3);
  const glass = document.querySelector('.engine')!.getBoundingClientRect();
  const [liver, , heart] = drawn().map((one) => one.querySelector('path')!);
  const placeOf = (one: SVGPathElement) => {
    const { x, y, width, height } = one.getBBox();
    const { a, d, e, f } = one.getScreenCTM()!;
    return [x * a + e - glass.left, y * d + f - glass.top, width * a, height * d].map(
      (value) => Math.round(value * 10) / 10,
    );
  };
  // The engine of the test draws a pixel of the image as one of the page.
  expect(placeOf(liver!)).toEqual([9.5, 19.5, 10, 10]);
  // 12 mm round the point 0/0, which is the pixel 32/32.
  expect(placeOf(heart!)).toEqual([20, 20, 24, 24]);
  expect(liver!.getAttribute('fill')).toBe('rgb(230 159 0)');
  expect(liver!.getAttribute('fill-opacity')).toBe('0.2');
  expect(getComputedStyle(liver!).strokeWidth).toBe('1.5px');
  // The next image has none.
  await userEvent.keyboard('{ArrowDown}');
  await expect.poll(() => drawn().length).toBe(0);
});

test('each has a row: eye, colour, opacity, date, author; o hides all and shows them again', async () => {
  await openWith(BOTH);
  await openList();
  await expect.element(panel().getByText('Segmentation · 14 Oct 2026 · Okafor Ngozi')).toBeVisible();
  await expect.element(panel().getByText('Structure set · 15 Oct 2026')).toBeVisible();
  await expect.poll(() => drawn().length).toBe(3);
  await panel().getByRole('button', { name: 'Show Organs' }).click();
  await expect.poll(() => drawn().length).toBe(1);
  await panel().getByRole('button', { name: 'Show Organs' }).click();
  await panel().getByRole('button', { name: 'Show Spleen' }).click();
  await expect.poll(() => drawn().map((one) => one.dataset['overlay'])).toEqual(['1', '1']);
  await panel().getByRole('slider', { name: 'Opacity of Organs' }).fill('0.5');
  await expect.poll(() => path().getAttribute('fill-opacity')).toBe('0.5');
  const colour = panel().getByLabelText('Colour of Liver');
  await expect.element(colour).toHaveValue('#e69f00');
  await colour.fill('#00ff80');
  await expect.poll(() => path().getAttribute('fill')).toBe('rgb(0 255 128)');
  await shot('overlays');
  expect(await violations()).toEqual([]);
  await userEvent.keyboard('o');
  await expect.poll(() => drawn().length).toBe(0);
  await expect
    .element(panel().getByRole('button', { name: 'Overlays on the image' }))
    .toHaveAttribute('aria-pressed', 'false');
  await userEvent.keyboard('o');
  await expect.poll(() => drawn().length).toBe(2);
});

test('the first picture comes before them, and a study without any has no button', async () => {
  const asked: string[] = [];
  const { imaging } = await openWith(BOTH, {
    prepare: ({ imaging: fake }) => {
      fake.drawn.held = true;
      const metadataOf = fake.metadataOf.bind(fake);
      fake.metadataOf = (at, name) => {
        asked.push(name.series);
        return metadataOf(at, name);
      };
    },
  });
  await expect.poll(() => imaging.drawn.views.length).toBe(1);
  expect(asked).toEqual([]);
  imaging.drawn.view.show();
  await expect.poll(() => asked).toEqual(['1.2.20.2', '1.2.20.3']);
  await expect.poll(button).toBe('2');
  await openWith({});
  await expect.element(page.getByText('image 5/9')).toBeVisible();
  expect(button()).toBeUndefined();
});

const other = (more: Instance): Instance => ({ ...SEG, ...more });
const many = Array.from({ length: 200 }, (_, at) => segment(at + 1));
test.each<[string, Instance, RegExp]>([
  ['another patient', other({ '00100020': of('LO', 'MRN-0000815') }), /another patient/],
  ['another frame of reference', other({ '00200052': of('UI', '1.2.77') }), /another frame of reference/],
  ['0 segments', other({ '00620002': of('SQ') }), /nothing to draw/],
  ['200 segments', other({ '00620002': of('SQ', ...many) }), /too many parts/],
  ['half of its frames', other({ '00280008': of('IS', 4) }), /a part of its data is missing/],
])('an overlay with %s is not drawn, its row says why, and the image stays', async (_, object, sentence) => {
  await openWith(
    { '1.2.20.2': [object], '1.2.20.3': [STRUCTURES] },
    {
      prepare: ({ imaging }) => {
        // Of an archive that says that it is stored without compression.
        Object.assign(object, { '00083002': of('UI', '1.2.840.10008.1.2.1') });
        Object.assign(imaging.images, { bulk: () => Promise.resolve(PIXELS) });
      },
    },
  );
  await openList();
  await expect.element(panel().getByText(sentence)).toBeVisible();
  await expect.poll(() => drawn().length).toBe(1);
  await expect.element(page.getByText('image 5/9')).toBeVisible();
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test('what the archive does not give is said, and tried again', async () => {
  let works = false;
  await openWith(BOTH, {
    prepare: ({ imaging }) =>
      Object.assign(imaging.images, {
        bulk: () => (works ? Promise.resolve(PIXELS) : Promise.reject(new Error('no'))),
        frame: () => Promise.reject(new Error('no')),
      }),
  });
  await openList();
  await expect.element(panel().getByText('It could not be loaded.')).toBeVisible();
  await expect.poll(() => drawn().length).toBe(1);
  works = true;
  await panel().getByRole('button', { name: 'Try again' }).click();
  await expect.poll(() => drawn().length).toBe(3);
});

test('an object above the limit of the server has a row that says so, and which key raises it', async () => {
  await openWith(BOTH, {
    prepare: ({ imaging }) => {
      const metadataOf = imaging.metadataOf.bind(imaging);
      const failures: Record<string, Trouble> = {
        '1.2.20.2': new Trouble('too-large', '502', { status: 502 }),
        '1.2.20.3': new Trouble('server', '502', { status: 502 }),
      };
      imaging.metadataOf = (at, name) => {
        const failure = failures[name.series];
        return failure ? Promise.reject(failure) : metadataOf(at, name);
      };
    },
  });
  await expect.poll(button).toBe('0');
  await userEvent.keyboard('{Shift>}O{/Shift}');
  const row = (name: string) => panel().getByRole('listitem').filter({ hasText: name });
  await expect
    .element(row('Segmentation'))
    .toHaveTextContent(/too large for this server's limit\. .*limits\.objectElements of the tenant/);
  await expect.element(row('Structure set')).toHaveTextContent('It could not be loaded.');
  expect(await violations()).toEqual([]);
  await shot('overlays-too-large');
  await choose('Account', 'Settings');
  await page.getByRole('dialog').getByText('Español').click();
  await expect
    .element(page.getByText(/supera el límite de tamaño de este servidor\. .*limits\.objectElements/))
    .toBeInTheDocument();
});

test('by keyboard alone: the list, an eye, the opacity, and the image of a part', async () => {
  await openWith(BOTH);
  await openList();
  await expect.poll(() => drawn().length).toBe(3);
  const eye = await tabTo('Show Organs');
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => drawn().length).toBe(1);
  expect(eye.ariaPressed).toBe('false');
  await userEvent.keyboard(' ');
  await expect.poll(() => drawn().length).toBe(3);
  await tabTo('Opacity of Organs');
  await userEvent.keyboard('{ArrowRight}{ArrowRight}');
  await expect.poll(() => path().getAttribute('fill-opacity')).toBe('0.3');
  // The arrows were those of the slider.
  await expect.element(page.getByText('image 5/9')).toBeVisible();
  await tabTo('Show Spleen');
  await userEvent.keyboard(' ');
  await expect.poll(() => drawn().length).toBe(2);
  // Away from it, and back by its name; what was hidden is shown.
  await tabTo('Image; arrow keys scroll');
  await userEvent.keyboard('{End}');
  await expect.poll(() => drawn().length).toBe(0);
  await tabTo('Go to the image with Spleen');
  await userEvent.keyboard('{Enter}');
  await expect.element(page.getByText('image 5/9')).toBeVisible();
  await expect.poll(() => drawn().length).toBe(3);
});

test('of a part that no image of the series has its row says so', async () => {
  const elsewhere = structureSet([
    { number: 1, name: 'Knee', frameOfReference: HERE, contours: [{ points: circle([0, 0, 900], 12) }] },
  ]);
  await openWith({ ...BOTH, '1.2.20.3': [elsewhere] });
  await openList();
  await panel().getByRole('button', { name: 'Go to the image with Knee' }).click();
  await expect.element(panel().getByText('No image of this series has Knee.')).toBeVisible();
  await expect.element(page.getByText('image 5/9')).toBeVisible();
});

test('planes through a volume have them too', async () => {
  const { imaging } = await openWith(BOTH);
  await expect.poll(() => drawn().length).toBe(3);
  await userEvent.keyboard('m');
  await expect.poll(() => imaging.volumes.length).toBe(1);
  imaging.volumes[0]!.arrive(SLICES);
  // On the coronal plane through rows 20 to 29 the liver is 10 pixels wide and as high as a slice: 2 mm.
  const coronal = () => document.querySelector('[data-place="1"]')!;
  const slider = page.getByRole('slider', { name: 'Image; arrow keys scroll' }).nth(1);
  await slider.click();
  for (let at = 0; at < 7; at++) await userEvent.keyboard('{ArrowUp}');
  await expect
    .poll(() => coronal().querySelector<SVGPathElement>('[data-overlay="1"] path')?.getBBox().width)
    .toBe(10);
  const { height } = coronal().querySelector<SVGPathElement>('[data-overlay="1"] path')!.getBBox();
  expect(height).toBe(2);
});

test('on a phone they are under More, and the panel fits', async () => {
  await openWith(BOTH, { size: PHONE });
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menu').getByText('Overlays 2').click();
  await expect.element(panel().getByText('Liver')).toBeVisible();
  expect(scrollsSideways()).toBe(false);
  await shot('overlays-phone');
  expect(await violations()).toEqual([]);
});
