import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAsking, type Asking } from '../test/reach.ts';
import { SENTENCES } from './finding.ts';

let asking: Asking;
beforeAll(async () => {
  asking = await startAsking();
});
afterAll(() => asking.close());

/** Reads a Parquet answer by another implementation than the one that wrote it. */
async function parquet(sql: string): Promise<{ rows: Record<string, unknown>[]; codecs: string[] }> {
  const { body } = await asking.ask(sql, { format: 'parquet' });
  const bytes = await buffer(body);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const { row_groups: groups } = await parquetMetadataAsync(file);
  const codecs = groups.flatMap(({ columns }) => columns.map(({ meta_data }) => meta_data!.codec));
  return { rows: await parquetReadObjects({ file }), codecs: [...new Set(codecs)] };
}

const DAY = '2025-12-26';
/** The reader of Parquet does not know the type. */
const UNREAD = Symbol('unread');
/** Parquet has no form for the value. */
const NONE = Symbol('none');
test.each<[type: string, expression: string, json: string, csv: string, parquet: unknown]>([
  ['VARCHAR', `'a "b", c'`, '"a \\"b\\", c"', '"a ""b"", c"', 'a "b", c'],
  ['VARCHAR with lines', `'a' || chr(10) || 'é€😀'`, '"a\\né€😀"', '"a\né€😀"', 'a\né€😀'],
  ['VARCHAR, a formula', `'=1+1'`, '"=1+1"', "'=1+1", '=1+1'],
  ['NULL', 'NULL::VARCHAR', 'null', '""', null],
  ['BOOLEAN', 'true', 'true', 'true', true],
  ['INTEGER', '-7', '-7', '-7', -7],
  ['BIGINT', '9007199254740993', '9007199254740993', '9007199254740993', 9007199254740993n],
  [
    'UBIGINT',
    '18446744073709551615::UBIGINT',
    '18446744073709551615',
    '18446744073709551615',
    18446744073709551615n,
  ],
  [
    'HUGEINT',
    '170141183460469231731687303715884105727',
    '170141183460469231731687303715884105727',
    '170141183460469231731687303715884105727',
    NONE,
  ],
  ['DECIMAL', '9.890::DECIMAL(10,3)', '9.890', '9.890', 9.89],
  [
    'DECIMAL, wide',
    '-12345678901234567890123.45::DECIMAL(38,2)',
    '-12345678901234567890123.45',
    '-12345678901234567890123.45',
    -1.2345678901234568e22,
  ],
  ['DOUBLE', '0.1::DOUBLE', '0.1', '0.1', 0.1],
  ['DOUBLE, large', '1e300', '1e+300', '1e+300', 1e300],
  ['FLOAT', '0.1::FLOAT', '0.1', '0.1', Math.fround(0.1)],
  ['NaN', "'nan'::DOUBLE", '"NaN"', 'NaN', NaN],
  ['Infinity', "'-inf'::DOUBLE", '"-Infinity"', '-Infinity', -Infinity],
  ['DATE', `DATE '${DAY}'`, `"${DAY}"`, DAY, new Date(`${DAY}T00:00:00Z`)],
  ['DATE, infinite', "'infinity'::DATE", '"infinity"', 'infinity', expect.anything()],
  ['DATE, early', "'0044-03-15 (BC)'::DATE", '"0044-03-15 (BC)"', '0044-03-15 (BC)', expect.anything()],
  [
    'TIMESTAMP',
    `TIMESTAMP '${DAY} 11:00:00'`,
    `"${DAY}T11:00:00Z"`,
    `${DAY}T11:00:00Z`,
    new Date(`${DAY}T11:00:00Z`),
  ],
  [
    'TIMESTAMP, fine',
    `TIMESTAMP '${DAY} 11:00:00.250001'`,
    `"${DAY}T11:00:00.250001Z"`,
    `${DAY}T11:00:00.250001Z`,
    expect.anything(),
  ],
  [
    'TIMESTAMP, early',
    "TIMESTAMP '1899-12-31 23:59:59.5'",
    '"1899-12-31T23:59:59.5Z"',
    '1899-12-31T23:59:59.5Z',
    new Date('1899-12-31T23:59:59.5Z'),
  ],
  [
    'TIMESTAMPTZ',
    `TIMESTAMPTZ '${DAY} 11:00:00+02:00'`,
    `"${DAY}T09:00:00Z"`,
    `${DAY}T09:00:00Z`,
    new Date(`${DAY}T09:00:00Z`),
  ],
  [
    'TIMESTAMP_S',
    `'${DAY} 11:00:00'::TIMESTAMP_S`,
    `"${DAY}T11:00:00Z"`,
    `${DAY}T11:00:00Z`,
    new Date(`${DAY}T11:00:00Z`),
  ],
  [
    'TIMESTAMP_MS',
    `'${DAY} 11:00:00.5'::TIMESTAMP_MS`,
    `"${DAY}T11:00:00.5Z"`,
    `${DAY}T11:00:00.5Z`,
    new Date(`${DAY}T11:00:00.5Z`),
  ],
  [
    'TIMESTAMP_NS',
    `'${DAY} 11:00:00.000000001'::TIMESTAMP_NS`,
    `"${DAY}T11:00:00.000000001Z"`,
    `${DAY}T11:00:00.000000001Z`,
    expect.anything(),
  ],
  ['TIME', "TIME '11:00:00.5'", '"11:00:00.5"', '11:00:00.5', expect.anything()],
  [
    'INTERVAL',
    "INTERVAL '14 months 3 days 4 hours 5 minutes 6.5 seconds'",
    '"P1Y2M3DT4H5M6.5S"',
    'P1Y2M3DT4H5M6.5S',
    UNREAD,
  ],
  ['INTERVAL, none', "INTERVAL '0 days'", '"PT0S"', 'PT0S', UNREAD],
  [
    'INTERVAL, negative',
    "INTERVAL '-1 month' - INTERVAL '90 minutes'",
    '"P-1MT-1H-30M"',
    'P-1MT-1H-30M',
    NONE,
  ],
  ['BLOB', "'\\x00\\xFFa'::BLOB", '"AP9h"', 'AP9h', expect.anything()],
  [
    'UUID',
    "'4ac7a9e9-607c-4c8a-84f3-843f0191e3fd'::UUID",
    '"4ac7a9e9-607c-4c8a-84f3-843f0191e3fd"',
    '4ac7a9e9-607c-4c8a-84f3-843f0191e3fd',
    expect.anything(),
  ],
  ['ENUM', "'a'::ENUM('a', 'b')", '"a"', 'a', 'a'],
  ['LIST', "['CT', NULL]", '["CT",null]', '"[""CT"",null]"', ['CT', null]],
  ['LIST of numbers', '[1, 2]', '[1,2]', '"[1,2]"', [1, 2]],
  ['LIST of NaN', "['nan'::DOUBLE]", '["NaN"]', '"[""NaN""]"', [NaN]],
  ['ARRAY', '[1, 2]::INTEGER[2]', '[1,2]', '"[1,2]"', [1, 2]],
  [
    'STRUCT',
    "{'a': 1, 'b \"x\"': ['y']}",
    '{"a":1,"b \\"x\\"":["y"]}',
    '"{""a"":1,""b \\""x\\"""":[""y""]}"',
    { a: 1, 'b "x"': ['y'] },
  ],
  ['MAP', "MAP {'a': 1}", '[{"key":"a","value":1}]', '"[{""key"":""a"",""value"":1}]"', expect.anything()],
])('%s: %s', async (_type, expression, json, csv, inParquet) => {
  const sql = `SELECT ${expression} AS x`;
  expect(await asking.read(sql)).toBe(`{"x":${json}}\n`);
  expect(await asking.read(sql, { format: 'json' })).toBe(`[\n{"x":${json}}\n]\n`);
  expect(await asking.read(sql, { format: 'csv' })).toBe(`x\r\n${csv}\r\n`);
  const read = parquet(sql).then(({ rows }) => rows[0]!['x']);
  if (inParquet === NONE) await expect(read).rejects.toMatchObject({ message: SENTENCES.parquet });
  else if (inParquet === UNREAD) await expect(read).rejects.toThrow('parquet interval not supported');
  else expect(await read).toEqual(inParquet);
});

