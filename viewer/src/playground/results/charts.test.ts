/** Charts, errors and links of an answer. */
import { describe, expect, test } from 'vitest';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import type { GraphqlError } from '../answer.ts';
import { chartOf, choicesFor, kindsFor, type ChartChoice } from './charts.ts';
import { firstChoice } from './first-choice.ts';
import { tableOf, type Cell, type Column, type Data } from './lists.ts';
import { viewerLink } from './pictures.ts';
import { problemsOf } from './problems.ts';

const COLUMNS: Column[] = [
  { name: 'modality', type: 'text' },
  { name: 'started', type: 'date' },
  { name: 'images', type: 'number' },
  { name: 'urgent', type: 'yes/no' },
];
const ROWS: Cell[][] = [
  ['CT', '2024-05-01', 10, true],
  ['MR', '2023-01', 4, false],
  ['CT', '2024-01-01T00:00:00Z', 30, null],
  [null, null, 7, true],
  ['US', '2022-02-02', null, true],
];

describe('charts', () => {
  test.each<[string, ChartChoice, [string, number][], string]>([
    [
      'numbers over time, in its order',
      { kind: 'time', by: 1, of: 2 },
      [
        ['2023-01', 4],
        ['2024-01-01T00:00:00Z', 30],
        ['2024-05-01', 10],
      ],
      '2 rows without a date or a number are left out.',
    ],
    [
      'the average by category, the largest first',
      { kind: 'average', by: 0, of: 2 },
      [
        ['CT', 20],
        ['(no value)', 7],
        ['MR', 4],
      ],
      '',
    ],
    [
      'counts by category',
      { kind: 'count', by: 0, of: undefined },
      [
        ['CT', 2],
        ['MR', 1],
        ['(no value)', 1],
        ['US', 1],
      ],
      '',
    ],
    [
      'counts by year, in the order of time',
      { kind: 'count', by: 1, of: undefined },
      [
        ['(no value)', 1],
        ['2022', 1],
        ['2023', 1],
        ['2024', 2],
      ],
      '',
    ],
    [
      'counts of yes and no',
      { kind: 'count', by: 3, of: undefined },
      [
        ['yes', 3],
        ['no', 1],
        ['(no value)', 1],
      ],
      '',
    ],
  ])('%s', (_what, choice, marks, note) => {
    const chart = chartOf({ columns: COLUMNS, rows: ROWS }, choice);
    expect(chart.marks.map(({ label, value }) => [label, value])).toEqual(marks);
    expect(chart.note).toBe(note);
  });

  test('of one number for each value show it, and no average', () => {
    const columns: Column[] = [
      { name: 'value', type: 'text' },
      { name: 'count', type: 'number' },
    ];
    const choice = { kind: 'average', by: 0, of: 1 } as const;
    const titleOf = (rows: Cell[][]) => chartOf({ columns, rows }, choice).title;
    expect(
      titleOf([
        ['MR', 7],
        ['CT', 4],
      ]),
    ).toBe('count by value');
    expect(
      titleOf([
        ['MR', 7],
        ['MR', 4],
      ]),
    ).toBe('Average of count by value');
  });

  test('count a row with several values once for each of them', () => {
    const columns: Column[] = [{ name: 'modality.code', type: 'text', several: true }];
    const rows = [['CT; SR'], ['CT'], ['SR; SR; MR'], [null]];
    const chart = chartOf({ columns, rows }, { kind: 'count', by: 0, of: undefined });
    const counts = chart.marks.map(({ label, value }) => `${label} ${value}`);
    expect(counts).toEqual(['CT 2', 'SR 2', 'MR 1', '(no value) 1']);
  });

  test('count months of no row too: a gap is seen', () => {
    const columns: Column[] = [{ name: 'started', type: 'date' }];
    const rows = ['2024-01-05', '2024-01-06', '2024-01-07', '2024-04-01'].map((date): Cell[] => [date]);
    const chart = chartOf({ columns, rows }, { kind: 'count', by: 0, of: undefined });
    expect(chart.title).toBe('Rows by month of started');
    expect(chart.marks.map(({ value }) => value)).toEqual([3, 0, 0, 1]);
  });

  test('average decimals as the record has them', () => {
    const { rows, columns } = tableOf(
      parseFhirJson('{"list":[{"unit":"mm","value":1.10},{"unit":"mm","value":2.90}]}') as Data,
      { steps: [{ field: 'list', isList: true }], count: 2 },
    );
    const chart = chartOf({ columns, rows }, { kind: 'average', by: 0, of: 1 });
    expect(chart.marks.map(({ value }) => value)).toEqual([2]);
  });

  test('have a limited number of bars, and say so', () => {
    const rows = Array.from({ length: 50 }, (_, at) => [`code ${at}`, null, null, null]);
    const chart = chartOf({ columns: COLUMNS, rows }, { kind: 'count', by: 0, of: undefined });
    expect(chart.marks).toHaveLength(30);
    expect(chart.note).toBe('The first 30 of 50 values are shown.');
  });

  test.each<[Column[], string[]]>([
    [COLUMNS, ['time', 'average', 'sum', 'count']],
    [
      [COLUMNS[0]!, COLUMNS[2]!],
      ['average', 'sum', 'count'],
    ],
    [[COLUMNS[0]!], ['count']],
    [[], []],
  ])('are those that columns allow', (columns, kinds) => expect(kindsFor(columns)).toEqual(kinds));

  test('begin with columns that say something', () => {
    const columns: Column[] = [
      { name: 'birthDate', type: 'date' },
      { name: 'id', type: 'text' },
      { name: 'modality', type: 'text' },
      { name: 'started', type: 'date' },
    ];
    const rows = [
      ['1970-01', 'a', 'CT', '2024-01'],
      ['1970-01', 'b', 'CT', '2024-02'],
      ['1970-01', 'c', 'MR', '2024-03'],
    ];
    expect(firstChoice({ columns: [...columns, COLUMNS[2]!], rows }, 'time').by).toBe(3);
    expect(firstChoice({ columns, rows }, 'count').by).toBe(2);
    expect(firstChoice({ columns, rows: rows.slice(0, 1) }, 'count').by).toBe(0);
  });

  test('take numbers from columns of numbers, and dates from columns of dates', () => {
    expect(choicesFor('time', COLUMNS)).toEqual({ by: [1], of: [2] });
    expect(choicesFor('average', COLUMNS)).toEqual({ by: [0, 1, 3], of: [2] });
    expect(choicesFor('count', COLUMNS)).toEqual({ by: [0, 1, 2, 3], of: [] });
  });
});

