import type { Result } from '../requirement.ts';
import type { Report } from '../run.ts';
import { escaped } from './escaped.ts';

const seconds = (results: readonly Result[]) =>
  (results.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000).toFixed(3);
const isFailure = ({ status }: Result) => status === 'failed' || status === 'blocked';

/** Returns a report as JUnit XML: one suite for each family of requirements. */
export function junitReport({ results, started }: Report): string {
  const families = [...new Set(results.map(({ id }) => id.split('-')[0]!))];
  const suites = families.map((family) => {
    const own = results.filter(({ id }) => id.startsWith(`${family}-`));
    const skipped = own.filter(({ status }) => status === 'skipped').length;
    const counts = `tests="${own.length}" failures="${own.filter(isFailure).length}" skipped="${skipped}"`;
    const head = `<testsuite name="${family}" ${counts} timestamp="${started}" time="${seconds(own)}">`;
    return `  ${head}\n${own.map(testCase).join('\n')}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`;
}

function testCase(result: Result): string {
  const { id, name, sentence, level, status, found } = result;
  const title = escaped(`${name}: ${sentence}`);
  const details = escaped(
    [...result.requested, `expected: ${result.expected}`, `found: ${found}`, `level: ${level}`].join('\n'),
  );
  const head = `    <testcase classname="${id}" name="${title}" time="${seconds([result])}">`;
  if (isFailure(result)) return `${head}<failure message="${escaped(found)}">${details}</failure></testcase>`;
  if (status === 'skipped') return `${head}<skipped message="${escaped(found)}"/></testcase>`;
  const note = status === 'warning' ? `warning\n${details}` : details;
  return `${head}<system-out>${note}</system-out></testcase>`;
}
