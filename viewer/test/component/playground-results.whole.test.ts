/** The results of the playground: table, chart, files and errors of an answer. */
import { tick } from 'svelte';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cdp, page, userEvent } from 'vitest/browser';
import type {} from '@vitest/browser-playwright';
import { cleanup, render } from 'vitest-browser-svelte';
import type { Answer } from '../../src/playground/answer.ts';
import type { LoadPicture } from '../../src/playground/results/pictures.ts';
import AnswerFacts from '../../src/playground/results/AnswerFacts.svelte';
import { PHONE, scrollsSideways, shot, violations } from './open.ts';
import { answerOf, choose, column, header, open, picture, STUDIES, thumbnail } from './playground-answers.ts';

const sortBy = (name: string) => page.getByRole('button', { name, exact: true }).click();
beforeEach(() => {
  document.body.style.margin = '0';
});
afterEach(() => {
  vi.restoreAllMocks();
  delete document.documentElement.dataset['theme'];
});

/** Returns the milliseconds for which scripts, styles and layout of this page have had a processor: other programs share it. */
async function processorTime(): Promise<number> {
  const { metrics } = await cdp().send('Performance.getMetrics');
  const seconds = (wanted: string) => metrics.find(({ name }) => name === wanted)!.value;
  return 1000 * (seconds('ScriptDuration') + seconds('RecalcStyleDuration') + seconds('LayoutDuration'));
}

/**
 * Returns the median of the milliseconds of processor time that a turn of the wheel takes in a table.
 * A ratio of two such values says whether all rows are drawn: how fast a machine is does not.
 */
async function workOfScrolling(rowCount: number): Promise<number> {
  const rows = Array.from({ length: rowCount }, (_, at) => ({
    id: `row-${at}`,
    value: at,
    date: `20${10 + (at % 15)}-01-02`,
    note: `A note of some length, number ${at}`,
    code: { text: `Code ${at % 97}` },
    status: 'final',
    low: at / 3,
    high: at * 2,
  }));
  await open(answerOf({ data: { rows } }), { size: [1400, 800] });
  const scroller = document.querySelector<HTMLElement>('.scroller')!;
  const frame = () => new Promise<number>((done) => requestAnimationFrame(done));
  await cdp().send('Performance.enable', { timeDomain: 'threadTicks' });
  const works: number[] = [];
  await frame();
  for (let at = 0; at < 120; at++) {
    // A fast wheel: 24,000 pixels in a second.
    scroller.scrollTop += 400;
    const began = await processorTime();
    scroller.dispatchEvent(new Event('scroll'));
    await tick();
    void scroller.scrollHeight;
    works.push((await processorTime()) - began);
    await frame();
  }
  return works.sort((a, b) => a - b)[60]!;
}

