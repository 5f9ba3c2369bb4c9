import { createHmac, hkdfSync } from 'node:crypto';
import type { Adapter } from 'oidc-provider';
import Provider from 'oidc-provider';

/**
 * Time for which a rotated refresh token is still accepted: two tabs of one app may refresh at the same moment, or the
 * answer may be lost.
 */
const ROTATION_GRACE_SECONDS = 10;

/** Derives the only successor of each refresh token. @param secret of the tenant, the same at all gateways */
export function successors(secret: string): (token: string) => string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'successors of refresh tokens', 32));
  return (token) => createHmac('sha256', key).update(token).digest('base64url');
}

/**
 * Wraps the rows of refresh tokens: a second use within the grace period gives the same successor as the first. Both tabs
 * then have the same token, as would a thief. A use after the grace period, or of an older token than the last one, still
 * ends the grant (RFC 9700 §4.14.2).
 * @param tokens the rows
 * @param now milliseconds since the epoch
 */
export function withRotationGrace(
  tokens: Adapter,
  successorOf: (token: string) => string,
  now: () => number,
): Adapter {
  /** Returns true when the token was used just now, and its successor was not used yet. */
  const isRepeated = async (id: string, consumed: unknown): Promise<boolean> => {
    // The clocks of gateways differ a little, in both directions.
    if (Math.abs(now() / 1000 - Number(consumed)) > ROTATION_GRACE_SECONDS) return false;
    return !(await tokens.find(successorOf(id)))?.consumed;
  };
  return {
    ...tokens,
    async find(id) {
      const token = await tokens.find(id);
      const refreshing = Provider.ctx?.oidc.route === 'token';
      if (!token?.consumed || !refreshing || !(await isRepeated(id, token.consumed))) return token;
      const { consumed: _, ...unused } = token;
      return unused;
    },
    async consume(id) {
      try {
        await tokens.consume(id);
      } catch (error) {
        const consumed = (await tokens.find(id))?.consumed;
        if (consumed === undefined || !(await isRepeated(id, consumed))) throw error;
      }
    },
  };
}

/** Makes the provider name a rotated refresh token as the derived successor of its predecessor. */
export function nameSuccessors(provider: Provider, successorOf: (token: string) => string): void {
  // eslint-disable-next-line no-restricted-syntax -- the types of oidc-provider have no prototype
  const { prototype } = provider.RefreshToken as unknown as { prototype: { generateTokenId(): string } };
  const random = prototype.generateTokenId;
  prototype.generateTokenId = function () {
    const rotated = Provider.ctx?.oidc.entities.RotatedRefreshToken;
    return rotated ? successorOf(rotated.jti) : random.call(this);
  };
}
