/** Answers as tables, and tables as files. */
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import { csvOf, ndjsonOf, objectsOf, parquetOf } from './formats.ts';
import {
  firstOf,
  isNothing,
  listsOf,
  momentOf,
  nameOf,
  tableOf,
  textOf,
  withEachOnce,
  type Cell,
  type Data,
  type ResultTable,
} from './lists.ts';
import { nextSorting, viewOf, widthsOf } from './view.ts';

const RECORD = {
  Patient: {
    birthDate: '1971-03-02',
    maritalStatus: { text: 'Married' },
    name: [
      { given: ['Helen', 'Marie'], family: 'Castellanos' },
      { given: ['Helen'], family: null },
    ],
    ConditionList: [],
    ImagingStudyList: [
      {
        started: '2024-01-02',
        modality: [{ code: 'CT' }],
        series: [
          { description: 'Chest', numberOfInstances: 10 },
          { description: null, numberOfInstances: 20 },
        ],
      },
      { started: '2025-05', modality: [{ code: 'MR' }, { code: 'SR' }], series: [] },
      null,
      { started: '2023', modality: null, series: [{ description: 'Knee', numberOfInstances: 5 }] },
    ],
  },
} satisfies Data;

/** Returns a list by its name, as objects. */
function rowsOf(data: Data, name: string): Record<string, Cell>[] {
  const list = listsOf(data).find((one) => nameOf(one) === name);
  if (!list) throw new Error(`No list ${name}`);
  return objectsOf(tableOf(data, list));
}

