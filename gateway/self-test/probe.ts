import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Dispatcher } from 'undici';
import { bodyOf, headersOf, send, type Sent, type UpstreamDeps } from '../smart/token/upstream.ts';
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
  { outside, tenant }: { outside: UpstreamDeps; tenant: Tenant },
  endpoint: string,
  sent: Omit<Sent, 'tls'>,
): Promise<Probed> {
  let response: Dispatcher.ResponseData;
  let text: string;
  const { now } = outside;
  const asked = now();
  let answered = asked;
  try {
    response = await send(outside, tenant, { ...sent, tls: tenant.authorization.tls });
    answered = now();
    text = await limitedText(response, endpoint);
  } catch (error) {
    if (error instanceof Failing) throw error;
    const reason = error instanceof Fault ? error.message : connectionFailure(error);
    throw new Failing(
      `${endpoint} at ${new URL(sent.url).host} cannot be reached: ${reason ?? 'the connection failed'}`,
    );
  }
  const status = response.statusCode;
  const headers = headersOf(response);
  if (status >= 300 && status < 400) {
    throw new Failing(`${endpoint} redirects (${status}): give the address that it redirects to`);
  }
  const json = object(text);
  const error = json?.['error'];
  const exchange = { asked, answered };
  const form = sent.body instanceof URLSearchParams ? sent.body : new URLSearchParams();
  const secrets = secretsOf(form, new Headers(sent.headers).get('authorization'));
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

async function limitedText(response: Dispatcher.ResponseData, endpoint: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(response)) {
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