describe('the table of a list', () => {
  test('has rows that are sorted by each column and found by a text', async () => {
    await open(answerOf(STUDIES));
    expect(document.querySelector('table')?.getAttribute('aria-rowcount')).toBe('5');
    expect(column(1)).toEqual(['CT', 'MR', 'CT', 'US']);
    await sortBy('started');
    await expect.element(header('started')).toHaveAttribute('aria-sort', 'ascending');
    expect(column(0)).toEqual(['2019-01', '2021-11-20', '2024-03-01T09:30:00Z', '2025-06-02']);
    await sortBy('started');
    await expect.element(header('started')).toHaveAttribute('aria-sort', 'descending');
    expect(column(0)[0]).toBe('2025-06-02');
    await page.getByRole('searchbox', { name: 'Find in all columns' }).fill('knee');
    await expect.poll(() => column(1)).toEqual(['MR']);
    await expect.element(page.getByText('1 of 4 rows')).toBeVisible();
  });

  test('is one of several, with the fields around it', async () => {
    await open(answerOf(STUDIES));
    await page.getByRole('combobox', { name: 'List' }).selectOptions('Patient.ImagingStudyList.series');
    await expect.element(header('Patient.ImagingStudyList.started')).toBeInTheDocument();
    await expect.element(header('Patient.birthDate')).toBeInTheDocument();
  });

  test.each([
    ['wide', [1400, 450]],
    ['tablet', [800, 500]],
    ['phone', [PHONE[0], 700]],
  ] as const)('is read on a %s screen, in both themes', async (name, size) => {
    await open(answerOf(STUDIES), { size });
    await page.getByRole('combobox', { name: 'List' }).selectOptions('Patient.ImagingStudyList.series');
    await expect.poll(() => document.querySelectorAll('td img').length).toBeGreaterThan(1);
    expect(scrollsSideways()).toBe(false);
    for (const theme of ['light', 'dark']) {
      document.documentElement.dataset['theme'] = theme;
      expect(await violations()).toEqual([]);
      await shot(`playground-results-${name}-${theme}`);
    }
  });

  test('shows pictures in view only, with a link to the viewer, and none of other servers', async () => {
    const asked: string[] = [];
    const load: LoadPicture = (url) => {
      asked.push(url);
      return picture();
    };
    const series = Array.from({ length: 500 }, (_, at) => ({
      thumbnailUrl: at === 1 ? 'http://elsewhere/studies/1/series/2/thumbnail' : thumbnail(at),
    }));
    await open(answerOf({ data: { series } }), { load });
    await expect
      .element(page.getByRole('link').first())
      .toHaveAttribute('href', 'http://gateway/app/?tenant=demo&study=1.2.3&series=1.2.3.0');
    await expect.poll(() => document.querySelectorAll('td img').length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(12);
    expect(asked.every((url) => url.startsWith('http://gateway/'))).toBe(true);
    await expect.element(page.getByRole('cell', { name: 'http://elsewhere' })).toBeVisible();
  });

  test('of 10,000 rows is scrolled with the work that 1,500 take', async () => {
    const few = await workOfScrolling(1_500);
    const works = await workOfScrolling(10_000);
    console.info(`script and layout: ${works.toFixed(1)} ms; of 1,500 rows: ${few.toFixed(1)} ms`);
    const scroller = document.querySelector<HTMLElement>('.scroller')!;
    expect(document.querySelectorAll('tbody tr').length).toBeLessThan(50);
    expect(column(0)).toContain(`row-${Math.ceil(scroller.scrollTop / 30) + 5}`);
    expect(works).toBeLessThan(1.5 * few + 1);
    await sortBy('value');
    await sortBy('value');
    await expect.poll(() => column(0)[0]).toBe('row-9999');
    scroller.focus();
    await userEvent.keyboard('{End}');
    await expect.poll(() => column(0).at(-1)).toBe('row-0');
  });
});

describe('files', () => {
  test.each([
    ['CSV', /^started,.*\r\n2024-03-01T09:30:00Z,CT,CT chest with contrast,312,true,.*'=HYPERLINK/s],
    ['JSON', new RegExp(JSON.stringify(STUDIES).slice(0, 40).replaceAll(/[{[]/g, '\\$&'))],
    ['NDJSON', /^\{"started":"2024-03-01T09:30:00Z","modality.code":"CT"/],
    ['Parquet', /^PAR1.*PAR1$/s],
  ])('%s has all rows', async (format, content) => {
    const blobs: Blob[] = [];
    vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
      if (!(blob as Blob).type.startsWith('image/')) blobs.push(blob as Blob);
      return '#';
    });
    await open(answerOf(STUDIES));
    await page.getByRole('button', { name: `Download ${format}`, exact: true }).click();
    await expect.poll(() => blobs.length).toBe(1);
    expect(await blobs[0]!.text()).toMatch(content);
  });
});

describe('a chart', () => {
  test('counts, averages and follows numbers over time, with a table of its values', async () => {
    await open(answerOf(STUDIES), { size: [1400, 500] });
    await choose('Chart');
    // A study is no number of its images: studies are counted first.
    await expect.element(page.getByRole('heading', { name: 'Rows by modality.code' })).toBeVisible();
    await choose('Over time');
    await expect.element(page.getByRole('heading', { name: 'numberOfInstances over started' })).toBeVisible();
    expect(document.querySelectorAll('canvas')).toHaveLength(1);
    const values = () =>
      [...document.querySelectorAll('tbody tr')].map((row) =>
        [...row.children].map(({ textContent }) => textContent).join(' '),
      );
    expect(values()).toEqual(['2019-01 8', '2021-11-20 96', '2024-03-01T09:30:00Z 312', '2025-06-02 120']);
    await shot('playground-chart-time');
    await choose('Number of rows');
    await page.getByRole('combobox', { name: 'By' }).selectOptions('modality.code');
    await expect.poll(values).toEqual(['CT 2', 'MR 1', 'US 1']);
    expect(await violations()).toEqual([]);
    await shot('playground-chart-count');
    document.documentElement.dataset['theme'] = 'dark';
    await choose('Average');
    await expect.poll(values).toEqual(['CT 216', 'MR 96', 'US 8']);
    await page.viewport(...PHONE);
    expect(scrollsSideways()).toBe(false);
    await shot('playground-chart-phone-dark');
  });

  test('of one number is the number, and of columns that tell nothing a sentence', async () => {
    await open(answerOf({ data: { rows: [{ studies: 3000 }] } }, { columns: ['studies'] }));
    await choose('Chart');
    await expect.element(page.getByRole('heading', { name: 'studies' })).toBeVisible();
    await expect.element(page.getByText('3000', { exact: true })).toBeVisible();
    expect(page.getByText('Number of rows').elements()).toHaveLength(0);
    const rows = ['CT', 'MR'].map((modality, id) => ({ id: `${id}`, modality }));
    await open(answerOf({ data: { rows } }, { columns: ['id', 'modality'] }));
    await choose('Chart');
    await expect.element(page.getByText('The table says more than a chart')).toBeVisible();
    expect(await violations()).toEqual([]);
    await choose('Number of rows');
    await expect.element(page.getByRole('heading', { name: 'Rows by modality' })).toBeVisible();
  });

  test('of counts that the server made shows them as they are', async () => {
    const facets = [
      { value: 'MR', count: 7 },
      { value: 'CT', count: 4 },
    ];
    await open(answerOf({ data: { ImagingStudyConnection: { count: 11, facets } } }), { size: [1400, 500] });
    await choose('Chart');
    await expect.element(page.getByRole('heading', { name: 'count by value', exact: true })).toBeVisible();
    await expect.element(page.getByText('Values', { exact: true })).toBeVisible();
    expect(page.getByText('Average').elements()).toHaveLength(0);
  });
});

describe('an answer says what is the matter', () => {
  test('with errors: once each, with place, code, count and what to do', async () => {
    const error = (at: number) => ({
      message: 'The image server does not answer in time.',
      path: ['Patient', 'ImagingStudyList', at, 'series'],
      extensions: { code: 'gateway_timeout' },
    });
    await open(answerOf({ ...STUDIES, errors: [error(0), error(1), { message: 'Unknown field.' }] }));
    const errors = page.getByRole('alert', { name: 'Errors' });
    await expect
      .element(errors)
      .toHaveTextContent(
        /does not answer in time\. Run the query again.*In Patient.ImagingStudyList.series\. Code: gateway_timeout\. 2 times\./,
      );
    await expect.element(errors).toHaveTextContent(/Unknown field\. Correct the query/);
    expect(await violations()).toEqual([]);
    await shot('playground-errors');
  });

  test.each<[string, Answer, RegExp]>([
    ['no data', answerOf({ data: null }), /There are no data in this answer\./],
    ['an empty list', answerOf({ data: { PatientList: [] } }), /PatientList is empty/],
    [
      'no JSON',
      answerOf(undefined, { status: 502, text: '<html>' }),
      /The answer is no JSON \(HTTP status 502\)/,
    ],
  ])('with %s', async (_what, answer, words) => {
    await open(answer);
    await expect.element(page.elementLocator(document.body)).toHaveTextContent(words);
  });

  test.each<[Partial<Answer>, RegExp]>([
    [{ bytes: 12_345_678, milliseconds: 4321 }, /HTTP 200 · 4\.3 s · 12\.3 MB/],
    [{ status: 400, json: { errors: [{ message: 'No.' }] } }, /HTTP 400.*1 error/],
    [{ status: 0 }, /^\s*No answer\s*$/],
  ])('in its facts: %j', async (more, words) => {
    await cleanup();
    await render(AnswerFacts, { answer: answerOf({ data: { a: 1 } }, more) });
    await expect.element(page.elementLocator(document.body)).toHaveTextContent(words);
  });

  test('with a single object: as one row', async () => {
    await open(answerOf({ data: { Patient: { id: 'a', birthDate: '1971-03-02' } } }));
    expect([column(0), column(1)]).toEqual([['a'], ['1971-03-02']]);
  });
});
