/**
 * The only place that sends requests for data. It adds the token, renews it once after a 401, and says what went wrong as
 * `Trouble`, which holds no token, address or text of a server. Who waits and tries again is the caller (`patiently`).
 */
import { retryAfter } from './retry-after.ts';
import { Trace, withoutSecrets, type Call } from './trace.ts';
import { Trouble, type TroubleKind } from './trouble.ts';

/** Gives and renews the token. */
export interface Credentials {
  /** A token that is valid for some time yet; undefined for a server that needs none. */
  token(): Promise<string | undefined>;
  /**
   * Renews a token that a server has refused. All who ask at the same time share one renewal; a token that has been renewed
   * meanwhile counts.
   * @returns false if the session has ended
   * @throws Trouble if the renewal failed for another reason
   */
  renew(refused: string): Promise<boolean>;
}

export interface Asked {
  method?: 'GET' | 'POST' | 'DELETE';
  accept: string;
  body?: string;
  signal?: AbortSignal | undefined;
  /** Besides `accept`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes of the answer; a longer one is `damaged`. */
  most?: number;
}

export interface Answer {
  bytes: Uint8Array<ArrayBuffer>;
  /** In lower case, without parameters; empty if the server does not say. */
  mediaType: string;
  headers: Headers;
}

/** An answer whose body comes in chunks. */
export type StreamedAnswer = Omit<Answer, 'bytes'> & { chunks: AsyncIterable<Uint8Array> };

const MB = 1024 * 1024;
const MOST_BYTES = 256 * MB;
/** A server that sends nothing for this long does not answer. Milliseconds. */
const SILENCE = 90_000;
const BUSY: ReadonlySet<number> = new Set([429, 503, 504]);

export interface TransportOptions {
  credentials?: Credentials | undefined;
  trace?: Trace | undefined;
  fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds. */
  silence?: number | undefined;
}

export class Transport {
  readonly trace: Trace;
  readonly #credentials: Credentials | undefined;
  readonly #fetch: typeof globalThis.fetch;
  readonly #silence: number;
  /** Base URLs of servers that may see the token. */
  readonly #bases = new Set<string>();

  /** @param bases of the servers that may see the token; `trust` adds others that these name */
  constructor(bases: readonly string[], options: TransportOptions = {}) {
    this.#credentials = options.credentials;
    this.trace = options.trace ?? new Trace();
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#silence = options.silence ?? SILENCE;
    for (const base of bases) this.#bases.add(withSlash(new URL(base).href));
  }

