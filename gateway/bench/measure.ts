/** How benchmarks measure and report: paired, alternated, by medians. */

/** One line of the table. */
export interface Figure {
  what: string;
  value: number;
  /** `ms`, `MB/s`, `files/s`, `MB`, `×` … */
  unit: string;
  /** What it must reach, for the reader and for the exit code. */
  atLeast?: number;
  atMost?: number;
}

/** The middle of the values; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Milliseconds that a piece of work takes. */
export async function duration(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Runs contenders in turn, so that what the machine does meanwhile falls on all alike; the order turns with each round.
 * Each gives one value a round; the first round warms up and does not count.
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

/** Whether a figure reaches what it must. */
export function isMet({ value, atLeast = -Infinity, atMost = Infinity }: Figure): boolean {
  return value >= atLeast && value <= atMost;
}
