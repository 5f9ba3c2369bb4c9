import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Instance } from '../../src/domain/instance.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import type { Study } from '../../src/domain/study.ts';
import { pictureOf } from '../../src/ui/controls/picture-of.ts';
import type { FakeImaging } from './fakes.ts';
import { RECORD, slicesOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot, tabTo, violations, type Opening } from './open.ts';

const PET_CT: Study = {
  uid: '1.2.50',
  id: 'study-pet-ct',
  started: '2026-03-12',
  description: 'PET/CT whole body',
  modalities: ['PT', 'CT'],
  series: [
    { uid: '1.2.50.1', number: 1, modality: 'CT', description: 'CT', numberOfInstances: 60 },
    { uid: '1.2.50.2', number: 2, modality: 'PT', description: 'PET, corrected', numberOfInstances: 40 },
  ],
  location: { dicomweb: 'https://images.example/dicomweb' },
};
const QUERY = '?tenant=demo&patient=helen&study=1.2.50&series=1.2.50.1';
const SPHERE = { centre: [6, -10, 1], radius: 9 } as const;

const cells = () => page.getByRole('region', { name: /^Image/ });
const cell = (index: number) => cells().nth(index);
const layoutButton = () => page.getByRole('button', { name: 'Layout' });
const fusionItem = () => page.getByRole('menuitemcheckbox', { name: 'Fusion with PET' });
const overlay = (index: number) => cell(index).element().querySelector<SVGImageElement>('svg image');

/** Slices of 64 × 64 pixels: a CT of 12 March, and a PET of two days before. */
function stackOf({ study, series }: { study: string; series: string }, changes: Instance): Stack {
  const isPet = !series.endsWith('.1');
  const stack = slicesOf({ study, series }, isPet ? 40 : 60);
  const values: Record<string, unknown> = isPet
    ? { '00080060': 'PT', '00080022': '20260310', '00541001': 'GML' }
    : { '00080060': 'CT', '00281052': -1024, '00281053': 1 };
  const own = Object.fromEntries(
    Object.entries(values).map(([tag, value]) => [tag, { vr: 'UN', Value: [value] }]),
  );
  const frames = stack.frames.map((frame) => ({
    ...frame,
    metadata: { ...frame.metadata, ...own, ...(isPet && changes) },
  }));
  return { ...stack, frames };
}

interface Changes {
  /** Of the PET's images. */
  pet?: Instance;
  study?: Study;
  query?: string;
  size?: Opening['size'];
}

async function openStudy({
  pet = {},
  study = PET_CT,
  query = QUERY,
  size,
}: Changes = {}): Promise<FakeImaging> {
  const { imaging } = await open(query, {
    ...(size && { size }),
    prepare({ imaging, records }) {
      imaging.stacks = (name) => [stackOf(name, pet)];
      records.answer = { ...RECORD, studies: [study, ...RECORD.studies] };
    },
  });
  await expect.element(page.getByText(/image 31\/60|image 21\/40/)).toBeVisible();
  return imaging;
}

/** Opens the fusion; all slices of both are there. SUV 8 in a sphere, 0.5 around it. */
async function openFusion(changes: Changes = {}): Promise<FakeImaging> {
  const imaging = await openStudy(changes);
  await layoutButton().click();
  await fusionItem().click();
  await expect.poll(() => imaging.volumes.length).toBe(2);
  const [ct, pet] = imaging.volumes;
  pet!.value = (x, y, z) =>
    Math.hypot(x - SPHERE.centre[0], y - SPHERE.centre[1], z - SPHERE.centre[2]) <= SPHERE.radius ? 8 : 0.5;
  ct!.arrive(60);
  pet!.arrive(10);
  await expect.element(page.getByText('Loading the PET: 10 of 40 images')).toBeVisible();
  expect(overlay(0)).toBeNull();
  pet!.arrive(40);
  await expect.poll(() => overlay(0)).not.toBeNull();
  return imaging;
}

