/** What the tab of SQL reads: tables, statements, and answers. */
import { describe, expect, test } from 'vitest';
import { waitingFor } from '../answer.ts';
import { linkedSql, linkToSql } from '../link.ts';
import { csvOf, ndjsonOf } from '../results/formats.ts';
import { tableOf, textOf } from '../results/lists.ts';
import { cutOf } from '../results/paged.ts';
import { studyLink } from '../results/pictures.ts';
import { problemsOf } from '../results/problems.ts';
import { viewOf } from '../results/view.ts';
import { SQL_EXAMPLES } from './sql-examples.ts';
import { errorLine, MOST_ROWS, namesInCsv, refusedAnswer, sentenceIn, shownAnswer } from './sql-rows.ts';
import { parametersIn, suggestionsAt } from './statement.ts';
import { tablesOf, type SqlTable } from './tables.ts';

const ASKED = { query: 'SELECT 1', variables: {} };
const column = (name: string, more: object = {}) => ({ name, path: 'x', ...more });
const BUNDLE = {
  resourceType: 'Bundle',
  entry: [
    {
      resource: {
        resourceType: 'ViewDefinition',
        name: 'patient',
        description: 'One row for each patient.',
        select: [{ column: [column('id', { type: 'id' }), column('gender', { type: 'code' })] }],
      },
    },
    {
      resource: {
        resourceType: 'ViewDefinition',
        name: 'observation',
        title: 'Results',
        select: [
          { column: [column('id'), column('modalities', { type: 'code', collection: true })] },
          { forEach: 'code.coding', column: [column('code')], select: [{ column: [column('inner')] }] },
          { unionAll: [{ column: [column('both')] }, { column: [column('both')] }] },
        ],
      },
    },
    { resource: { resourceType: 'OperationOutcome' } },
  ],
};
const TABLES: readonly SqlTable[] = tablesOf(BUNDLE);

test('tables have the columns of their views', () => {
  expect(TABLES.map(({ name, description }) => [name, description])).toEqual([
    ['observation', 'Results'],
    ['patient', 'One row for each patient.'],
  ]);
  expect(TABLES[0]!.columns.map(({ name, type }) => `${name} ${type}`.trim())).toEqual([
    'id',
    'modalities code[]',
    'code',
    'inner',
    'both',
  ]);
  expect(tablesOf(undefined)).toEqual([]);
});

test.each([
  ['SELECT :a, :b_2, :a', ['a', 'b_2']],
  ['SELECT \':no\', ":no", x::date -- :no\n/* :no */, :yes', ['yes']],
  ["SELECT 'it''s :no' || :yes", ['yes']],
  ['SELECT list[1:2]', []],
])('parameters of %j', (sql, names) => expect(parametersIn(sql)).toEqual(names));

describe('suggestions', () => {
  /** The cursor is at `|`. */
  const at = (marked: string) =>
    suggestionsAt(marked.replace('|', ''), marked.indexOf('|'), TABLES).map(({ name }) => name);

  test.each([
    ['SELECT p.| FROM patient p', ['id', 'gender']],
    ['SELECT p.ge| FROM patient AS p', ['id', 'gender']],
    ['SELECT patient.| FROM patient', ['id', 'gender']],
    ['SELECT x.| FROM patient p', []],
    ['SELECT * FROM |', ['observation', 'patient']],
    ['SELECT * FROM patient JOIN obs|', ['observation', 'patient']],
    ["SELECT * FROM patient WHERE gender = 'fe|", []],
    ['SELECT * FROM patient -- about |', []],
  ])('at %j', (marked, names) => expect(at(marked)).toEqual(names));

  test('put nothing in the place of a name that is given', () => {
    expect(at('SELECT 1 AS a|')).toEqual([]);
    for (const marked of ['FROM patient b|', 'FROM patient p, observation b|', 'JOIN patient\nw|'])
      expect(at(`SELECT * ${marked}`)).toEqual([]);
    expect(at('SELECT * FROM patient WH|')).toContain('WHERE');
    expect(at('SELECT * FROM patient WH|')).not.toContain('gender');
    expect(at('SELECT b| FROM patient')).not.toContain('BY');
    expect(at('SELECT b| FROM patient')).toContain('gender');
  });

  test('begin with the columns of the tables that are read, each once', () => {
    const names = at('SELECT | FROM patient p, observation o');
    expect(names.slice(0, 3)).toEqual(['id', 'gender', 'modalities']);
    expect(names.filter((name) => name === 'id')).toHaveLength(1);
    expect(names).toContain('SELECT');
    expect(at("SELECT 'done' |")).toContain('FROM');
  });
});

