import { Kind, parse } from 'graphql';

/**
 * Returns the operation that is meant of a document. The editor learns the names some moments after a text was put in, and
 * until then names an operation of the text before.
 * @returns undefined if the document has no such operation: the server takes its only one, or says what is wrong
 */
export function operationName(query: string, name: string | null | undefined): string | undefined {
  try {
    const isThere = parse(query).definitions.some(
      (one) => one.kind === Kind.OPERATION_DEFINITION && one.name?.value === name,
    );
    return isThere ? (name ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}
