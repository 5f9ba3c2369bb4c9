import { setTimeout as delay } from 'node:timers/promises';
import { readFileMeta, type FileMeta } from './file-meta.ts';
import { mediaType, type MediaType } from './media-type.ts';
import { MultipartReader } from './multipart.ts';
import { Blocked } from './outcome.ts';

/** Longest body that is kept, in bytes. */
const MAX_BODY = 64 * 2 ** 20;
/** Most parts of a multipart body. */
const MAX_PARTS = 200_000;

/** A request of a check. */
export interface Ask {
  method?: 'GET' | 'POST' | 'OPTIONS';
  accept?: string;
  /** Further headers. */
  headers?: Readonly<Record<string, string>>;
  /** The body of a form. */
  form?: string;
  /** `given` sends the credentials of the user, `none` sends none; any other text is sent as a bearer token. */
  credentials?: string;
}

interface Head {
  status: number;
  headers: Headers;
  /** Content-Type. */
  type: MediaType;
}

/** An answer with its whole body. */
export interface Answer extends Head {
  body: Buffer;
}

/** A part of a multipart answer. */
export interface ReceivedPart {
  type: MediaType;
  size: number;
  /** Undefined if the part is not a DICOM object. */
  meta: FileMeta | undefined;
}

/** An answer that was read part by part; an answer that is not multipart has no parts. */
export interface PartsAnswer extends Head {
  parts: readonly ReceivedPart[];
  /** Whether the closing delimiter arrived. */
  closed: boolean;
}

/** Settings of the client. */
export interface ClientOptions {
  /** Origins to which credentials may be sent. */
  trusted: readonly string[];
  token?: string | undefined;
  /** Sent with every request; `authorization` only where credentials are. */
  headers: Readonly<Record<string, string>>;
  /** Milliseconds until a request has to be answered completely. */
  timeout: number;
  /** Told of the bytes of a body so far, and of waits. */
  onProgress?: ((text: string) => void) | undefined;
}

/**
 * Sends the requests of all checks. Equal requests are sent once. Redirects are not followed: they could lead the
 * token to another server.
 */
export class Client {
  readonly #options: ClientOptions;
  readonly #trusted: Set<string>;
  readonly #answers = new Map<string, Promise<Answer | PartsAnswer>>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#trusted = new Set(options.trusted);
  }

  /** Allows credentials at the origin of an Endpoint, if they are encrypted on the way or stay on this machine. */
  trust(url: string): void {
    const { protocol, hostname, origin } = new URL(url);
    const local = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
    if (protocol === 'https:' || local) this.#trusted.add(origin);
  }

  /** Sends a request. @throws Error if there is no complete answer, or the body is too long */
  send(url: string, ask: Ask = {}): Promise<Answer> {
    return this.#once(`body ${url} ${JSON.stringify(ask)}`, () =>
      this.#ask(url, ask, async (response) => ({ ...headOf(response), body: await this.#body(response) })),
    );
  }

  /** Sends a request whose answer may be long: of its parts, only the beginnings are kept. @throws as `send` */
  sendForParts(url: string, ask: Ask = {}): Promise<PartsAnswer> {
    return this.#once(`parts ${url} ${JSON.stringify(ask)}`, () =>
      this.#ask(url, ask, async (response) => ({ ...headOf(response), ...(await this.#parts(response)) })),
    );
  }

  #once<A extends Answer | PartsAnswer>(key: string, send: () => Promise<A>): Promise<A> {
    const known = this.#answers.get(key) as Promise<A> | undefined;
    if (known) return known;
    const answer = send();
    this.#answers.set(key, answer);
    return answer;
  }

  /** A server that is still fetching images answers 503 and says when to ask again (IA-19). */
  async #ask<A>(url: string, ask: Ask, read: (response: Response) => Promise<A>): Promise<A> {
    const { timeout, onProgress } = this.#options;
    const end = Date.now() + timeout;
    const signal = AbortSignal.timeout(timeout);
    const { method = 'GET', form } = ask;
    const headers = this.#headers(url, ask);
    for (;;) {
      const response = await fetch(url, { method, headers, signal, redirect: 'manual', body: form });
      const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
      if (response.status !== 503 || !(Date.now() + seconds * 1000 < end)) return read(response);
      await response.body?.cancel();
      onProgress?.(`the server asks to wait ${seconds} s`);
      await delay(Math.max(seconds, 0.1) * 1000);
    }
  }

  #headers(url: string, { accept, headers, form, credentials = 'given' }: Ask): Headers {
    const { token, headers: always } = this.#options;
    const sent = new Headers({ ...always, ...headers, ...(accept && { accept }) });
    const own = token === undefined ? sent.get('authorization') : `Bearer ${token}`;
    sent.delete('authorization');
    if (form !== undefined) sent.set('content-type', 'application/x-www-form-urlencoded');
    const authorization = credentials === 'given' ? own : `Bearer ${credentials}`;
    if (credentials === 'none' || authorization === null) return sent;
    const { origin } = new URL(url);
    if (!this.#trusted.has(origin)) throw new Blocked(`${origin} is another server; no token is sent there`);
    sent.set('authorization', authorization);
    return sent;
  }

  async #body(response: Response): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of chunksOf(response)) {
      size += chunk.length;
      if (size > MAX_BODY) throw new Error(`the body is longer than ${MAX_BODY} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async #parts(response: Response): Promise<Pick<PartsAnswer, 'parts' | 'closed'>> {
    const { essence, parameters } = mediaType(response.headers.get('content-type'));
    const boundary = parameters.get('boundary');
    if (essence !== 'multipart/related' || !boundary) {
      await response.body?.cancel();
      return { parts: [], closed: false };
    }
    const reader = new MultipartReader(boundary);
    const parts: ReceivedPart[] = [];
    let size = 0;
    for await (const chunk of chunksOf(response)) {
      for (const { headers, head, size } of reader.push(chunk))
        parts.push({ type: mediaType(headers.get('content-type')), size, meta: readFileMeta(head) });
      if (parts.length > MAX_PARTS) throw new Error(`the body has more than ${MAX_PARTS} parts`);
      size += chunk.length;
      this.#options.onProgress?.(`${parts.length} parts, ${(size / 2 ** 20).toFixed(1)} MiB`);
    }
    return { parts, closed: reader.closed };
  }
}

/** Yields the chunks of a body, and none for a body that is missing. */
async function* chunksOf({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body) yield* body as AsyncIterable<Uint8Array>;
}

const headOf = ({ status, headers }: Response): Head => ({
  status,
  headers,
  type: mediaType(headers.get('content-type')),
});