describe('an answer', () => {
  const streamed = (lines: readonly string[]) => new Response(lines.join(''), { status: 200 });

  test('is rows, with numbers as they came', async () => {
    const answer = await shownAnswer(ASKED, streamed(['{"v":1.10,"id":"a"}\n', '{"v":2,"id":"ü"}']), 0);
    expect(answer.text).toBe('[{"v":1.10,"id":"a"},\n{"v":2,"id":"ü"}]');
    expect(answer.json?.data?.['rows']).toHaveLength(2);
    expect(answer.isCut).toBe(false);
    expect(problemsOf(answer)).toEqual([]);
  });

  test('has all digits of integers, also sorted and in files', async () => {
    const lines = ['9007199254740993', '12345678901234567890', '9007199254740992', '-12345678901234567891'];
    const answer = await shownAnswer(ASKED, streamed(lines.map((v) => `{"v":${v}}\n`)), 0);
    const table = tableOf(answer.json?.data, { steps: [{ field: 'rows', isList: true }], count: 4 });
    expect(table.columns).toEqual([{ name: 'v', type: 'number' }]);
    expect(csvOf(table)).toBe(['v', ...lines].map((line) => `${line}\r\n`).join(''));
    expect(ndjsonOf(table)).toBe(lines.map((v) => `{"v":${v}}\n`).join(''));
    const sorted = viewOf(table)({ sorting: { column: 0, descending: false }, filter: '' });
    expect(sorted.map(([cell]) => textOf(cell!))).toEqual([lines[3], lines[2], lines[0], lines[1]]);
  });

  test('of very many rows is their beginning, and says so', async () => {
    const answer = await shownAnswer(ASKED, streamed(Array<string>(MOST_ROWS + 5).fill('{"v":1}\n')), 0);
    const list = { steps: [{ field: 'rows', isList: true }], count: MOST_ROWS };
    expect(answer.json?.data?.['rows']).toHaveLength(MOST_ROWS);
    expect(cutOf(answer, list)).toEqual({ total: undefined, isCertain: true, isFirst: true });
  });

  test.each([
    ['id,gender\r\n', ['id', 'gender']],
    ['"a ""b"", c",count_star()\r\n', ['a "b", c', 'count_star()']],
    ['one\r\n', ['one']],
    ['', []],
  ])('without rows has the columns that CSV names: %j', (text, names) =>
    expect(namesInCsv(text)).toEqual(names),
  );

  test('that breaks off says so, and has no half row', async () => {
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        if (at++ === 0) stream.enqueue(new TextEncoder().encode('{"v":1}\n{"v":'));
        else stream.error(new TypeError('network error'));
      },
    });
    const answer = await shownAnswer(ASKED, new Response(body), 0);
    expect(answer.json?.data?.['rows']).toHaveLength(1);
    expect(problemsOf(answer)[0]).toMatchObject({
      message: 'The rows broke off after 1: run the query again.',
      remedy: '',
    });
  });

  test.each([
    [{ issue: [{ diagnostics: 'Line 3: there is no table "x" for you.' }] }, 3],
    [{ issue: [{ details: { text: 'SQL is not available: install @duckdb/node-api.' } }] }, undefined],
  ])('that is refused has the sentence of the server: %j', (outcome, line) => {
    const text = JSON.stringify(outcome);
    const [problem] = problemsOf(refusedAnswer(ASKED, 422, text, 1));
    expect(problem!.message).toBe(sentenceIn(text));
    expect(problem!.remedy).toBe('');
    expect(errorLine(problem!.message)).toBe(line);
  });
});

test('an error that passes says what is there, and what goes on by itself', () => {
  const errors = [{ message: 'Being made. Try again in some seconds.', extensions: { code: 'unavailable' } }];
  const remedies = [null, { a: 1 }].map((data) => {
    const answer = { ...refusedAnswer(ASKED, 503, '', 1), json: { data, errors } };
    return problemsOf(answer)[0]!.remedy;
  });
  expect(remedies).toEqual([
    'Run the query again in a moment.',
    'Run the query again in a moment; the rest of the answer is complete.',
  ]);
  expect(waitingFor(errors[0]!.message)).toMatch(/^Being made\. The page asks again by itself/);
  expect(waitingFor()).toMatch(/^The data are being made\. The page/);
});

test('examples give a value to each of their parameters', () => {
  for (const { sql, parameters = {} } of SQL_EXAMPLES)
    expect(parametersIn(sql)).toEqual(Object.keys(parameters));
});

test('a link carries a statement', () => {
  const page = new URL('http://gateway/demo/playground?x=1#old');
  const link = linkToSql(page, 'SELECT 1 + 1 -- &');
  expect(linkedSql(new URL(link!))).toBe('SELECT 1 + 1 -- &');
  expect(linkToSql(page, 'x'.repeat(40_000))).toBeUndefined();
  expect(linkedSql(page)).toBeUndefined();
});

test.each([
  ['study_id', '2.25.1', 'http://gateway/app/?tenant=demo&study=2.25.1'],
  ['s.study_id', '2.25.1', 'http://gateway/app/?tenant=demo&study=2.25.1'],
  ['id', '2.25.1', undefined],
  ['study_id', null, undefined],
])('a cell of %s, %j, opens %s', (name, cell, link) => {
  const facts = { base: 'http://gateway/demo', gateway: 'http://gateway/' } as Parameters<
    typeof studyLink
  >[2];
  expect(studyLink(name, cell, facts)).toBe(link);
});
