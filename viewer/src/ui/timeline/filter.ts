import { foldedText } from '../../../../schema/fhir/folded-text.ts';
import type { EntryKind, TimelineEntry } from '../../domain/record/record.ts';

export const GROUPS = ['all', 'images', 'reports', 'visits', 'results', 'other'] as const;
export type Group = (typeof GROUPS)[number];

const GROUP_OF: Record<EntryKind, Group> = {
  study: 'images',
  report: 'reports',
  document: 'reports',
  encounter: 'visits',
  procedure: 'visits',
  laboratory: 'results',
  'vital-signs': 'results',
  problem: 'other',
  medication: 'other',
  immunization: 'other',
};

/** True if an entry belongs to a group. A study with a report is in both. */
export function inGroup({ kind, reports }: TimelineEntry, group: Group): boolean {
  return group === 'all' || GROUP_OF[kind] === group || (group === 'reports' && reports.length > 0);
}

/**
 * Returns the entries of a group that have every word of the text, accents and case aside.
 * @param wordsOf what can be found of an entry, as it is written on the page
 */
export function filterEntries(
  entries: readonly TimelineEntry[],
  { group, text }: { group: Group; text: string },
  wordsOf: (entry: TimelineEntry) => string,
): readonly TimelineEntry[] {
  const words = foldedText(text).split(/\s+/).filter(Boolean);
  return entries.filter((entry) => {
    if (!inGroup(entry, group)) return false;
    if (words.length === 0) return true;
    const found = foldedText(wordsOf(entry));
    return words.every((word) => found.includes(word));
  });
}

/** Returns entries by year, newest first; entries without a date are last, under `undefined`. */
export function byYear(
  entries: readonly TimelineEntry[],
): { year: string | undefined; entries: TimelineEntry[] }[] {
  const years = new Map<string | undefined, TimelineEntry[]>();
  for (const entry of entries) {
    const year = entry.date?.slice(0, 4);
    years.set(year, [...(years.get(year) ?? []), entry]);
  }
  return [...years]
    .map(([year, all]) => ({ year, entries: all }))
    .sort((a, b) => (b.year ?? '').localeCompare(a.year ?? ''));
}
