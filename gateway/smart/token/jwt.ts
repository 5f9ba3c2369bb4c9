import type { JWTPayload } from 'jose';
import { decodeProtectedHeader } from 'jose';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ActiveToken } from './introspect.ts';
import { activeToken } from './introspect.ts';
import { ALGORITHMS, issuerVerifier } from './issuer-keys.ts';
import type { Ehr, ExternalConfig } from '../discovery/ehr-configuration.ts';
import { endpointOf } from '../discovery/ehr-configuration.ts';
import { isAccessToken } from './token-kinds.ts';
import { CLOCK_TOLERANCE_SECONDS, expired } from './token-rules.ts';
import type { UpstreamDeps } from './upstream.ts';

interface JwtEhr extends Ehr {
  config: Extract<ExternalConfig, { type: 'smart-on-fhir-jwt' }>;
}

/**
 * Verifies JWT access tokens (RFC 9068 §4, SM-10) against the issuer's keys: signature, `iss`, `typ`, `exp`, `nbf`, and that
 * there is an `aud`. The common rules for tokens compare its value (IA-5). A revocation is not noticed. The verifier
 * returns undefined for a token that is not the issuer's or not valid yet.
 * @throws Faults of the verifier: `invalid_token` for a token that has expired; `unavailable` or `bad_gateway` when the keys
 *   cannot be fetched
 */
export function jwtVerifier(outside: UpstreamDeps) {
  const verified = issuerVerifier(outside);
  return async (tenant: Tenant, { config, document }: JwtEhr, token: string) => {
    const url = config.jwksUri ?? endpointOf(document, 'jwks_uri');
    const issuer = (config.issuer ?? endpointOf(document, 'issuer')).replace(/\/+$/, '');
    if (!typeOf(token, config.typ)) return undefined;
    const payload = await verified(tenant, url, token, {
      issuer: [issuer, `${issuer}/`],
      algorithms: config.algorithms ?? ALGORITHMS,
      requiredClaims: ['exp', 'aud'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(outside.now()),
      expired,
    });
    return payload && isAccessToken(payload) ? describe(payload) : undefined;
  };
}

/** Checks `typ` (RFC 9068 §4): a media type in upper or lower case, with or without `application/` (RFC 7515 §4.1.9). */
function typeOf(token: string, allowed: readonly string[]): boolean {
  const plain = (type: string) => type.toLowerCase().replace(/^application\//, '');
  try {
    const { typ } = decodeProtectedHeader(token);
    return typeof typ === 'string' && allowed.some((type) => plain(type) === plain(typ));
  } catch {
    return false;
  }
}

/** Returns the claims in the form of introspection. Servers write scopes as text, as a list, or as `scp`. */
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
