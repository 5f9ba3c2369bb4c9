import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { z } from 'zod';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache, type Remembered } from './expiring-cache.ts';
import type { UpstreamDeps } from './upstream.ts';
import { call, upstreamFault } from './upstream.ts';

/** Accepted algorithms (SM-10): never `none`, never HMAC, whose secret would be the public key. */
export const ALGORITHMS = ['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'];
/** Time for which a key set is kept: a withdrawn key is accepted no longer than this. */
const KEYS_SECONDS = 300;
/** Shortest time between two requests for an unknown key, whatever callers send. */
const REFETCH_SECONDS = 10;
/** Time for which a failed request for keys is remembered (SM-9). */
const DOWN_SECONDS = 1;

/** A key set (RFC 7517 §5). Its size is limited, because a token without `kid` is tried with every key that fits. */
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

interface VerifyOptions extends JWTVerifyOptions {
  /** Makes the fault for a token that has expired, and is right otherwise: jose checks the signature and `iss` before. */
  expired?: () => Fault;
}

type Keys = ReturnType<typeof createLocalJWKSet>;

interface KeySet {
  keys: Keys;
  /** Milliseconds since the epoch. */
  fetched: number;
}

/**
 * Verifies JWTs against their issuer's key set. It is fetched at most every five minutes, and once more for an unknown key.
 * The known set is used until a new one replaces it: a failed request for an unknown key affects only tokens with that key.
 * `jwk`, `jku`, `x5u` and `x5c` in a token's header are ignored.
 * @returns a function that gives the claims of a token that one of the issuer's keys signed; undefined when none did, or when
 *   `options` are not met. It throws Fault `unavailable` or `bad_gateway` when the keys cannot be fetched
 */
export function issuerVerifier(outside: UpstreamDeps) {
  const keySets = expiringCache<KeySet>(1000, outside.now);
  const lookups = expiringCache<{ fault?: Fault }>(1000, outside.now);

  const fetchKeys = (tenant: Tenant, url: string) => async (): Promise<Remembered<KeySet>> => {
    const { status, json } = await call(outside, tenant, url);
    const parsed = keySet.safeParse(json);
    if (status !== 200 || !parsed.success) throw upstreamFault('has no key set', parsed.error);
    const keys = createLocalJWKSet(parsed.data);
    return { value: { keys, fetched: outside.now() }, seconds: KEYS_SECONDS };
  };

  /** Fetches the keys again, for a key that the set does not have. */
  const lookAgain = async (tenant: Tenant, url: string): Promise<void> => {
    const { fault } = await lookups.get(tenant.cacheKey, async () => {
      try {
        await keySets.renew(tenant.cacheKey, fetchKeys(tenant, url));
        return { value: {}, seconds: REFETCH_SECONDS };
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return { value: { fault: error }, seconds: DOWN_SECONDS };
      }
    });
    if (fault) throw fault;
  };

  return async (tenant: Tenant, url: string, token: string, options: VerifyOptions) => {
    const set = await keySets.get(tenant.cacheKey, fetchKeys(tenant, url));
    const payload = await verified(token, set.keys, options);
    if (payload !== 'unknown key') return payload;
    if (outside.now() < set.fetched + REFETCH_SECONDS * 1000) return undefined;
    await lookAgain(tenant, url);
    const { keys } = await keySets.get(tenant.cacheKey, fetchKeys(tenant, url));
    const again = await verified(token, keys, options);
    return again === 'unknown key' ? undefined : again;
  };
}

async function verified(
  token: string,
  keys: Keys,
  options: VerifyOptions,
): Promise<JWTPayload | 'unknown key' | undefined> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
    if (error instanceof errors.JWTExpired && options.expired) throw options.expired();
    // Several keys may fit a token without `kid`.
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      for await (const key of error) {
        const fits = await jwtVerify(token, key, options).catch(() => undefined);
        if (fits) return fits.payload;
      }
    }
    return undefined;
  }
}
