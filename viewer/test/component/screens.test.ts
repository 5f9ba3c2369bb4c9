import { afterEach, describe, expect, test } from 'vitest';
import { commands, page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import { RECORD } from './fixtures.ts';
import type { Opened } from './open.ts';
import { choose, open, PHONE, scrollsSideways, shot, TABLET, violations } from './open.ts';

const STUDY = '?tenant=demo&patient=helen&study=1.2.10';
const HELEN = '?tenant=demo&patient=helen';
const glass = () => page.getByRole('slider', { name: 'Image; arrow keys scroll' }).element() as HTMLElement;

/** Every page, and what is on it when it is ready. */
const PAGES: readonly [name: string, query: string, ready: RegExp, prepare?: (fakes: Opened) => void][] = [
  ['sign-in', '?tenant=demo', /Sign in/, ({ account }) => (account.phase = 'signed-out')],
  ['patients', '?tenant=demo', /Samir/],
  ['patient', `${HELEN}&screen=patient`, /Penicillin/],
  ['timeline', HELEN, /Office visit/],
  ['stage', STUDY, /image 89\/176/],
];

describe('a phone', () => {
  test('Patient → Timeline → Stage, by its own Back and the browser’s', async () => {
    await open(`${HELEN}&screen=patient`, { size: PHONE });
    await expect.element(page.getByRole('listitem').first()).toHaveTextContent('Penicillin (high risk)');
    await shot('phone-patient');
    await page.getByRole('button', { name: 'Open the timeline' }).click();
    await expect.element(page.getByText('Office visit')).toBeVisible();
    await shot('phone-timeline');
    await page.getByRole('button', { name: /ago.*MRI of the brain/ }).click();
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    await expect.element(page.getByText('Office visit')).not.toBeInTheDocument();
    await shot('phone-stage');
    history.back();
    await expect.element(page.getByText('Office visit')).toBeVisible();
    await page.getByRole('button', { name: 'Back to the patient' }).click();
    await expect.element(page.getByRole('button', { name: 'Open the timeline' })).toBeVisible();
  });

  test('a button that has the focus goes with its screen without an error', async () => {
    const errors: string[] = [];
    const onerror = ({ message }: ErrorEvent) => errors.push(message);
    addEventListener('error', onerror);
    await open(HELEN, { size: PHONE });
    await page.getByRole('button', { name: /ago.*MRI of the brain/ }).first().click(); // prettier-ignore
    await userEvent.click(page.getByRole('button', { name: 'Report', exact: true }));
    await expect.element(page.getByRole('region', { name: 'Report' })).toBeVisible();
    history.back();
    await expect.element(page.getByText('Office visit')).toBeVisible();
    removeEventListener('error', onerror);
    expect(errors).toEqual([]);
  });

  test('the stage fits: no finger is trapped on an image that is larger than the screen', async () => {
    await open(STUDY, { size: PHONE });
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    expect(document.documentElement.scrollHeight).toBeLessThanOrEqual(PHONE[1]);
    expect(getComputedStyle(glass()).touchAction).toBe('none');
    const { height, width } = glass().getBoundingClientRect();
    expect(width).toBe(PHONE[0]);
    expect(height).toBeGreaterThan(PHONE[1] * 0.5);
    const tool = page.getByRole('button', { name: 'More' }).element().getBoundingClientRect();
    expect(tool.top).toBeGreaterThan(PHONE[1] * 0.8);
    await page.getByRole('button', { name: 'Report', exact: true }).click();
    await expect.element(page.getByRole('region', { name: 'Report' })).toBeVisible();
    await shot('phone-report');
  });

  test('fingers: one scrolls, two zoom, a double tap resets', async () => {
    await open(STUDY, { size: PHONE });
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    const finger = (type: string, pointerId: number, clientX: number, clientY: number) =>
      glass().dispatchEvent(
        new PointerEvent(type, { pointerId, clientX, clientY, pointerType: 'touch', bubbles: true }),
      );
    finger('pointerdown', 1, 100, 400);
    finger('pointermove', 1, 100, 340);
    finger('pointerup', 1, 100, 340);
    await expect.element(page.getByText('image 94/176')).toBeVisible();
    finger('pointerdown', 1, 100, 400);
    finger('pointerdown', 2, 200, 400);
    finger('pointermove', 2, 300, 400);
    finger('pointerup', 2, 300, 400);
    finger('pointerup', 1, 100, 400);
    await expect.element(page.getByText('200 %')).toBeVisible();
    for (const type of ['pointerdown', 'pointerup', 'pointerdown', 'pointerup']) finger(type, 1, 150, 400);
    await expect.element(page.getByText('100 %')).toBeVisible();
  });

  test('on its side it shows the image whole', async () => {
    await open(STUDY, { size: [844, 390] });
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    await shot('phone-landscape');
    const { height, width } = glass().getBoundingClientRect();
    expect(height).toBeGreaterThan(270);
    expect(width).toBeGreaterThan(700);
    expect(document.documentElement.scrollHeight).toBeLessThanOrEqual(390);
  });
});

test('a tablet', async () => {
  await open(STUDY, { size: TABLET });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  await shot('tablet');
});

test.each([
  [1024, 768],
  [1400, 900],
  [2560, 1440],
])('at %i × %i the image is the widest column', async (...size) => {
  await open(`${STUDY}&layout=1x1`, { size });
  await expect.element(page.getByText('image 89/176')).toBeVisible();
  const widths = [...document.querySelectorAll('nav, .panel')].map(
    (one) => one.getBoundingClientRect().width,
  );
  expect(glass().getBoundingClientRect().width).toBeGreaterThan(Math.max(...widths));
  expect(document.documentElement.scrollHeight).toBeLessThanOrEqual(size[1]);
  for (const lang of ['en', 'es']) {
    if (lang === 'es') {
      await choose('Account', 'Settings');
      await page.getByRole('dialog').getByText('Español').click();
      await userEvent.keyboard('{Escape}');
    }
    expect(scrollsSideways(), lang).toBe(false);
    const header = document.querySelector('header')!;
    expect(header.scrollWidth, `${lang}: header`).toBe(header.clientWidth);
    expect(header.getBoundingClientRect().height, lang).toBe(56);
    const [allergies, said] = ['.allergies', '.allergies .said'].map((name) =>
      document.querySelector(name)!.getBoundingClientRect(),
    );
    expect(said!.right, `${lang}: allergies are whole`).toBeLessThanOrEqual(allergies!.right);
  }
  await shot(`spanish-${size[0]}`);
});

test.each(PAGES)(
  'at 320 px and at 400 %, the page $0 does not scroll sideways',
  async (name, query, ready, prepare) => {
    for (const size of [
      [320, 640],
      [320, 256],
    ] as const) {
      await open(query, { size, ...(prepare && { prepare }) });
      await expect.element(page.getByText(ready).first()).toBeInTheDocument();
      expect(scrollsSideways(), `${name} at ${size[1]}`).toBe(false);
      const outside = [...document.querySelectorAll('button, input, h1, p')].filter((one) => {
        const { right, width } = one.getBoundingClientRect();
        return width > 1 && right > 320.5 && !one.closest('[role="listbox"]');
      });
      expect(outside.map(({ outerHTML }) => outerHTML.slice(0, 120))).toEqual([]);
    }
    await shot(`zoomed-${name}`);
  },
);

describe('axe and forced colours', () => {
  afterEach(() => commands.emulate({ forcedColors: 'none' }));

  test.each(PAGES)('axe finds nothing on the page $0', async (name, query, ready, prepare) => {
    for (const size of [PHONE, [1400, 900]] as const) {
      await open(query, { size, ...(prepare && { prepare }) });
      await expect.element(page.getByText(ready).first()).toBeInTheDocument();
      document.documentElement.dataset['theme'] = 'light';
      expect(await violations(), 'light').toEqual([]);
      document.documentElement.dataset['theme'] = 'dark';
      expect(await violations(), 'dark').toEqual([]);
      if (size !== PHONE) await shot(`dark-${name}`);
      await commands.emulate({ forcedColors: 'active' });
      expect(await violations({ ownColours: false }), 'forced colours').toEqual([]);
      await commands.emulate({ forcedColors: 'none' });
    }
  });

  test('what is selected is seen in forced colours', async () => {
    await commands.emulate({ forcedColors: 'active' });
    await open(STUDY);
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    const outline = (selector: string) => getComputedStyle(document.querySelector(selector)!).outlineStyle;
    expect(outline('[role="option"][aria-selected="true"]')).toBe('solid');
    expect(outline('[role="option"][aria-selected="false"]')).toBe('none');
    expect(outline('[aria-current="true"]')).toBe('solid');
    await shot('forced-colours');
  });
});

test('lists that did not arrive are not said to be empty', async () => {
  await open(HELEN, {
    prepare: ({ records }) => {
      const missing = [{ part: 'record', message: 'no' }] as const;
      records.record = () =>
        Promise.resolve({ ...RECORD, allergies: undefined, problems: undefined, medications: [], missing });
    },
  });
  const banner = page.getByRole('banner');
  const allergies = banner.getByRole('button', { name: 'Allergies: could not be read' });
  await allergies.click();
  await expect
    .element(page.getByRole('dialog', { name: 'Allergies' }))
    .toHaveTextContent('could not be read');
  await expect.element(banner.getByRole('button', { name: 'Medications: 0' })).toBeVisible();
  await expect.element(banner.getByRole('button', { name: 'Problems: could not be read' })).toBeVisible();
  expect(await violations()).toEqual([]);
});

describe('a record whose images come later', () => {
  const { person, allergies, problems, medications } = RECORD;
  const begun = {
    person,
    allergies,
    problems,
    medications,
    studies: [],
    reports: [],
    timeline: [],
    missing: [],
  };

  test('shows the allergies, and says that the rest is loading, not that there is none', async () => {
    await open(HELEN, {
      prepare: ({ records }) => {
        records.begun = begun;
        records.held = true;
      },
    });
    await expect.element(page.getByRole('banner')).toHaveTextContent(/Penicillin/);
    await expect.element(page.getByRole('navigation', { name: 'Timeline' })).toHaveTextContent(/Loading/);
    await expect.element(page.getByRole('main')).toHaveTextContent(/Loading/);
    await expect.element(page.getByText(/No images/)).not.toBeInTheDocument();
    expect(await violations()).toEqual([]);
    await shot('record-begun');
  });

  test('is not shown when the rest does not come', async () => {
    await open(HELEN, {
      prepare: ({ records }) => {
        records.begun = begun;
        records.trouble = new Trouble('offline', 'nothing came');
      },
    });
    await expect.element(page.getByRole('button', { name: 'Try again' })).toBeVisible();
    await expect.element(page.getByText(/No images|No entries/)).not.toBeInTheDocument();
  });
});
