import type { Result, Status } from '../requirement.ts';
import type { Report } from '../run.ts';

/** Labels, and their colours on a terminal. */
const LABELS: Readonly<Record<Status, readonly [text: string, colour: number]>> = {
  passed: ['pass', 32],
  failed: ['FAIL', 31],
  warning: ['warn', 33],
  blocked: ['FAIL', 31],
  skipped: ['skip', 90],
};

/**
 * Returns the lines of a result: one if it passed, otherwise all that is needed to repeat the check.
 * @param coloured with the colours of a terminal
 */
export function resultLines(result: Result, coloured: boolean): string {
  const { id, name, level, sentence, status, requested, expected, found } = result;
  const [text, colour] = LABELS[status];
  const label = coloured ? `\u001b[${colour}m${text}\u001b[0m` : text;
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
