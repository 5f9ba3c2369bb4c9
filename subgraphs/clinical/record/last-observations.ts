import type { Observation } from 'fhir/r4.js';
import { compareText } from '../../../schema/process/texts.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';

interface Timed {
  observation: Observation;
  /** Milliseconds since the epoch; -Infinity when it is not known. */
  time: number;
}

interface Group {
  /** Newest first, at most `max`. */
  newest: Timed[];
  keys: Set<string>;
}

/**
 * Keeps the newest observations of each code, one by one (R4 Observation-lastn). Two codes are the same when they have a
 * coding in common, also by way of a third observation; codes without codings are compared by their text.
 */
export class LastObservations {
  readonly #max: number;
  readonly #groups = new Map<string, Group>();

  /** @param max observations of one code */
  constructor(max: number) {
    this.#max = max;
  }

  add(observation: Observation): void {
    const keys = keysOf(observation);
    const known = new Set(keys.map((key) => this.#groups.get(key)).filter((group) => group !== undefined));
    const [first = { newest: [], keys: new Set<string>() }, ...others] = known;
    const timed = { observation, time: effectiveTime(observation) };
    const all = [...first.newest, timed, ...others.flatMap(({ newest }) => newest)];
    first.newest = all.sort(newestFirst).slice(0, this.#max);
    for (const key of [...keys, ...others.flatMap((group) => [...group.keys])]) {
      first.keys.add(key);
      this.#groups.set(key, first);
    }
  }

  /** Returns the observations group by group, the group with the newest one first. */
  all(): Observation[] {
    const groups = [...new Set(this.#groups.values())];
    groups.sort((a, b) => newestFirst(a.newest[0]!, b.newest[0]!));
    return groups.flatMap(({ newest }) => newest.map(({ observation }) => observation));
  }
}

function keysOf({ id, code }: Observation): string[] {
  const codings = (code?.coding ?? [])
    .filter((coding) => coding?.code !== undefined)
    .map(({ system = '', code }) => JSON.stringify([system, code]));
  if (codings.length > 0) return codings;
  const text = code?.text?.trim().toLowerCase();
  // An observation without any code is like no other.
  return [text ? `text ${text}` : `id ${id}`];
}

/** Returns the end of a period, or the beginning while it has no end, and the time of an instant or date. */
function effectiveTime(observation: Observation): number {
  const { effectiveDateTime, effectiveInstant, effectivePeriod, effectiveTiming } = observation;
  const events = [...(effectiveTiming?.event ?? [])].sort();
  const text =
    effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.end ?? effectivePeriod?.start ?? events.at(-1);
  return (typeof text === 'string' ? dateRange(text)?.low : undefined) ?? -Infinity;
}

function newestFirst(a: Timed, b: Timed): number {
  if (a.time !== b.time) return a.time > b.time ? -1 : 1;
  return compareText(a.observation.id ?? '', b.observation.id ?? '');
}
