/**
 * Whether a value is larger than so many characters of JSON, about; it is looked at no further than that.
 * @param most characters
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
