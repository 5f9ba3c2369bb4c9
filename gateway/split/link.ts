import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type Dispatcher } from 'undici';
import { seal, type Access } from '../../schema/access/access.ts';
import type { RecordOperation } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { parseFhirJson } from '../../schema/fhir/decimal.ts';
import { copyWith } from '../../schema/process/copy-with.ts';
import { RequestValues } from '../../schema/process/request-values.ts';
import { connectionEnded } from '../../schema/outbound/resending.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { ServiceName } from '../federation/request/service-name.ts';
import { takeCollected, type Collected } from './collected.ts';
import { exchange } from './exchange.ts';
import { SealCache } from './seal-cache.ts';
import { workOf } from './shared-work.ts';
import { EXPLAINS, fromWire, SEAL_REFUSED, SEALED_ACCESS, WORK, type WireFault } from './wire.ts';

/** Seconds for which a sealed Access is sent again: it is valid for a minute. */
const SEAL_SECONDS = 40;
/** Milliseconds: an idle connection is closed before the other process closes it (`CONNECTION_TIMEOUTS.idle`). */
const IDLE = 30_000;
/** Milliseconds until an answer begins, and between its bytes: longer than the time limit of any request. */
const LONGEST = 300_000;

/** Calls at one time; others wait. */
const MOST_CALLS = 256;

const WHAT = { clinical: 'The clinical record', imaging: 'The images' } as const;

interface Sealed {
  token: Promise<string>;
  /** Seconds since the epoch. */
  until: number;
}

export interface LinkOptions {
  /** The subgraph at the other end. */
  service: ServiceName;
  url: string;
  /** SEALING_KEY, derived: the first one seals. */
  keys: readonly Uint8Array[];
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** A request to the other process. */
export interface LinkRequest {
  method: string;
  /** Path with its query. */
  path: string;
  access: Access;
  headers?: Record<string, string | string[] | undefined>;
  body?: string | Buffer | undefined;
  signal?: AbortSignal | undefined;
  /** True if the other process may get the request twice: its connection may end just when it is used. */
  isRepeatable: boolean;
}

/** A function of the other process. */
export interface LinkCall {
  tenant: Tenant;
  access: Access;
  signal?: AbortSignal | undefined;
  requestId?: string | undefined;
  /** Records what the function does; without it, nothing is recorded. */
  audit?: RecordOperation | undefined;
  /** Parses the answer. */
  parse?: (text: string) => unknown;
}

/**
 * The connection to the process of a subgraph: HTTP with kept connections, each request with the caller's Access, sealed for
 * that process for a minute. A request that is aborted closes its connection, and so ends the work there.
 */
export class SubgraphLink {
  readonly service: ServiceName;
  readonly #calls: Pool;
  /** Answers that are streamed to a client: slow readers do not keep calls away. */
  readonly #streams: Pool;
  readonly #keys: readonly Uint8Array[];
  readonly #now: () => number;
  #turn: Promise<void> | undefined;
  /** Seals of the Access of a request, so that its calls share one. */
  readonly #sealed = new RequestValues<Access, Sealed>();
  /** Seals by what they seal: the requests with one token have equal ones. */
  readonly #kept: SealCache<Sealed>;

  constructor({ service, url, keys, now }: LinkOptions) {
    this.service = service;
    this.#keys = keys;
    this.#now = now;
    this.#kept = new SealCache(now);
    const pool = (connections: number | null) =>
      new Pool(url, {
        connections,
        pipelining: 1,
        keepAliveTimeout: IDLE,
        keepAliveMaxTimeout: IDLE,
        headersTimeout: LONGEST,
        bodyTimeout: LONGEST,
      });
    this.#calls = pool(MOST_CALLS);
    // The gateway limits them: requests in flight, of which a stream is a tenth.
    this.#streams = pool(null);
  }

  /**
   * Sends a request whose answer is read as a stream, by a client that may be slow.
   * @throws Fault `unavailable` while the process cannot be reached; the signal's reason when that aborts
   */
  async send(request: LinkRequest): Promise<Dispatcher.ResponseData> {
    const { signal } = request;
    const answer = await this.#sent(request, (options) =>
      this.#streams.request({ ...options, ...(signal && { signal }) }),
    );
    if (answer.headers[SEAL_REFUSED] === undefined) return answer;
    answer.body.destroy();
    throw this.#refused(signal);
  }

