import { describe, expect, test } from 'vitest';
import { readSearchRequest, type ResultRules, type Results } from './search-request.ts';

const RULES: ResultRules = {
  defaultCount: 50,
  maxCount: 1000,
  more: { _sort: (value) => value !== 'colour', _include: (value) => value === '*' },
};
const read = (query: string, strict = false) =>
  readSearchRequest([...new URLSearchParams(query)], strict, RULES);
const usual: Results = { count: 50, sort: [], total: 'if-cheap' };

test.each<[query: string, results: object]>([
  ['', {}],
  ['_count=10&_offset=20', { count: 10, offset: 20 }],
  ['_count=10&_count=20', { count: 20 }],
  ['_count=5000', { count: 1000 }],
  ['_count=0', { count: 0, summary: 'count' }],
  ['_summary=count&_count=7', { count: 0, summary: 'count' }],
  ['_summary=false', { summary: 'false' }],
  ['_summary=true', { summary: 'true' }],
  ['_sort=-date,code&_sort=_id', { sort: ['-date', 'code', '_id'] }],
  ['_sort=colour', {}],
  ['_elements=id, name&_elements=code', { elements: ['id', 'name', 'code'] }],
  ['_total=none', { total: undefined }],
  ['_total=accurate', { total: 'accurate' }],
  ['_total=estimate', {}],
])('R4 §3.1.1.5 %s asks for %j', (query, results) => {
  expect(read(query).results).toEqual({ ...usual, ...results });
});

test('leaves criteria to the API, and keeps the order of everything understood', () => {
  const { criteria, understood } = read('a=1&_count=2&_sort=colour&_include:iterate=*&a=3&_pretty=true');
  expect(criteria).toEqual([
    ['a', '1'],
    ['a', '3'],
  ]);
  expect(understood.map(([name]) => name)).toEqual(['a', '_count', '_include:iterate', 'a', '_pretty']);
});

test('says which size of a page was understood', () => {
  expect(read('a=1&_count=5000').understood).toEqual([
    ['a', '1'],
    ['_count', '1000'],
  ]);
});

describe('result parameters that are not understood', () => {
  test.each<[query: string, code: string | undefined]>([
    ['_sort=colour', 'unsupported_parameter'],
    ['_include=x', 'unsupported_parameter'],
    // Not a result parameter of this API, so a criterion: the API itself refuses it.
    ['_cursor=x', undefined],
  ])('strict handling of %s → %s', (query, code) => {
    if (code) expect(() => read(query, true)).toThrow(expect.objectContaining({ code }));
    else expect(read(query, true).criteria).toHaveLength(1);
    expect(read(query).ignored.map((fault) => fault.code)).toEqual(code ? [code] : []);
    if (code) expect(read(query).understood).toEqual([]);
  });

  test.each([
    '_count=x',
    '_count=',
    '_count=-1',
    '_count=1.5',
    '_offset=-1',
    '_elements=',
    '_elements=,',
    '_summary=yes',
    '_summary=',
    '_total=maybe',
  ])('a value that the standard does not have is refused under any handling: %s', (query) => {
    for (const strict of [true, false]) {
      expect(() => read(query, strict)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    }
  });

  test.each(['_count:exact=1', '_include:once=*', '_sort:desc=x'])(
    'R4 §3.1.1.4.4 a modifier that does not exist is refused under any handling: %s',
    (query) => {
      for (const strict of [true, false]) {
        expect(() => read(query, strict)).toThrow(expect.objectContaining({ code: 'unsupported_parameter' }));
      }
    },
  );
});
