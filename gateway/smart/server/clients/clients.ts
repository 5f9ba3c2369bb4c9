import type { ClientMetadata } from 'oidc-provider';
import { z } from 'zod';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { applicationType } from './loopback.ts';
import { ID_TOKEN_ALGORITHMS } from '../endpoints.ts';
import { shownName } from '../sign-in/shown-name.ts';

/** A client of the tenant file, with the metadata of RFC 7591 §2. */
const registration = z.strictObject({
  client_id: z.string().min(1),
  client_name: shownName.optional(),
  redirect_uris: z.array(z.string()).default([]),
  /** Public keys, in the file or by URL, for `private_key_jwt`. */
  jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).optional(),
  jwks_uri: z.url().optional(),
  client_secret: z.string().min(16, 'must have 16 characters or more').optional(),
  token_endpoint_auth_method: z
    .enum(['none', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'])
    .optional(),
  id_token_signed_response_alg: z.enum(ID_TOKEN_ALGORITHMS).optional(),
  /** Clinical scopes that the client may get; without it, any. */
  scope: z.string().optional(),
});

/**
 * Reads the clients of a tenant file. A client with redirect URIs is an app (`authorization_code`), one without is a backend
 * service (`client_credentials`).
 * @returns their metadata, and the scopes that each may request: one that is not in `scopes` may request any
 * @throws Error with the client and the reason, without secrets
 */
export function clientsOf(tenant: Tenant) {
  const scopes = new Map<string, string>();
  const metadata = tenant.authorization.clients.map((written): ClientMetadata => {
    const parsed = registration.safeParse(written);
    if (!parsed.success) {
      const reasons = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      throw new Error(`client ${written.client_id} of tenant ${tenant.key}: ${reasons.join('; ')}`);
    }
    const { scope, redirect_uris: redirectUris, ...client } = parsed.data;
    if (scope !== undefined) scopes.set(client.client_id, scope);
    const method = client.token_endpoint_auth_method ?? defaultMethod(client);
    const app = redirectUris.length > 0;
    if (!app && method === 'none') {
      throw new Error(
        `client ${client.client_id} of tenant ${tenant.key} has neither redirect_uris nor a key`,
      );
    }
    return {
      ...(client as ClientMetadata),
      application_type: applicationType(redirectUris),
      redirect_uris: redirectUris,
      token_endpoint_auth_method: method,
      grant_types: app ? ['authorization_code', 'refresh_token'] : ['client_credentials'],
      response_types: app ? ['code'] : [],
    };
  });
  return { metadata, scopes };
}

function defaultMethod(client: { jwks?: unknown; jwks_uri?: unknown; client_secret?: unknown }) {
  if (client.jwks || client.jwks_uri) return 'private_key_jwt';
  return client.client_secret ? 'client_secret_basic' : 'none';
}
