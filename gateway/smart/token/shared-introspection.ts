import { z } from 'zod';
import type { SharedCache, SharedValue } from '../../../schema/outbound/shared-cache.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { BackendTokens } from './backend-token.ts';
import { activeToken, introspect, type ActiveToken } from './introspect.ts';
import type { Ehr } from '../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from './upstream.ts';

/** Times for which a refusal, and a token without `exp`, are remembered (SM-9). */
export const REFUSED_SECONDS = 3;
export const UNKNOWN_LIFETIME_SECONDS = 3;

/** Time for which a gateway waits while another one asks: the server may hang for that one alone. */
const OTHERS_SECONDS = 2;

/** Answer of the authorization server about a token. */
export interface IntrospectionAnswer {
  /** Undefined when it is not active. */
  active: ActiveToken | undefined;
  /** Time for which the answer may be used; the remaining time for an answer that another gateway got (SM-9). */
  seconds: number;
}

/** The name of these answers. Its number grows with their content: those of an older gateway have no `cnf` (SM-21). */
const NAME = 'introspection 2';

const shareable = z.object({ active: activeToken.optional() });

/**
 * Returns an introspection whose answers several gateways share. They share the server's answer, not a decision: each
 * gateway decides by its own configuration who may see what. Of equal questions at the same time one is asked. Failures are
 * not shared.
 * @throws Fault of the returned function, like `introspect`
 */
export function sharedIntrospection(outside: UpstreamDeps & { shared?: SharedCache }, tokens: BackendTokens) {
  const { shared, now } = outside;
  return async (tenant: Tenant, { config, document }: Ehr, token: string): Promise<IntrospectionAnswer> => {
    const key = [NAME, tenant.cacheKey, config.fhirBaseUrl, token].join('\0');
    const ask = async (): Promise<SharedValue> => {
      const active = await introspect({ outside, tokens }, tenant, { config, document }, token);
      const seconds = active ? Math.min(config.introspectionTtl, lifetime(active, now)) : REFUSED_SECONDS;
      return { value: active ? { active } : {}, seconds };
    };
    const found = await (shared ? shared.once(key, ask, OTHERS_SECONDS) : ask());
    const earlier = shareable.safeParse(found.value);
    // That of a gateway of another version.
    const { value, seconds } = earlier.success ? found : await ask();
    const { active } = shareable.parse(value);
    // Not longer than this gateway's configuration allows.
    return { active, seconds: Math.min(seconds, active ? config.introspectionTtl : REFUSED_SECONDS) };
  };
}

/**
 * Returns the seconds until `exp` by our clock (SM-9). In the tolerance after that, when the token may still be valid by the
 * server's clock, the server is asked at each use.
 */
function lifetime({ exp }: ActiveToken, now: () => number): number {
  return exp === undefined ? UNKNOWN_LIFETIME_SECONDS : exp - now() / 1000;
}