describe('lists of an answer', () => {
  test.each<[string, Data, string[], string]>([
    [
      'lists at any depth, those of one name together',
      RECORD,
      [
        'Patient.name 2',
        'Patient.ConditionList 0',
        'Patient.ImagingStudyList 4',
        'Patient.ImagingStudyList.modality 3',
        'Patient.ImagingStudyList.series 3',
        'Whole answer 1',
      ],
      'Patient.ImagingStudyList',
    ],
    ['an object is one row', { Patient: { id: '1' } }, ['Whole answer 1'], 'Whole answer'],
    ['a null is one row', { Patient: null }, ['Whole answer 1'], 'Whole answer'],
    ['lists of values are no tables', { Patient: { given: ['a'] } }, ['Whole answer 1'], 'Whole answer'],
    [
      'a list without rows is named',
      { PatientList: [] },
      ['PatientList 0', 'Whole answer 1'],
      'Whole answer',
    ],
    ['aliases are names', { a: [{ x: 1 }], b: [{ x: 1 }, { x: 2 }] }, ['a 1', 'b 2', 'Whole answer 1'], 'b'],
    ['lists in lists are one', { a: [[{ x: 1 }], [{ x: 2 }]] }, ['a 2', 'Whole answer 1'], 'a'],
    ['no data', null, [], ''],
    ['nothing', undefined, [], ''],
  ])('%s', (_what, data, names, first) => {
    const lists = listsOf(data);
    expect(lists.map((list) => `${nameOf(list)} ${list.count}`)).toEqual(names);
    const begun = firstOf(lists);
    expect(begun ? nameOf(begun) : '').toBe(first);
  });

  test('has a row for each object, its values by dotted names, then what is around', () => {
    expect(rowsOf(RECORD, 'Patient.ImagingStudyList')).toEqual([
      {
        started: '2024-01-02',
        'modality.code': 'CT',
        'series.description': 'Chest; ',
        'series.numberOfInstances': '10; 20',
        'Patient.birthDate': '1971-03-02',
        'Patient.maritalStatus.text': 'Married',
      },
      expect.objectContaining({ started: '2025-05', 'modality.code': 'MR; SR', 'series.description': null }),
      expect.objectContaining({ started: null, 'Patient.birthDate': '1971-03-02' }),
      expect.objectContaining({
        started: '2023',
        'modality.code': null,
        'series.description': 'Knee',
        'series.numberOfInstances': 5,
      }),
    ]);
  });

  test('knows the columns whose cells have several values', () => {
    const { columns } = tableOf(RECORD, listsOf(RECORD)[2]!);
    const several = columns.filter((column) => column.several).map(({ name }) => name);
    expect(several).toEqual(['modality.code', 'series.description', 'series.numberOfInstances']);
  });

  test('merges lists over the objects that have them, with the fields of each', () => {
    expect(rowsOf(RECORD, 'Patient.ImagingStudyList.series')).toEqual(
      [
        { description: 'Chest', numberOfInstances: 10, 'Patient.ImagingStudyList.started': '2024-01-02' },
        { description: null, numberOfInstances: 20, 'Patient.ImagingStudyList.started': '2024-01-02' },
        { description: 'Knee', numberOfInstances: 5, 'Patient.ImagingStudyList.started': '2023' },
      ].map((row) => ({
        ...row,
        'Patient.birthDate': '1971-03-02',
        'Patient.maritalStatus.text': 'Married',
      })),
    );
  });

  test.each([
    ['edges', { edges: [{ resource: { id: 'a' } }] }, { 'resource.id': 'a' }],
    ['facets', { facets: [{ value: 'CT', count: 4 }] }, { value: 'CT', count: 4 }],
  ])('leaves out what a connection says of its pages, beside %s', (field, list, row) => {
    const data = { Patient: { gender: 'female', XConnection: { count: 11, next: 'c', ...list } } };
    expect(rowsOf(data, `Patient.XConnection.${field}`)).toEqual([{ ...row, 'Patient.gender': 'female' }]);
  });

  test('has each of several values once, if that is chosen', () => {
    const once = withEachOnce(tableOf(RECORD, listsOf(RECORD)[2]!));
    const at = once.columns.findIndex(({ name }) => name === 'series.description');
    expect(once.rows.map((cells) => cells[at])).toEqual(['Chest', null, null, 'Knee']);
  });

  test.each<[unknown, boolean]>([
    [null, true],
    [{ PatientList: null, Patient: { name: null } }, true],
    [{ a: [null, { b: null }] }, true],
    [{ PatientList: [] }, false],
    [{ a: null, b: 0 }, false],
  ])('%j is nothing: %s', (data, isIt) => expect(isNothing(data)).toBe(isIt));

  test('shows an answer without lists as one row', () => {
    expect(
      rowsOf({ Patient: { id: '1', name: [{ family: 'A' }, { family: 'B' }] } }, 'Whole answer'),
    ).toEqual([{ 'Patient.id': '1', 'Patient.name.family': 'A; B' }]);
    expect(rowsOf({ Patient: null }, 'Whole answer')).toEqual([{ Patient: null }]);
  });

  test('keeps columns apart that have the same name', () => {
    expect(rowsOf({ a: { b: 1, list: [{ a: { b: 2 } }] } }, 'a.list')).toEqual([{ 'a.b': 2, 'a.b (2)': 1 }]);
  });

  test.each<[Cell[], string]>([
    [[1, null, 2.5], 'number'],
    [['2024-01', '2024-01-02', '2024-01-02T10:00:00+01:00', '2023', null], 'date'],
    [['2024', '2160'], 'text'],
    [['2024-01-02', 'unknown'], 'text'],
    [[true, false], 'yes/no'],
    [[1, 'x'], 'text'],
    [[null], 'text'],
  ])('values %j are of type %s', (values, type) => {
    const data = { list: values.map((value) => ({ value })) };
    expect(tableOf(data, listsOf(data)[0]!).columns).toEqual([{ name: 'value', type }]);
  });

  test.each([
    ['2024-01-02T00:00:00', Date.UTC(2024, 0, 2)],
    ['2024-01-02T01:00:00+01:00', Date.UTC(2024, 0, 2)],
    ['2024-01', Date.UTC(2024, 0, 1)],
    ['2024', Date.UTC(2024, 0, 1)],
  ])('%s begins at %d', (date, moment) => expect(momentOf(date)).toBe(moment));
});

const table = (columns: ResultTable['columns'], ...rows: Cell[][]): ResultTable => ({ columns, rows });
const TEXT = { name: 'text', type: 'text' } as const;
const NUMBER = { name: 'number', type: 'number' } as const;