/** Returns red, green, blue and opacity of the pixels of a picture. */
async function pixelsOf(url: string): Promise<(column: number, row: number) => number[]> {
  const image = new Image();
  image.src = url;
  await image.decode();
  const context = Object.assign(document.createElement('canvas'), {
    width: image.width,
    height: image.height,
  }).getContext('2d')!;
  context.drawImage(image, 0, 0);
  return (column, row) => [...context.getImageData(column, row, 1, 1).data];
}

test('the PET lies over planes of the CT: in its place, in hot iron, with both dates', async () => {
  await openFusion();
  for (const at of [0, 1, 2, 3]) await expect.poll(() => overlay(at)).not.toBeNull();
  await expect.element(cell(0)).toHaveTextContent('CT 12 Mar 2026 + PT 10 Mar 2026');
  await expect.element(cell(0)).toHaveTextContent('SUV 0–10');
  // The pixel in the sphere, and one beside it. Planes begin at -32, -32; the head, at 58 mm, is above.
  const inside: [number, number][] = [
    [6 + 32, -10 + 32],
    [6 + 32, 58 - 1],
    [-10 + 32, 58 - 1],
  ];
  for (const [at, [column, row]] of inside.entries()) {
    await userEvent.click(cell(at).getByRole('slider', { name: 'Image; arrow keys scroll' }), {
      position: { x: column, y: row },
    });
    await expect.poll(() => overlay(at)?.getAttribute('transform')).toBe('matrix(1 0 0 1 0 0)');
    await expect
      .poll(async () => {
        const href = overlay(at)?.getAttribute('href');
        return href ? (await pixelsOf(href))(column, row) : undefined;
      })
      .toEqual([255, 152, 52, 255]);
    const pixel = await pixelsOf(overlay(at)!.getAttribute('href')!);
    // Ten millimetres to the side it is outside: a twentieth of the window covers by half.
    expect(pixel(column - 10, row)[3]).toBe(128);
  }
  expect(await violations()).toEqual([]);
  await shot('fusion');
});

