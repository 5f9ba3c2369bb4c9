import type { ActiveToken } from '../token/introspect.ts';
import type { TenantServer } from './tenant-server.ts';

/** An active token as RFC 7662 §2.2 describes it, with the fields that the provider's own introspection answers. */
export interface DescribedToken extends ActiveToken {
  client_id: string;
  exp: number;
  iat: number;
  iss: string;
  token_type: string;
}

/**
 * What one of our own access tokens is good for, without a request to ourselves. Refresh tokens and codes are none.
 * @returns undefined where it is not active: expired, revoked, of another tenant, or its client or grant are gone
 */
export async function describe(server: TenantServer, value: string): Promise<DescribedToken | undefined> {
  const { provider, issuer } = server;
  const token = (await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value));
  if (!token?.isValid || token.clientId === undefined) return undefined;
  if (!(await provider.Client.find(token.clientId))) return undefined;
  if (token.kind === 'AccessToken') {
    const grant = token.grantId ? await provider.Grant.find(token.grantId) : undefined;
    if (!grant || grant.clientId !== token.clientId || grant.accountId !== token.accountId) return undefined;
  }
  const sub = token.kind === 'AccessToken' ? token.accountId : undefined;
  return {
    ...(token.extra as Partial<ActiveToken> | undefined),
    active: true,
    ...(sub !== undefined && { sub }),
    client_id: token.clientId,
    exp: token.exp!,
    iat: token.iat!,
    iss: issuer,
    ...(token.aud !== undefined && { aud: token.aud }),
    ...(token.scope && { scope: token.scope }),
    token_type: token.tokenType,
  };
}

/** Whether a bearer of this token may ask about others: a backend service, by its own token. */
export async function mayIntrospect(server: TenantServer, bearer: string): Promise<boolean> {
  const token = await server.provider.ClientCredentials.find(bearer);
  return token?.isValid === true && (await describe(server, bearer)) !== undefined;
}
