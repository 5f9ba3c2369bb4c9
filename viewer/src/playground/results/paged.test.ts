/** Pages of longer lists, and queries that the server sends as a stream. */
import { expect, test } from 'vitest';
import type { GraphqlAnswer } from '../answer.ts';
import { listsOf, nameOf } from './lists.ts';
import { cutOf, isStreamed, pageQuery } from './paged.ts';

const ROWS = [{ resource: { id: 'a' } }, { resource: { id: 'b' } }];
const of = (query: string, data: GraphqlAnswer['data'], name: string, variables = {}) => {
  const list = listsOf(data).find((one) => nameOf(one) === name)!;
  return cutOf({ asked: { query, variables }, json: { data: data! } }, list);
};
const page = (more: object) => ({ XConnection: { ...more, edges: ROWS } });
const first = { isFirst: true, total: undefined, isCertain: true };

test.each<[string, string, GraphqlAnswer['data'], string, unknown]>([
  [
    'is counted',
    '{ XConnection(_count: 2) { count edges { id } } }',
    page({ count: 5 }),
    'XConnection.edges',
    { ...first, total: 5 },
  ],
  [
    'has a next page',
    '{ XConnection { next edges { id } } }',
    page({ next: 'c' }),
    'XConnection.edges',
    first,
  ],
  [
    'has a next page, and is counted',
    '{ XConnection { next count } }',
    page({ next: 'c', count: 9 }),
    'XConnection.edges',
    { ...first, total: 9 },
  ],
  [
    'has no next page',
    '{ XConnection(_count: 2) { next edges { id } } }',
    page({ next: null }),
    'XConnection.edges',
    undefined,
  ],
  [
    'is counted, and whole',
    '{ XConnection(_count: 2) { count edges { id } } }',
    page({ count: 2 }),
    'XConnection.edges',
    undefined,
  ],
  [
    'has as many rows as were asked for',
    '{ XConnection(_count: 2) { edges { id } } }',
    page({}),
    'XConnection.edges',
    { ...first, isCertain: false },
  ],
  ['has fewer rows', '{ XConnection(_count: 3) { edges { id } } }', page({}), 'XConnection.edges', undefined],
  ['has no _count', '{ XConnection { edges { id } } }', page({}), 'XConnection.edges', undefined],
  [
    'is a later page',
    '{ XConnection(_cursor: "c", _count: 2) { count next edges { id } } }',
    page({ count: 5, next: 'd' }),
    'XConnection.edges',
    { total: 5, isCertain: true, isFirst: false },
  ],
  [
    'is the last page',
    '{ XConnection(_cursor: "c", _count: 2) { count next edges { id } } }',
    page({ count: 5, next: null }),
    'XConnection.edges',
    undefined,
  ],
  ['is a list', '{ XList(_count: 2) { id } }', { XList: ROWS }, 'XList', { ...first, isCertain: false }],
  [
    'has an alias, in a fragment',
    'query { ...F } fragment F on Query { mine: XList(_count: 2) { id } }',
    { mine: ROWS },
    'mine',
    { ...first, isCertain: false },
  ],
  [
    'has a _count that is a variable',
    'query Q($n: Int) { XList(_count: $n) { id } }',
    { XList: ROWS },
    'XList',
    { ...first, isCertain: false },
  ],
  [
    'is one of several',
    '{ P { XList(_count: 2) { id } } }',
    { P: [{ XList: ROWS }, { XList: [] }] },
    'P.XList',
    { ...first, isCertain: false },
  ],
  [
    'is a timeline',
    '{ Patient { timeline { next entries { id } } } }',
    { Patient: { timeline: { next: 'c', entries: ROWS } } },
    'Patient.timeline.entries',
    first,
  ],
  [
    'is a list of facets',
    '{ XConnection { next facets(_count: 2) { value } } }',
    { XConnection: { next: 'c', count: 7, facets: ROWS } },
    'XConnection.facets',
    undefined,
  ],
  [
    'is a Bundle',
    'GET /fhir/X',
    { Bundle: { resourceType: 'Bundle', total: 7, link: [{ relation: 'next' }], entry: ROWS } },
    'Bundle.entry',
    { ...first, total: 7 },
  ],
  [
    'is a whole Bundle',
    'GET /fhir/X',
    { Bundle: { resourceType: 'Bundle', total: 7, link: [], entry: ROWS } },
    'Bundle.entry',
    undefined,
  ],
  ['is the whole answer', '{ XList(_count: 1) { id } }', { XList: ROWS }, 'Whole answer', undefined],
])('a list that %s', (_what, query, data, name, cut) => {
  expect(of(query, data, name, { n: 2 })).toEqual(cut);
});

test.each([
  ['{ XConnection(_count: 2) { count edges { resource { id } } } }', true],
  ['query($id: ID!) { Patient(id: $id) { XConnection { edges { resource { id } } } } }', true],
  ['{ XConnection { edges { resource { id } } } YList { id } }', false],
  ['{ Patient(id: 1) { id XConnection { edges { resource { id } } } } }', false],
  ['{ XConnection { edges { resource { YConnection { edges { resource { id } } } } } } }', false],
  ['{ XConnection { count } }', false],
  ['{ XList { id } }', false],
  ['{ XConnection { ed', false],
  ['GET /fhir/X', false],
])('the rows of %s are a stream: %s', (query, isStream) => expect(isStreamed({ query })).toBe(isStream));

test.each<[string, string, Record<string, unknown>, string | undefined]>([
  ['takes a cursor', '{ X { edges { id } } }', {}, '{ X(_cursor: "c") { edges { id } _next: next } }'],
  [
    'has another cursor',
    '{ X(_cursor: "b", _count: 2) { edges { id } } }',
    {},
    '{ X(_count: 2, _cursor: "c") { edges { id } _next: next } }',
  ],
  [
    'is in a fragment',
    '{ ...F } fragment F on Query { X { edges { id } } }',
    {},
    '{ ...F } fragment F on Query { X(_cursor: "c") { edges { id } _next: next } }',
  ],
  ['is no page', '{ X { rows { id } } }', {}, undefined],
])('the query of a page %s', (_what, query, variables, wanted) => {
  const steps = [
    { field: 'X', isList: false },
    { field: query.includes('rows') ? 'rows' : 'edges', isList: true },
  ];
  const paged = pageQuery({ query, variables }, { steps, count: 1 }, 'c');
  expect(paged?.query.replaceAll(/\s+/g, ' ')).toBe(wanted);
});

test('a list within a list has no pages that can be followed', () => {
  const steps = ['P', 'X', 'edges'].map((field, at) => ({ field, isList: at !== 1 }));
  expect(
    pageQuery({ query: '{ P { X { edges { id } } } }', variables: {} }, { steps, count: 1 }),
  ).toBeUndefined();
});
