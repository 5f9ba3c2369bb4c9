import type { JWTPayload } from 'jose';
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Tenant } from '../../schema/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import type { ActiveToken } from './introspect.ts';
import { activeToken } from './introspect.ts';
import type { ExternalConfig, SmartConfiguration } from './smart-configuration.ts';
import { endpointOf } from './smart-configuration.ts';
import type { Outside } from './upstream.ts';
import { call, nonsense } from './upstream.ts';

export type JwtConfig = Extract<ExternalConfig, { type: 'smart-on-fhir-jwt' }>;

/** SM-10: never `none`, never HMAC, whose secret would be the public key. */
const ALGORITHMS = ['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'];
/** A key that the issuer took back is not believed for longer than this. */
const KEYS_SECONDS = 300;
/** An unknown key is looked for again, but not more often than this, whatever callers send. */
const REFETCH_SECONDS = 10;
const TOLERANCE_SECONDS = 5;

type Keys = ReturnType<typeof createLocalJWKSet>;

export type JwtVerifier = (
  tenant: Tenant,
  config: JwtConfig,
  document: SmartConfiguration,
  token: string,
) => Promise<ActiveToken | undefined>;

/**
 * Verifies JWT access tokens (RFC 9068 §4, SM-10) against the issuer's keys: signature, `iss`, `typ`, `exp`, `nbf`; that
 * `aud` is there. Whether it means us is the rule of all tokens (IA-5). Keys come from the issuer's key set alone:
 * `jwk`, `jku`, `x5u` and `x5c` of a token's header are not looked at. A revocation is not seen.
 * The verifier gives undefined for a token that is not the issuer's or not valid now.
 * @throws Fault of the verifier: `unavailable` or `bad_gateway` where the keys cannot be had
 */
export function jwtVerifier(outside: Outside): JwtVerifier {
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

  return async (tenant, config, document, token) => {
    const url = config.jwksUri ?? endpointOf(document, 'jwks_uri');
    const issuer = config.issuer ?? endpointOf(document, 'issuer');
    if (!typeOf(token, config.typ)) return undefined;
    const verify = (keys: Keys) => verified(token, keys, config, issuer, outside.now());
    const payload = await verify(await keysOf(tenant, url));
    if (payload !== 'unknown key') return payload && describe(payload);
    const last = refetched.get(tenant.key) ?? 0;
    if (outside.now() < last + REFETCH_SECONDS * 1000) return undefined;
    refetched.set(tenant.key, outside.now());
    keySets.delete(tenant.key);
    const again = await verify(await keysOf(tenant, url));
    return again === 'unknown key' || !again ? undefined : describe(again);
  };
}

/** RFC 9068 §4: the media type, without `application/` (RFC 7515 §4.1.9), in any case. */
function typeOf(token: string, allowed: readonly string[]): boolean {
  const plain = (type: string) => type.toLowerCase().replace(/^application\//, '');
  try {
    const { typ } = decodeProtectedHeader(token);
    return typeof typ === 'string' && allowed.some((type) => plain(type) === plain(typ));
  } catch {
    return false;
  }
}

async function verified(
  token: string,
  keys: Keys,
  config: JwtConfig,
  issuer: string,
  now: number,
): Promise<JWTPayload | 'unknown key' | undefined> {
  const bare = issuer.replace(/\/+$/, '');
  const options = {
    issuer: [bare, `${bare}/`],
    algorithms: config.algorithms ?? ALGORITHMS,
    requiredClaims: ['exp', 'aud'],
    clockTolerance: TOLERANCE_SECONDS,
    currentDate: new Date(now),
  };
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

/** The claims as introspection would tell them. Servers write scopes as text, as a list, or as `scp`. */
function describe(payload: JWTPayload): ActiveToken | undefined {
  const scope = payload['scope'] ?? payload['scp'];
  const parsed = activeToken.safeParse({
    ...payload,
    active: true,
    scope: Array.isArray(scope) ? scope.join(' ') : scope,
    client_id: payload['client_id'] ?? payload['azp'],
  });
  return parsed.success ? parsed.data : undefined;
}
