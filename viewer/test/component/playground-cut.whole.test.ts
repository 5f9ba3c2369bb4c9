/** What the results of the playground say of a list that is cut, and how they fit on a small screen. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { page } from 'vitest/browser';
import type { Asked } from '../../src/playground/answer.ts';
import type { ReadRows } from '../../src/playground/results/all-rows.ts';
import { shot, violations } from './open.ts';
import { answerOf, column, header, open, STUDIES } from './playground-answers.ts';

beforeEach(() => {
  document.body.style.margin = '0';
});
afterEach(() => void vi.restoreAllMocks());

describe('a page of a longer list', () => {
  const query = '{ ObservationConnection(_count: 2) { count next edges { resource { id } } } }';
  const pageOf = (more: object) =>
    answerOf(
      {
        data: {
          ObservationConnection: { ...more, edges: [{ resource: { id: 'a' } }, { resource: { id: 'b' } }] },
        },
      },
      { asked: { query, variables: {} } },
    );
  const button = () => page.getByRole('button', { name: 'Download all rows as CSV' });

  test.each([
    [{ count: 136, next: 'c' }, 'The first 2 of 136 rows.'],
    [{ next: 'c' }, 'The first 2 rows: there are more.'],
    [{}, '2 rows, as many as were asked for: there may be more.'],
  ])('with %j says it: %s', async (more, words) => {
    await open(pageOf(more), { size: [960, 280] });
    await expect.element(page.getByText(words)).toBeVisible();
    await expect.element(button()).toBeVisible();
    expect(column(0)).toEqual(['a', 'b']);
    // They are of the pages, and not of a row.
    expect(page.getByRole('columnheader').elements()).toHaveLength(1);
    expect(await violations()).toEqual([]);
    await shot('playground-cut');
  });

  test('gives all rows as a file, of the same query', async () => {
    const blobs: Blob[] = [];
    vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
      blobs.push(blob as Blob);
      return '#';
    });
    const asked: Asked[] = [];
    let end = (): void => undefined;
    const readRows: ReadRows = async ({ answer }, { format, onread }) => {
      asked.push(answer.asked);
      onread({ rows: 1234 });
      await new Promise<void>((resolve) => (end = resolve));
      return new Blob([format, ': id\r\na\r\nb\r\nc\r\n']);
    };
    await open(pageOf({ next: 'c', count: 5000 }), { readRows });
    await button().click();
    await expect.element(page.getByText('1,234 rows read of 5,000…')).toBeVisible();
    await shot('playground-saving');
    end();
    await expect.poll(() => blobs.length).toBe(1);
    expect(await blobs[0]!.text()).toMatch(/^csv: .*c\r\n$/s);
    await expect.element(page.getByText('1,234 rows are saved.')).toBeVisible();
    await page.getByRole('button', { name: 'Download all rows as NDJSON' }).click();
    await expect.element(page.getByText('1,234 rows read')).toBeVisible();
    end();
    await expect.poll(() => blobs.length).toBe(2);
    expect(await blobs[1]!.text()).toMatch(/^ndjson/);
    expect(asked).toEqual([
      { query, variables: {} },
      { query, variables: {} },
    ]);
  });

  test('of SQL is also saved as Parquet, whose bytes are counted; rows of GraphQL are not', async () => {
    const saved: Blob[] = [];
    vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
      saved.push(blob as Blob);
      return '#';
    });
    let end = (): void => undefined;
    const readRows: ReadRows = async (_of, { format, onread }) => {
      onread({ bytes: 2_340_000 });
      await new Promise<void>((resolve) => (end = resolve));
      return new Blob([format]);
    };
    const parquet = page.getByRole('button', { name: 'Download all rows as Parquet' });
    await open(answerOf({ data: { rows: [{ id: 'a' }] } }, { isCut: true, columns: ['id'] }), { readRows });
    await parquet.click();
    await expect.element(page.getByText('2.3 MB read…')).toBeVisible();
    await expect.element(page.getByRole('button', { name: 'Cancel' })).toBeVisible();
    end();
    await expect.element(page.getByText('All rows are saved: 2.3 MB.')).toBeVisible();
    expect(await saved[0]!.text()).toBe('parquet');
    await open(pageOf({ next: 'c' }));
    await expect.element(button()).toBeVisible();
    expect(parquet.elements()).toHaveLength(0);
  });

  test('is not saved when the person cancels', async () => {
    const save = vi.spyOn(URL, 'createObjectURL');
    let given: AbortSignal | undefined;
    const readRows: ReadRows = (_of, { signal }) => {
      given = signal;
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('No.'))),
      );
    };
    await open(pageOf({ next: 'c' }), { readRows });
    await button().click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.element(page.getByText('Cancelled: nothing was saved.')).toBeVisible();
    await expect.element(button()).toBeVisible();
    expect(given?.aborted).toBe(true);
    expect(page.getByRole('alert').elements()).toHaveLength(0);
    expect(save).not.toHaveBeenCalled();
  });

  test('says why there is no such file', async () => {
    await open(pageOf({ next: 'c' }));
    await button().click();
    await expect.element(page.getByRole('alert')).toHaveTextContent('No rows.');
  });

  test('is not said of a whole list', async () => {
    await open(pageOf({ count: 2, next: null }));
    await expect.element(header('resource.id')).toBeInTheDocument();
    expect(document.body.textContent).not.toContain('as many as');
    expect(button().elements()).toHaveLength(0);
  });
});

describe('on a small laptop', () => {
  /** The place of the results at 1280 × 720 pixels. */
  const size = [960, 280] as const;

  test('list, view, search and files are on one line', async () => {
    await open(answerOf(STUDIES), { size });
    const controls = document.querySelectorAll('.bar > *');
    const middles = [...controls].map((one) => {
      const { top, height } = one.getBoundingClientRect();
      return Math.round(top + height / 2);
    });
    expect(middles).toHaveLength(4);
    expect(Math.max(...middles) - Math.min(...middles)).toBeLessThan(4);
    await shot('playground-one-line');
  });

  test('nine rows of a table are in view', async () => {
    const rows = Array.from({ length: 20 }, (_, id) => ({ id }));
    // The place at 1280 × 800 pixels.
    await open(answerOf({ data: { rows } }, { columns: ['id'] }), { size: [960, 358] });
    await expect.element(header('id')).toBeInTheDocument();
    const all = [...document.querySelectorAll('tbody tr')];
    expect(all.filter((row) => row.getBoundingClientRect().bottom <= 358)).toHaveLength(9);
  });

  test('an error without data is read in full, with no table and no files', async () => {
    const errors = [
      { message: '_has needs a type and its parameter that refers to Patient.', path: ['PatientList'] },
    ];
    await open(answerOf({ data: { PatientList: null }, errors }), { size });
    const alert = page.getByRole('alert', { name: 'Errors' }).element();
    expect(alert.scrollHeight).toBe(alert.clientHeight);
    expect(alert.clientHeight).toBeGreaterThan(50);
    expect(document.body.textContent).not.toContain('no data in this answer');
    expect(document.querySelectorAll('table, select')).toHaveLength(0);
    expect(page.getByRole('group', { name: 'Download' }).elements()).toHaveLength(0);
    await shot('playground-error-only');
  });

  test('many errors beside a table scroll in a third of the place', async () => {
    const errors = Array.from({ length: 12 }, (_, at) => ({ message: `Error ${at}` }));
    await open(answerOf({ ...STUDIES, errors }), { size });
    const alert = page.getByRole('alert', { name: 'Errors' }).element();
    expect(alert.clientHeight).toBeLessThan(size[1] / 2);
    expect(alert.clientHeight).toBeGreaterThan(80);
    expect(alert.scrollHeight).toBeGreaterThan(alert.clientHeight);
    expect(await violations()).toEqual([]);
  });
});

