import { expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import type { Attribute, Instance } from '../../src/domain/instance.ts';
import type { PatientRecord } from '../../src/domain/record/record.ts';
import { HELEN, items, of } from '../setup/overlay-objects.ts';
import { RECORD } from './fixtures.ts';
import { open, PHONE, shot } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const SHOWN = '1.2.10.2.89';

const images = (...uids: string[]) => items(...uids.map((uid) => ({ '00081155': of('UI', uid) })));
const state = (label: string, more: Instance = {}): Instance => ({
  ...HELEN,
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.11.1'),
  '00080018': of('UI', `2.25.${label.length}`),
  '00081115': items({ '00081140': images(SHOWN) }),
  '00700080': of('CS', label),
  '20500020': of('CS', 'INVERSE'),
  '00283110': items({ '00281050': of('DS', 100), '00281051': of('DS', 50) }),
  // Columns 101 to 200, rows 101 to 180.
  '0070005A': items({ '00700052': of('SL', 101, 101), '00700053': of('SL', 200, 180) }),
  ...more,
});
const code = (value: string, meaning: string): Attribute =>
  items({ '00080100': of('SH', value), '00080102': of('SH', 'DCM'), '00080104': of('LO', meaning) });
const selection = (value: string, title: string, ...uids: string[]): Instance => ({
  ...HELEN,
  '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.88.59'),
  '00080018': of('UI', `2.25.${value}`),
  '0020000D': of('UI', '1.2.10'),
  '0040A043': code(value, title),
  '0040A730': items(
    { '0040A040': of('CS', 'TEXT'), '0040A043': code('113012', 'Key Object Description'), '0040A160': of('UT', 'Look') }, // prettier-ignore
    ...uids.map((uid) => ({
      '0040A040': of('CS', 'IMAGE'),
      '00081199': items({ '00081155': of('UI', uid) }),
    })),
  ),
});

/** The record with objects in the newest study: each is a series of its own. */
async function openWith(objects: readonly Instance[], size?: readonly [number, number]) {
  const [study, ...others] = RECORD.studies;
  const added = objects.map((object, at) => ({
    uid: `1.2.10.${20 + at}`,
    number: 900 + at,
    modality: '00700080' in object ? 'PR' : 'SR',
    numberOfInstances: 1,
  }));
  const answer: PatientRecord = {
    ...RECORD,
    studies: [{ ...study!, series: [...study!.series, ...added] }, ...others],
  };
  const fakes = await open(STUDY, {
    ...(size && { size }),
    prepare: ({ records, imaging }) => {
      records.answer = answer;
      imaging.metadata = { '00280010': of('US', 512), '00280011': of('US', 512) };
      imaging.objects = Object.fromEntries(added.map(({ uid }, at) => [uid, [objects[at]!]]));
    },
  });
  return fakes.imaging.drawn;
}
const openList = () => page.getByRole('tab', { name: 'Overlays' }).click();
const text = () => document.querySelector<HTMLElement>('.overlay')?.innerText.replace(/\s+/g, ' ');
const glass = () => document.querySelector('.engine')!.getBoundingClientRect();

test('a presentation state is off at start; on, it changes window, area and inversion; off, all is as before', async () => {
  const drawn = await openWith([state('LESION')]);
  await expect.poll(text).toContain('W 400 L 40');
  await userEvent.keyboard('++');
  await expect.poll(text).toContain('156 %');
  await openList();
  const eye = page.getByRole('button', { name: 'Show LESION' });
  await expect.element(eye).toHaveAttribute('aria-pressed', 'false');
  await expect.poll(text).toContain('W 400 L 40');

  await eye.click();
  await expect.poll(text).toContain('W 50 L 100');
  const canvas = document.querySelector<HTMLElement>('.engine canvas')!;
  expect(canvas.style.filter).toBe('invert(1)');
  // The area of 100 × 80 pixels fills the glass in one direction, and its middle is that of the glass.
  const { width, height } = glass();
  const zoom = Math.min(width / 100, height / 80);
  await expect.poll(text).toContain(`${Math.round(zoom * 100)} %`);
  const [x, y] = drawn.view.toGlass([149.5, 139.5]);
  expect(x).toBeCloseTo(width / 2, 0);
  expect(y).toBeCloseTo(height / 2, 0);
  await shot('presentation-state');

  // What a person changes of it goes with it.
  await userEvent.keyboard('-');
  await eye.click();
  await expect.poll(text).toContain('W 400 L 40');
  await expect.poll(text).toContain('156 %');
  expect(canvas.style.filter).toBe('');
});

