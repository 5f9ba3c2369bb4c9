import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Result } from '../requirement.ts';
import { resultLines, summaryLines } from '../report/console.ts';
import { htmlReport } from '../report/html.ts';
import { junitReport } from '../report/junit.ts';
import { KIT_VERSION, type Report } from '../run.ts';
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
  versions: { kit: '0.1.0', node: '20.19.0', server: 'Example <1>' },
  checks: 7,
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
});

const skipped = (id: string, found: string): Result => Object.assign(result('skipped', id), { found });

test('the summary cannot be read as more than it says', () => {
  expect(summaryLines(REPORT)).toBe(
    [
      '3 of 7 checked: 1 met, 1 not met, 1 SHOULD or MAY not met.',
      '4 not checked:',
      '     2  ]]> "<&',
      '     2  not chosen by --only',
      'The server does not conform.',
    ].join('\n'),
  );
  const few = [
    result('passed', 'SM-1'),
    skipped('IA-1', 'give --patient ID'),
    skipped('DW-1', 'no study'),
    skipped('IA-2', 'give --patient ID'),
  ];
  const totals = { passed: 1, failed: 0, blocked: 0, warning: 0, skipped: 3 };
  const { started, versions } = REPORT;
  expect(summaryLines({ started, versions, checks: 4, results: few, totals, conforms: true })).toBe(
    [
      '1 of 4 checked: 1 met, 0 not met, 0 SHOULD or MAY not met.',
      '3 not checked:',
      '     2  give --patient ID',
      '     1  no study',
      'Every MUST that was checked is met. Nothing is said of the others.',
    ].join('\n'),
  );
});

test('IA-48 the HTML report is one page without scripts: unchecked first, then MUST, then the others', () => {
  const should: Result = { ...result('passed', 'DW-3'), level: 'SHOULD' };
  const page = htmlReport(
    { ...REPORT, checks: 6, totals: { ...REPORT.totals, passed: 2 }, results: [...RESULTS, should] },
    'ab12',
  );
  const headings = [...page.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, text]) => text);
  expect(headings).toEqual([
    'Not checked: 2',
    'MUST: 1 of 3 checked are met',
    'SHOULD and MAY: 1 of 1 checked are met',
  ]);
  expect(page).not.toMatch(/<script|<link|\son\w+=/);
  for (const text of ['ab12', 'http://a', '2026-01-01', 'Kit', '0.1.0, Node 20.19.0', 'Example &lt;1&gt;'])
    expect(page).toContain(text);
  expect(page).toContain("&lt;&quot;failed&quot; &amp; 'it'&gt;");
  const read = 'import sys, xml.etree.ElementTree as tree; tree.fromstring(sys.stdin.read())';
  // Well-formed apart from what HTML lets open.
  const input = page.replace(/<!doctype html>/, '').replace(/<meta[^>]*>/g, '');
  execFileSync('python3', ['-c', read], { input: input.replaceAll('<details open>', '<details>') });
});

test('the version of the kit is that of its package', () => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(text)).toMatchObject({ version: KIT_VERSION });
});
