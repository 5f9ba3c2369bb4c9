/**
 * Returns true for `Prefer: handling=strict`: the client wants unknown search parameters refused, not ignored (FHIR R4
 * §3.1.1.1). The value may be quoted, and the first `handling` counts (RFC 7240 §2).
 */
export function isStrict(prefer: string | readonly string[] | undefined): boolean {
  const [, value = ''] = /(?:^|[,;\s])handling\s*=\s*("[^"]*"|[^\s,;"]*)/i.exec(String(prefer ?? '')) ?? [];
  return value.replaceAll('"', '').trim().toLowerCase() === 'strict';
}
