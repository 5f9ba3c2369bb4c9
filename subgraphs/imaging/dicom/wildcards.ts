/**
 * Values with `*` and `?` (PS3.4 §C.2.2.2.4) as one expression that matches whole values.
 * @param flags of a regular expression; `i` where case does not count
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

export function hasWildcard(value: string): boolean {
  return /[*?]/.test(value);
}
