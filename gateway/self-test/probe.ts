import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { UpstreamDeps } from '../smart/token/upstream.ts';
import { Failing } from './check.ts';
import { clockDifference, refusalReason, secretsOf } from '../../schema/outbound/oauth-refusal.ts';
import { connectionFailure } from './failure-reasons.ts';

/** The answer of an EHR, with any status. */
export interface Probed {
  status: number;
  /** Undefined when the body is not a JSON object. */
  json: Record<string, unknown> | undefined;
  /** The OAuth error code (RFC 6749 §5.2), if any. */
  error?: string;
  /** Status, error code and description, without our secrets, and a difference of clocks. */
  refusal: string;
  /** Seconds by which the clock of the server differs from ours; undefined when it does not say. */
  clock: number | undefined;
}

const LARGEST_ANSWER = 1 << 20;

/**
 * Sends one request to an EHR or authorization server, and does not follow redirects.
 * @param endpoint its name for the operator
 * @throws Failing when it cannot be reached, redirects, or answers too much
 */
export async function probe(
  { outside: { fetch, now }, tenant }: { outside: UpstreamDeps; tenant: Tenant },
  endpoint: string,
  url: string,
  init: RequestInit & { signal: AbortSignal },
): Promise<Probed> {
  let response: Response;
  let text: string;
  const asked = now();
  let answered = asked;
  try {
    response = await fetch(tenant, tenant.authorization.tls)(url, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'application/json, application/fhir+json;q=0.9', ...init.headers },
    });
    answered = now();
    text = await limitedText(response, endpoint);
  } catch (error) {
    if (error instanceof Failing) throw error;
    const cause = (error as Error).cause ?? error;
    const reason = cause instanceof Fault ? cause.message : connectionFailure(error);
    throw new Failing(
      `${endpoint} at ${new URL(url).host} cannot be reached: ${reason ?? 'the connection failed'}`,
    );
  }
  const { status, headers } = response;
  if (status >= 300 && status < 400) {
    throw new Failing(`${endpoint} redirects (${status}): give the address that it redirects to`);
  }
  const json = object(text);
  const error = json?.['error'];
  const exchange = { asked, answered };
  const sent = init.body instanceof URLSearchParams ? init.body : new URLSearchParams();
  const secrets = secretsOf(sent, new Headers(init.headers).get('authorization'));
  const refusal = refusalReason({ status, headers, json }, exchange, secrets);
  const clock = clockDifference(headers, exchange);
  return {
    status,
    json,
    refusal,
    clock,
    ...(typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) && { error }),
  };
}

async function limitedText(response: Response, endpoint: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk as Uint8Array);
    size += (chunk as Uint8Array).length;
    if (size > LARGEST_ANSWER) throw new Failing(`${endpoint} answers more than a megabyte`);
  }
  return Buffer.concat(chunks).toString();
}

function object(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
