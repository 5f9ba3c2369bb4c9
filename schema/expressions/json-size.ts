/**
 * Returns true when a value has more than about `most` characters of JSON. It reads the value only up to that size.
 */
export function isLarger(value: unknown, most: number): boolean {
  const pending = [value];
  let size = 0;
  while (pending.length > 0) {
    const next = pending.pop();
    size += typeof next === 'string' ? next.length : 8;
    if (typeof next === 'object' && next !== null) {
      for (const name in next) {
        size += name.length;
        if (size > most) return true;
        pending.push((next as Record<string, unknown>)[name]);
      }
    }
    if (size > most) return true;
  }
  return false;
}
