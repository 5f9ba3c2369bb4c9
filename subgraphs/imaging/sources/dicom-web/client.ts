import { Pool, type Dispatcher } from 'undici';
import { Fault } from '../../../../schema/fault/fault.ts';
import { resending } from '../../../../schema/outbound/resending.ts';
import {
  serviceAuthorization,
  SignInError,
  type ServiceAuthorization,
  type PostedForm,
} from '../../../../schema/outbound/service-authorization.ts';
import type { ImagesConfig } from '../../../../schema/tenant/tenant.ts';
import {
  isAwayStatus,
  isUnreachable,
  RETRY_SECONDS,
  retrySeconds,
} from '../../../../schema/outbound/unreachable.ts';
import { MultipartError } from '../../multipart/multipart.ts';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import { unlessNoRoom } from '../../disk/no-room.ts';
import type { Target } from '../source.ts';
import { Semaphore } from '../../../../schema/concurrency/semaphore.ts';
import { invalidAnswer } from '../../parsing/archive/archive-faults.ts';
import { CircuitBreaker } from '../../../../schema/outbound/circuit-breaker.ts';

/** HTTP client of a DICOMweb server, with a pool of connections, authentication, and failures as Faults. */

type Config = Extract<ImagesConfig, { type: 'dicom-web' }>;
type Body = Dispatcher.ResponseData['body'];

export interface Answer {
  status: number;
  contentType: string;
  /** Bytes, if the server gave them. */
  size?: number;
  /** True if the end of the body cannot be distinguished from a broken connection (RFC 9112 §8). */
  endless?: boolean;
  /** True if the server says that it has more results than these (PS3.18 §8.3.4.4). */
  cut?: boolean;
  body: Body;
}

/**
 * Kind of a request. Each has its own limit, so that slow readers of images do not delay searches; a probe waits for
 * nothing.
 */
export type Purpose = 'searches' | 'retrievals' | 'probe';

export interface GetOptions {
  accept: string;
  /** Default `retrievals`. */
  purpose?: Purpose;
  signal?: AbortSignal | undefined;
  /** Meaning of other statuses for this request: Orthanc answers 400 for a frame out of range. */
  statuses?: Readonly<Record<number, StatusMeaning>>;
}

/** The meaning of a status: `no_server`, that this is not the address of a DICOMweb server. */
type StatusMeaning = 'not_found' | 'not_acceptable' | 'no_server';

/** Value of Accept for frames as stored. */
export const ACCEPT_FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';

/** Returns the value of Accept for objects. @param transferSyntax `*` for as stored, or a UID */
export function acceptObjects(transferSyntax: string): string {
  return `multipart/related; type="application/dicom"; transfer-syntax=${transferSyntax}`;
}

/** Media types that no DICOMweb server answers with. */
const PAGE = /^\s*(text\/html|application\/xhtml)/i;

const FAILED = 'The image archive failed to answer.';

/** Seconds. They only end requests that hang. Callers have their own timeout for a slow archive. */
const CONNECT_TIMEOUT = 10;
const HEADERS_TIMEOUT = 610;
const BODY_TIMEOUT = 60;

export interface ClientOptions {
  /** Connections to use instead of new ones; they stay open when the client closes. */
  dispatcher?: Dispatcher | undefined;
  /** Remembers that the server does not answer. */
  breaker?: CircuitBreaker | undefined;
}

/**
 * A client of one DICOMweb server.
 * `get` returns answers with status 200 to 206, and throws Fault for others: `not_found`; `unavailable` with
 * `retryAfter` for a server that is away or busy (DW-23); `bad_gateway` for invalid answers. 401 and 403 of the server
 * are errors of the configuration, not of the caller, and so `bad_gateway`.
 */
export class DicomWebClient {
  readonly #pools = new Map<string, Pool>();
  readonly #config: Config;
  readonly #dispatcher: Dispatcher | undefined;
  readonly #signIn: ServiceAuthorization;
  readonly #semaphores: Record<Exclude<Purpose, 'probe'>, Semaphore>;
  readonly #breaker: CircuitBreaker;

  /** @param now seconds since the epoch */
  constructor(config: Config, now: () => number, { dispatcher, breaker }: ClientOptions = {}) {
    this.#config = config;
    this.#dispatcher = dispatcher;
    this.#breaker = breaker ?? new CircuitBreaker();
    const { searches, retrievals } = config.connections;
    this.#semaphores = { searches: new Semaphore(searches), retrievals: new Semaphore(retrievals) };
    this.#signIn = serviceAuthorization(config.authentication, now, (asked) => this.#requestToken(asked));
  }

