import type { Result } from '../requirement.ts';
import type { Report } from '../run.ts';

/** Checks that say nothing about the server, for one reason. Those that `--only` leaves out have no results. */
export interface Unchecked {
  reason: string;
  count: number;
  results: readonly Result[];
}

/** True if the check says whether the server meets its requirement. */
export const isChecked = ({ status }: Result) => status !== 'skipped' && status !== 'blocked';

/** Returns the checks that were not made or did not decide, by their reasons, the most frequent first. */
export function uncheckedOf({ results, checks }: Report): Unchecked[] {
  const byReason = new Map<string, Result[]>();
  for (const result of results.filter((one) => !isChecked(one))) {
    const same = byReason.get(result.found);
    if (same) same.push(result);
    else byReason.set(result.found, [result]);
  }
  const notChosen = { reason: 'not chosen by --only', count: checks - results.length, results: [] };
  return [
    ...[...byReason].map(([reason, own]) => ({ reason, count: own.length, results: own })),
    ...(notChosen.count > 0 ? [notChosen] : []),
  ].sort((a, b) => b.count - a.count);
}

/** Returns how many of all checks did not decide. */
export const notChecked = ({ totals, checks }: Report): number =>
  checks - totals.passed - totals.failed - totals.warning;

/** Returns how many checks decided, and how. */
export function countsOf(report: Report): string {
  const { passed, failed, warning } = report.totals;
  const checked = report.checks - notChecked(report);
  return `${checked} of ${report.checks} checked: ${passed} met, ${failed} not met, ${warning} SHOULD or MAY not met.`;
}

/** Returns what the report says of the server, and no more than that. */
export function verdictOf(report: Report): string {
  if (!report.conforms) return 'The server does not conform.';
  return notChecked(report) === 0
    ? 'Every MUST is met.'
    : 'Every MUST that was checked is met. Nothing is said of the others.';
}
