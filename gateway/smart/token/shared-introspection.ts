import { z } from 'zod';
import type { SharedCache } from '../../../schema/outbound/shared-cache.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { BackendTokens } from './backend-token.ts';
import { activeToken, introspect, type ActiveToken } from './introspect.ts';
import type { ExternalConfig, SmartConfiguration } from '../discovery/smart-configuration.ts';
import type { Outside } from './upstream.ts';

/** SM-9: how long a refusal is remembered, and a token whose end is not said. */
export const REFUSED_SECONDS = 3;
export const UNKNOWN_LIFETIME_SECONDS = 3;

/** What the authorization server said of a token. */
export interface Said {
  /** Undefined where it is not active. */
  active: ActiveToken | undefined;
  /** For how long that may be believed; of an answer that another gateway got, what is left of it (SM-9). */
  seconds: number;
}

const shareable = z.object({ active: activeToken.optional() });

/**
 * Introspection of which several gateways make one. What they share is the server's own answer, never what a gateway
 * made of it: who may see what, each decides by its own configuration. Failures are not shared.
 * @throws Fault of the result, as `introspect` does
 */
export function sharedIntrospection(outside: Outside & { shared?: SharedCache }, tokens: BackendTokens) {
  const { shared, now } = outside;
  return async (
    tenant: Tenant,
    config: ExternalConfig,
    document: SmartConfiguration,
    token: string,
  ): Promise<Said> => {
    const key = ['introspection', tenant.key, config.fhirBaseUrl, token].join('\0');
    const found = await shared?.get(key);
    const earlier = shareable.safeParse(found?.value);
    if (found && earlier.success) {
      const { active } = earlier.data;
      // No longer than this gateway's own configuration has it.
      return { active, seconds: Math.min(found.seconds, active ? config.introspectionTtl : REFUSED_SECONDS) };
    }
    const active = await introspect(outside, tokens, tenant, config, document, token);
    const seconds = active ? Math.min(config.introspectionTtl, lifetime(active, now)) : REFUSED_SECONDS;
    await shared?.set(key, active ? { active } : {}, seconds);
    return { active, seconds };
  };
}

/**
 * No longer than until `exp` by our clock (SM-9): in the seconds in which a token is good only by another clock, the server
 * is asked at each use.
 */
function lifetime({ exp }: ActiveToken, now: () => number): number {
  return exp === undefined ? UNKNOWN_LIFETIME_SECONDS : exp - now() / 1000;
}
