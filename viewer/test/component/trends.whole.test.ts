import { afterEach, describe, expect, test } from 'vitest';
import { commands, page, userEvent } from 'vitest/browser';
import { Trouble } from '../../src/data/trouble.ts';
import type { Trend } from '../../src/domain/record/record.ts';
import { trends } from '../../src/features/trends/trends.ts';
import type { Opened } from './open.ts';
import {
  CREATININE,
  DIASTOLIC_TREND,
  HELEN,
  LOINC,
  OTHER_UNIT,
  SYSTOLIC_TREND,
  TREND,
  ZINC,
} from './trend-fixtures.ts';
import { choose, open, PHONE, scrollsSideways, shot, violations } from './open.ts';

/** Opens the record with trends. @param answer of the server, by the code that is asked for */
async function openRecord(
  answer: (code: string) => Promise<readonly Trend[]> = () => Promise.resolve([TREND, OTHER_UNIT]),
  size: readonly [number, number] = [1400, 900],
  query = '?tenant=demo&patient=helen',
): Promise<{ fakes: Opened; asked: string[] }> {
  const asked: string[] = [];
  const fakes = await open(query, {
    size,
    features: [trends],
    prepare: ({ records }) => {
      records.answer = HELEN;
      records.trend = (_patient, code) => {
        asked.push(code);
        return answer(code);
      };
    },
  });
  return { fakes, asked };
}

/** Opens the newest results of the timeline, and the trend of one. */
async function openTrend(name: string | RegExp = 'Creatinine (filtered by the kidneys)'): Promise<void> {
  await page.getByRole('button', { name: /Creatinine.*Blood pressure/ }).click();
  await page.getByRole('button', { name, exact: true }).click();
}
const chart = (at = 0) => page.getByRole('slider', { name: /plus and minus zoom/ }).nth(at);
const sheet = () => page.getByRole('dialog', { name: /over time/ });
const drawn = () => expect.element(chart()).toHaveAttribute('aria-busy', 'false');

