import type { Resource } from 'fhir/r4.js';
import { request, type Dispatcher } from 'undici';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { CircuitBreaker } from '../../../../schema/outbound/circuit-breaker.ts';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import { FHIR_JSON } from '../../../../schema/fhir/fhir.ts';
import { limitedText } from '../../../../schema/outbound/limited-text.ts';
import { resending } from '../../../../schema/outbound/resending.ts';
import { failed, refused, tooLong, unreadable } from '../fhir-server-fault.ts';

export interface FhirHttpOptions {
  /** Absolute base without a trailing slash. */
  base: string;
  /** The caller's token (SM-17); undefined: requests have none. */
  token?: string | undefined;
  dispatcher?: Dispatcher | undefined;
  /** Milliseconds until the first byte, and between bytes; the whole answer may take three times as long. */
  timeout?: number | undefined;
  /** Largest answer in bytes. */
  maxBytes?: number;
  /** Remembers that the server does not answer. */
  breaker?: CircuitBreaker | undefined;
}

/** Default of `timeout`. */
export const TIMEOUT_MS = 20_000;
/** Largest answer; a page of 1,000 resources has a few MB. */
const MAX_BYTES = 64 * 1024 * 1024;
/** A server that sends a byte at a time must not hold a request for ever. */
const WHOLE_ANSWER = 3;

/** GET requests to one FHIR server, limited in time and size, without redirects. */
export class FhirHttp {
  readonly #options: FhirHttpOptions;
  /** Matches absolute references to the same server: they are made relative, so that they can be compared. */
  readonly #ownReferences: RegExp;

  constructor(options: FhirHttpOptions) {
    this.#options = options;
    const escaped = options.base.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    this.#ownReferences = new RegExp(`"reference"\\s*:\\s*"${escaped}/`, 'g');
  }

  /**
   * Returns the resource at a path below the base; undefined for 404 and 410.
   * @param strict asks the server to refuse unknown parameters instead of ignoring them (R4 §3.1.1.1)
   * @throws Fault, see `ClinicalSource`
   */
  get(path: string, signal: AbortSignal | undefined, strict = false): Promise<Resource | undefined> {
    const { breaker } = this.#options;
    const get = (ends: AbortSignal | undefined) => this.#get(path, ends, strict);
    return breaker ? breaker.run(get, signal) : get(signal);
  }

  async #get(path: string, signal: AbortSignal | undefined, strict: boolean): Promise<Resource | undefined> {
    const { base, maxBytes = MAX_BYTES, timeout = TIMEOUT_MS } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(
      () => late.abort(new DOMException('The answer took too long.', 'TimeoutError')),
      timeout * WHOLE_ANSWER,
    );
    let answer: { response: Dispatcher.ResponseData; text: string };
    try {
      const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
      const response = await resending(() => this.#send(base + path, either, strict));
      this.#options.breaker?.answered();
      answer = { response, text: await limitedText(countValues(response.body), maxBytes) };
    } catch (error) {
      if (error instanceof Fault) throw error;
      if (!signal?.aborted && late.signal.aborted) throw failed(late.signal.reason, undefined);
      throw /more than \d+ bytes/.test(String(error)) ? tooLong(error) : failed(error, signal);
    } finally {
      clearTimeout(timer);
    }
    const { statusCode, headers } = answer.response;
    if (statusCode === 404 || statusCode === 410) return undefined;
    if (statusCode >= 300) throw refused(statusCode, headers['retry-after']);
    try {
      return parseFhirJson(answer.text.replace(this.#ownReferences, '"reference":"')) as Resource;
    } catch (cause) {
      throw unreadable('the answer is not JSON', cause);
    }
  }

  #send(url: string, signal: AbortSignal, strict: boolean): Promise<Dispatcher.ResponseData> {
    const { token, dispatcher, timeout = TIMEOUT_MS } = this.#options;
    return request(url, {
      headers: {
        accept: FHIR_JSON,
        ...(strict && { prefer: 'handling=strict' }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      headersTimeout: timeout,
      bodyTimeout: timeout,
      signal,
      ...(dispatcher && { dispatcher }),
    });
  }
}

/** About as many values as 10 MB of resources have; parsing them blocks the event loop for about 0.1 s. */
const MAX_VALUES = 1_000_000;

/** `,` `:` `[` and `{`: one or two of them come before each value in JSON. */
const isBeforeValue = (byte: number) => byte === 0x2c || byte === 0x3a || byte === 0x5b || byte === 0x7b;

/**
 * Passes a JSON body on, and counts its values: a long attachment is parsed fast, millions of small values are not.
 * @throws Fault `bad_gateway` for too many values, which would block the event loop
 */
async function* countValues(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const chunk of body) {
    for (const byte of chunk) if (isBeforeValue(byte)) count++;
    if (count > MAX_VALUES) throw tooLong();
    yield chunk;
  }
}

/** Waits for any answer of a server, to the one request that needs no token (R4 §3.1.0.9). */
export async function signOfLife(
  { base, dispatcher }: Pick<FhirHttpOptions, 'base' | 'dispatcher'>,
  signal: AbortSignal,
): Promise<void> {
  const headers = { accept: FHIR_JSON };
  const { body } = await request(`${base}/metadata`, { headers, signal, ...(dispatcher && { dispatcher }) });
  // Without a reader, the error of a body that is given up would end the process.
  body.on('error', () => undefined).destroy();
}
