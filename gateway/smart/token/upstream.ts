import { Fault } from '../../../schema/fault/fault.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';
import type { TlsConfig } from '../../../schema/outbound/tls.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { UnclearReason } from '../../identity/resolve-identity.ts';

/** Dependencies of the calls to an authorization server and its FHIR server. */
export interface UpstreamDeps {
  /** Returns the `fetch` for a part of a tenant with this `tls` (`outboundConnections`). */
  fetch: (tenant: Tenant, tls?: TlsConfig) => typeof globalThis.fetch;
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
  init: RequestInit = {},
): Promise<Answer> {
  const { response, text } = await exchange(outside, tenant, url, { ...init, repeatable: true });
  const { status } = response;
  return { status, json: status < 300 ? object(text, url) : {} };
}

/**
 * Returns `call` as a `fetch`, for a library that requires the media type of JSON: some servers send another one. Answers
 * other than 2xx are as they came: they have the reason of a refusal.
 */
export function jsonFetch(outside: UpstreamDeps, tenant: Tenant) {
  return async (url: string, init: Pick<RequestInit, 'method' | 'headers' | 'body'>): Promise<Response> => {
    const { response, text } = await exchange(outside, tenant, url, { ...init, repeatable: true });
    const { status } = response;
    if (status < 300) return Response.json(object(text, url), { status });
    return new Response(text || null, { status, headers: response.headers });
  };
}

/**
 * Returns a `fetch` with the same limits, whose answers are complete and not interpreted. Only GET is repeated: a code can
 * be used once (RFC 6749 §4.1.2), and maybe a refresh token too (§10.4).
 */
export function limitedFetch(outside: UpstreamDeps, tenant: Tenant) {
  return async (url: string, init: RequestInit): Promise<Response> => {
    const { response, text } = await exchange(outside, tenant, url, {
      ...init,
      repeatable: init.method === 'GET',
    });
    return new Response(text || null, { status: response.status, headers: response.headers });
  };
}

async function exchange(
  outside: UpstreamDeps,
  tenant: Tenant,
  url: string,
  { repeatable, ...init }: RequestInit & { repeatable: boolean },
): Promise<{ response: Response; text: string }> {
  let response: Response;
  let text: string;
  // AbortSignal.timeout would keep its timer after every call.
  const timeout = new AbortController();
  const abortAfter = (milliseconds: number) => setTimeout(() => timeout.abort(), milliseconds);
  const whole = abortAfter(repeatable ? ANSWER_MILLISECONDS : ONE_CHANCE_MILLISECONDS);
  const begun = repeatable ? abortAfter(HEADERS_MILLISECONDS) : undefined;
  try {
    const fetch = outside.fetch(tenant, tenant.authorization.tls);
    const ask = () =>
      fetch(url, {
        ...init,
        redirect: 'error',
        signal: timeout.signal,
        headers: { accept: 'application/json, application/fhir+json;q=0.9', ...init.headers },
      });
    response = await (repeatable ? resending(ask) : ask());
    clearTimeout(begun);
    text = await limitedText(response.body, LARGEST_ANSWER);
  } catch (error) {
    // `fetch` has the reason of a failed connection in the cause of its error.
    const cause = (error as Error).cause ?? error;
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
  const { status } = response;
  if (status >= 500 || status === 429) {
    throw new Fault('unavailable', 'The authorization server or EHR of this tenant is failing.', {
      service: 'authorization',
      retryAfter: 1,
      cause: new Error(`${new URL(url).host} answered ${status}`),
    });
  }
  return { response, text };
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