test('each of the several values of a cell is shown and written once, when that is chosen', async () => {
  const blobs: Blob[] = [];
  vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
    blobs.push(blob as Blob);
    return '#';
  });
  const series = ['CHEST', 'CHEST', null, 'HEAD', null].map((bodyPart) => ({ bodyPart }));
  await open(answerOf({ data: { studies: [{ series }, { series: [] }] } }));
  expect(column(0)[0]).toBe('CHEST; CHEST; ; HEAD; ');
  await page.getByRole('checkbox', { name: 'Each value once' }).click();
  await expect.poll(() => column(0)[0]).toBe('CHEST; HEAD');
  await page.getByRole('button', { name: 'Download CSV', exact: true }).click();
  await expect.poll(() => blobs.length).toBe(1);
  expect(await blobs[0]!.text()).toContain('CHEST; HEAD');
});

test('while a new query runs, the old rows are marked and out of reach', async () => {
  await open(answerOf(STUDIES), { isOld: true });
  await expect.element(page.getByRole('status').getByText('From the previous query.')).toBeVisible();
  const results = document.querySelector<HTMLElement>('.results')!;
  await expect.poll(() => Number(getComputedStyle(results).opacity)).toBeLessThan(0.5);
  // Readers of the screen do not find them, and nothing of them is saved.
  expect(results.inert).toBe(true);
  expect(await violations()).toEqual([]);
  await shot('playground-old');
  await open(answerOf(STUDIES));
  await expect.element(page.getByRole('table')).toBeInTheDocument();
});
