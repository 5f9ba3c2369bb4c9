import type { ClientMetadata } from 'oidc-provider';
import { authenticationOf } from '../../../../schema/tenant/registered-client.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { applicationType } from './loopback.ts';

/**
 * Gives the clients of a tenant file the form of `oidc-provider`. A client with redirect URIs is an app
 * (`authorization_code`), one without is a backend service (`client_credentials`).
 * @returns their metadata, and the scopes that each may request: one that is not in `scopes` may request any
 */
export function clientsOf(tenant: Tenant) {
  const scopes = new Map<string, string>();
  const metadata = tenant.authorization.clients.map(({ scope, ...client }): ClientMetadata => {
    if (scope !== undefined) scopes.set(client.client_id, scope);
    const { redirect_uris: redirectUris } = client;
    const isApp = redirectUris.length > 0;
    return {
      ...(client as ClientMetadata),
      application_type: applicationType(redirectUris),
      token_endpoint_auth_method: authenticationOf(client),
      grant_types: isApp ? ['authorization_code', 'refresh_token'] : ['client_credentials'],
      response_types: isApp ? ['code'] : [],
    };
  });
  return { metadata, scopes };
}