  /**
   * Sends a GET request. Waits while the number of running requests with its purpose is at the tenant's limit. A
   * request ends when its body is closed.
   * @param path below the endpoint, with a leading slash
   */
  async get(path: string, options: GetOptions): Promise<Answer> {
    const { purpose = 'retrievals', signal } = options;
    if (purpose === 'probe') return this.#get(path, options);
    return this.#breaker.run(async (ends) => {
      const release = await this.#semaphores[purpose].acquire(ends);
      try {
        const answer = await this.#get(path, { ...options, signal: ends });
        if (answer.body.closed) release();
        else answer.body.once('close', release);
        return answer;
      } catch (error) {
        release();
        throw error;
      }
    }, signal);
  }

  async #get(path: string, options: GetOptions): Promise<Answer> {
    const url = new URL(this.#config.endpoint + path);
    let answer = await this.#send(url, options);
    if (answer.statusCode === 401 && this.#signIn.refused()) {
      await discard(answer.body);
      answer = await this.#send(url, options);
    }
    const { statusCode, headers, body } = answer;
    if (statusCode >= 200 && statusCode < 300) {
      // Rows are an answer when they were read.
      if (options.purpose === undefined || options.purpose === 'retrievals') this.#breaker.answered();
      // The reader gets errors of the body. Without a reader, an error must not end the process.
      body.on('error', () => undefined);
      const size = Number(headers['content-length'] ?? NaN);
      if (PAGE.test(String(headers['content-type']))) {
        body.destroy();
        throw invalidAnswer(this.#answered('a web page, such as a sign-in or the page of a proxy'));
      }
      // The last chunk marks the end, but is not awaited when the connection closes after the body.
      const chunked =
        headers['transfer-encoding'] !== undefined && !/close/i.test(String(headers.connection));
      return {
        status: statusCode,
        contentType: String(headers['content-type'] ?? ''),
        ...(Number.isFinite(size) ? { size } : !chunked && { endless: true }),
        ...(/^299\b.*additional results/i.test(String(headers.warning)) && { cut: true }),
        body,
      };
    }
    this.#breaker.answered();
    await discard(body);
    throw this.#refusal(statusCode, headers['retry-after'], options.statuses);
  }

  #refusal(
    status: number,
    retryAfter: string | string[] | undefined,
    statuses: GetOptions['statuses'] = {},
  ): Fault {
    const meaning = statuses[status];
    const cause = this.#answered(
      meaning === 'no_server'
        ? `${status} to a search: it is not the root of a DICOMweb server`
        : `${status}`,
    );
    if (meaning === 'no_server') return new Fault('bad_gateway', FAILED, { service: 'imaging', cause });
    if (status === 404 || status === 410 || meaning === 'not_found') return noSuchObject();
    if (status === 406 || meaning === 'not_acceptable') {
      return new Fault('not_acceptable', 'The image archive cannot give the images in this transfer syntax.');
    }
    if (status === 429 || isAwayStatus(status)) {
      return new Fault('unavailable', 'The image archive is busy. Try again later.', {
        service: 'imaging',
        retryAfter: retrySeconds(retryAfter),
        cause,
      });
    }
    return new Fault('bad_gateway', FAILED, { service: 'imaging', cause });
  }

  /** Describes an answer for the log, with the address of the archive and without its credentials. */
  #answered(what: string): Error {
    const { origin, pathname } = new URL(this.#config.endpoint);
    return new Error(`${origin}${pathname} (images.endpoint) answered ${what}`);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  async #send(url: URL, { accept, signal }: GetOptions): Promise<Dispatcher.ResponseData> {
    const headers = { accept, ...(await this.#authorization()) };
    return this.#request(url, { method: 'GET', headers, signal: signal ?? null });
  }

  /** Sends a request, and again if a kept socket was closed (Orthanc closes them after a second). */
  async #request(
    url: URL,
    options: Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'signal' | 'body'>,
  ): Promise<Dispatcher.ResponseData> {
    const { origin } = url;
    const target = { origin, path: url.pathname + url.search, ...options };
    const send = () => (this.#dispatcher ?? this.#pool(origin)).request(target);
    try {
      return await resending(send);
    } catch (error) {
      throw asFault(error);
    }
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (!pool) {
      const { searches, retrievals } = this.#config.connections;
      pool = new Pool(origin, {
        // And two for probes.
        connections: searches + retrievals + 2,
        keepAliveTimeout: 4_000,
        keepAliveTimeoutThreshold: 100,
        headersTimeout: HEADERS_TIMEOUT * 1000,
        bodyTimeout: BODY_TIMEOUT * 1000,
        connect: { timeout: CONNECT_TIMEOUT * 1000 },
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }

  /** @throws Fault `bad_gateway` when the archive's authorization server gives no token */
  async #authorization(): Promise<Record<string, string>> {
    try {
      return await this.#signIn.headers();
    } catch (cause) {
      if (!(cause instanceof SignInError)) throw cause;
      throw new Fault('bad_gateway', 'The image archive did not accept the sign-in of the gateway.', {
        service: 'imaging',
        cause,
      });
    }
  }

  async #requestToken({ url, headers, body: form }: PostedForm) {
    const {
      statusCode: status,
      headers: answered,
      body,
    } = await this.#request(new URL(url), {
      method: 'POST',
      headers,
      body: form,
      signal: AbortSignal.timeout(CONNECT_TIMEOUT * 1000),
    });
    return {
      status,
      headers: { date: String(answered.date ?? ''), age: String(answered['age'] ?? '') },
      body,
    };
  }
}

/** Returns the path of a study, series or instance below the endpoint of a server. */
export function pathOf({ studyUid, seriesUid, instanceUid }: Target): string {
  const series = seriesUid === undefined ? '' : `/series/${seriesUid}`;
  return `/studies/${studyUid}${series}${instanceUid === undefined ? '' : `/instances/${instanceUid}`}`;
}

/** Converts an error of the connection to the archive to a Fault. Keeps an abort. */
export function asFault(error: unknown): unknown {
  const fault = unlessNoRoom(error);
  if (fault instanceof Fault || (error as Error).name === 'AbortError') return fault;
  if (error instanceof MultipartError) return invalidAnswer(error);
  if (isUnreachable(error)) return brokenOff(error);
  return new Fault('bad_gateway', 'The image archive cannot be reached.', {
    service: 'imaging',
    cause: error,
  });
}

/** Returns the fault for an archive that is away, or whose connection broke. */
export function brokenOff(cause: unknown): Fault {
  return new Fault('unavailable', 'The image archive cannot be reached, or broke off; ask again later.', {
    service: 'imaging',
    retryAfter: RETRY_SECONDS,
    cause,
  });
}

async function discard(body: Body): Promise<void> {
  await body.dump({ limit: 64 * 1024 }).catch(() => undefined);
}