test('opacity and window of the PET are set; the camera moves both images', async () => {
  await openFusion();
  expect(overlay(0)!.getAttribute('opacity')).toBe('0.6');
  await page.getByRole('slider', { name: 'PET opacity' }).fill('30');
  await expect.poll(() => overlay(0)!.getAttribute('opacity')).toBe('0.3');
  const before = overlay(0)!.getAttribute('href');
  await page.getByRole('combobox', { name: 'Window of the PET' }).selectOptions('SUV 0–5');
  await expect.poll(() => overlay(0)!.getAttribute('href')).not.toBe(before);
  await expect.element(cell(1)).toHaveTextContent('SUV 0–5');
  await userEvent.click(cell(0).getByRole('slider', { name: 'Image; arrow keys scroll' }));
  await userEvent.keyboard('+');
  await expect.poll(() => overlay(0)!.getAttribute('transform')).toMatch(/^matrix\(1.25 0 0 1.25 /);
});

test('by keyboard alone: it begins, its share and its window are set, and it ends', async () => {
  const imaging = await openStudy();
  // The tool bar is one stop.
  const presses = async (key: string, isThere: () => boolean | undefined) => {
    for (let press = 0; press < 100 && !isThere(); press++) await userEvent.keyboard(key);
  };
  await presses('{Tab}', () => document.activeElement?.matches('[data-tool] *'));
  await presses('{ArrowRight}', () => document.activeElement?.matches('[data-tool="layout"] *'));
  await userEvent.keyboard('{Enter}');
  await expect.element(fusionItem()).toBeVisible();
  await presses('{ArrowDown}', () => document.activeElement === fusionItem().element());
  await userEvent.keyboard('{Enter}');
  await expect.poll(() => imaging.volumes.length).toBe(2);
  imaging.volumes[0]!.arrive(60);
  imaging.volumes[1]!.value = () => 8;
  imaging.volumes[1]!.arrive(40);
  await expect.poll(() => overlay(0)).not.toBeNull();
  await tabTo(/^PET opacity/);
  await userEvent.keyboard('{ArrowLeft}{ArrowLeft}');
  await expect.poll(() => overlay(0)!.getAttribute('opacity')).toBe('0.5');
  await tabTo('Window of the PET');
  await userEvent.keyboard('{ArrowUp}');
  await expect.element(cell(1)).toHaveTextContent('SUV 0–5');
  await userEvent.keyboard('{Escape}');
  await expect.poll(() => imaging.volumes.map(({ closed }) => closed)).toEqual([true, true]);
});

test('a saved picture has the PET in it, mixed with the image as on the screen', async () => {
  const imaging = await openFusion();
  await page.getByRole('slider', { name: 'PET opacity' }).fill('50');
  // Away from the texts.
  const [x, y] = [150, 90];
  imaging.drawn.views.at(-2)!.setCamera({ pan: [x, y] });
  await expect.poll(() => overlay(2)?.getAttribute('transform')).toBe(`matrix(1 0 0 1 ${x} ${y})`);
  await expect.poll(() => overlay(2)!.getAttribute('opacity')).toBe('0.5');
  const surface = cell(2).element().querySelector('.surface')!;
  const canvas = surface.querySelector('canvas')!;
  // An image of one grey in place of the phantom.
  const context = canvas.getContext('2d')!;
  context.resetTransform();
  context.fillStyle = 'rgb(100 100 100)';
  context.fillRect(0, 0, canvas.width, canvas.height);
  const url = URL.createObjectURL(await pictureOf({ canvas, around: surface, names: true }));
  const pixel = await pixelsOf(url);
  URL.revokeObjectURL(url);
  const scale = Math.max(window.devicePixelRatio, canvas.width / canvas.clientWidth);
  const at = (column: number, row: number) =>
    pixel(Math.round((column + x) * scale), Math.round((row + y) * scale)).slice(0, 3);
  const close = (found: number[], expected: number[]) =>
    found.forEach((one, channel) => expect(Math.abs(one - expected[channel]!)).toBeLessThanOrEqual(2));
  // The sagittal plane at x = 0 cuts the sphere: SUV 8 of 10 is 255, 152, 52. Around it SUV 0.5, 26, 0, 0, covers by a quarter.
  close(at(-10 + 32, 58 - 4), [178, 126, 76]);
  close(at(10 + 32, 58 - 20), [82, 75, 75]);
  // Beside the PET, too, the image is as it was.
  close(at(80, 58), [100, 100, 100]);
});

test('Esc brings the images back and closes both volumes', async () => {
  const imaging = await openFusion();
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByText('image 31/60')).toBeVisible();
  expect(cells().all()).toHaveLength(1);
  expect(imaging.volumes.map(({ closed }) => closed)).toEqual([true, true]);
  await layoutButton().click();
  await expect.element(fusionItem()).toHaveAttribute('aria-checked', 'false');
});

