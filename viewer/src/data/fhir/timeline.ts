/** The timeline of a record: events of all kinds, with each study and its reports as one entry. */
import type { EntryKind, Report, Result, TimelineEntry } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import { startOf } from './dates.ts';
import { omitEmpty } from './shapes.ts';

/** Kinds in the order in which they are shown at the same moment. */
const KINDS: readonly EntryKind[] = [
  ...(['encounter', 'report', 'study', 'procedure', 'problem', 'medication', 'immunization'] as const),
  ...(['document', 'laboratory', 'vital-signs'] as const),
];

/** Returns an event without studies, reports and results. @param id type and id of the resource that it is of */
export function eventOf(
  kind: EntryKind,
  id: string,
  event: { date?: string | undefined; end?: string | undefined; title?: string | undefined },
): TimelineEntry {
  const { date, end, title = '' } = event;
  return omitEmpty({ kind, id, date, end, title, studies: [], reports: [], results: [] });
}

/** Returns the event of observations that were made together. @param observed at least one */
export function resultsEvent(kind: 'laboratory' | 'vital-signs', observed: readonly Result[]): TimelineEntry {
  const results = oldestFirst(observed);
  const dates = results.flatMap(({ date }) => date ?? []);
  const names = [...new Set(results.map(({ concept }) => concept.text))];
  const [date, end] = [dates[0], dates.at(-1)];
  const times = { date, end: end === date ? undefined : end, title: names.join(', ') };
  return { ...eventOf(kind, `Observation/${results[0]!.id}`, times), results };
}

/** Sorts results by time, then by id: the order is the same whoever gave them. */
function oldestFirst(results: readonly Result[]): Result[] {
  const start = ({ date }: Result): number => startOf(date) ?? Number.MAX_SAFE_INTEGER;
  return [...results].sort((a, b) => start(a) - start(b) || (a.id < b.id ? -1 : 1));
}

export interface TimelineParts {
  events: readonly TimelineEntry[];
  studies: readonly Study[];
  reports: readonly Report[];
  /** Results that belong to a report, by its id. */
  resultsOfReport: ReadonlyMap<string, readonly Result[]>;
}

/** Returns the timeline, newest first; entries without a date are last. */
export function timelineOf({ events, studies, reports, resultsOfReport }: TimelineParts): TimelineEntry[] {
  const alone = reports.filter(
    (one) => !one.studies.some((uid) => studies.some((study) => study.uid === uid)),
  );
  const resultsOf = (some: readonly Report[]): Result[] =>
    oldestFirst(some.flatMap(({ id }) => resultsOfReport.get(id) ?? []));
  const entries = [
    ...events,
    ...studyGroups(studies, reports).map((group): TimelineEntry => {
      const [first] = group;
      const uids = group.map(({ uid }) => uid);
      const own = reports.filter((report) => report.studies.some((uid) => uids.includes(uid)));
      const times = { date: first.started, title: first.description ?? first.modalities.join(', ') };
      return {
        ...eventOf('study', `ImagingStudy/${first.uid}`, times),
        studies: uids,
        reports: own,
        results: resultsOf(own),
      };
    }),
    ...alone.map((report): TimelineEntry => {
      const times = { date: report.date, title: report.concept.text };
      return {
        ...eventOf('report', `DiagnosticReport/${report.id}`, times),
        reports: [report],
        results: resultsOf([report]),
      };
    }),
  ];
  return entries.sort(compareEntries);
}

type Group = [Study, ...Study[]];

/** Returns the studies in groups: those that one report is about belong together. The newest of each is first. */
function studyGroups(studies: readonly Study[], reports: readonly Report[]): Group[] {
  let groups = studies.map((study): Group => [study]);
  for (const report of reports) {
    const touched = groups.filter((group) => group.some(({ uid }) => report.studies.includes(uid)));
    if (touched.length < 2) continue;
    const joined = touched.flat() as Group;
    groups = groups.flatMap((group) =>
      group === touched[0] ? [joined] : touched.includes(group) ? [] : [group],
    );
  }
  return groups;
}

function compareEntries(a: TimelineEntry, b: TimelineEntry): number {
  const [one, other] = [startOf(a.date) ?? -Infinity, startOf(b.date) ?? -Infinity];
  if (one !== other) return one > other ? -1 : 1;
  return KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (a.id < b.id ? -1 : 1);
}
