import type { Report } from '../../domain/record.ts';
import type { Page } from '../context.ts';

/** Returns the reports of the study that is open. */
export function reportsOf({ record, workspace }: Page): readonly Report[] {
  const { study } = workspace;
  return (record.record?.reports ?? []).filter(({ studies }) =>
    studies.some((uid) => uid === study?.uid || uid === study?.id),
  );
}
