import { Counter, type CounterConfiguration } from 'prom-client';

/**
 * Makes a counter that is counted up at each request: it counts in plain numbers, which the metric gets when it is read.
 * prom-client makes several objects for each count.
 * @returns a function that counts, with the values of the labels in their order
 */
export function plainCounter<Label extends string>(
  options: CounterConfiguration<Label> & { labelNames: readonly Label[] },
): (...values: string[]) => void {
  const counts: { values: readonly string[]; count: number }[] = [];
  const counter = new Counter({
    ...options,
    collect() {
      for (const one of counts) {
        if (one.count > 0) counter.labels(...one.values).inc(one.count);
        one.count = 0;
      }
    },
  });
  const countOf = keptChildren({
    labels(...values) {
      const one = { values, count: 0 };
      counts.push(one);
      return one;
    },
  });
  return (...values) => {
    countOf(...values).count++;
  };
}

/**
 * Returns the child of a metric for the values of its labels, in their order. It is made once: prom-client hashes the
 * labels at each look-up.
 * @param metric its labels have few values
 */
export function keptChildren<Child>(metric: {
  labels(...values: string[]): Child;
}): (...values: string[]) => Child {
  const kept = new Map<string, Child>();
  return (...values) => {
    const key = values.join('\n');
    let child = kept.get(key);
    if (child === undefined) kept.set(key, (child = metric.labels(...values)));
    return child;
  };
}
