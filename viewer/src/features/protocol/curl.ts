/** A request of the page as a command, and as a link to the playground. */
import type { Account } from '../../state/sign-in/account.ts';

type Call = Account['calls'][number];

/** Characters of a link that mail programs and chats still pass on; the playground reads no longer one. */
const LONGEST_LINK = 30_000;

/** A word of a POSIX shell: within single quotes nothing is special but the quote. */
const word = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Returns the command that sends a request again. The token comes from the variable `TOKEN`; what is hidden stays `…`. */
export function curlOf({
  method,
  address,
  headers,
  hasToken,
  graphql,
}: Pick<Call, 'method' | 'address' | 'headers' | 'hasToken' | 'graphql'>): string {
  const body =
    graphql && JSON.stringify({ query: graphql.query, variables: JSON.parse(graphql.variables) as unknown });
  return [
    `curl ${method === 'GET' ? '' : `--request ${method} `}${word(address)}`,
    // In double quotes: the shell puts the token in.
    ...(hasToken ? ['--header "Authorization: Bearer $TOKEN"'] : []),
    ...Object.entries(headers).map(([name, value]) => `--header ${word(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`--data-raw ${word(body)}`]),
  ].join(' \\\n  ');
}

/**
 * Returns the address of the playground with the query of a request: in the fragment, which browsers send to no server.
 * Undefined for other requests, and where it would be too long.
 */
export function playgroundOf({ address, graphql }: Pick<Call, 'address' | 'graphql'>): string | undefined {
  const base = /^(.*)\/graphql$/.exec(address)?.[1];
  // The tenant is hidden: its address is a secret.
  if (!graphql || base === undefined || base.includes('…')) return undefined;
  const link = `${base}/playground#${new URLSearchParams({ ...graphql })}`;
  return link.length > LONGEST_LINK ? undefined : link;
}

/** Returns where a request went, as it is shown: without the server of the page itself, and with the name of a query. */
export function pathOf({ address, graphql }: Pick<Call, 'address' | 'graphql'>, origin: string): string {
  const path = address.startsWith(`${origin}/`)
    ? address.slice(origin.length)
    : address.replace(/^https?:\/\//, '');
  const name = /^\s*(?:query|mutation)\s+(\w+)/.exec(graphql?.query ?? '')?.[1];
  return name === undefined ? path : `${path} · ${name}`;
}
