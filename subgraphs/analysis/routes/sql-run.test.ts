import { request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../../schema/fault/fault.ts';
import { accessOf, asking, said, startSqlApp, TIME, type SqlApp } from '../test/sql-app.ts';

let sql: SqlApp;
let fault: Fault | undefined;
beforeAll(async () => {
  sql = await startSqlApp({ fault: () => fault });
});
afterEach(() => {
  sql.access = accessOf('system/*.rs');
  sql.audited.length = 0;
  sql.reached.length = 0;
  sql.found = {};
  fault = undefined;
  expect(sql.taken()).toBe(0);
});
afterAll(() => sql.close());

const { post } = asking(() => sql);

describe('a statement as the body', () => {
  test('gives rows, their time, and a record of what was asked', async () => {
    const text =
      'SELECT p.id, o.value FROM patient p JOIN observation o ON o.patient_id = p.id WHERE code = :code ORDER BY 2';
    const answer = await post(text, '?code=4548-4');
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe('{"id":"p1","value":7.5}\n{"id":"p1","value":9.89}\n');
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'last-modified': TIME.toUTCString(),
    });
    const tables = ['observation', 'patient'];
    expect(sql.audited).toEqual([
      { action: 'search', query: text, tables, rows: 2, outcome: { kind: 'allowed' } },
    ]);
  });

  test.each([
    ['_format=csv', 'text/csv; charset=utf-8', 'id\r\np1\r\np2\r\n'],
    ['_format=csv&header=false', 'text/csv; charset=utf-8', 'p1\r\np2\r\n'],
    ['_format=json', 'application/json', '[{"id":"p1"},{"id":"p2"}]\n'],
    ['_limit=1', 'application/x-ndjson', '{"id":"p1"}\n'],
    ['_limit=0', 'application/x-ndjson', ''],
  ])('%s', async (query, type, body) => {
    const answer = await post('SELECT id FROM patient ORDER BY 1', `?${query}`);
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, type]);
    expect(answer.body.replace(/\n(?=[,\]{])|(?<=\[)\n/g, '')).toBe(body);
  });

  test.each([
    ['*/*', 200, 'application/x-ndjson'],
    ['text/csv', 200, 'text/csv; charset=utf-8'],
    ['application/json, text/plain, */*', 200, 'application/json'],
    ['application/octet-stream', 200, 'application/x-ndjson'],
    ['application/fhir+json', 406, 'application/fhir+json; charset=utf-8'],
  ])('Accept: %s', async (accept, status, type) => {
    const answer = await post('SELECT 1 AS x', '', { accept });
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([status, type]);
  });

  test('is about the patients that are named', async () => {
    const [ann, bob] = [{ id: 'p1' }, { id: 'p2' }];
    sql.access = accessOf('system/*.rs', [ann, bob]);
    await post('SELECT 1 AS x', '?patient=Patient/p2');
    expect(sql.reached).toEqual([[bob]]);
    await post('SELECT 1 AS x', '?patient=http://localhost/t/fhir/Patient/p2');
    expect(sql.reached.pop()).toEqual([bob]);
    sql.audited.pop();
    expect(sql.audited[0]).toMatchObject({ patient: 'p2', rows: 1 });
    await post('SELECT 1 AS x');
    expect(sql.audited[1]).toMatchObject({ patients: 2 });
  });

  test('is about the members of a Group', async () => {
    await post('SELECT 1 AS x', '?group=Group/g');
    await post('SELECT 1 AS x', '?group=g&patient=p1&patient=p2');
    const bob = { id: 'p2', identity: { id: 'p2', identifier: [] } };
    expect(sql.reached).toEqual([[bob], [bob]]);
  });

  test('is about nobody where a Group has none of the patients who are named', async () => {
    for (const scope of ['system/*.rs', 'system/Patient.rs']) {
      sql.access = accessOf(scope);
      const answer = await post('SELECT 1 AS x', '?group=g&patient=p1');
      expect([answer.statusCode, sql.reached.pop()]).toEqual([200, []]);
    }
    sql.access = accessOf('system/*.rs', []);
    for (const query of ['', '?group=g', '?patient=p1'])
      expect((await post('SELECT 1 AS x', query)).statusCode).toBe(403);
    expect(sql.reached).toEqual([]);
  });

  test('is about no patient who is not in the record', async () => {
    expect((await post('SELECT 1 AS x', '?patient=nobody')).statusCode).toBe(404);
    expect(sql.reached).toEqual([]);
  });

  test.each([
    ['?_since=2020-01-01T00:00:00Z', 400, 'not-supported'],
    ['?source=s3', 400, 'not-supported'],
    ['?_format=fhir', 400, 'not-supported'],
    ['?_format=xml', 400, 'not-supported'],
    ['?_sort=id', 400, 'not-supported'],
    ['?subjectReference=Library/x', 400, 'not-supported'],
    ['?_limit=many', 400, 'invalid'],
    ['?header=perhaps', 400, 'invalid'],
    ['?_format=csv&_format=json', 400, 'invalid'],
    ['?unused=1', 400, 'invalid'],
    ['?patient=Group/1', 400, 'invalid'],
    ['?patient=Patient/p1/_history/1', 400, 'invalid'],
    ['?patient=https://other.example/t/fhir/Patient/p1', 400, 'invalid'],
  ])('%s is refused', async (query, status, issue) => {
    const answer = await post('SELECT id FROM patient', query);
    expect([answer.statusCode, JSON.parse(answer.body).issue[0].code]).toEqual([status, issue]);
  });

  test.each([
    ['no SELECT', 'DELETE FROM patient', 422],
    ['an unknown table', 'SELECT 1\nFROM nothing', 422],
    ['an unknown column', 'SELECT weight FROM patient', 422],
    ['a mistake', 'SELEC 1', 422],
    ['a missing value', 'SELECT :code AS code', 400],
    ['a long text', `SELECT '${'x'.repeat(70_000)}' AS x`, 413],
  ])('%s', async (_what, text, status) => {
    const answer = await post(text);
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([status, 'no-store']);
    expect(sql.audited).toMatchObject([{ query: text, outcome: { kind: 'denied' } }]);
  });

  test('names the line of a mistake', async () => {
    expect(said(await post('SELECT 1\nFROM nothing'))).toBe('Line 2: there is no table "nothing" for you.');
  });

  test('a table without scope is 403, and names the scope', async () => {
    sql.access = accessOf('system/Patient.rs');
    const answer = await post('SELECT * FROM Observation');
    expect(answer.statusCode).toBe(403);
    expect(answer.headers['www-authenticate']).toContain('scope="system/Observation.rs"');
    expect((await post('SELECT id FROM patient')).statusCode).toBe(200);
  });

  test.each([
    [new Fault('unavailable', 'The tables are being made.', { retryAfter: 5 }), 503],
    [new Fault('not_implemented', 'no engine'), 501],
    [new Fault('forbidden', 'no patient'), 403],
  ])('a reach that is refused: %s', async (thrown, status) => {
    fault = thrown;
    const answer = await post('SELECT 1 AS x');
    expect([answer.statusCode, said(answer)]).toEqual([status, thrown.message]);
  });

  test('a third question of a client at once is 429', async () => {
    const answers = await Promise.all([1, 2, 3].map((number) => post(`SELECT ${number} AS x`)));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 429]);
    expect(answers[2]!.headers['retry-after']).toBe('2');
    // Nothing was made for it.
    expect(sql.reached).toHaveLength(2);
  });

  test('other kinds of bodies are 415', async () => {
    const answer = await post('SELECT 1', '', { 'content-type': 'text/plain' });
    expect(answer.statusCode).toBe(415);
  });
});

