/** A media type with its parameters, RFC 9110 §8.3.1. */
export interface MediaType {
  /** `type/subtype` in lower case; empty if there is none. */
  essence: string;
  /** Names in lower case, values without quotes. */
  parameters: ReadonlyMap<string, string>;
}

/** Parses a Content-Type header. */
export function mediaType(header: string | null | undefined): MediaType {
  const [essence = ''] = (header ?? '').split(';', 1);
  const parameters = new Map<string, string>();
  for (const [, name, quoted, token] of (header ?? '').matchAll(
    /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g,
  ))
    parameters.set(name!.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? token!);
  return { essence: essence.trim().toLowerCase(), parameters };
}
