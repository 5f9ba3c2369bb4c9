/** No value of a parameter is a failure of the server, or leads to another patient. */
import { describe, expect, it } from 'vitest';
import { isInTurn } from '../../../gateway/test/setup/usual-run.ts';
import { restSources, SOURCES } from '../test/rest-sources.ts';

const { ask } = restSources();

const VALUES = [
  '|',
  'a|b|c',
  '|||',
  '1||',
  '\\',
  '\\,',
  ',',
  ',,,',
  '$',
  'a$b',
  '#',
  '#x',
  '*',
  '-',
  '"',
  '<a>',
  '%00',
  '\u0000',
  '\ud800',
  '..',
  '../Patient/bob',
  "' OR 1=1 --",
  '{"a":1}',
  'x'.repeat(20_000),
  '2024-02-30',
  '2024-13',
  '24:00',
  'T',
  'ge',
  'gegegt1',
  '1e999',
  'NaN',
  'Patient/',
  '/ana',
  'urn:uuid:x',
  'http://',
];

/** Returns the values of a row that are in the run: `npm run test:long` has all. */
const inTurn = (row: number) => VALUES.filter((_, column) => isInTurn([row, column], 4));

async function expectNoFailure(source: string, path: string, [name, value]: [string, string]) {
  const query = new URLSearchParams({ [name]: value }).toString();
  const { statusCode, body } = await ask(source, `${path}?${query}`);
  expect(statusCode, `${path} ${name}=${value.slice(0, 50)}`).toBeLessThan(500);
  expect(body).not.toContain('bobs');
}

const CRITERIA = [
  'code',
  'onset-date',
  'subject',
  'onset-age',
  '_id',
  '_lastUpdated',
  '_profile',
  'encounter.date',
];
describe.each(SOURCES)('%s', (source) => {
  it.each(CRITERIA.map((name, row) => [name, row] as const))('the criterion %s', async (name, row) => {
    for (const value of inTurn(row)) await expectNoFailure(source, '/Condition', [name, value]);
  });
});

const RESULTS = [
  '_include',
  '_revinclude',
  '_elements',
  '_summary',
  '_count',
  '_total',
  '_cursor',
  '_offset',
  '_sort',
];
const PATHS = ['/Condition', '/Condition/asthma', '/Patient/ana/Condition', '/Condition/asthma/_history'];
it.each(RESULTS.map((name, row) => [name, row] as const))('the result parameter %s', async (name, row) => {
  for (const value of inTurn(row))
    for (const path of PATHS) await expectNoFailure('store', path, [name, value]);
});
