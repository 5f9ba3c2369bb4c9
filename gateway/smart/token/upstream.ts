import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { request, type Dispatcher } from 'undici';
import { measuredRequest, type MeasureCall } from '../../../schema/access/source-calls.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ChooseDispatcher } from '../../../schema/outbound/choose-dispatcher.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';
import type { TlsConfig } from '../../../schema/outbound/tls.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { UnclearReason } from '../../identity/resolve-identity.ts';

/** Dependencies of the calls to an authorization server and its FHIR server. */
export interface UpstreamDeps {
  dispatcher: ChooseDispatcher;
  measure?: MeasureCall | undefined;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Called when a part of a patient's identity is withheld because it is not clear. */
  onUnclear?: ((tenant: Tenant, reason: UnclearReason) => void) | undefined;
}

/** Time limits for the begin and the end of an answer, so that no caller waits long for a server that hangs. */
const HEADERS_MILLISECONDS = 3000;
const ANSWER_MILLISECONDS = 5000;
/** Time limit for a request that cannot be repeated, because it uses up a code or refresh token. */
const ONE_CHANCE_MILLISECONDS = 10_000;
const LARGEST_ANSWER = 1 << 20;
const FORM = 'application/x-www-form-urlencoded;charset=UTF-8';
const DECODERS: Record<string, () => Transform> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** A request, as a library gives it to `fetch`. */
export interface Asked {
  method?: string;
  headers?: Headers | Record<string, string>;
  body?: URLSearchParams | string;
}

/** A request to a service of a tenant. */
export interface Sent extends Asked {
  url: string;
  signal: AbortSignal;
  /** Of the part of the tenant file that names the service. */
  tls: TlsConfig | undefined;
}

/**
 * Sends a request over the connections of a tenant, and does not follow redirects. Undici's own interface takes half of the
 * processor time of `fetch`, which is a part of each new token.
 */
export async function send(
  { dispatcher: choose, measure }: UpstreamDeps,
  tenant: Tenant,
  { url, method = 'GET', headers, body, signal, tls }: Sent,
): Promise<Dispatcher.ResponseData> {
  const sent = new Headers(headers);
  if (!sent.has('accept')) sent.set('accept', 'application/json, application/fhir+json;q=0.9');
  if (body instanceof URLSearchParams && !sent.has('content-type')) sent.set('content-type', FORM);
  // Some firewalls refuse requests without it.
  sent.set('user-agent', 'smart-imaging-gateway');
  const options: { dispatcher?: Dispatcher } & Omit<Dispatcher.RequestOptions<null>, 'path' | 'origin'> = {
    method: method as Dispatcher.HttpMethod,
    headers: Object.fromEntries(sent),
    body: body?.toString() ?? null,
    signal,
  };
  const dispatcher = choose(tenant, tls);
  if (dispatcher) options.dispatcher = dispatcher;
  const exchange = () => request(url, options);
  return measure ? measuredRequest(measure, method, exchange) : exchange();
}

/** Returns the body of an answer; decoded where a server compresses without being asked (RFC 9110 §8.4.1). */
export function bodyOf({ headers, body }: Dispatcher.ResponseData): AsyncIterable<Uint8Array> {
  const decoder = DECODERS[String(headers['content-encoding']).toLowerCase()];
  return decoder ? pipeline(body, decoder(), () => undefined) : body;
}

/** Returns headers as `fetch` has them. */
export function headersOf({ headers }: Pick<Dispatcher.ResponseData, 'headers'>): Headers {
  const each = Object.entries(headers).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, value]),
  );
  return new Headers(each);
}

/** An answer with its parsed body; `json` is empty unless the status is 2xx. */
export interface Answer {
  status: number;
  json: Record<string, unknown>;
}

/**
 * Calls a tenant's authorization server or EHR, without redirects. The answer has to begin within three seconds and end
 * within five, and may have a megabyte. The request must be idempotent: it is sent a second time when the connection ends
 * before an answer.
 * @throws Fault `unavailable` when the server cannot be reached or fails, `bad_gateway` when the answer is not a JSON object,
 *   `not_implemented` for a private host of a dynamic tenant that is not allowed (SM-15)
 */
