import type { Result, Status } from '../requirement.ts';
import type { Report } from '../run.ts';

const LABEL: Readonly<Record<Status, string>> = {
  passed: 'pass',
  failed: 'FAIL',
  warning: 'warn',
  blocked: 'FAIL',
  skipped: 'skip',
};
const COLOUR: Readonly<Record<Status, number>> = {
  passed: 32,
  failed: 31,
  warning: 33,
  blocked: 31,
  skipped: 90,
};

/**
 * Returns the lines of a result: one if it passed, otherwise all that is needed to repeat the check.
 * @param coloured with the colours of a terminal
 */
export function resultLines(result: Result, coloured: boolean): string {
  const { id, name, level, sentence, status, requested, expected, found } = result;
  const label = coloured ? `\u001b[${COLOUR[status]}m${LABEL[status]}\u001b[0m` : LABEL[status];
  const title = `${label}  ${level.padEnd(6)} ${id} ${name}: ${sentence}`;
  if (status === 'passed') return title;
  if (status === 'skipped') return `${title}\n        skipped    ${found}`;
  return [
    title,
    ...requested.map((line, index) => `        ${index === 0 ? 'requested' : '         '}  ${line}`),
    `        expected   ${expected}`,
    `        found      ${found}`,
  ].join('\n');
}

/** Returns the last line of a report. */
export function summaryLine({ totals, conforms }: Report): string {
  const { passed, failed, blocked, warning, skipped } = totals;
  const counts = [
    `${passed} passed`,
    `${failed} failed`,
    `${blocked} not checked because of failures`,
    `${warning} warnings`,
    `${skipped} skipped`,
  ];
  const verdict = conforms ? 'every MUST that was checked is met' : 'the server does not conform';
  return `${counts.join(', ')}: ${verdict}.`;
}
