import type { Configuration } from 'oidc-provider';
import { errors } from 'oidc-provider';
import { ID_TOKEN_ALGORITHMS } from '../../../schema/tenant/registered-client.ts';
import { CLIENT_ALGORITHMS, PATHS } from './endpoints.ts';
import { LIFETIMES } from './lifetimes.ts';

/** Settings that are the same for all tenants. */
export const FIXED: Configuration = {
  routes: { ...PATHS },
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], fhirUser: ['fhirUser'], profile: ['name'] },
  responseTypes: ['code'],
  clientAuthMethods: ['none', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'],
  enabledJWA: {
    clientAuthSigningAlgValues: [...CLIENT_ALGORITHMS],
    idTokenSigningAlgValues: [...ID_TOKEN_ALGORITHMS],
  },
  pkce: { required: () => true },
  ttl: { ...LIFETIMES },
  allowOmittingSingleRegisteredRedirectUri: false,
  conformIdTokenClaims: false,
  // The endpoints that scripts may call ignore cookies (SM-13).
  clientBasedCORS: () => true,
  issueRefreshToken: async (_ctx, client, source) =>
    client.grantTypeAllowed('refresh_token') &&
    (source.scopes.has('offline_access') || source.scopes.has('online_access')),
  // SMART App Launch 2.2 §4.6: online access ends with the session.
  expiresWithSession: async (_ctx, source) =>
    source.scopes.has('online_access') && !source.scopes.has('offline_access'),
  async assertJwtClientAuthClaimsAndHeader(_ctx, claims) {
    // SMART App Launch 2.2 §5.3.1: no more than five minutes in the future.
    if ((claims['exp'] as number) > Date.now() / 1000 + 300 + 15) {
      throw new errors.InvalidClientAuth('the client assertion lives longer than five minutes');
    }
    if (claims['sub'] !== claims['iss']) throw new errors.InvalidClientAuth('sub must be the client_id');
  },
};

/** Features of OpenID Connect that are on in every tenant. */
export const FEATURES = {
  devInteractions: { enabled: false },
  dPoP: { enabled: false }, // The resource server does not check proofs.
  pushedAuthorizationRequests: { enabled: false },
  rpInitiatedLogout: { enabled: false },
  userinfo: { enabled: false }, // Replaced by ours, which accepts tokens with an audience.
  clientCredentials: { enabled: true },
  revocation: {
    enabled: true,
    allowedPolicy: (_ctx: unknown, client: { clientId: string }, token: { clientId?: string }) =>
      token.clientId === client.clientId,
  },
} satisfies Configuration['features'];