export async function call(
  outside: UpstreamDeps,
  tenant: Tenant,
  url: string,
  asked: Asked = {},
): Promise<Answer> {
  const { status, text } = await exchange(outside, tenant, url, { asked, repeatable: true });
  return { status, json: status < 300 ? object(text, url) : {} };
}

/**
 * Returns `call` as a `fetch`, for a library that requires the media type of JSON: some servers send another one. Answers
 * other than 2xx are as they came: they have the reason of a refusal.
 */
export function jsonFetch(outside: UpstreamDeps, tenant: Tenant) {
  return async (url: string, asked: Asked): Promise<Response> => {
    const answer = await exchange(outside, tenant, url, { asked, repeatable: true });
    if (answer.status >= 300) return asResponse(answer);
    object(answer.text, url);
    return asResponse({ ...answer, headers: { 'content-type': 'application/json' } });
  };
}

/**
 * Returns a `fetch` with the same limits, whose answers are complete and not interpreted. Only GET is repeated: a code can
 * be used once (RFC 6749 §4.1.2), and maybe a refresh token too (§10.4).
 */
export function limitedFetch(outside: UpstreamDeps, tenant: Tenant) {
  return async (url: string, asked: Asked): Promise<Response> =>
    asResponse(await exchange(outside, tenant, url, { asked, repeatable: asked.method === 'GET' }));
}

interface Exchanged extends Pick<Dispatcher.ResponseData, 'headers'> {
  status: number;
  text: string;
}

const asResponse = (answer: Exchanged): Response =>
  new Response(answer.text || null, { status: answer.status, headers: headersOf(answer) });

async function exchange(
  outside: UpstreamDeps,
  tenant: Tenant,
  url: string,
  { asked, repeatable }: { asked: Asked; repeatable: boolean },
): Promise<Exchanged> {
  let answer: Dispatcher.ResponseData;
  let text: string;
  // AbortSignal.timeout would keep its timer after every call.
  const timeout = new AbortController();
  const abortAfter = (milliseconds: number) => setTimeout(() => timeout.abort(), milliseconds);
  const whole = abortAfter(repeatable ? ANSWER_MILLISECONDS : ONE_CHANCE_MILLISECONDS);
  const begun = repeatable ? abortAfter(HEADERS_MILLISECONDS) : undefined;
  const { method = 'GET', headers = {}, body } = asked;
  const { tls } = tenant.authorization;
  const sent: Sent = { url, method, headers, signal: timeout.signal, tls };
  if (body !== undefined) sent.body = body;
  try {
    const ask = () => send(outside, tenant, sent);
    answer = await (repeatable ? resending(ask) : ask());
    clearTimeout(begun);
    text = await limitedText(bodyOf(answer), LARGEST_ANSWER);
    if (answer.statusCode >= 300 && answer.statusCode < 400)
      throw new Error(`${new URL(url).host} answered ${answer.statusCode}: redirects are not followed`);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('unavailable', 'The authorization server or EHR of this tenant cannot be reached.', {
      service: 'authorization',
      retryAfter: 1,
      cause,
    });
  } finally {
    clearTimeout(begun);
    clearTimeout(whole);
  }
  const { statusCode: status } = answer;
  if (status >= 500 || status === 429) {
    throw new Fault('unavailable', 'The authorization server or EHR of this tenant is failing.', {
      service: 'authorization',
      retryAfter: 1,
      cause: new Error(`${new URL(url).host} answered ${status}`),
    });
  }
  return { status, headers: answer.headers, text };
}

/** Returns the fault `bad_gateway`. @param what completes "The authorization server or EHR of this tenant …" */
export function upstreamFault(what: string, cause?: unknown): Fault {
  return new Fault('bad_gateway', `The authorization server or EHR of this tenant ${what}.`, {
    service: 'authorization',
    cause,
  });
}

function object(text: string, url: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Reported below without the text, which may contain anything.
  }
  throw upstreamFault('did not answer with a JSON object', new Error(`from ${new URL(url).host}`));
}
