import type { KoaContextWithOIDC } from 'oidc-provider';
import type Provider from 'oidc-provider';
import { PATHS } from '../settings.ts';

/**
 * A code that was presented in vain is spent (SM-19): with another verifier, redirect URI or client than it was made
 * for, or once more (RFC 6749 §4.1.2). Its grant ends, with all that came of it. A request that names no client, and so
 * has not come to the code, leaves it alone, and so does a failure of ours.
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

/** The grant first: without it no token of it is good. */
async function endGrant(provider: Provider, ctx: KoaContextWithOIDC, grantId: string): Promise<void> {
  await (await provider.Grant.find(grantId, { ignoreExpiration: true }))?.destroy();
  const { AccessToken, RefreshToken, AuthorizationCode } = provider;
  const models = [AccessToken, RefreshToken, AuthorizationCode];
  await Promise.all(models.map((model) => model.revokeByGrantId(grantId)));
  provider.emit('grant.revoked', ctx, grantId);
}
