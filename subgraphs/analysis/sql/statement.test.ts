import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAsking, type Asking } from '../test/reach.ts';
import type { SqlParameter } from './query.ts';

let asking: Asking;
beforeAll(async () => {
  asking = await startAsking();
});
afterAll(() => asking.close());

describe('a statement', () => {
  test.each([
    [
      'joins, groups and windows',
      `WITH last AS (SELECT patient_id, arg_max(value, effective) AS value FROM observation GROUP BY 1) SELECT p.id, last.value, row_number() OVER (ORDER BY p.id) AS n FROM patient p JOIN last ON last.patient_id = p.id ORDER BY 1`,
      '{"id":"p1","value":9.89,"n":1}\n{"id":"p2","value":null,"n":2}\n',
    ],
    [
      'an order by all columns',
      'SELECT gender, id FROM patient ORDER BY ALL DESC LIMIT 1',
      '{"gender":"male","id":"p2"}\n',
    ],
    ['names of any case', 'SELECT ID FROM Patient ORDER BY 1 LIMIT 1', '{"id":"p1"}\n'],
    [
      'a name of its own for a table',
      'WITH patient AS (SELECT 1 AS one) SELECT one FROM patient',
      '{"one":1}\n',
    ],
    [
      'a recursion',
      'WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT max(i) AS m FROM r',
      '{"m":3}\n',
    ],
    [
      'nested common tables',
      'WITH a AS (WITH b AS (SELECT 1 AS x) SELECT x FROM b), c AS (SELECT x + 1 AS x FROM a) SELECT a.x, c.x AS y FROM a, c',
      '{"x":1,"y":2}\n',
    ],
    ['FROM first', 'FROM patient SELECT count(*) AS n', '{"n":3}\n'],
    [
      'sets',
      "SELECT id FROM patient WHERE gender = 'male' UNION SELECT patient_id FROM observation WHERE code LIKE '8%'",
      '{"id":"p2"}\n',
    ],
    ['VALUES', "SELECT * FROM (VALUES (1, 'a')) v(x, y)", '{"x":1,"y":"a"}\n'],
    [
      'lists and members',
      "SELECT [1, 2, 3][2:3] AS l, {'a': 1}.a AS m, unnest([4]) AS u",
      '{"l":[2,3],"m":1,"u":4}\n',
    ],
    [
      'dates',
      "SELECT date_trunc('month', birth) AS month, extract(year FROM birth) AS y, date_diff('year', birth, DATE '2020-01-01') AS age FROM patient WHERE id = 'p1'",
      '{"month":"1970-01-01T00:00:00Z","y":1970,"age":50}\n',
    ],
    [
      'casts',
      "SELECT CAST('7' AS INTEGER) AS a, '1.5'::DECIMAL(3,1) AS b, TRY_CAST('x' AS INTEGER) AS c, CAST([1] AS VARCHAR[]) AS d",
      '{"a":7,"b":1.5,"c":null,"d":["1"]}\n',
    ],
    ['JSON', `SELECT json_extract_string('{"a":"b"}', '$.a') AS a`, '{"a":"b"}\n'],
    [
      'FILTER, HAVING, QUALIFY',
      'SELECT gender, count(*) FILTER (WHERE birth IS NULL) AS n FROM patient GROUP BY gender HAVING count(*) > 1 QUALIFY row_number() OVER () = 1',
      '{"gender":"female","n":1}\n',
    ],
    [
      'conditions',
      "SELECT id FROM patient WHERE (gender = 'male' OR birth IS NULL) AND NOT id IN ('p9') AND id BETWEEN 'p1' AND 'p3' AND coalesce(gender, '') <> '' ORDER BY id DESC LIMIT 1 OFFSET 1",
      '{"id":"p2"}\n',
    ],
    ['an end', 'SELECT 1 AS x;', '{"x":1}\n'],
    ['an end and a comment', 'SELECT 1 AS x; -- all', '{"x":1}\n'],
    [
      'today',
      "SELECT current_date > DATE '2020-01-01' AS x, now() IS NOT NULL AS y",
      '{"x":true,"y":true}\n',
    ],
    [
      'statistics',
      'SELECT median(value) AS m, quantile_cont(value, 0.5) AS q, round(stddev(value), 1) AS s FROM observation',
      '{"m":9.89,"q":9.89,"s":64.3}\n',
    ],
  ])('may have %s', async (_what, sql, rows) => {
    expect(await asking.read(sql)).toBe(rows);
  });

  test.each([
    [
      'a column that is not there',
      'SELECT id,\n  nme\nFROM patient',
      /^Line 2: Referenced column "nme" not found/,
    ],
    [
      'a table that is not there',
      'SELECT *\nFROM patient\nJOIN nothing ON true',
      'Line 3: there is no table "nothing" for you.',
    ],
    ['a mistake', 'SELECT id\nFRM patient x', /^Line 2: .*syntax error at or near "patient"/],
    [
      'a function that is not there',
      'SELECT\nlen(id), sqare(2) FROM patient',
      'Line 2: the function "sqare" is not available.',
    ],
    [
      'a schema',
      'SELECT * FROM main.patient',
      'Line 1: write the name of a table without a schema: "patient".',
    ],
    ['two statements', 'SELECT 1; SELECT 2', 'Only one statement is answered at a time.'],
    [
      'another statement than SELECT',
      'DELETE FROM patient',
      'Only SELECT is answered: nothing else can be done here.',
    ],
    [
      'columns by an expression',
      "SELECT COLUMNS('i.*') FROM patient",
      'Line 1: COLUMNS is not available; name the columns.',
    ],
    ['parameters that differ in case', 'SELECT :x,\n :X', 'The parameters :x and :X differ in case only.'],
    ['a table function', "SELECT * FROM read_csv('x')", /^Line 1: "read_csv" is not a table\./],
    ['a value that is none', "SELECT 'abc'::INTEGER", /Could not convert string 'abc' to INT32/],
    ['characters before its place', "SELECT 'é€\n😀', nme FROM patient", /^Line 2: Referenced column "nme"/],
  ])('is refused with %s, and the line', async (_what, sql, message) => {
    expect(await refusal(asking.ask(sql))).toEqual({
      code: 'unprocessable',
      status: 422,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });

  test('has at most 64 kB', async () => {
    const long = (bytes: number) => `SELECT 1 AS x --${'é'.repeat((bytes - 16) / 2)}`;
    expect(await asking.read(long(65_536))).toBe('{"x":1}\n');
    expect(await refusal(asking.ask(long(65_538)))).toMatchObject({ code: 'too_large' });
  });
});

describe('a parameter', () => {
  const value = (type: SqlParameter['type'], value: SqlParameter['value']) => ({ type, value });

  test.each<[SqlParameter['type'], SqlParameter['value'], string, string]>([
    ['string', "it's; DROP", 'VARCHAR', '"it\'s; DROP"'],
    ['boolean', true, 'BOOLEAN', 'true'],
    ['boolean', 'false', 'BOOLEAN', 'false'],
    ['integer', '-12', 'BIGINT', '-12'],
    ['decimal', 9.5, 'DOUBLE', '9.5'],
    ['date', '2025-12-26', 'DATE', '"2025-12-26"'],
    ['dateTime', '2025-12-26T11:00:00.5+02:00', 'TIMESTAMP', '"2025-12-26T09:00:00.5Z"'],
    ['dateTime', '2025-12-26', 'TIMESTAMP', '"2025-12-26T00:00:00Z"'],
  ])('%s %j is bound as %3$s', async (type, given, bound, json) => {
    const rows = await asking.read('SELECT :p AS p, typeof(:p) AS t', {
      parameters: { p: value(type, given) },
    });
    expect(rows).toBe(`{"p":${json},"t":"${bound}"}\n`);
  });

  test.each<[SqlParameter['type'], SqlParameter['value'], string]>([
    ['integer', '1.5', 'a whole number'],
    ['integer', '1e3', 'a whole number'],
    ['decimal', 'NaN', 'a number'],
    ['boolean', 'yes', 'true or false'],
    ['date', '2025-12', 'a whole date, as 2026-11-30'],
    ['date', '2025-13-01', 'a whole date, as 2026-11-30'],
    ['date', '2026-02-30', 'a whole date, as 2026-11-30'],
    ['dateTime', '2026-02-30T11:00:00Z', 'a date with time and time zone, as 2026-11-30T08:00:00Z'],
    ['dateTime', '2025-12-26T11:00:00', 'a date with time and time zone, as 2026-11-30T08:00:00Z'],
  ])('%s %j is refused', async (type, given, said) => {
    const asked = asking.ask('SELECT :p', { parameters: { p: value(type, given) } });
    expect(await refusal(asked)).toEqual({
      code: 'invalid_request',
      status: 400,
      message: `The parameter p must be ${said}.`,
    });
  });

  test('finds rows, in lists, and as a limit', async () => {
    const sql = 'SELECT id FROM observation WHERE code IN (:a, :b) AND value > :v ORDER BY id LIMIT :n';
    const parameters = {
      a: value('string', '4548-4'),
      b: value('string', 'x'),
      v: value('decimal', 8),
      n: value('integer', 5),
    };
    expect(await asking.read(sql, { parameters })).toBe('{"id":"o1"}\n');
  });

  test('is named when it is missing or unused', async () => {
    const asked = asking.ask("SELECT :a, ':no', :b", {
      parameters: { b: value('string', ''), c: value('string', '') },
    });
    expect(await refusal(asked)).toEqual({
      code: 'invalid_request',
      status: 400,
      message: 'The statement needs a value for :a. The statement has no parameter :c.',
    });
  });
});