describe('the trend of a result', () => {
  test('has a chart for each unit, with a table of the same values, newest first', async () => {
    const { asked } = await openRecord();
    await openTrend();
    await drawn();
    expect(asked).toEqual([`${LOINC}|2160-0`]);
    await expect.element(sheet()).toHaveTextContent('Values over time');
    expect(page.getByRole('table').all()).toHaveLength(2);
    expect(document.querySelectorAll('.plot canvas')).toHaveLength(2);
    const rows = [
      ...page.getByRole('table').first().element().querySelectorAll<HTMLTableRowElement>('tbody tr'),
    ];
    expect(
      rows.map(({ cells }) =>
        [...cells]
          .map((cell) => cell.textContent.replace(/.*\(|\)/g, ''))
          .join(' ')
          .trim(),
      ),
    ).toEqual([
      '30 Mar 2026 1.4 mg/dL high',
      '20 Feb 2026 1.2 mg/dL high',
      '1 Sept 2025 0.9 mg/dL',
      '1 Mar 2025 0.4 mg/dL low',
    ]);
    await expect.element(sheet().getByText('usual: 0.6 – 1.1 mg/dL', { exact: true })).toBeVisible();
    await expect.element(sheet()).toHaveTextContent('µmol/L');
    await shot('trend-light');
  });

  test('is read by keys and by the pointer, and zoomed; keys do nothing behind it', async () => {
    await openRecord();
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    await openTrend();
    await drawn();
    const value = () => chart().element().getAttribute('aria-valuetext');
    expect(value()).toMatch(/\(30 Mar 2026\): 1.4 mg\/dL, high$/);
    (chart().element() as HTMLElement).focus();
    await userEvent.keyboard('i{ArrowLeft}');
    await expect.poll(value).toMatch(/20 Feb 2026\): 1.2 mg\/dL, high$/);
    await userEvent.keyboard('{Home}');
    await expect.poll(value).toMatch(/1 Mar 2025\): 0.4 mg\/dL, low$/);
    const whole = page.getByRole('button', { name: 'All values' }).first();
    await expect.element(whole).toBeDisabled();
    await userEvent.keyboard('+++');
    await expect.element(whole).toBeEnabled();
    // What is read stays in sight.
    await userEvent.keyboard('{End}');
    await expect.poll(value).toMatch(/30 Mar 2026/);
    await userEvent.keyboard('0');
    await expect.element(whole).toBeDisabled();
    const { width, height } = chart().element().getBoundingClientRect();
    const on = (part: number) => ({ x: part * width, y: height / 2 });
    await userEvent.hover(chart(), { position: on(0.12) });
    await expect.poll(value).toMatch(/1 Mar 2025/);
    await userEvent.dragAndDrop(chart(), chart(), { sourcePosition: on(0.3), targetPosition: on(0.6) });
    await expect.element(whole).toBeEnabled();
    await userEvent.keyboard('{Escape}');
    await expect.element(sheet()).not.toBeInTheDocument();
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    expect(document.querySelector<HTMLElement>('.engine canvas')!.style.filter, 'not inverted').toBe('');
  });

  test('shows examinations and procedures at their time; an examination opens', async () => {
    await openRecord();
    await openTrend();
    await drawn();
    const lane = page.getByRole('group', { name: 'Examinations and procedures at the time' }).first();
    await expect.element(lane.getByRole('button', { name: 'Colonoscopy, 10 Nov 2025' })).toBeVisible();
    await lane.getByRole('button', { name: /Colonoscopy/ }).click();
    await expect.element(page.getByRole('dialog', { name: /Colonoscopy/ })).toHaveTextContent('Colonoscopy');
    await userEvent.keyboard('{Escape}');
    await expect.element(sheet()).toBeVisible();
    // Two months are less than two buttons apart in a year.
    const both = lane.getByRole('button', { name: /^2 events|Open: CT scan of the chest/ });
    await both.click();
    if (await page.getByRole('button', { name: /CT scan of the chest, 2 Feb/ }).query())
      await page.getByRole('button', { name: /CT scan of the chest, 2 Feb/ }).click();
    await expect.element(sheet()).not.toBeInTheDocument();
    expect(new URLSearchParams(location.search).get('study')).toBe('1.2.20');
  });

  test('of a blood pressure is one chart of two lines, with one table', async () => {
    const { asked } = await openRecord((code) =>
      Promise.resolve([code.endsWith('8480-6') ? SYSTOLIC_TREND : DIASTOLIC_TREND]),
    );
    await page.getByRole('button', { name: /Creatinine.*Blood pressure/ }).click();
    await expect.element(page.getByText('128/82 mmHg', { exact: true })).toBeVisible();
    await page.getByRole('button', { name: 'Blood pressure', exact: true }).click();
    await drawn();
    expect(asked).toEqual([`${LOINC}|8480-6`, `${LOINC}|8462-4`]);
    expect(document.querySelectorAll('.plot canvas')).toHaveLength(1);
    await expect.element(sheet().getByRole('heading', { name: /^Blood pressure mmHg/ })).toBeVisible();
    const value = () => chart().element().getAttribute('aria-valuetext');
    expect(value()).toMatch(/: 141\/86 mmHg, Upper: high$/);
    (chart().element() as HTMLElement).focus();
    await userEvent.keyboard('{ArrowLeft}');
    await expect.poll(value).toMatch(/: Upper 128 mmHg$/);
    const rows = [...page.getByRole('table').element().querySelectorAll<HTMLTableRowElement>('tr')];
    const texts = rows.map(({ cells }) => [...cells].slice(1).map((cell) => cell.textContent.trim()));
    expect(texts).toEqual([
      ['Upper', 'Lower', 'Compared with usual'],
      ['141 mmHg', '86 mmHg', 'Upper: high'],
      ['128 mmHg', '', ''],
      ['130 mmHg', '84 mmHg', ''],
    ]);
    // Each line has its full name, and its clinical one a tap away.
    await sheet().getByRole('button', { name: 'Clinical name of: Blood pressure, lower value' }).click();
    const name = page.getByRole('dialog', { name: 'Clinical name' });
    await expect.element(name).toHaveTextContent('Diastolic');
    await userEvent.keyboard('{Escape}');
    await shot('trend-pressure');
    await userEvent.keyboard('{Escape}');
    await choose('Words: Plain language', 'Clinical');
    await page.getByRole('button', { name: 'Blood pressure panel', exact: true }).click();
    await expect.element(page.getByRole('columnheader', { name: 'Systolic' })).toBeVisible();
  });

  test('is closed by Back and by Esc; the address says nothing of it, and no step is left over', async () => {
    await openRecord();
    await page.getByRole('button', { name: /Creatinine.*Blood pressure/ }).click();
    await expect.poll(() => location.search).toContain('image=89');
    const before = location.href;
    const show = async () => {
      await page.getByRole('button', { name: 'Creatinine (filtered by the kidneys)', exact: true }).click();
      await drawn();
      expect(location.href).toBe(before);
    };
    await show();
    const steps = history.length;
    history.back();
    await expect.element(sheet()).not.toBeInTheDocument();
    await expect.element(page.getByText('image 89/176')).toBeVisible();
    await show();
    await userEvent.keyboard('{Escape}');
    await expect.element(sheet()).not.toBeInTheDocument();
    await show();
    // A step that was left over would be one more each time.
    expect(history.length).toBe(steps);
    // A study that is opened from it takes its step: Back is the page before, without the trend.
    await page.getByRole('button', { name: 'Longer time' }).first().click();
    const lane = page.getByRole('group', { name: 'Examinations and procedures at the time' }).first();
    await lane.getByRole('button', { name: /^2 events|Open: CT scan of the chest/ }).click();
    if (await page.getByRole('button', { name: /CT scan of the chest, 2 Feb/ }).query())
      await page.getByRole('button', { name: /CT scan of the chest, 2 Feb/ }).click();
    await expect.poll(() => new URLSearchParams(location.search).get('study')).toBe('1.2.20');
    expect(history.length).toBe(steps);
    history.back();
    await expect.poll(() => location.href).toBe(before);
    expect(sheet().query()).toBeNull();
  });

  test.each([
    [
      'it is on its way',
      'Creatinine (filtered by the kidneys)',
      () => new Promise<never>(() => undefined),
      'on their way',
    ],
    [
      'there are no numbers',
      'Creatinine (filtered by the kidneys)',
      () => Promise.resolve([]),
      'no numbers of this over time',
    ],
    ['there is no code', 'Smoking', () => Promise.resolve([]), 'gives this result no code'],
  ] as const)('says that %s', async (_what, name, answer, said) => {
    await openRecord(answer);
    await openTrend(name);
    await expect.element(sheet()).toHaveTextContent(said);
  });

  test('in trouble says what happened, and is asked for again', async () => {
    let fails = true;
    await openRecord(() =>
      fails ? Promise.reject(new Trouble('server', 'detail', { status: 500 })) : Promise.resolve([TREND]),
    );
    await openTrend();
    await expect.element(sheet().getByRole('alert')).toHaveTextContent('Nothing was lost. (500)');
    fails = false;
    await sheet().getByRole('button', { name: 'Try again' }).click();
    await drawn();
  });

  test('is a screen on a phone, without sideways scrolling', async () => {
    for (const size of [PHONE, [320, 640]] as const) {
      await openRecord(undefined, size, '?tenant=demo&patient=helen&screen=timeline');
      await openTrend();
      await drawn();
      expect(scrollsSideways()).toBe(false);
      const { width, height } = sheet().element().getBoundingClientRect();
      expect([width, height]).toEqual([...size]);
      const body = sheet().getByRole('region').element();
      expect(body.scrollWidth).toBeLessThanOrEqual(body.clientWidth);
      await shot(`trend-${size[0]}`);
    }
  });
});

