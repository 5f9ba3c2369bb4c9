import { serviceAuthorization } from '../../schema/outbound/service-authorization.ts';
import type { AuditConfig } from '../../schema/tenant/tenant.ts';
import type { Delivered } from './delivery.ts';

const TIMEOUT_MILLISECONDS = 10_000;
/** Statuses after which a record is sent again; any other 4xx is final. */
const REPEATABLE = new Set([401, 403, 404, 408, 425, 429]);

/**
 * Returns a function that creates AuditEvents at a FHIR server (R4 §3.1.0.8), those of a batch at the same time.
 * @param now seconds since the epoch
 */
export function fhirSink(
  { baseUrl, authentication }: Extract<AuditConfig, { type: 'fhir' }>,
  fetch: typeof globalThis.fetch,
  now: () => number,
) {
  const signIn = serviceAuthorization(authentication, now, async ({ url, headers, body }) => {
    const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    return fetch(url, { method: 'POST', headers, body, redirect: 'error', signal });
  });
  const create = async (body: string): Promise<Delivered> => {
    try {
      const response = await fetch(`${baseUrl}/AuditEvent`, {
        method: 'POST',
        headers: {
          'content-type': 'application/fhir+json',
          prefer: 'return=minimal',
          ...(await signIn.headers()),
        },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
      });
      await response.body?.cancel();
      if (response.status === 401) signIn.refused();
      if (response.ok) return 'recorded';
      return response.status < 500 && !REPEATABLE.has(response.status) ? 'rejected' : 'again';
    } catch {
      return 'again';
    }
  };
  return (lines: string[]): Promise<Delivered[]> => Promise.all(lines.map(create));
}