test('a state holds for the images that it names; o hides it; another series keeps nothing of it', async () => {
  await openWith([state('LESION')]);
  await openList();
  await page.getByRole('button', { name: 'Show LESION' }).click();
  await expect.poll(text).toContain('W 50 L 100');
  // The eye has the focus.
  document.querySelector<HTMLElement>('.glass')!.focus();
  await userEvent.keyboard('{ArrowDown}');
  await expect.poll(text).toMatch(/image 90\/176.* W 400 L 40 100 %/);
  await expect.element(page.getByText('It belongs to other images.')).toBeVisible();
  await userEvent.keyboard('{ArrowUp}');
  await expect.poll(text).toContain('W 50 L 100');
  await userEvent.keyboard('o');
  await expect.poll(text).toContain('W 400 L 40');
  await userEvent.keyboard('o');
  await expect.poll(text).toContain('W 50 L 100');
  await userEvent.keyboard('{ArrowRight}');
  await expect.poll(text).toMatch(/T2 FLAIR.* W 400 L 40 100 %/);
});

test('a shutter covers the image outside of it, in its grey; what is not shown is named', async () => {
  const shutter: Instance = {
    '00181600': of('CS', 'RECTANGULAR'),
    '00181602': of('IS', 51),
    '00181604': of('IS', 150),
    '00181606': of('IS', 61),
    '00181608': of('IS', 160),
    '00181622': of('US', 13107),
    '0070005A': items(),
    '00283000': items({}),
  };
  await openWith([state('SHUTTER', shutter)]);
  await openList();
  await page.getByRole('button', { name: 'Show SHUTTER' }).click();
  const path = () => document.querySelector('path.shutter');
  await expect.poll(path).toBeTruthy();
  // One pixel of the image is one of the glass: edges are half a pixel before columns and rows that count from 0.
  expect(path()!.getAttribute('d')).toBe(
    'M-99999 -99999H99999V99999H-99999ZM49.5 59.5L149.5 59.5L149.5 159.5L49.5 159.5Z',
  );
  expect(path()!.getAttribute('fill')).toBe('rgb(51 51 51)');
  expect(document.querySelector('clipPath path')!.getAttribute('d')).toBe(
    'M-0.5 -0.5L511.5 -0.5L511.5 511.5L-0.5 511.5Z',
  );
  await expect.element(page.getByText('Not shown here: table of values (modality LUT).')).toBeVisible();
  await shot('presentation-shutter');
});

test('graphics and texts lie on their pixels', async () => {
  const graphic: Instance = {
    '00700005': of('CS', 'PIXEL'),
    '00700023': of('CS', 'CIRCLE'),
    '00700022': of('FL', 100.5, 120.5, 130.5, 120.5),
  };
  const words: Instance = {
    '00700003': of('CS', 'PIXEL'),
    '00700006': of('ST', 'Lesion'),
    '00700010': of('FL', 200.5, 150.5),
    '00700011': of('FL', 260.5, 170.5),
  };
  const annotation = { '00700002': of('CS', 'A'), '00700009': items(graphic), '00700008': items(words) };
  await openWith([state('MARKS', { '00700001': items(annotation), '0070005A': items() })]);
  await openList();
  await page.getByRole('button', { name: 'Show MARKS' }).click();
  const circle = () => document.querySelector('[data-overlay="A"] path')?.getBoundingClientRect();
  await expect.poll(circle).toBeTruthy();
  const { left, top } = glass();
  expect(circle()!.left - left).toBeCloseTo(70, 0);
  expect(circle()!.right - left).toBeCloseTo(130, 0);
  expect(circle()!.top - top).toBeCloseTo(90, 0);
  const label = document.querySelector('[data-overlay="A"] text')!;
  expect([label.getAttribute('x'), label.getAttribute('y')]).toEqual(['200', '150']);
});

test('key objects have a star with title and words, rejected images a cross', async () => {
  const drawn = await openWith([
    selection('113000', 'Of Interest', SHOWN, '1.2.10.2.90'),
    selection('113001', 'Rejected for Quality Reasons', '1.2.10.2.90'),
  ]);
  await expect.element(page.getByText('★ Of Interest Look')).toBeVisible();
  expect(document.querySelector('[data-overlay] path')).toBeNull();
  await shot('key-objects');
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('✕ Rejected for Quality Reasons Look')).toBeVisible();
  const cross = () => document.querySelector('[data-overlay] path')?.getBoundingClientRect();
  await expect.poll(cross).toBeTruthy();
  const [left, top] = drawn.view.toGlass([-0.5, -0.5]);
  expect(cross()!.left - glass().left).toBeCloseTo(left, 0);
  expect(cross()!.top - glass().top).toBeCloseTo(top, 0);
  expect(cross()!.width).toBeCloseTo(512, 0);
  await shot('key-objects-rejected');
  await userEvent.keyboard('{ArrowDown}');
  await expect.element(page.getByText('★ Of Interest Look')).not.toBeInTheDocument();
});

