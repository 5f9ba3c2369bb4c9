/**
 * Returns the value of `Prefer: handling` (FHIR R4 §3.1.1.1). It may be quoted, and the first `handling` counts (RFC 7240
 * §2).
 */
export function handlingOf(prefer: string | readonly string[] | undefined): 'strict' | 'lenient' | undefined {
  const [, value = ''] = /(?:^|[,;\s])handling\s*=\s*("[^"]*"|[^\s,;"]*)/i.exec(String(prefer ?? '')) ?? [];
  const handling = value.replaceAll('"', '').trim().toLowerCase();
  return handling === 'strict' || handling === 'lenient' ? handling : undefined;
}

/** Returns true for `Prefer: handling=strict`: the client wants unknown search parameters refused, not ignored. */
export function isStrict(prefer: string | readonly string[] | undefined): boolean {
  return handlingOf(prefer) === 'strict';
}

/** Returns true for `Prefer: respond-async` (RFC 7240 §4.1). */
export function wantsAsync(prefer: string | readonly string[] | undefined): boolean {
  return /(?:^|[,;\s])respond-async(?:$|[,;\s])/i.test(String(prefer ?? ''));
}
