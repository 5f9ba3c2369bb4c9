import { describe, expect, it } from 'vitest';
import { makeRows, TableRows, type Batch } from './rows.ts';
import { RESOURCES } from './test/resources.ts';
import type { ColumnValue, SqlType } from './views/column-types.ts';
import { compileView } from './views/compile-view.ts';
import { ViewValueError } from './views/findings.ts';

/** Gathers copies of batches as rows. */
function gathered(columns: ConstructorParameters<typeof TableRows>[0]) {
  const rows: ColumnValue[][] = [];
  const take = (batch: Batch) => {
    for (let at = 0; at < batch.rows; at++) rows.push(batch.columns.map((values) => values[at]!));
  };
  return { table: new TableRows(columns, take), rows };
}

const column = (sqlType: SqlType, collection = false) => {
  return [{ name: 'c', sqlType, collection, description: undefined }];
};

const micros = (text: string) => BigInt(Date.parse(text)) * 1000n;
const days = (text: string) => Date.parse(text) / 86_400_000;

describe('a value of FHIR JSON in a column', () => {
  it.each<[SqlType, unknown, ColumnValue]>([
    ['VARCHAR', 'x', 'x'],
    ['VARCHAR', 1.5, '1.5'],
    ['VARCHAR', undefined, null],
    ['BOOLEAN', false, false],
    ['INTEGER', 3, 3],
    ['BIGINT', '9007199254740991', 9007199254740991n],
    ['DOUBLE', 9.89, 9.89],
    ['DATE', '1970-05', days('1970-05-01')],
    ['DATE', '1960-02-29T10:00:00Z', days('1960-02-29')],
    ['TIMESTAMP', '2019', micros('2019-01-01')],
    ['TIMESTAMP', '2020-01-01T00:30:00+02:00', micros('2019-12-31T22:30:00Z')],
    ['TIMESTAMP', '2020-02-30', null],
    ['TIMESTAMP', '2020-01-01T00:00:00.1Z', micros('2020-01-01T00:00:00.1Z')],
    ['TIMESTAMP', '2020-01-01T00:00:00.123456Z', micros('2020-01-01T00:00:00.123Z') + 456n],
    ['TIMESTAMP', '2020-01-01T00:30:00.1234+02:00', micros('2019-12-31T22:30:00.123Z') + 400n],
    ['TIMESTAMP', '1960-01-01T00:00:00.000123456Z', micros('1960-01-01T00:00:00Z') + 123n],
    ['TIMESTAMP', '2020-01-01T00:30:00-03:30', micros('2020-01-01T04:00:00Z')],
  ])('%s of %j', (sqlType, value, expected) => {
    const { table, rows } = gathered(column(sqlType));
    table.add([value]);
    table.flush();
    expect(rows).toEqual([[expected]]);
  });

  it.each<[SqlType, unknown]>([
    ['BOOLEAN', 'true'],
    ['INTEGER', 2 ** 31],
    ['INTEGER', 1.5],
    ['DOUBLE', '1'],
    ['VARCHAR', { a: 1 }],
    ['DATE', 2020],
    ['BIGINT', '1.0'],
    ['BIGINT', ''],
    ['BIGINT', true],
  ])('%s cannot be %j', (sqlType, value) => {
    expect(() => gathered(column(sqlType)).table.add([value])).toThrow(ViewValueError);
  });

  it('is null where its column cannot have it and that is only to be told', () => {
    const { table, rows } = gathered([...column('DOUBLE'), ...column('VARCHAR', true)]);
    let refused = 0;
    table.add(['1', ['x', {}]], () => refused++);
    table.add([1, ['x']], () => refused++);
    table.flush();
    expect(rows).toEqual([
      [null, null],
      [1, ['x']],
    ]);
    expect(refused).toBe(2);
  });

  it('may be a list', () => {
    const { table, rows } = gathered(column('VARCHAR', true));
    table.add([['CT', 'SR']]);
    table.add(['CT']);
    table.add([undefined]);
    table.flush();
    expect(rows).toEqual([[['CT', 'SR']], [['CT']], [null]]);
  });
});

it('names the resource that a view cannot take', async () => {
  const path = 'value.ofType(Quantity).value';
  const column = [{ name: 'value', path, type: 'decimal' }];
  const view = compileView({ resource: 'Observation', select: [{ column }] });
  const resource = { resourceType: 'Observation', id: 'o', valueQuantity: { value: '5' } };
  const making = makeRows([resource], [{ view, rows: gathered(view.columns).table }]);
  await expect(making).rejects.toThrow('Observation/o: select[0].column[0].path: A value is no DOUBLE.');
});

it('makes the rows of a stream, many at a time', async () => {
  const view = compileView({ resource: 'Observation', select: [{ column: [{ name: 'id', path: 'id' }] }] });
  const { table, rows } = gathered(view.columns);
  const texts = Array.from({ length: 5000 }, (_, id) => JSON.stringify({ ...RESOURCES[1]!, id: `${id}` }));
  expect(await makeRows([...texts, RESOURCES[0]!], [{ view, rows: table }])).toBe(5001);
  expect(rows.map(([id]) => id)).toEqual(texts.map((_, id) => `${id}`));
});
