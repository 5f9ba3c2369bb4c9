import { expect, test } from 'vitest';
import { citations, citedIds, requirementsPage } from './requirements.ts';

const FOUND = citations(
  new Map([
    ['schema/a.ts', '/** Refuses (IA-7). */'],
    ['schema/a.test.ts', "test('IA-7 a foreign patient is 403')"],
    ['conformance/checks/a.ts', "id: 'IA-7'"],
  ]),
);

test.each([
  ['IA-7', ['IA-7']],
  ['DW-1 to DW-3, SM-5', ['DW-1', 'DW-2', 'DW-3', 'SM-5']],
  ['UTF-8 and MPEG-4', []],
])('%s cites %j', (text, ids) => {
  expect([...citedIds(text)]).toEqual(ids);
});

test('a requirement has its line, its files and its tests', () => {
  const page = requirementsPage({ 'IA-7': 'Others are 403.' }, FOUND);
  expect(page).toContain(
    '### IA-7\n\nOthers are 403.\n\n- Implemented in: [schema/a.ts](../schema/a.ts)\n- Tested by: [schema/a.test.ts](../schema/a.test.ts)\n' +
      '- Checked at any server by: [conformance/checks/a.ts](../conformance/checks/a.ts)\n',
  );
});

test.each([
  [
    'an id that has no line',
    {},
    FOUND,
    /IA-7 has no line; cited in schema\/a\.ts, schema\/a\.test\.ts, conformance\/checks\/a\.ts/,
  ],
  ['a line without an implementation', { 'IA-7': '', 'IA-8': '' }, FOUND, /IA-8: no source file/],
  [
    'a line without a test',
    { 'IA-8': '' },
    citations(new Map([['schema/a.ts', 'IA-8']])),
    /IA-8: no test cites it/,
  ],
])('%s is refused', (_what, lines, found, message) => {
  expect(() => requirementsPage(lines, found)).toThrow(message);
});
