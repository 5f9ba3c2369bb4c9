import { randomUUID, type JsonWebKey } from 'node:crypto';
import { importJWK, SignJWT } from 'jose';
import type { ClientAuth } from 'oauth4webapi';
import { Fault } from '../../../schema/fault/fault.ts';
import { basicAuthentication, clientCredentialsToken } from '../../../schema/outbound/client-credentials.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import type { EhrConfig, SmartConfiguration } from '../discovery/ehr-configuration.ts';
import { endpointOf } from '../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from './upstream.ts';
import { jsonFetch, upstreamFault } from './upstream.ts';

export type Client = NonNullable<EhrConfig['client']>;

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_SECONDS = 120;
/** A token is not used in its last seconds, because it must still be valid when it arrives. */
const MARGIN_SECONDS = 30;

/** Returns the algorithm that a key of ours signs with: its own, else that which SMART App Launch 2.2 §5.1 has for its type. */
export function assertionAlgorithm({ alg, kty }: JsonWebKey): string {
  return typeof alg === 'string' ? alg : kty === 'RSA' ? 'RS384' : 'ES384';
}

/**
 * Signs a client assertion (SMART App Launch 2.2 §5.2, RFC 7523 §3).
 * @param audience the endpoint that it is sent to
 * @param now milliseconds since the epoch
 */
export async function clientAssertion(client: Client, audience: string, now: number): Promise<string> {
  const jwk = client.jwkPrivate;
  if (!jwk) throw unconfigured();
  const alg = assertionAlgorithm(jwk);
  const kid = jwk['kid'] ?? client.jwk?.['kid'];
  const seconds = Math.floor(now / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg, typ: 'JWT', ...(typeof kid === 'string' && { kid }) })
    .setIssuer(client.client_id)
    .setSubject(client.client_id)
    .setAudience(audience)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + ASSERTION_SECONDS)
    .setJti(randomUUID())
    .sign(await importJWK(jwk, alg));
}

/**
 * Returns form fields and headers that authenticate the gateway as a client: by `private_key_jwt`, or by the secret
 * (RFC 6749 §2.3.1).
 * @param audience of the assertion: always the token endpoint, whichever endpoint the form is sent to
 */
export async function clientCredentials(
  client: Client,
  method: 'private_key_jwt' | 'client_secret_basic' | 'client_secret_post',
  audience: string,
  now: number,
): Promise<{ fields: Record<string, string>; headers: Record<string, string> }> {
  if (method === 'private_key_jwt') {
    const assertion = await clientAssertion(client, audience, now);
    return {
      fields: {
        client_id: client.client_id,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: assertion,
      },
      headers: {},
    };
  }
  const secret = client.client_secret;
  if (!secret) throw unconfigured();
  if (method === 'client_secret_post') {
    return { fields: { client_id: client.client_id, client_secret: secret }, headers: {} };
  }
  return { fields: {}, headers: { authorization: basicAuthentication(client.client_id, secret) } };
}

/**
 * Returns the same authentication in the form of `oauth4webapi`. The library's own `PrivateKeyJwt` is not used: it names
 * the issuer as audience, where SMART App Launch 2.2 §5.2 requires the token endpoint.
 * @param now milliseconds since the epoch
 */
export function clientAuthentication(
  client: Client,
  method: Parameters<typeof clientCredentials>[1],
  audience: string,
  now: () => number,
): ClientAuth {
  return async (_server, _client, form, headers) => {
    const proof = await clientCredentials(client, method, audience, now());
    for (const [name, value] of Object.entries(proof.fields)) form.set(name, value);
    for (const [name, value] of Object.entries(proof.headers)) headers.set(name, value);
  };
}

export type BackendTokens = ReturnType<typeof backendTokens>;

/** Requests backend tokens by `client_credentials` (SMART App Launch 2.2 §5.3), one request at a time per tenant. */
export function backendTokens(outside: UpstreamDeps) {
  const tokens = expiringCache<{ token: string }>(1000, outside.now);
  return {
    /** Forgets a token that the server refused. */
    drop: (tenant: Tenant) => tokens.delete(tenant.cacheKey),
    /** Returns our own access token at the tenant's authorization server (SM-7), kept until shortly before it expires. */
    async get(
      tenant: Tenant,
      client: Client,
      config: EhrConfig,
      document: SmartConfiguration,
    ): Promise<string> {
      const kept = await tokens.get(tenant.cacheKey, async () => {
        const endpoint = config.tokenUrl ?? endpointOf(document, 'token_endpoint');
        const method = client.jwkPrivate ? 'private_key_jwt' : 'client_secret_basic';
        const { refusal, token, lifetime } = await clientCredentialsToken({
          tokenUrl: endpoint,
          clientId: client.client_id,
          scope: config.scope,
          now: outside.now,
          authentication: clientAuthentication(client, method, endpoint, outside.now),
          fetch: jsonFetch(outside, tenant),
        });
        if (token === undefined) {
          throw upstreamFault(
            'did not give this gateway an access token',
            new Error(`token endpoint answered ${refusal}`),
          );
        }
        return { value: { token }, seconds: lifetime === undefined ? 0 : lifetime - MARGIN_SECONDS };
      });
      return kept.token;
    },
  };
}

function unconfigured(): Fault {
  return new Fault('not_implemented', 'This tenant has no client key or secret yet.', {
    service: 'authorization',
  });
}