describe('an answer', () => {
  const sql = 'SELECT id, gender FROM patient ORDER BY id';

  test('has a media type, its columns and its tables', async () => {
    const types = await Promise.all(
      (['ndjson', 'csv'] as const).map(async (format) => {
        const { type, columns, tables, body, ended } = await asking.ask(sql, { format });
        body.resume();
        return { type, columns, tables, end: await ended };
      }),
    );
    const same = { columns: ['id', 'gender'], tables: ['patient'], end: { rows: 3 } };
    expect(types).toEqual([
      { type: 'application/x-ndjson', ...same },
      { type: 'text/csv; charset=utf-8', ...same },
    ]);
  });

  test('may have no rows', async () => {
    const none = `${sql.replace('ORDER', 'WHERE false ORDER')}`;
    expect(await asking.read(none)).toBe('');
    expect(await asking.read(none, { format: 'json' })).toBe('[\n]\n');
    expect(await asking.read(none, { format: 'csv' })).toBe('id,gender\r\n');
    expect((await parquet(none)).rows).toEqual([]);
  });

  test('is CSV without names of columns', async () => {
    expect(await asking.read(sql, { format: 'csv', header: false })).toBe(
      'p1,female\r\np2,male\r\np3,female\r\n',
    );
  });

  test('ends after so many rows', async () => {
    const many = { limit: 5000 };
    const numbers = 'SELECT i FROM range(100000) t(i) ORDER BY i';
    expect((await asking.read(numbers, many)).split('\n')).toHaveLength(5001);
    const { body } = await asking.ask(numbers, { ...many, format: 'parquet' });
    const bytes = await buffer(body);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    expect(Number((await parquetMetadataAsync(file)).num_rows)).toBe(5000);
    expect(await asking.read(sql, { limit: 0, format: 'csv' })).toBe('id,gender\r\n');
  });

  test('gives columns of one name a number', async () => {
    const joined = 'SELECT * FROM (SELECT 1 AS id, 2 AS "id:1") a, (SELECT 3 AS id) b';
    expect(await asking.read(joined)).toBe('{"id":1,"id:1":2,"id:2":3}\n');
    expect((await parquet(joined)).rows).toEqual([{ id: 1, 'id:1': 2, 'id:2': 3 }]);
  });

  test('in Parquet has names that differ in more than case, and whole sums', async () => {
    const sql = 'SELECT 1 AS id, sum(x) AS ID FROM (VALUES (9007199254740992), (1)) t(x)';
    expect(await asking.read(sql)).toBe('{"id":1,"ID":9007199254740993}\n');
    expect((await parquet(sql)).rows).toEqual([{ id: 1, 'ID:1': 9_007_199_254_740_993n }]);
    await expect(parquet('SELECT sum(9223372036854775807) AS x FROM range(2)')).rejects.toMatchObject({
      message: SENTENCES.parquet,
    });
  });

  test.each(['row(1, 2)', "{'__proto__': 1}"])(
    'is not made of %s, whose values have no names',
    async (value) => {
      for (const format of ['ndjson', 'csv'] as const)
        await expect(asking.ask(`SELECT ${value} AS x`, { format })).rejects.toMatchObject({
          code: 'unprocessable',
          message: expect.stringMatching(/^A row of values without names/),
        });
    },
  );

  test('in CSV has no empty line for a row', async () => {
    expect(await asking.read('SELECT NULL AS x FROM range(2)', { format: 'csv' })).toBe('x\r\n""\r\n""\r\n');
  });

  test('is Parquet that Snappy compresses, of many rows', async () => {
    const { rows, codecs } = await parquet(`SELECT i, 'text ' || i AS x FROM range(300000) t(i) ORDER BY i`);
    expect(codecs).toEqual(['SNAPPY']);
    expect(rows).toHaveLength(300_000);
    expect(rows[299_999]).toEqual({ i: 299_999n, x: 'text 299999' });
  });

  test('has rows larger than a message', async () => {
    const long = await asking.read(`SELECT repeat('é', 3000000) AS x FROM range(3)`);
    expect(long).toBe(`{"x":"${'é'.repeat(3_000_000)}"}\n`.repeat(3));
  });
});
