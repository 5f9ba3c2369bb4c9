/** Pivots, and the axes that charts and pivots begin with. */
import { describe, expect, test } from 'vitest';
import { chartOf } from './charts.ts';
import { firstChoice, firstPivot } from './first-choice.ts';
import type { Cell, Column, ColumnType, ResultTable } from './lists.ts';
import { pivotOf, type Measure } from './pivot.ts';

const tableOf = (types: Readonly<Record<string, ColumnType>>, rows: Cell[][]): ResultTable => ({
  columns: Object.entries(types).map(([name, type]): Column => ({ name, type })),
  rows,
});
const STUDIES = tableOf({ modality: 'text', started: 'date', images: 'number' }, [
  ['CT', '2024-05-01', 10],
  ['CT', '2024-06-01', 20],
  ['CT', '2025-01-01', 60],
  ['MR', '2024-01', 4],
  ['CT', '2024-07', 90],
  [null, '2025-02', null],
]);

describe('a pivot', () => {
  test.each<[Measure, Cell[][]]>([
    [
      'count',
      [
        ['(no value)', 0, 1, 1],
        ['CT', 3, 1, 4],
        ['MR', 1, 0, 1],
      ],
    ],
    [
      'sum',
      [
        ['CT', 120, 60, 180],
        ['MR', 4, null, 4],
      ],
    ],
    [
      'mean',
      [
        ['CT', 40, 60, 45],
        ['MR', 4, null, 4],
      ],
    ],
    [
      'median',
      [
        ['CT', 20, 60, 40],
        ['MR', 4, null, 4],
      ],
    ],
  ])('has the %s of each place and of all', (measure, rows) => {
    const pivot = pivotOf(STUDIES, { rows: 0, columns: 1, measure, of: 2 });
    expect(pivot.columns.map(({ name }) => name)).toEqual(['modality', '2024', '2025', 'All']);
    expect(pivot.rows).toEqual(rows);
  });

  test('has a row with several values in the place of each, and once in that of all', () => {
    const table: ResultTable = {
      columns: [
        { name: 'modality', type: 'text', several: true },
        { name: 'sex', type: 'text' },
      ],
      rows: [
        ['CT; SR', 'f'],
        ['SR', 'm'],
      ],
    };
    const choice = { measure: 'count', of: undefined } as const;
    expect(pivotOf(table, { rows: 0, columns: 1, ...choice }).rows).toEqual([
      ['CT', 1, 0, 1],
      ['SR', 1, 1, 2],
    ]);
    expect(pivotOf(table, { rows: 1, columns: 0, ...choice }).rows).toEqual([
      ['f', 1, 1, 1],
      ['m', 0, 1, 1],
    ]);
  });

  test('of very many values has the most frequent ones and the others, and no row twice', () => {
    const rows = Array.from({ length: 100 }, (_, at): Cell[] => ['x', `v${at < 50 ? 0 : at}`]);
    const table = tableOf({ a: 'text', b: 'text' }, rows);
    const pivot = pivotOf(table, { rows: 0, columns: 1, measure: 'count', of: undefined });
    expect(pivot.columns).toHaveLength(32);
    expect(pivot.columns.at(-2)!.name).toBe('(others)');
    const [, ...cells] = pivot.rows[0]! as [string, ...number[]];
    expect(cells.slice(0, -1).reduce((sum, cell) => sum + cell, 0)).toBe(100);
    expect(cells.at(-1)).toBe(100);
  });

  test('has a name of its own for each column', () => {
    const table = tableOf({ All: 'text', b: 'text' }, [['x', 'All']]);
    const { columns } = pivotOf(table, { rows: 0, columns: 1, measure: 'count', of: undefined });
    expect(new Set(columns.map(({ name }) => name)).size).toBe(3);
  });
});

describe('a chart begins with', () => {
  test.each<[string, ResultTable, string, string]>([
    [
      'the counts of a grouping, as they are',
      tableOf({ modality: 'text', count: 'number' }, [
        ['CT', 7],
        ['MR', 4],
      ]),
      'average',
      'count by modality',
    ],
    [
      'sums of counts by year',
      tableOf({ modality: 'text', year: 'number', studies: 'number' }, [
        ['CT', 2024, 7],
        ['MR', 2024, 4],
        ['CT', 2025, 1],
      ]),
      'sum',
      'Sum of studies by year',
    ],
    [
      'the value that was measured, over time',
      tableOf({ series_number: 'number', low: 'number', value: 'number', effective: 'date' }, [
        [1, 5, 9.8, '2024-01-01'],
        [2, 5, 9.9, '2025-01-01'],
      ]),
      'time',
      'value over effective',
    ],
    [
      'an average, where all is of one day',
      tableOf({ id: 'text', sex: 'text', started: 'date', dose: 'number' }, [
        ['a', 'f', '2024-01-01', 3],
        ['b', 'm', '2024-01-01', 4],
        ['c', 'm', '2024-01-01', 5],
      ]),
      'average',
      'Average of dose by sex',
    ],
    [
      'counts, where numbers only name',
      tableOf({ sex: 'text', number: 'number' }, [
        ['f', 1],
        ['m', 2],
        ['m', 3],
      ]),
      'count',
      'Rows by sex',
    ],
  ])('%s', (_what, table, kind, title) => {
    const choice = firstChoice(table)!;
    expect(choice.kind).toBe(kind);
    expect(chartOf(table, choice).title).toBe(title);
  });

  test('years in their order, which are numbers', () => {
    const table = tableOf({ year: 'number', count: 'number' }, [
      [2025, 7],
      [2023, 9],
      [2024, 8],
    ]);
    expect(chartOf(table, firstChoice(table)!).marks.map(({ label }) => label)).toEqual([
      '2023',
      '2024',
      '2025',
    ]);
  });
});

test('a pivot begins with two categories, and adds up counts', () => {
  const named = (table: ResultTable) => {
    const { rows, columns, measure } = firstPivot(table);
    return [table.columns[rows]!.name, table.columns[columns]!.name, measure];
  };
  expect(named(STUDIES)).toEqual(['started', 'modality', 'sum']);
  const counts = tableOf({ modality: 'text', year: 'number', count: 'number' }, [
    ['CT', 2023, 1],
    ['CT', 2024, 2],
    ['MR', 2025, 3],
  ]);
  expect(named(counts)).toEqual(['year', 'modality', 'sum']);
});
