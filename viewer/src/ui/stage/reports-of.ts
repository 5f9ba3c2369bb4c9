import type { Report } from '../../domain/record/record.ts';
import type { Page } from '../context.ts';

/** Returns the reports of the active image's study, the newest first; those without a date are last. */
export function reportsOf({ record, workspace }: Page): readonly Report[] {
  const study = workspace.activeStudy;
  return (record.record?.reports ?? [])
    .filter(({ studies }) => studies.some((uid) => uid === study?.uid || uid === study?.id))
    .toSorted((a, b) => (b.date ?? '').localeCompare(a.date ?? ''));
}
