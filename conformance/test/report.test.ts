import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Result } from '../requirement.ts';
import { resultLines, summaryLine } from '../report/console.ts';
import { junitReport } from '../report/junit.ts';
import type { Report } from '../run.ts';
import { SafeText } from '../safe-text.ts';

const SAFE = new SafeText(['token', 'token-and-more', 'a b', undefined]);

test.each([
  ['a secret', 'Bearer token, token-and-more', 'Bearer [secret], [secret]'],
  ['a secret in a URL', '/x?t=a%20b', '/x?t=[secret]'],
  ['control characters', 'a\u001b[2J\u0007\r\nb\u009bc\u202ed', 'a [2J b c d'],
  ['half of a character', 'a\ud800b\uffff', 'a b '],
  ['a capability', `http://a/${'x'.repeat(80)}/studies/1`, 'http://a/xxxxxxxx…/studies/1'],
  ['a UID', `http://a/studies/${'1'.repeat(64)}`, `http://a/studies/${'1'.repeat(64)}`],
  ['UIDs in a row', `/${'1'.repeat(64)}%2f..%2f${'2.2'}/x`, `/${'1'.repeat(64)}%2f..%2f2.2/x`],
  ['a long text', 'é'.repeat(600), `${'é'.repeat(500)}…`],
])('%s is safe to print', (_, text, safe) => {
  expect(SAFE.clean(text)).toBe(safe);
});

test('a character that is cut in two is no half in the report', () => {
  expect(SAFE.clean(`a${'😀'.repeat(300)}`)).not.toMatch(/\p{Cs}/u);
});

const result = (status: Result['status'], id: string): Result => ({
  id,
  name: 'n',
  level: 'MUST',
  status,
  milliseconds: 1500,
  sentence: `<"${status}" & 'it'>`,
  requested: ['GET http://a/?x=1&y=<2>', 'GET http://b'],
  expected: '404',
  found: ']]> "<&',
});
const RESULTS = [result('passed', 'IA-1'), result('failed', 'IA-2'), result('blocked', 'IA-3')].concat(
  ...[result('skipped', 'DW-1'), result('warning', 'DW-2')],
);
const REPORT: Report = {
  base: 'http://a',
  started: '2026-01-01T00:00:00.000Z',
  results: RESULTS,
  conforms: false,
  totals: { passed: 1, failed: 1, blocked: 1, warning: 1, skipped: 1 },
};

test('JUnit is well-formed XML, with one suite for each family', () => {
  const xml = junitReport(REPORT);
  const read = `import sys, json, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.read())
print(json.dumps([[dict(suite.attrib), [[case.get("classname"), case.get("name"), *[child.tag for child in case]] for case in suite]] for suite in root]))`;
  const suites = JSON.parse(
    execFileSync('python3', ['-c', read], { input: xml, encoding: 'utf8' }),
  ) as unknown;
  expect(suites).toMatchObject([
    [
      { name: 'IA', tests: '3', failures: '2', skipped: '0', time: '4.500' },
      [
        ['IA-1', `n: <"passed" & 'it'>`, 'system-out'],
        ['IA-2', `n: <"failed" & 'it'>`, 'failure'],
        ['IA-3', `n: <"blocked" & 'it'>`, 'failure'],
      ],
    ],
    [
      { name: 'DW', tests: '2', failures: '0', skipped: '1' },
      [
        ['DW-1', `n: <"skipped" & 'it'>`, 'skipped'],
        ['DW-2', `n: <"warning" & 'it'>`, 'system-out'],
      ],
    ],
  ]);
});

test('a failure is printed with requests, expectation and finding; a success is one line', () => {
  expect(resultLines(RESULTS[1]!, false)).toBe(
    [
      `FAIL  MUST   IA-2 n: <"failed" & 'it'>`,
      '        requested  GET http://a/?x=1&y=<2>',
      '                   GET http://b',
      '        expected   404',
      '        found      ]]> "<&',
    ].join('\n'),
  );
  expect(resultLines(RESULTS[0]!, true)).toBe(`\u001b[32mpass\u001b[0m  MUST   IA-1 n: <"passed" & 'it'>`);
  expect(summaryLine(REPORT)).toBe(
    '1 passed, 1 failed, 1 not checked because of failures, 1 warnings, 1 skipped: the server does not conform.',
  );
});
