import type { Result } from '../requirement.ts';
import type { Report } from '../run.ts';

/** Checks that say nothing about the server, for one reason. */
export interface Unchecked {
  reason: string;
  results: readonly Result[];
}

/** True if the check says whether the server meets its requirement. */
export const isChecked = ({ status }: Result) => status !== 'skipped' && status !== 'blocked';

/** Returns the checks that were not made or did not decide, by their reasons, the most frequent first. */
export function uncheckedOf({ results }: Pick<Report, 'results'>): Unchecked[] {
  const byReason = new Map<string, Result[]>();
  for (const result of results.filter((one) => !isChecked(one))) {
    const same = byReason.get(result.found);
    if (same) same.push(result);
    else byReason.set(result.found, [result]);
  }
  return [...byReason]
    .map(([reason, own]) => ({ reason, results: own }))
    .sort((a, b) => b.results.length - a.results.length);
}

/** Returns how many checks decided, and how. */
export function countsOf({ results, totals }: Report): string {
  const { passed, failed, warning } = totals;
  const checked = results.filter(isChecked).length;
  return `${checked} of ${results.length} checked: ${passed} met, ${failed} not met, ${warning} SHOULD or MAY not met.`;
}

/** Returns what the report says of the server, and no more than that. */
export function verdictOf({ results, conforms }: Report): string {
  if (!conforms) return 'The server does not conform.';
  return results.every(isChecked)
    ? 'Every MUST is met.'
    : 'Every MUST that was checked is met. Nothing is said of the others.';
}
