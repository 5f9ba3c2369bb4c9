/** Tables as Parquet, read by another program. */
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { parquetOf } from './formats.ts';
import type { Cell, ResultTable } from './lists.ts';

const table = (columns: ResultTable['columns'], ...rows: Cell[][]): ResultTable => ({ columns, rows });

test('Parquet has the same values', async () => {
  const result = table(
    [
      { name: 'text', type: 'text' },
      { name: 'number', type: 'number' },
      { name: 'is', type: 'yes/no' },
      { name: 'a.dotted.none', type: 'text' },
    ],
    ['Größe 😀', 1.25, true, null],
    [null, null, null, null],
    [5, -3e10, false, null],
  );
  expect(await parquetReadObjects({ file: await parquetOf(result) })).toEqual([
    { text: 'Größe 😀', number: 1.25, is: true, 'a.dotted.none': null },
    { text: null, number: null, is: null, 'a.dotted.none': null },
    { text: '5', number: -3e10, is: false, 'a.dotted.none': null },
  ]);
});

/** Returns the values of a column of dates, and its type. Times are microseconds: JavaScript's dates have none. */
async function readBack(...cells: Cell[]) {
  const file = await parquetOf(table([{ name: 'when', type: 'date' }], ...cells.map((cell) => [cell])));
  const { type, converted_type: converted, logical_type: logical } = parquetMetadata(file).schema[1]!;
  const parsers = { timestampFromMicroseconds: String };
  const rows = await parquetReadObjects({ file, parsers: parsers as object });
  const isUtc = logical?.type === 'TIMESTAMP' ? logical.isAdjustedToUTC : undefined;
  const values = rows.map(({ when }) =>
    when instanceof Date ? when.toISOString().slice(0, 10) : (when as unknown),
  );
  return { type: [type, converted, isUtc], values };
}
const micros = (text: string) => String(Date.parse(text) * 1000);

test.each<[string, Cell[], unknown[], unknown[]]>([
  [
    'dates are DATE',
    ['2024-02-29', null, '1890-01-01'],
    ['INT32', 'DATE', undefined],
    ['2024-02-29', null, '1890-01-01'],
  ],
  [
    'times with an offset are TIMESTAMP in UTC',
    ['2024-01-02T10:00:00+01:00', null, '1950-01-02T00:30Z'],
    ['INT64', 'TIMESTAMP_MICROS', true],
    [micros('2024-01-02T09:00:00Z'), null, micros('1950-01-02T00:30Z')],
  ],
  [
    'times without an offset are local ones',
    ['2024-01-02T10:00:00'],
    ['INT64', undefined, false],
    [micros('2024-01-02T10:00:00Z')],
  ],
  [
    'microseconds are kept',
    ['2024-01-02T10:00:00.123456Z', '9999-12-31T23:59:59.999999Z', '1950-01-02T00:00:00.5Z'],
    ['INT64', 'TIMESTAMP_MICROS', true],
    ['1704189600123456', '253402300799999999', '-631065599500000'],
  ],
])('%s', async (_what, cells, type, values) => expect(await readBack(...cells)).toEqual({ type, values }));

test.each([
  ['a month among dates', ['2024-01-02', '2024-05']],
  ['a year', ['2024-01', '2024']],
  ['dates and times', ['2024-01-02', '2024-01-02T10:00:00Z']],
  ['times of which one has no offset', ['2024-01-02T10:00:00', '2024-01-02T10:00:00Z']],
  ['a time with nanoseconds', ['2024-01-02T10:00:00.123456789Z']],
  ['a day that no calendar has', ['2024-02-30']],
  ['a time that there is not', ['2024-01-02T25:00:00Z']],
])('%s: the column stays a text', async (_what, cells) =>
  expect(await readBack(...cells)).toEqual({ type: ['BYTE_ARRAY', 'UTF8', undefined], values: cells }),
);
