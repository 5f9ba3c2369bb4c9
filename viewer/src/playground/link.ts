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

/** Returns a link that carries a statement of SQL; undefined if it would be too long to pass on. */
export function linkToSql(page: URL, sql: string): string | undefined {
  const link = `${page.origin}${page.pathname}#${new URLSearchParams({ sql })}`;
  return link.length > MOST ? undefined : link;
}

/** Returns the statement of SQL in a link; undefined if it brings none. */
export function linkedSql({ hash }: URL): string | undefined {
  const sql = new URLSearchParams(hash.slice(1)).get('sql');
  return sql === null || sql.length > MOST ? undefined : sql;
}

/** Returns the texts of query and variables in a link; undefined if it brings none. */
export function linkedQuery({ hash }: URL): { query: string; variables: string } | undefined {
  const parts = new URLSearchParams(hash.slice(1));
  const query = parts.get('query');
  if (query === null || query.length > MOST) return undefined;
  return { query, variables: parts.get('variables') ?? '' };
}
