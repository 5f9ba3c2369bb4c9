import { Fault } from '../../../schema/fault/fault.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** What the calls to an authorization server and its FHIR server need from outside. */
export interface Outside {
  fetch: typeof globalThis.fetch;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** The same for dynamic tenants: reaches only what SM-15 lets them. */
  guardedFetch: typeof globalThis.fetch;
}

/** Until the answer begins, and until it is there whole: a server that hangs holds nobody for long. */
const HEADERS_MILLISECONDS = 3000;
const ANSWER_MILLISECONDS = 5000;
/** Until the answer to what cannot be asked again: the code or refresh token that was sent may be used up. */
const ONE_CHANCE_MILLISECONDS = 10_000;
const LARGEST_ANSWER = 1 << 20;

/** An answer whose body has been read: the status says whether it may be believed. */
export interface Answer {
  status: number;
  json: Record<string, unknown>;
}

/**
 * One call to a tenant's authorization server or EHR; no redirects, three seconds until the answer begins and five until it
 * ends, a megabyte. It has to be one that may be repeated: where the connection ends before an answer, it is made a second
 * time.
 * @throws Fault `unavailable` where it cannot be reached or fails, `bad_gateway` where the answer is no JSON object,
 *   `not_implemented` for a private host of a dynamic tenant that nobody allowed (SM-15)
 */
export async function call(
  outside: Outside,
  tenant: Tenant,
  url: string,
  init: RequestInit = {},
): Promise<Answer> {
  const { response, text } = await exchange(outside, tenant, url, init, true);
  const { status } = response;
  return { status, json: status < 300 ? object(text, url) : {} };
}

/**
 * The same as a `fetch` for a library that reads JSON by the media type that the answer names: servers name others. What
 * is not 2xx comes without its body.
 */
export function jsonFetch(outside: Outside, tenant: Tenant) {
  return async (url: string, init: Pick<RequestInit, 'method' | 'headers' | 'body'>): Promise<Response> => {
    const { method = 'GET', headers = {}, body = null } = init;
    const { status, json } = await call(outside, tenant, url, { method, headers, body });
    return status < 300 ? Response.json(json, { status }) : new Response(null, { status });
  };
}

/**
 * The same as a `fetch` whose answers are there whole, for whoever reads them by rules of their own. Only reads are
 * repeated: a code is used once (RFC 6749 §4.1.2), and a refresh token may be (§10.4).
 */
export function limitedFetch(outside: Outside, tenant: Tenant) {
  return async (url: string, init: RequestInit): Promise<Response> => {
    const { response, text } = await exchange(outside, tenant, url, init, init.method === 'GET');
    return new Response(text || null, { status: response.status, headers: response.headers });
  };
}

async function exchange(
  outside: Outside,
  tenant: Tenant,
  url: string,
  init: RequestInit,
  repeatable: boolean,
): Promise<{ response: Response; text: string }> {
  let response: Response;
  let text: string;
  // AbortSignal.timeout would live its seconds out after every call.
  const timeout = new AbortController();
  const abortAfter = (milliseconds: number) => setTimeout(() => timeout.abort(), milliseconds);
  const whole = abortAfter(repeatable ? ANSWER_MILLISECONDS : ONE_CHANCE_MILLISECONDS);
  const begun = repeatable ? abortAfter(HEADERS_MILLISECONDS) : undefined;
  try {
    const fetch = tenant.dynamic ? outside.guardedFetch : outside.fetch;
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
    // What `fetch` says of a failed connection is in the cause of its own error.
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

/** @throws Fault `bad_gateway` */
export function nonsense(what: string, cause?: unknown): Fault {
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
    // Told below, without the text: it may hold anything.
  }
  throw nonsense('did not answer with a JSON object', new Error(`from ${new URL(url).host}`));
}
