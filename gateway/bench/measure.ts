/** Measuring and reporting of benchmarks: paired, alternated, by medians. */

/** One line of the table. */
export interface Figure {
  what: string;
  value: number;
  /** `ms`, `MB/s`, `files/s`, `MB`, `×` … */
  unit: string;
  /** Bounds of the value, shown in the table; the exit code is 1 when one is missed. */
  atLeast?: number;
  atMost?: number;
}

/** Returns the middle of the values; of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Measures the milliseconds that a piece of work takes. */
export async function duration(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Runs contenders in turn, so that other load of the machine affects all alike; the order is reversed with each
 * round. Each gives one value a round; the first round warms up and does not count.
 * @returns the median of each contender, and of the ratio of each to the first within a round
 */
export async function alternate<Name extends string>(
  contenders: Record<Name, () => number | Promise<number>>,
  rounds = 9,
): Promise<Record<Name, { median: number; ratio: number }>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 ? names : names.toReversed()) {
      const value = await contenders[name]();
      if (round > 0) samples[name].push(value);
    }
  }
  const first = samples[names[0]!];
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        median: median(samples[name]),
        ratio: median(samples[name].map((value, round) => value / first[round]!)),
      },
    ]),
  ) as Record<Name, { median: number; ratio: number }>;
}

/** Tells whether a figure is within its bounds. */
export function isMet({ value, atLeast = -Infinity, atMost = Infinity }: Figure): boolean {
  return value >= atLeast && value <= atMost;
}