test('images of other studies are counted in the row', async () => {
  const evidence = (study: string, uid: string): Instance => ({
    '0020000D': of('UI', study),
    '00081115': items({
      '0020000E': of('UI', `${study}.1`),
      '00081199': items({ '00081155': of('UI', uid) }),
    }),
  });
  const one = selection('113000', 'Of Interest', SHOWN, '9.9.1.1');
  await openWith([{ ...one, '0040A375': items(evidence('1.2.10', SHOWN), evidence('9.9', '9.9.1.1')) }]);
  await openList();
  await expect.element(page.getByText('Images of other studies that it names: 1')).toBeVisible();
});

test('a state of another patient, or with a circle of one point: a sentence, and the image stays', async () => {
  const circle = {
    '00700005': of('CS', 'PIXEL'),
    '00700023': of('CS', 'CIRCLE'),
    '00700022': of('FL', 1, 1),
  };
  const annotation = { '00700002': of('CS', 'A'), '00700009': items(circle) };
  await openWith([
    state('OTHER', { '00100020': of('LO', 'MRN-9'), '00100010': of('PN', { Alphabetic: 'DOE^JANE' }) }),
    state('BROKEN1', { '00700001': items(annotation) }),
    state('NOWHERE22', { '00081115': items() }),
  ]);
  await openList();
  for (const name of ['OTHER', 'BROKEN1', 'NOWHERE22'])
    await page.getByRole('button', { name: `Show ${name}` }).click();
  await expect.element(page.getByText('Not drawn: it belongs to another patient.')).toBeVisible();
  await expect.element(page.getByText('Not shown here: shapes that cannot be read.')).toBeVisible();
  await expect.element(page.getByText('Not drawn: it does not say where it belongs.')).toBeVisible();
  // Of the second, what can be read is shown.
  await expect.poll(text).toContain('W 50 L 100');
});

test('regions of a report are drawn with their values as written, and words do not cover each other', async () => {
  const path = (meaning: string, value: string, ...data: number[]): Instance => ({
    '0040A040': of('CS', 'NUM'),
    '0040A043': code('1', meaning),
    '0040A300': items({ '0040A30A': of('DS', value), '004008EA': code('mm', 'millimeter') }),
    '0040A730': items({
      '0040A040': of('CS', 'SCOORD'),
      '00700023': of('CS', 'POLYLINE'),
      '00700022': of('FL', ...data),
      '0040A730': items({ '0040A040': of('CS', 'IMAGE'), '00081199': images(SHOWN) }),
    }),
  });
  const report: Instance = {
    ...HELEN,
    '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.88.33'),
    '00080018': of('UI', '2.25.33'),
    '0040A040': of('CS', 'CONTAINER'),
    '0040A730': items(
      path('Long Axis', '9.20', 200.5, 150.5, 220.5, 150.5),
      path('Short Axis', '7', 210.5, 142.5, 210.5, 158.5),
    ),
  };
  await openWith([report]);
  const words = () => [...document.querySelectorAll('svg text')].map((one) => one.textContent.trim());
  await expect.poll(words).toEqual(['Long Axis: 9.20 mm', 'Short Axis: 7 mm']);
  const [long, short] = [...document.querySelectorAll('svg text')].map((one) => one.getBoundingClientRect());
  expect(long!.bottom <= short!.top || short!.bottom <= long!.top || long!.right <= short!.left || short!.right <= long!.left).toBe(true); // prettier-ignore
  const line = document.querySelector('[data-overlay] path')!.getBoundingClientRect();
  expect([line.left - glass().left, line.width].map(Math.round)).toEqual([200, 20]);
  await shot('report-regions');
});

test('on a phone, the star and its words are inside the image', async () => {
  await openWith([selection('113000', 'For Referring Provider', SHOWN)], PHONE);
  const words = page.getByText('★ For Referring Provider Look');
  await expect.element(words).toBeVisible();
  const { left, right } = words.element().getBoundingClientRect();
  expect([left >= 0, right <= PHONE[0]]).toEqual([true, true]);
  await shot('key-objects-phone');
});
