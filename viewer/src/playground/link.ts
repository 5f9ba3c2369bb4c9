/**
 * Links that carry a query: in the fragment of the address, which browsers send to no server. They never hold a token, and
 * what they bring is shown and never run by itself.
 */

/** Characters of a link that mail programs and chats still pass on. */
const MOST = 30_000;

/** @returns the link; undefined if it would be too long to pass on */
export function linkTo(
  page: URL,
  { query, variables }: { query: string; variables: string },
): string | undefined {
  const parts = new URLSearchParams({ query });
  if (variables.trim() !== '') parts.set('variables', variables);
  const link = `${page.origin}${page.pathname}#${parts}`;
  return link.length > MOST ? undefined : link;
}

/** Returns the texts of query and variables in a link; undefined if it brings none. */
export function linkedQuery({ hash }: URL): { query: string; variables: string } | undefined {
  const parts = new URLSearchParams(hash.slice(1));
  const query = parts.get('query');
  if (query === null || query.length > MOST) return undefined;
  return { query, variables: parts.get('variables') ?? '' };
}
