/** A document as the client sent it, before anything rewrites it. */
export interface SentDocument {
  isTrusted: boolean;
  /** Logs and counts, once, that it is executed although it is not trusted. @param operation its name */
  accepted(operation: string | undefined): void;
}

/** The document that a GraphQL request names in place of its text. */
export interface NamedDocument {
  /** The SHA-256 of its text, in hexadecimal; undefined when it names none. */
  id: string | undefined;
  /** True for the hash of an automatic persisted query, which a client may have registered itself. */
  isPersisted: boolean;
}

/**
 * Reads `documentId` (GraphQL over HTTP, appendix "Persisted Documents"), whose prefix `sha256:` may be left out, or
 * `extensions.persistedQuery.sha256Hash`.
 * @param sent the members of the body or the parameters of the URL
 */
export function namedDocument({ documentId, extensions }: Record<string, unknown>): NamedDocument {
  if (documentId !== undefined && documentId !== null)
    return { id: String(documentId).replace(/^sha256:/, ''), isPersisted: false };
  const { sha256Hash } = recordOf(recordOf(extensions)['persistedQuery']);
  return { id: typeof sha256Hash === 'string' ? sha256Hash : undefined, isPersisted: true };
}

/** Reads an object, or the JSON of one in a URL; empty for anything else. */
export function recordOf(value: unknown): Record<string, unknown> {
  try {
    const parsed = typeof value === 'string' ? (JSON.parse(value) as unknown) : value;
    return isRecord(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

/** Returns true for an object of JSON. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
