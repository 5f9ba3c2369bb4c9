import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { z } from 'zod';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache, type Remembered } from './expiring-cache.ts';
import type { Outside } from './upstream.ts';
import { call, nonsense } from './upstream.ts';

/** SM-10: never `none`, never HMAC, whose secret would be the public key. */
export const ALGORITHMS = ['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'];
/** A key that the issuer took back is not believed for longer than this. */
const KEYS_SECONDS = 300;
/** An unknown key is looked for again, but not more often than this, whatever callers send. */
const REFETCH_SECONDS = 10;
/** SM-9: how long it is remembered that the keys could not be had. */
const DOWN_SECONDS = 1;

/** RFC 7517 §5. A token that names no key is tried with each that fits: there may not be any number of them. */
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });

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

interface KeySet {
  keys: Keys;
  /** Milliseconds since the epoch. */
  fetched: number;
}

/**
 * Verifies JWTs against their issuer's key set, which is fetched at most every five minutes, and once more for a key
 * that it does not have. The set at hand is used until another takes its place: a key that cannot be looked for harms no
 * token but its own. `jwk`, `jku`, `x5u` and `x5c` of a token's header are not looked at.
 */
export function issuerVerifier(outside: Outside): IssuerVerifier {
  const keySets = expiringCache<KeySet>(1000, outside.now);
  const lookups = expiringCache<{ fault?: Fault }>(1000, outside.now);

  const fetchKeys = (tenant: Tenant, url: string) => async (): Promise<Remembered<KeySet>> => {
    const { status, json } = await call(outside, tenant, url);
    const parsed = keySet.safeParse(json);
    if (status !== 200 || !parsed.success) throw nonsense('has no key set', parsed.error);
    const keys = createLocalJWKSet(parsed.data);
    return { value: { keys, fetched: outside.now() }, seconds: KEYS_SECONDS };
  };

  /** Looks for a key that the set does not have. */
  const lookAgain = async (tenant: Tenant, url: string): Promise<void> => {
    const { fault } = await lookups.get(tenant.key, async () => {
      try {
        await keySets.renew(tenant.key, fetchKeys(tenant, url));
        return { value: {}, seconds: REFETCH_SECONDS };
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return { value: { fault: error }, seconds: DOWN_SECONDS };
      }
    });
    if (fault) throw fault;
  };

  return async (tenant, url, token, options) => {
    const set = await keySets.get(tenant.key, fetchKeys(tenant, url));
    const payload = await verified(token, set.keys, options);
    if (payload !== 'unknown key') return payload;
    if (outside.now() < set.fetched + REFETCH_SECONDS * 1000) return undefined;
    await lookAgain(tenant, url);
    const { keys } = await keySets.get(tenant.key, fetchKeys(tenant, url));
    const again = await verified(token, keys, options);
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
