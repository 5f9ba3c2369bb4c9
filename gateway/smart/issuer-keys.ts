import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Tenant } from '../../schema/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import type { Outside } from './upstream.ts';
import { call, nonsense } from './upstream.ts';

/** SM-10: never `none`, never HMAC, whose secret would be the public key. */
export const ALGORITHMS = ['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'];
/** A key that the issuer took back is not believed for longer than this. */
const KEYS_SECONDS = 300;
/** An unknown key is looked for again, but not more often than this, whatever callers send. */
const REFETCH_SECONDS = 10;

type Keys = ReturnType<typeof createLocalJWKSet>;

/**
 * What a token says that one of the issuer's keys signed; undefined where none did, or where it is not as `options` want.
 * @throws Fault `unavailable` or `bad_gateway` where the keys cannot be had
 */
export type IssuerVerifier = (
  tenant: Tenant,
  jwksUri: string,
  token: string,
  options: JWTVerifyOptions,
) => Promise<JWTPayload | undefined>;

/**
 * Verifies JWTs against their issuer's key set, which is fetched at most every five minutes, and once more for a key
 * that it does not have. `jwk`, `jku`, `x5u` and `x5c` of a token's header are not looked at.
 */
export function issuerVerifier(outside: Outside): IssuerVerifier {
  const keySets = expiringCache<{ keys: Keys }>(1000, outside.now);
  const refetched = new LRUCache<string, number>({ max: 1000 });

  const keysOf = async (tenant: Tenant, url: string): Promise<Keys> => {
    const { keys } = await keySets.get(tenant.key, async () => {
      const { status, json } = await call(outside, tenant, url);
      if (status !== 200 || !Array.isArray(json['keys'])) throw nonsense('has no key set');
      refetched.set(tenant.key, outside.now());
      return { value: { keys: createLocalJWKSet(json as never) }, seconds: KEYS_SECONDS };
    });
    return keys;
  };

  return async (tenant, url, token, options) => {
    const payload = await verified(token, await keysOf(tenant, url), options);
    if (payload !== 'unknown key') return payload;
    const last = refetched.get(tenant.key) ?? 0;
    if (outside.now() < last + REFETCH_SECONDS * 1000) return undefined;
    refetched.set(tenant.key, outside.now());
    keySets.delete(tenant.key);
    const again = await verified(token, await keysOf(tenant, url), options);
    return again === 'unknown key' ? undefined : again;
  };
}

async function verified(
  token: string,
  keys: Keys,
  options: JWTVerifyOptions,
): Promise<JWTPayload | 'unknown key' | undefined> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
    // Several keys may fit a token that names none.
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      for await (const key of error) {
        const fits = await jwtVerify(token, key, options).catch(() => undefined);
        if (fits) return fits.payload;
      }
    }
    return undefined;
  }
}