describe('an answer that does not end as it should', () => {
  const ask = async (text: string, onData: (close: () => void) => void) => {
    const address = sql.app.server.address() ?? (await sql.app.listen(), sql.app.server.address());
    return new Promise<string>((resolve) => {
      const asked = send(
        {
          method: 'POST',
          port: (address as AddressInfo).port,
          path: '/t/fhir/$sql-run',
          headers: { 'content-type': 'application/sql' },
        },
        (answer) => {
          answer.on('data', () => onData(() => asked.destroy()));
          answer.once('end', () => resolve('end'));
          answer.once('error', () => resolve('cut'));
        },
      );
      asked.once('error', () => resolve('cut'));
      asked.end(text);
    });
  };

  const isSome = (rows: number) => rows > 0 && rows < 400_000;

  test('a late failure cuts the connection', async () => {
    const text =
      "SELECT CAST(CASE WHEN range < 400000 THEN '1' ELSE 'x' END AS INTEGER) AS n FROM range(500000)";
    expect(await ask(text, () => undefined)).toBe('cut');
    await expect
      .poll(() => sql.audited)
      .toMatchObject([
        { rows: expect.toSatisfy(isSome), outcome: { kind: 'failed', code: 'unprocessable' } },
      ]);
  });

  test('a client that leaves ends the question', async () => {
    const text = "SELECT range AS n, repeat('x', 100) AS x FROM range(50000000)";
    expect(await ask(text, (close) => close())).toBe('cut');
    await expect
      .poll(() => sql.audited, { timeout: 5000 })
      .toMatchObject([{ rows: expect.toSatisfy(isSome), outcome: { kind: 'left' } }]);
  });
});
