import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Instance } from '../../src/domain/instance.ts';
import { draw, pictureSize } from '../../src/ui/controls/picture-of.ts';
import { RECORD, stackOf } from './fixtures.ts';
import { open, PHONE, scrollsSideways, shot } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const value = (vr: string, ...Value: unknown[]) => ({ vr, Value });
const MR: Instance = {
  '00080032': value('TM', '093215'),
  '00080060': value('CS', 'MR'),
  '00180050': value('DS', 1.25),
  '00180080': value('DS', 4000),
  '00180081': value('DS', 90),
  '00200032': value('DS', -120, -110, 42.5),
};
const text = () => document.querySelector<HTMLElement>('.overlay')?.innerText.replace(/\s+/g, ' ').trim();

test('on an image stand its patient, series, place, thickness, times and window; h hides all but who, when and orientation', async () => {
  await open(STUDY, { prepare: ({ imaging }) => (imaging.metadata = MR) });
  await expect
    .poll(text)
    .toBe(
      '2 · T1 MPRAGE sagittal CASTELLANOS HELEN MARIE 12 Mar 2026, 09:32 image 89/176 H 42.5 mm · 1.25 mm thick TE 90 TR 4000 ms W 400 L 40 100 % Not for primary diagnosis A L P R',
    );
  await shot('overlay');
  await userEvent.keyboard('h');
  await expect.poll(text).toBe('CASTELLANOS HELEN MARIE 12 Mar 2026 Not for primary diagnosis A L P R');
  await page.getByRole('button', { name: 'Adjust' }).click();
  const texts = page.getByRole('menuitemcheckbox', { name: 'Texts on the image' });
  await expect.element(texts).toHaveAttribute('aria-checked', 'false');
  await texts.click();
  await expect.poll(text).toContain('image 89/176');
});