describe('errors', () => {
  const problems = (errors: GraphqlError[]) =>
    problemsOf({
      asked: { query: '', variables: {} },
      status: 200,
      milliseconds: 1,
      bytes: 1,
      text: '',
      json: { errors },
    });

  test('are shown once each, with their places and how often', () => {
    const error = { message: 'Too late.', extensions: { code: 'unavailable' } };
    const found = problems([
      { ...error, path: ['a', 0, 'b'] },
      { ...error, path: ['a', 1, 'b'] },
      { message: error.message, extensions: { ...error.extensions, count: 5 }, path: ['c'] },
    ]);
    expect(found).toEqual([
      expect.objectContaining({ message: 'Too late.', code: 'unavailable', paths: ['a.b', 'c'], count: 7 }),
    ]);
  });

  test('of the page itself give no advice about the query', () => {
    const json = { errors: [{ message: 'The server does not take this token.' }] };
    const asked = { query: '', variables: {} };
    const [problem] = problemsOf({ asked, status: 0, milliseconds: 0, bytes: 0, text: '', json });
    expect(problem!.remedy).toBe('');
  });

  test.each([
    ['invalid_token', /Sign in again/],
    ['insufficient_scope', /allow more/],
    ['too_large', /page by page/],
    ['internal', /tell who runs the server/],
    ['GRAPHQL_VALIDATION_FAILED', /Correct the query/],
    [undefined, /Correct the query/],
  ])('with the code %s say what to do', (code, remedy) => {
    const [problem] = problems([{ message: 'No.', ...(code && { extensions: { code } }) }]);
    expect(problem!.remedy).toMatch(remedy);
  });
});

describe('links of thumbnails', () => {
  const facts = {
    tenant: 'demo',
    base: 'http://gateway/demo',
    gateway: 'http://gateway/',
    explains: false,
    access: 'none',
  } as const;
  const link = 'http://gateway/app/?tenant=demo&study=1.2&series=1.2.3';

  test.each<[unknown, string | undefined]>([
    ['http://gateway/demo/dicom-web/studies/1.2/series/1.2.3/thumbnail', link],
    ['http://gateway/demo/dicom-web/studies/1.2/series/1.2.3/instances/1.2.3.4/thumbnail', link],
    ['http://gateway/other/dicom-web/studies/1.2/series/1.2.3/thumbnail', undefined],
    ['http://gateway/demo/../other/studies/1.2/series/1.2.3/thumbnail', undefined],
    ['http://gateway/demo.evil/studies/1.2/series/1.2.3/thumbnail', undefined],
    ['https://evil/studies/1.2/series/1.2.3/thumbnail', undefined],
    ['http://gateway/demo/dicom-web/studies/1.2/series/1.2.3/metadata', undefined],
    [null, undefined],
    [5, undefined],
  ])('%s', (url, expected) => expect(viewerLink(url, facts)).toBe(expected));
});
