import type { KoaContextWithOIDC } from 'oidc-provider';
import type Provider from 'oidc-provider';
import { PATHS } from '../endpoints.ts';

/**
 * Spends a code after a failed exchange (SM-19): with another verifier, redirect URI or client, or a second time (RFC 6749
 * §4.1.2). Its grant ends with all its tokens. A request without a client, for which the code is not read, does not spend
 * it, nor does a failure of this server.
 */
export function spendFailedCodes(provider: Provider) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    await next();
    if (ctx.path !== PATHS.token || ctx.status < 400 || ctx.status >= 500) return;
    const { params, entities } = ctx.oidc;
    if (params?.['grant_type'] !== 'authorization_code') return;
    if (!entities.Client && ctx.status !== 401) return;
    const code = await provider.AuthorizationCode.find(String(params['code']), { ignoreExpiration: true });
    if (code?.grantId !== undefined) await endGrant(provider, ctx, code.grantId);
  };
}

/** Ends the grant first: without it, none of its tokens is valid. */
async function endGrant(provider: Provider, ctx: KoaContextWithOIDC, grantId: string): Promise<void> {
  await (await provider.Grant.find(grantId, { ignoreExpiration: true }))?.destroy();
  const { AccessToken, RefreshToken, AuthorizationCode } = provider;
  const models = [AccessToken, RefreshToken, AuthorizationCode];
  await Promise.all(models.map((model) => model.revokeByGrantId(grantId)));
  provider.emit('grant.revoked', ctx, grantId);
}