  /**
   * Sends the token to this base too, such as the address of an Endpoint that a trusted server has given. Not to one that
   * would let others read it on the way.
   */
  trust(base: string): void {
    if (!URL.canParse(base)) return;
    const { protocol, hostname } = new URL(base);
    if (protocol === 'https:' || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
      this.#bases.add(withSlash(new URL(base).href));
  }

  /** @throws Trouble; the reason of the signal */
  async send(address: string, asked: Asked): Promise<Answer> {
    const incoming = await this.#open(address, asked);
    return { ...incoming.about, bytes: await incoming.bytes(asked.most ?? MOST_BYTES) };
  }

  /**
   * Sends like `send`, and gives the answer while it comes. Who does not read it to its end aborts the signal.
   * @throws like `send`; so do the chunks
   */
  async stream(address: string, asked: Asked): Promise<StreamedAnswer> {
    const incoming = await this.#open(address, asked);
    return { ...incoming.about, chunks: incoming.chunks() };
  }

  /** Asks for JSON. @throws like `send`; Trouble `damaged` for anything else */
  async json(address: string, asked: Asked): Promise<unknown> {
    const { bytes, mediaType } = await this.send(address, asked);
    if (!/^application\/([\w.-]+\+)?json$/.test(mediaType)) throw damaged(address, 'is no JSON');
    try {
      return JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      // Without the cause: the message of a parser quotes what it could not read.
      throw damaged(address, 'is no JSON that can be read');
    }
  }

  #mayHaveToken(url: string): boolean {
    const path = url.replace(/[?#].*$/, '');
    return [...this.#bases].some((base) => withSlash(path).startsWith(base));
  }

  /** Returns an answer of status 2xx, whose body has not been read yet. */
  async #open(address: string, asked: Asked): Promise<Incoming> {
    const url = new URL(address).href;
    const token = this.#mayHaveToken(url) ? await this.#credentials?.token() : undefined;
    asked.signal?.throwIfAborted();
    const first = await this.#once(url, asked, token);
    if (first.status !== 401) return first.checked();
    await first.bytes(MOST_BYTES);
    const isRenewed = token !== undefined && (await this.#credentials!.renew(token));
    asked.signal?.throwIfAborted();
    if (!isRenewed) throw troubleOf(first);
    return (await this.#once(url, asked, await this.#credentials!.token())).checked();
  }

  async #once(url: string, asked: Asked, token: string | undefined): Promise<Incoming> {
    const { method = 'GET', accept, body, signal } = asked;
    const own = { accept, ...asked.headers };
    const headers = new Headers(own);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const call = this.trace.begin(url, { method, headers: own, hasToken: token !== undefined, body });
    const silence = new Silence(this.#silence);
    try {
      const response = await this.#fetch(url, {
        method,
        headers,
        body: body ?? null,
        signal: AbortSignal.any(signal ? [signal, silence.signal] : [silence.signal]),
        // Answers about a patient stay in memory. Cookies authorize nothing here; without them, which only our own origin
        // would see, browsers do not use a connection that is open.
        cache: 'no-store',
        credentials: 'same-origin',
        referrerPolicy: 'no-referrer',
      });
      call.status = response.status;
      return new Incoming(response, { url, signal, silence, call });
    } catch (error) {
      silence.end();
      call.took = Date.now() - call.began;
      throw failureOf(error, url, signal);
    }
  }
}

/** An answer whose body comes. */
class Incoming {
  readonly status: number;
  readonly url: string;
  readonly #response: Response;
  readonly #signal: AbortSignal | undefined;
  readonly #silence: Silence;
  readonly #call: Call;

  constructor(
    response: Response,
    way: { url: string; signal: AbortSignal | undefined; silence: Silence; call: Call },
  ) {
    this.status = response.status;
    this.#response = response;
    ({ url: this.url, signal: this.#signal, silence: this.#silence, call: this.#call } = way);
  }

  get headers(): Headers {
    return this.#response.headers;
  }

  get about(): Pick<Answer, 'mediaType' | 'headers'> {
    const mediaType = (this.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
    return { mediaType, headers: this.headers };
  }

  /** Returns this if its status is 2xx. @throws Trouble for any other */
  async checked(): Promise<this> {
    if (this.status >= 200 && this.status < 300) return this;
    throw troubleOf(this, await this.bytes(MOST_BYTES));
  }

  /** Yields the body as it comes. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const reader = this.#response.body?.getReader();
    this.#call.bytes = 0;
    try {
      for (;;) {
        this.#silence.heard();
        const part = await reader?.read();
        // Who reads slowly is no silent server.
        this.#silence.end();
        if (!part || part.done) return;
        this.#call.bytes += part.value.length;
        yield part.value;
      }
    } catch (error) {
      throw failureOf(error, this.url, this.#signal);
    } finally {
      this.#silence.end();
      this.#call.took = Date.now() - this.#call.began;
      // Nothing to do where it has ended.
      await reader?.cancel().catch(() => undefined);
    }
  }

  /** Returns the whole body. @throws Trouble `damaged` if it is longer */
  async bytes(most: number): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of this.chunks()) {
      length += chunk.length;
      if (length > most) throw damaged(this.url, `is longer than ${most} bytes`);
      chunks.push(chunk);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}

/** Returns why a request failed: the reason of its signal, or the network. */
function failureOf(error: unknown, url: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof Trouble) return error;
  return new Trouble('offline', `${nameOf(url)}: the connection failed or ended early`);
}

/** Aborts when nothing has come for some time. */
class Silence {
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(), this.#milliseconds);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Returns the trouble of a status that is not 2xx. */
function troubleOf({ url, status, headers }: Incoming, body?: Uint8Array): Trouble {
  const detail = `${nameOf(url)}: the server answered ${status}`;
  if (status === 502 && isOverLimit(body)) return new Trouble('too-large', detail, { status });
  if (!BUSY.has(status)) return new Trouble(kindOf(status), detail, { status });
  const wait = retryAfter(headers.get('retry-after'));
  return new Trouble('busy', detail, { status, retryAfter: wait });
}

/** The key by which a tenant of our gateway limits objects, in the first bytes of a refusal. */
const LIMIT = { key: 'limits.objectElements', bytes: 1000 };

/** Returns true for a refusal that names the limit; an object that is refused by the same status without it is broken. */
function isOverLimit(body?: Uint8Array): boolean {
  return new TextDecoder().decode(body?.subarray(0, LIMIT.bytes)).includes(LIMIT.key);
}

/** Returns what a status of an error means for the user. */
export function kindOf(status: number): TroubleKind {
  if (status === 401) return 'signed-out';
  if (status === 403) return 'refused';
  if (status === 404 || status === 410) return 'not-found';
  return BUSY.has(status) ? 'busy' : 'server';
}

/** Says that an answer is not what was asked for. @param what continues "the answer …" */
export function damaged(url: string, what: string): Trouble {
  return new Trouble('damaged', `${nameOf(url)}: the answer ${what}`);
}

/** Returns the last word of a path: `metadata`, `Condition`. Ids and UIDs are no words. */
function nameOf(url: string): string {
  const segments = withoutSecrets(url).replace(/\?.*$/, '').split('/').slice(3);
  return segments.findLast((segment) => /^[A-Za-z$-]{1,40}$/.test(segment)) ?? 'request';
}

function withSlash(base: string): string {
  return base.endsWith('/') ? base : `${base}/`;
}