test.each<[string, Instance, RegExp]>([
  ['its SUV', {}, /W 400 L 40 SUV -1\.2–1\.8/],
  ['why it has none', { '00101030': value('DS') }, /SUV not shown: the patient's weight is missing/],
])('a PET says %s', async (_, changes, expected) => {
  const drug = { '00181074': value('DS', 10e6) };
  const pet: Instance = {
    '00080060': value('CS', 'PT'),
    '00101030': value('DS', 75),
    '00280051': value('CS', 'ATTN', 'DECY'),
    '00540016': value('SQ', drug),
    '00541001': value('CS', 'BQML'),
    '00541102': value('CS', 'ADMIN'),
    ...changes,
  };
  await open(STUDY, { prepare: ({ imaging }) => (imaging.metadata = pet) });
  await expect.poll(text).toMatch(expected);
});

test('an overlay plane lies on its pixels, moves with the image, and goes with the texts', async () => {
  // Two rows of eight: the first is drawn.
  const plane: Instance = {
    '60000010': value('US', 2),
    '60000011': value('US', 8),
    '60000050': value('SS', 101, 51),
    '60003000': { vr: 'OW', InlineBinary: btoa('\xff\x00') },
  };
  const { imaging } = await open(STUDY, { prepare: (fakes) => (fakes.imaging.metadata = plane) });
  const canvas = () => document.querySelector<HTMLCanvasElement>('.planes canvas');
  await expect.poll(canvas).toBeTruthy();
  const pixels = [...canvas()!.getContext('2d')!.getImageData(0, 0, 8, 2).data].filter(
    (_, at) => at % 4 === 3,
  );
  expect(pixels).toEqual([...new Array<number>(8).fill(255), ...new Array<number>(8).fill(0)]);
  const place = () => {
    const { left, top, width, height } = canvas()!.getBoundingClientRect();
    const glass = document.querySelector('.engine')!.getBoundingClientRect();
    return [left - glass.left, top - glass.top, width, height];
  };
  // Column 51 and row 101 count from 1, and begin half a pixel before their centre.
  expect(place()).toEqual([49.5, 99.5, 8, 2]);
  await userEvent.keyboard('+');
  const [left, top] = imaging.drawn.view.toGlass([49.5, 99.5]);
  await expect.poll(() => place()[2]).toBeCloseTo(10, 3);
  expect(place()[0]).toBeCloseTo(left, 1);
  expect(place()[1]).toBeCloseTo(top, 1);
  await userEvent.keyboard('h');
  await expect.poll(canvas).toBeNull();
});

test('a picture that is saved has an overlay plane on the same pixels', async () => {
  // Sixteen rows of eight: the upper half is drawn.
  const plane: Instance = {
    '60000010': value('US', 16),
    '60000011': value('US', 8),
    '60000050': value('SS', 101, 51),
    '60003000': { vr: 'OW', InlineBinary: btoa(`${'\xff'.repeat(8)}${'\x00'.repeat(8)}`) },
  };
  await open(STUDY, { prepare: (fakes) => (fakes.imaging.metadata = plane) });
  await expect.poll(() => document.querySelector('.planes canvas')).toBeTruthy();
  const around = document.querySelector('.surface')!;
  const place = { canvas: around.querySelector<HTMLCanvasElement>('.engine canvas')!, around, names: true };
  const { width, height } = pictureSize(place);
  const drawn = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d')!;
  await draw(drawn, place);
  const on = document.querySelector('.planes canvas')!.getBoundingClientRect();
  const { left, top } = around.getBoundingClientRect();
  const grey = (row: number) => drawn.getImageData(on.left - left + 4, on.top - top + row, 1, 1).data[0];
  expect([grey(-4), grey(4), grey(12)]).toEqual([0, 255, 0]);
});

test('a film says its frames and seconds; documents are no images', async () => {
  const film: Instance = { '00280008': value('IS', 96), '00181063': value('DS', 1000 / 12) };
  const series = [
    { uid: '1.2.20.1', number: 1, modality: 'US', description: 'Heart', numberOfInstances: 1 },
    { uid: '1.2.20.2', number: 2, modality: 'US', description: 'Liver', numberOfInstances: 3 },
    { uid: '1.2.20.3', number: 3, modality: 'SR', description: 'Report', numberOfInstances: 1 },
  ];
  await open('?tenant=demo&patient=helen&study=1.2.20&series=1.2.20.1', {
    prepare: ({ records, imaging }) => {
      const studies = RECORD.studies.map((one) =>
        one.uid === '1.2.20' ? { ...one, modalities: ['US', 'SR'], numberOfInstances: 5, series } : one,
      );
      records.answer = { ...RECORD, studies };
      imaging.stacks = (name) => {
        const stack = stackOf(name, { count: 96, changes: film });
        const frames = stack.frames.map((frame, index) => ({
          ...frame,
          name: { ...frame.name, instance: '1.2.20.1.1', frame: index + 1 },
        }));
        return [{ ...stack, frames }];
      };
    },
  });
  const options = page.getByRole('option');
  await expect.element(options.nth(0)).toHaveTextContent('96 frames, 8 s');
  await expect.element(options.nth(1)).toHaveTextContent('3 images or films');
  await expect.element(options.nth(2)).toHaveTextContent('1 document');
  await expect
    .element(page.getByRole('button', { name: /ago.*CT chest/ }))
    .toHaveTextContent('4 images or films, 1 document');
  // From its beginning.
  await expect.poll(text).toContain('image 1/96');
  await shot('film');
});

test('on a phone the tools of the image are in a menu, and the bar fits', async () => {
  await open(STUDY, { size: PHONE, prepare: ({ imaging }) => (imaging.metadata = MR) });
  await expect.poll(text).toContain('image 89/176');
  await shot('phone-tools');
  await page.getByRole('button', { name: 'More' }).click();
  await expect
    .element(page.getByRole('menuitemcheckbox', { name: 'Texts on the image' }))
    .toHaveAttribute('aria-checked', 'true');
  await shot('phone-image-menu');
  await page.getByRole('menuitemcheckbox', { name: 'Texts on the image' }).click();
  await expect.poll(text).not.toContain('image 89/176');
  expect(scrollsSideways()).toBe(false);
  const bar = document.querySelector('.tools')!;
  expect(bar.scrollWidth).toBeLessThanOrEqual(bar.clientWidth);
  // One row.
  expect(bar.getBoundingClientRect().height).toBe(60);
});
