import { Counter, type CounterConfiguration } from 'prom-client';

/**
 * Makes a counter that is counted up at each request: it counts in plain numbers, which the metric gets when it is read.
 * prom-client makes several objects for each count.
 * @returns a function that counts, with the values of the labels in their order
 */
export function plainCounter<Label extends string>(
  options: CounterConfiguration<Label> & { labelNames: readonly Label[] },
): (...values: string[]) => void {
  const counts = new Map<string, { values: readonly string[]; count: number }>();
  const counter = new Counter({
    ...options,
    collect() {
      for (const one of counts.values()) {
        if (one.count > 0) counter.labels(...one.values).inc(one.count);
        one.count = 0;
      }
    },
  });
  return (...values) => {
    const key = values.join('\n');
    let one = counts.get(key);
    if (!one) counts.set(key, (one = { values, count: 0 }));
    one.count++;
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
