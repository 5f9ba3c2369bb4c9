/** Observations in groups, as our gateway's timeline has them (docs/timeline.md). */
import type { Report, Result, TimelineEntry } from '../../domain/record/record.ts';
import { startOf, writtenDay } from '../fhir/dates.ts';
import type { FhirConcept, FhirObservation, FhirReference, List, Maybe } from '../fhir/shapes.ts';
import { present } from '../fhir/shapes.ts';
import { resultsEvent } from '../fhir/timeline.ts';
import { hasCode, resultOf } from '../fhir/words.ts';

export interface GroupedObservation extends FhirObservation {
  category?: List<FhirConcept>;
  encounter?: Maybe<FhirReference>;
  specimen?: Maybe<FhirReference>;
}

export interface GroupedResults {
  events: TimelineEntry[];
  /** By the id of the report. */
  resultsOfReport: Map<string, Result[]>;
}

/**
 * Groups results: laboratory results that a report of the same written day names belong to that report, the others together
 * by day and specimen; vital signs by day and encounter. One without a date is alone.
 */
export function groupResults(
  observations: readonly GroupedObservation[],
  reports: readonly Report[],
): GroupedResults {
  const groups = new Map<string, { kind: 'laboratory' | 'vital-signs'; results: Result[] }>();
  const resultsOfReport = new Map<string, Result[]>();
  for (const observation of observations) {
    const result = resultOf(observation);
    if (!result) continue;
    const kind = present(observation.category).some((one) => hasCode(one, 'vital-signs'))
      ? 'vital-signs'
      : 'laboratory';
    const day = startOf(result.date) === undefined ? undefined : writtenDay(result.date!);
    const report = kind === 'laboratory' ? reports.find((one) => isResultOf(result, day, one)) : undefined;
    if (report) {
      resultsOfReport.set(report.id, [...(resultsOfReport.get(report.id) ?? []), result]);
      continue;
    }
    const common = kind === 'laboratory' ? observation.specimen : observation.encounter;
    const key = JSON.stringify([
      kind,
      day ?? result.id,
      common?.reference ?? common?.identifier?.value ?? '',
    ]);
    const group = groups.get(key) ?? { kind, results: [] };
    group.results.push(result);
    groups.set(key, group);
  }
  const events = [...groups.values()].map(({ kind, results }) => resultsEvent(kind, results));
  return { events, resultsOfReport };
}

function isResultOf({ id }: Result, day: string | undefined, { date, results }: Report): boolean {
  return day !== undefined && date !== undefined && writtenDay(date) === day && results.includes(id);
}
