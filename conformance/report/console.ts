import type { Result, Status } from '../requirement.ts';
import type { Report } from '../run.ts';
import { countsOf, notChecked, uncheckedOf, verdictOf } from './summary.ts';

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

/** Most reasons in a summary; the reports have all. */
const REASONS = 6;

/** Returns the last lines of a report: how many checks decided, why the others did not, and the verdict. */
export function summaryLines(report: Report): string {
  const unchecked = uncheckedOf(report);
  const all = notChecked(report);
  const others = unchecked.slice(REASONS).reduce((total, { count }) => total + count, 0);
  const line = (checks: number, reason: string) => `  ${String(checks).padStart(4)}  ${reason}`;
  return [
    countsOf(report),
    ...(all > 0 ? [`${all} not checked:`] : []),
    ...unchecked.slice(0, REASONS).map(({ reason, count }) => line(count, reason)),
    ...(others > 0 ? [line(others, 'for other reasons, printed above')] : []),
    verdictOf(report),
  ].join('\n');
}