  async #sent<Answer>(
    request: LinkRequest,
    send: (options: Dispatcher.DispatchOptions) => Promise<Answer>,
  ): Promise<Answer> {
    const { method, path, access, headers, body, signal, isRepeatable } = request;
    const work = workOf(access);
    const token = await this.#tokenFor(access);
    await this.#endOfTurn();
    const options = {
      method: method as Dispatcher.HttpMethod,
      path,
      body: body ?? null,
      headers: { ...headers, [SEALED_ACCESS]: token, [WORK]: work },
    };
    try {
      return await sentAgain(() => send(options), { isRepeatable, signal });
    } catch (cause) {
      throw this.#away(cause, signal);
    }
  }

  /** Reads an answer. @throws as `send`, when the connection ends before it */
  async read({ body }: Dispatcher.ResponseData, signal?: AbortSignal): Promise<Buffer> {
    try {
      return Buffer.from(await body.arrayBuffer());
    } catch (cause) {
      throw this.#away(cause, signal);
    }
  }

  /**
   * Resolves at the end of this turn of the event loop. The requests of one turn go out together, and wake the other process
   * once: waking it for each of them costs both more than the request.
   */
  #endOfTurn(): Promise<void> {
    this.#turn ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#turn = undefined;
        resolve();
      });
    });
    return this.#turn;
  }

  #refused(signal: AbortSignal | undefined): Error {
    const message = `The ${this.service} process did not open what was sealed: compare SEALING_KEY.`;
    return this.#away(new Error(message), signal);
  }

  /** Returns the error of a process that cannot be reached; of a request that was aborted, the reason. */
  #away(cause: unknown, signal: AbortSignal | undefined): Error {
    if (signal?.aborted) return signal.reason as Error;
    const message = `${WHAT[this.service]} cannot be reached at the moment; try again in a few seconds.`;
    return new Fault('unavailable', message, { service: this.service, retryAfter: 2, cause });
  }

  /**
   * Calls a function of the other process, by `serveFunctions`.
   * @throws the Fault that the function threw; those of `send`
   */
  async call<Result>(name: string, caller: LinkCall, asked: object): Promise<Result> {
    const { value, fault } = await this.post<{ value?: Result; fault?: WireFault }>(
      `functions/${name}`,
      caller,
      asked,
    );
    if (fault) throw fromWire(fault);
    return value as Result;
  }

  /** Posts JSON to a path of a tenant, and takes what the other process did for it. @throws as `send` */
  async post<Answer extends object>(path: string, caller: LinkCall, asked: object): Promise<Answer> {
    const { tenant, access, signal, audit, requestId, parse = parseFhirJson } = caller;
    const begun = performance.now();
    const request = {
      method: 'POST',
      path: `/${tenant.path}/${path}`,
      access,
      signal,
      isRepeatable: true,
      body: JSON.stringify(asked),
      headers: {
        'content-type': 'application/json',
        ...(access.calls && { [EXPLAINS]: '1' }),
        'x-request-id': requestId,
      },
    };
    const { statusCode, headers, text } = await this.#sent(request, (options) =>
      exchange(this.#calls, options, signal),
    );
    if (headers[SEAL_REFUSED] !== undefined) throw this.#refused(signal);
    // Refused before it was asked: it has too much to do, or does not have the tenant.
    if (statusCode !== 200) throw this.#away(new Error(`It answered ${statusCode}.`), signal);
    const { recorded, calls, ...given } = parse(text) as Answer & Collected;
    takeCollected({ recorded, calls }, { audit, tell: access.calls, begun });
    return given as Answer;
  }

  async close(): Promise<void> {
    await Promise.all([this.#calls.close(), this.#streams.close()]);
  }

  #tokenFor(access: Access): Promise<string> {
    const now = this.#now() / 1000;
    const known = this.#sealed.get(access);
    if (known && known.until > now) return known.token;
    const { access: admitted, text } = admittedOf(access);
    let sealed = this.#kept.get(text);
    if (!sealed) {
      const token = seal(admitted, this.#keys, this.service, Math.floor(now));
      sealed = { token, until: now + SEAL_SECONDS };
      this.#kept.set(text, sealed, SEAL_SECONDS);
    }
    this.#sealed.set(access, sealed);
    return sealed.token;
  }
}

const ADMITTED = new RequestValues<Access, { access: Access; text: string }>();

/**
 * Returns the Access of a request, for all links: it was admitted when its work began, which may take longer than it is
 * valid, as an export does.
 */
function admittedOf(access: Access): { access: Access; text: string } {
  const known = ADMITTED.get(access);
  if (known) return known;
  const admitted = copyWith(access, { expires: Number.MAX_SAFE_INTEGER });
  const made = { access: admitted, text: JSON.stringify(admitted) };
  ADMITTED.set(access, made);
  return made;
}

/** Milliseconds before each further attempt. All connections to a process end when it stops, so one more may not be enough. */
const PAUSES = [0, 100, 400];

/**
 * Sends a request again that has no answer because a process has just stopped: another one takes its place. A request that
 * was not sent, because there was no connection, is always sent again.
 * @throws the error of the last attempt, or another error
 */
async function sentAgain<T>(
  send: () => Promise<T>,
  { isRepeatable, signal }: Pick<LinkRequest, 'isRepeatable' | 'signal'>,
): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await send();
    } catch (error) {
      const isUnsent = (error as { code?: string }).code === 'ECONNREFUSED';
      if (!isUnsent && !(isRepeatable && connectionEnded(error))) throw error;
    }
    await delay(pause, undefined, signal && { signal });
  }
  return send();
}

/** The addresses of the subgraphs' processes. */
export type SplitUrls = Readonly<Record<ServiceName, string>>;
