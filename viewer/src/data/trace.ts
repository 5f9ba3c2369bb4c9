/** The requests of the page: a list for developers, in memory only, without anything that names a patient. */

export interface Call {
  method: string;
  /** Host and path; values that could name a patient, and secrets, are `…`. */
  address: string;
  /** Milliseconds since the epoch. */
  began: number;
  /** Undefined while there is no answer, and for a request that got none. */
  status?: number;
  /** Milliseconds until the body ended. */
  took?: number;
  /** Bytes of the body, after any content coding was undone. */
  bytes?: number;
}

/** Longest segment of a path that is shown: a UID. Longer ones are capabilities, or encoded tenants. */
const LONGEST_SEGMENT = 64;
/** The segment after one of these names a patient, or is a secret. */
const BEFORE_SECRET = new Set(['Patient', 'wado', 'dyn']);

/** Returns an address without values of its query, ids of patients and capabilities. */
export function withoutSecrets(address: string): string {
  const { host, pathname, searchParams } = new URL(address);
  const segments = pathname.split('/');
  const path = segments.map((segment, index) =>
    segment.length > LONGEST_SEGMENT || BEFORE_SECRET.has(segments[index - 1] ?? '') ? '…' : segment,
  );
  const names = [...new Set(searchParams.keys())].map((name) => `${name}=…`);
  return `${host}${path.join('/')}${names.length > 0 ? `?${names.join('&')}` : ''}`;
}

/** The last calls, oldest first. */
export class Trace {
  readonly #calls: Call[] = [];
  readonly #most: number;

  constructor(most = 500) {
    this.#most = most;
  }

  get calls(): readonly Readonly<Call>[] {
    return this.#calls;
  }

  /** Adds a call; its end is written into what is returned. */
  begin(method: string, address: string): Call {
    const call: Call = { method, address: withoutSecrets(address), began: Date.now() };
    this.#calls.push(call);
    if (this.#calls.length > this.#most) this.#calls.shift();
    return call;
  }
}