describe('files', () => {
  test.each<[Cell, string]>([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['a "b"', '"a ""b"""'],
    ['two\nlines', '"two\nlines"'],
    ['=1+1', "'=1+1"],
    ['+49 30 1', "'+49 30 1"],
    ['-x', "'-x"],
    ['@cmd', "'@cmd"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['=a,"b"', `"'=a,""b"""`],
    [-5, '-5'],
    [1e-7, '1e-7'],
    ['-5.25', '-5.25'],
    ['+5', '+5'],
    [true, 'true'],
    [null, ''],
    ['Größe 😀', 'Größe 😀'],
  ])('%j is %j in CSV', (cell, written) => {
    expect(csvOf(table([TEXT], [cell]))).toBe(`text\r\n${written}\r\n`);
  });

  test('CSV and NDJSON have the values of the JSON', () => {
    const list = listsOf(RECORD).find((one) => nameOf(one) === 'Patient.ImagingStudyList.series')!;
    const result = tableOf(RECORD, list);
    const rows = objectsOf(result);
    const series = RECORD.Patient.ImagingStudyList.flatMap((study) => study?.series ?? []);
    expect(rows.map(({ description, numberOfInstances }) => ({ description, numberOfInstances }))).toEqual(
      series,
    );
    const [header, ...lines] = csvOf(result).trimEnd().split('\r\n');
    const read = lines.map((line) => {
      const cells = line.split(',');
      return Object.fromEntries(header!.split(',').map((name, at) => [name, cells[at]]));
    });
    expect(read).toEqual(
      rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, String(cell ?? '')])),
      ),
    );
    const parsed = ndjsonOf(result).trimEnd().split('\n');
    expect(parsed.map((line) => JSON.parse(line) as unknown)).toEqual(rows);
  });
});

test('FG-4 decimals are in table and files as the answer has them, and sorted as numbers', async () => {
  const data = parseFhirJson('{"list":[{"value":1.10},{"value":1e2},{"value":9.0},{"value":-2.5}]}') as Data;
  const result = tableOf(data, listsOf(data)[0]!);
  expect(result.columns).toEqual([{ name: 'value', type: 'number' }]);
  expect(result.rows.map(([cell]) => textOf(cell!))).toEqual(['1.10', '1e2', '9.0', '-2.5']);
  const sorted = viewOf(result)({ sorting: { column: 0, descending: false }, filter: '' });
  expect(sorted.map(([cell]) => textOf(cell!))).toEqual(['-2.5', '1.10', '9.0', '1e2']);
  expect(viewOf(result)({ sorting: undefined, filter: '1.10' })).toHaveLength(1);
  expect(csvOf(result)).toBe('value\r\n1.10\r\n1e2\r\n9.0\r\n-2.5\r\n');
  expect(ndjsonOf(result)).toBe('{"value":1.10}\n{"value":1e2}\n{"value":9.0}\n{"value":-2.5}\n');
  const file = await parquetOf(result);
  expect(await parquetReadObjects({ file })).toEqual([1.1, 100, 9, -2.5].map((value) => ({ value })));
});

describe('rows that are shown', () => {
  const shown = viewOf(
    table(
      [TEXT, NUMBER, { name: 'when', type: 'date' }],
      ['b10', 2, '2024-01-02T00:30:00+02:00'],
      ['B9', null, '2024-01-01T23:00:00Z'],
      [null, 10, '2023'],
      ['a', -1, null],
    ),
  );
  const order = (column: number, descending = false, filter = '') =>
    shown({ sorting: { column, descending }, filter }).map((row) => row[column]);

  test.each([
    ['text, with numbers in it', 0, false, ['a', 'B9', 'b10', null]],
    ['text, down', 0, true, ['b10', 'B9', 'a', null]],
    ['numbers', 1, false, [-1, 2, 10, null]],
    ['numbers, down', 1, true, [10, 2, -1, null]],
    ['dates of any zone', 2, false, ['2023', '2024-01-02T00:30:00+02:00', '2024-01-01T23:00:00Z', null]],
  ])('are sorted by %s', (_what, column, descending, sorted) =>
    expect(order(column, descending)).toEqual(sorted),
  );

  test.each([
    ['B', ['b10', 'B9']],
    [' 2023 ', [null]],
    ['10', ['b10', null]],
    ['nowhere', []],
    ['', ['b10', 'B9', null, 'a']],
  ])('are those with “%s” in any column, as they came', (filter, texts) =>
    expect(shown({ sorting: undefined, filter }).map(([text]) => text)).toEqual(texts),
  );

  test('a column sorts up, down, and no more', () => {
    const up = nextSorting(undefined, 1);
    expect(up).toEqual({ column: 1, descending: false });
    expect(nextSorting(up, 1)).toEqual({ column: 1, descending: true });
    expect(nextSorting({ column: 1, descending: true }, 1)).toBeUndefined();
    expect(nextSorting(up, 2)).toEqual({ column: 2, descending: false });
  });

  test('columns are as wide as their texts, up to a limit', () => {
    expect(widthsOf([TEXT, NUMBER], [['x'.repeat(100), 1]])).toEqual([40, 9]);
  });
});
