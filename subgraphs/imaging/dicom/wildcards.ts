/**
 * Converts values with `*` and `?` (PS3.4 §C.2.2.2.4) to one expression that matches whole values.
 * @param flags of the regular expression, such as `i` to ignore case
 */
export function wildcards(values: readonly string[], flags = ''): RegExp {
  const sources = values.map((value) =>
    value
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.'),
  );
  return new RegExp(`^(?:${sources.join('|')})$`, `su${flags}`);
}

/** Tells whether a value contains `*` or `?`. */
export function hasWildcard(value: string): boolean {
  return /[*?]/.test(value);
}