describe('plain language', () => {
  test('a term has its clinical name and code one tap away; clinical words have no plain names', async () => {
    await openRecord();
    await page.getByRole('button', { name: /Creatinine.*Blood pressure/ }).click();
    await page
      .getByRole('button', { name: 'Clinical name of: Creatinine (filtered by the kidneys)' })
      .first()
      .click();
    const popover = page.getByRole('dialog', { name: 'Clinical name' });
    await expect.element(popover).toHaveTextContent(CREATININE.text);
    await expect.element(popover).toHaveTextContent('LOINC 2160-0');
    await userEvent.keyboard('{Escape}');
    await expect.element(popover).not.toBeInTheDocument();
    // What no table has stays as it is, without a second name.
    await expect
      .element(page.getByRole('button', { name: 'Ferritin of the record', exact: true }))
      .toBeVisible();
    expect(page.getByRole('button', { name: /Clinical name of: Ferritin/ }).query()).toBeNull();
    // Nobody says this name: it is one tap away too.
    expect(document.body.textContent).not.toContain('[');
    await page.getByRole('button', { name: 'Clinical name of: Laboratory result' }).click();
    await expect.element(popover).toHaveTextContent(ZINC.text);
    await userEvent.keyboard('{Escape}');
    await choose('Words: Plain language', 'Clinical');
    await expect.element(page.getByRole('button', { name: CREATININE.text, exact: true })).toBeVisible();
    expect(page.getByRole('button', { name: /Clinical name of/ }).query()).toBeNull();
  });

  test('results show the course of at least three values that the record has', async () => {
    const { asked } = await openRecord();
    const courses = () => document.querySelectorAll('.course svg').length;
    await expect.poll(courses).toBe(2);
    await page.getByRole('button', { name: /Creatinine.*Blood pressure/ }).click();
    expect(document.querySelectorAll('dd svg')).toHaveLength(1);
    expect(asked).toEqual([]);
    await shot('timeline-results');
  });
});

describe('axe', () => {
  afterEach(() => commands.emulate({ forcedColors: 'none' }));

  test.each([[PHONE], [[1400, 900] as const]])('finds nothing at %o', async (size) => {
    await openRecord(
      undefined,
      size,
      `?tenant=demo&patient=helen${size === PHONE ? '&screen=timeline' : ''}`,
    );
    await openTrend();
    await drawn();
    document.documentElement.dataset['theme'] = 'light';
    expect(await violations(), 'light').toEqual([]);
    document.documentElement.dataset['theme'] = 'dark';
    expect(await violations(), 'dark').toEqual([]);
    await commands.emulate({ forcedColors: 'active' });
    await drawn();
    expect(await violations({ ownColours: false }), 'forced colours').toEqual([]);
    await shot(`trend-forced-${size[0]}`);
  });

  test('a dark page has a dark chart', async () => {
    await openRecord();
    await choose('Account', 'Settings');
    await page.getByRole('dialog').getByText('Dark').click();
    await userEvent.keyboard('{Escape}');
    await openTrend();
    await drawn();
    await shot('trend-dark');
    const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas')!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    const lit = data.filter((value, index) => index % 4 === 2 && value > 200).length;
    expect(lit).toBeGreaterThan(200);
  });
});
