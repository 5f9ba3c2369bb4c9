import { startOf } from '../timeline/dates.ts';
import type { Measurement } from './measurements.ts';

/**
 * Leaves out measurements of the same specimen, code and time but one: the corrected one, or else the one that was issued
 * last. Observations without a specimen are the same if they have an identifier in common.
 */
export function withoutDuplicates(measurements: readonly Measurement[]): Measurement[] {
  const kept = new Map<string, Measurement>();
  const found = new Set<Measurement>();
  for (const one of measurements) {
    const keys = keysOf(one);
    if (keys.length === 0) {
      found.add(one);
      continue;
    }
    const others = [...new Set(keys.flatMap((key) => kept.get(key) ?? []))];
    const best = others.reduce((best, other) => (rank(other) > rank(best) ? other : best), one);
    for (const other of [...others, one]) found.delete(other);
    found.add(best);
    for (const key of [...keys, ...others.flatMap(keysOf)]) kept.set(key, best);
  }
  return [...found];
}

function keysOf({ observation, coding, time }: Measurement): string[] {
  const { specimen, identifier } = observation;
  if (!specimen && !identifier) return [];
  const of = [coding.system, coding.code, time];
  const named = specimen?.reference ?? specimen?.identifier?.value;
  if (named !== undefined) return [JSON.stringify([...of, 'specimen', named])];
  return (identifier ?? []).flatMap((one) =>
    one?.value === undefined ? [] : [JSON.stringify([...of, 'identifier', one.system, one.value])],
  );
}

/** Orders statuses: a correction is better than what it corrects, and a final value better than a preliminary one. */
const STATUSES = ['unknown', 'registered', 'preliminary', 'final', 'amended', 'corrected'];

/** Returns a number that is larger for the better one of two. */
function rank({ observation: { status, issued, meta } }: Measurement): number {
  const time = startOf(issued) ?? startOf(meta?.lastUpdated) ?? 0;
  return STATUSES.indexOf(status) * 1e14 + time;
}
