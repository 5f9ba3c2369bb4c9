/** The requests of the page: a list for developers, in memory only, without anything that names a patient. */

export interface Call {
  /** Counts all calls. */
  readonly number: number;
  readonly method: string;
  /** Origin and path; values that could name a patient, and secrets, are `…`. */
  readonly address: string;
  /** Without the token. */
  readonly headers: Readonly<Record<string, string>>;
  readonly hasToken: boolean;
  /** Of a request in GraphQL: its document, and its variables as JSON, whose texts are `…`. Of no other body. */
  readonly graphql?: { query: string; variables: string } | undefined;
  /** Milliseconds since the epoch. */
  readonly began: number;
  /** Undefined while there is no answer, and for a request that got none. */
  status?: number;
  /** Milliseconds until the body ended. */
  took?: number;
  /** Bytes of the body, after any content coding was undone. */
  bytes?: number;
}

/** Longest segment of a path that is shown: a UID. Longer ones are capabilities, or encoded tenants. */
const LONGEST_SEGMENT = 64;
/** The segment after one of these names a patient, or is a secret; all segments are behind a link that is shared. */
const BEFORE_SECRET = new Set(['Patient', 'wado', 'dyn', 'share', 'shared']);
const BEFORE_SECRETS = 'shl';
/** Characters of a body that is looked at. */
const LONGEST_BODY = 30_000;

/** Returns an address without values of its query, ids of patients and capabilities. */
export function withoutSecrets(address: string): string {
  const { origin, pathname, searchParams } = new URL(address);
  const segments = pathname.split('/');
  const path = segments.map((segment, index) =>
    segment.length > LONGEST_SEGMENT ||
    BEFORE_SECRET.has(segments[index - 1] ?? '') ||
    segments.slice(0, index).includes(BEFORE_SECRETS)
      ? '…'
      : segment,
  );
  const names = [...new Set(searchParams.keys())].map((name) => `${name}=…`);
  return `${origin}${path.join('/')}${names.length > 0 ? `?${names.join('&')}` : ''}`;
}

/** Returns the GraphQL of a body; undefined for any other body, which may have secrets. */
function graphqlOf(body: string | undefined): Call['graphql'] {
  if (body === undefined || body.length > LONGEST_BODY) return undefined;
  try {
    const { query, variables = {} } = JSON.parse(body) as { query?: unknown; variables?: unknown };
    if (typeof query !== 'string') return undefined;
    const hide = (_key: string, value: unknown) => (typeof value === 'string' ? '…' : value);
    return { query, variables: JSON.stringify(variables, hide, 2) };
  } catch {
    return undefined;
  }
}

/** The last calls, oldest first. */
export class Trace {
  readonly #calls: Call[] = [];
  readonly #most: number;
  #count = 0;

  constructor(most = 500) {
    this.#most = most;
  }

  get calls(): readonly Readonly<Call>[] {
    return this.#calls;
  }

  /** Adds a call; its end is written into what is returned. */
  begin(
    address: string,
    {
      method,
      headers,
      hasToken,
      body,
    }: Pick<Call, 'method' | 'headers' | 'hasToken'> & { body?: string | undefined },
  ): Call {
    const call: Call = {
      number: ++this.#count,
      method,
      address: withoutSecrets(address),
      headers,
      hasToken,
      graphql: graphqlOf(body),
      began: Date.now(),
    };
    this.#calls.push(call);
    if (this.#calls.length > this.#most) this.#calls.shift();
    return call;
  }
}
