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
