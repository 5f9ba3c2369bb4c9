import { expect, test } from 'vitest';
import { Fault } from '../../fault/fault.ts';
import type { Parameters } from './search-request.ts';
import { outcomeEntry, searchset } from './searchset.ts';

const url = 'https://ehr.example/fhir/Patient';
const applied: Parameters = [
  ['name', 'a b'],
  ['_count', '2'],
  ['_offset', '2'],
];

test('IA-20 the links of a searchset are absolute and contain the whole search', () => {
  const at = (offset: number): Parameters => (offset === 0 ? [] : [['_offset', String(offset)]]);
  const places = { first: at(0), previous: at(0), next: at(4), last: at(6) };
  expect(searchset({ url, applied, entries: [], total: 7, pages: { count: 2, places } })).toEqual({
    resourceType: 'Bundle',
    type: 'searchset',
    total: 7,
    link: [
      { relation: 'self', url: `${url}?name=a+b&_count=2&_offset=2` },
      { relation: 'first', url: `${url}?name=a+b&_count=2` },
      { relation: 'previous', url: `${url}?name=a+b&_count=2` },
      { relation: 'next', url: `${url}?name=a+b&_count=2&_offset=4` },
      { relation: 'last', url: `${url}?name=a+b&_count=2&_offset=6` },
    ],
  });
});

test('IA-20 without other pages there is only the self link; without entries no empty array', () => {
  const { link, entry, total } = searchset({ url, applied: [], entries: [] });
  expect([link, entry, total]).toEqual([[{ relation: 'self', url }], undefined, undefined]);
});

test('DW-18 a source that did not answer becomes an outcome entry with a warning', () => {
  const entry = outcomeEntry(new Fault('unavailable', 'The archive is away.', { retryAfter: 5 }));
  expect(searchset({ url, applied: [], entries: [entry] }).entry).toEqual([
    {
      resource: {
        resourceType: 'OperationOutcome',
        issue: [{ severity: 'warning', code: 'transient', diagnostics: 'The archive is away.' }],
      },
      search: { mode: 'outcome' },
    },
  ]);
});
