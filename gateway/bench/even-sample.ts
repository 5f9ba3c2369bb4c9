import type { Random } from '../test/setup/random.ts';

/** Returns what belongs to each kind, in the order in which the kinds came first. */
export function byKind<T>(all: readonly T[], kindOf: (one: T) => string): Map<string, T[]> {
  const kinds = new Map<string, T[]>();
  for (const one of all) {
    const kind = kindOf(one);
    kinds.set(kind, [...(kinds.get(kind) ?? []), one]);
  }
  return kinds;
}

/**
 * Chooses some of many, of each kind as many as of the others, as far as there are so many.
 * @returns at most `count`; the kinds take turns
 */
export function evenSample<T>(
  all: readonly T[],
  kindOf: (one: T) => string,
  { count, random }: { count: number; random: Random },
): T[] {
  const kinds = [...byKind(all, kindOf).values()];
  const chosen: T[] = [];
  while (chosen.length < count && kinds.some((left) => left.length > 0)) {
    for (const left of kinds) {
      if (left.length === 0 || chosen.length === count) continue;
      const [one] = left.splice(random.below(left.length), 1);
      chosen.push(one!);
    }
  }
  return chosen;
}
