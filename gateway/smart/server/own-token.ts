import type { ActiveToken } from '../token/introspect.ts';
import type { TenantServer } from './tenant-server.ts';

/** An active token (RFC 7662 §2.2), with the fields of the provider's introspection. */
export type DescribedToken = ActiveToken & { client_id: string; exp: number; iat: number; iss: string };

/**
 * Introspects one of our own access tokens in this process. Refresh tokens and codes are not access tokens.
 * @returns undefined when it is not active: expired, revoked, of another tenant, or without its client or grant
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
    ...(sub === undefined ? {} : { sub }),
    client_id: token.clientId,
    exp: token.exp!,
    iat: token.iat!,
    iss: issuer,
    ...(token.aud === undefined ? {} : { aud: token.aud }),
    ...(token.scope && { scope: token.scope }),
    token_type: token.tokenType,
    ...(token.isSenderConstrained() && { cnf: { jkt: token.jkt, 'x5t#S256': token['x5t#S256'] } }),
  };
}

/** Returns true when the owner of this token may introspect other tokens: a backend service, by its own token. */
export async function mayIntrospect(server: TenantServer, bearer: string): Promise<boolean> {
  const token = await server.provider.ClientCredentials.find(bearer);
  return token?.isValid === true && (await describe(server, bearer)) !== undefined;
}