test('a PET that is open finds its CT; one of another frame of reference is refused, and the image stays', async () => {
  const imaging = await openStudy({
    query: QUERY.replace('1.2.50.1', '1.2.50.2'),
    pet: { '00200052': { vr: 'UI', Value: ['9.9'] } },
  });
  await layoutButton().click();
  await fusionItem().click();
  await expect
    .element(page.getByRole('alert'))
    .toHaveTextContent('The PET and the other images were not taken in one position of the patient.');
  await expect.element(page.getByText('image 21/40')).toBeVisible();
  expect(imaging.volumes).toHaveLength(0);
  expect(await violations()).toEqual([]);
  await shot('no-fusion');
  await userEvent.keyboard('{Escape}');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

const attribute = (...Value: unknown[]) => ({ vr: 'UN', Value });
/** Activity, with what SUV needs; and a window of its own. */
const ACTIVITY: Instance = {
  '00101030': attribute(80),
  '00280051': attribute('NORM', 'DTIM', 'ATTN', 'SCAT', 'DECY'),
  '00281050': attribute(5000),
  '00281051': attribute(10_000),
  '00540016': { vr: 'SQ', Value: [{ '00181074': attribute(300_000_000) }] },
  '00541001': attribute('BQML'),
  '00541102': attribute('ADMIN'),
};
const UNCORRECTED = { ...ACTIVITY, '00280051': attribute('NORM', 'DTIM', 'DECY') };
const { '00101030': _weight, ...NO_WEIGHT } = ACTIVITY;

test.each<[string, Record<string, Instance>]>([
  ['with SUV', { '1.2.50.2': UNCORRECTED, '1.2.50.3': ACTIVITY }],
  ['without SUV', { '1.2.50.2': { ...UNCORRECTED, '00101030': attribute() }, '1.2.50.3': NO_WEIGHT }],
])('of two PETs the one that is corrected for attenuation is taken, %s', async (_what, pets) => {
  const uncorrected = { ...PET_CT.series[1]!, description: 'PET, uncorrected', numberOfInstances: 41 };
  const corrected = { ...PET_CT.series[1]!, uid: '1.2.50.3', number: 3 };
  const study = { ...PET_CT, series: [PET_CT.series[0]!, uncorrected, corrected] };
  const { imaging } = await open(QUERY, {
    prepare({ imaging, records }) {
      imaging.stacks = (name) => [stackOf(name, pets[name.series] ?? {})];
      records.answer = { ...RECORD, studies: [study, ...RECORD.studies] };
    },
  });
  await expect.element(page.getByText('image 31/60')).toBeVisible();
  await layoutButton().click();
  await fusionItem().click();
  await expect.poll(() => imaging.volumes.length).toBe(2);
  const images = imaging.volumes.map((volume) => volume.plane('axial').stacks[0]!.frames[0]!.metadata);
  expect(images.map((one) => one['00280051']?.Value)).toEqual([undefined, ACTIVITY['00280051']!.Value]);
});

test('without SUV and without a window of its own a PET is refused', async () => {
  await openStudy({ pet: { '00541001': { vr: 'CS', Value: ['CNTS'] } } });
  await layoutButton().click();
  await fusionItem().click();
  await expect.element(page.getByRole('alert')).toHaveTextContent('neither SUV nor a window of its own');
});

test('a slice of the PET that fails is named; the planes of the CT stay', async () => {
  const imaging = await openStudy();
  await layoutButton().click();
  await fusionItem().click();
  await expect.poll(() => imaging.volumes.length).toBe(2);
  const [ct, pet] = imaging.volumes;
  ct!.arrive(60);
  pet!.arrive(39, { trouble: new Trouble('server', '', { status: 500 }), image: 7 });
  await expect.element(page.getByRole('alert')).toHaveTextContent('500');
  expect(overlay(0)).toBeNull();
  await page.getByRole('button', { name: 'Try again' }).click();
  expect(pet!.triedAgain).toBe(1);
});

test('studies without a PET have no fusion', async () => {
  await openStudy({ study: { ...PET_CT, series: [PET_CT.series[0]!] } });
  await layoutButton().click();
  await expect.element(page.getByRole('menu')).toBeVisible();
  await expect.element(fusionItem()).not.toBeInTheDocument();
});

test('thumbnail and preview of a PET are black on white, those of its CT are not', async () => {
  await open(QUERY.replace('1.2.50.1', '1.2.50.2'), {
    prepare({ imaging, records }) {
      imaging.stacks = (name) => [stackOf(name, {})];
      imaging.drawn.held = true;
      records.answer = { ...RECORD, studies: [PET_CT, ...RECORD.studies] };
    },
  });
  const filters = () =>
    [...document.querySelectorAll('[role="option"] img, img.preview')].map(
      (one) => getComputedStyle(one).filter,
    );
  await expect.poll(filters).toEqual(['none', 'invert(1)', 'invert(1)']);
});

test('on a phone', async () => {
  const imaging = await openStudy({ size: PHONE, query: `${QUERY}&screen=stage` });
  await page.getByRole('button', { name: 'More' }).click();
  await fusionItem().click();
  await expect.poll(() => imaging.volumes.length).toBe(2);
  const [ct, pet] = imaging.volumes;
  pet!.value = (x, y) => (Math.hypot(x, y) < 12 ? 8 : 0);
  ct!.arrive(60);
  pet!.arrive(40);
  await expect.poll(() => overlay(0)).not.toBeNull();
  expect(scrollsSideways()).toBe(false);
  expect(await violations()).toEqual([]);
  await shot('fusion-phone');
});
