import type { Measure, PatientRecord, Result, TimelineEntry } from '../../domain/record/record.ts';
import { flagOf } from '../../messages/plain/codes.ts';

/** Fewer values are no course. */
const FEWEST = 3;
/** So many fit in the width of a few letters. */
const MOST = 12;

type Values = readonly { date: string; value: number }[];

/** The parts of the record that are on the page; it is never changed. */
const histories = new WeakMap<PatientRecord, ReadonlyMap<string, Values>>();

/**
 * Returns the last values of the same measurement in the same unit that the record has, oldest first, up to the date of a
 * result; empty where they are fewer than three. Nothing is asked for.
 */
export function lastValues(record: PatientRecord, { measures = [], date }: Result): readonly number[] {
  const [measure] = measures;
  if (measure === undefined || date === undefined) return [];
  let history = histories.get(record);
  if (!history) histories.set(record, (history = historyOf(record)));
  const values = (history.get(keyOf(measure)) ?? []).filter((one) => one.date <= date).slice(-MOST);
  return values.length >= FEWEST ? values.map(({ value }) => value) : [];
}

/** Returns the course that tells most of an entry: of a result that is flagged, or else of the first that has one. */
export function courseOf(
  record: PatientRecord,
  { results }: TimelineEntry,
): { result: Result; values: readonly number[] } | undefined {
  const courses = results
    .map((result) => ({ result, values: lastValues(record, result) }))
    .filter(({ values }) => values.length > 0);
  return courses.find(({ result }) => flagOf(result.flags) !== undefined) ?? courses[0];
}

function historyOf(record: PatientRecord): Map<string, Values> {
  const history = new Map<string, { date: string; value: number }[]>();
  const results = new Map(record.timeline.flatMap((entry) => entry.results).map((one) => [one.id, one]));
  for (const { measures = [], date } of results.values())
    for (const measure of date === undefined ? [] : measures) {
      const key = keyOf(measure);
      const values = history.get(key) ?? [];
      history.set(key, values);
      values.push({ date: date!, value: measure.value });
    }
  for (const values of history.values()) values.sort((a, b) => (a.date < b.date ? -1 : 1));
  return history;
}

/** The same code, or else the same words; values of two units are two courses. */
function keyOf({ concept, unit = '' }: Measure): string {
  return [concept.code ? `${concept.system}|${concept.code}` : concept.text, unit].join(' ');
}
