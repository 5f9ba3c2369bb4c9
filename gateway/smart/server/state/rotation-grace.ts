import { createHmac, hkdfSync } from 'node:crypto';
import type { Adapter } from 'oidc-provider';
import Provider from 'oidc-provider';

/**
 * How long a refresh token that has been rotated is still answered: two tabs of one app refresh at the same moment, or
 * the answer was lost on its way.
 */
const ROTATION_GRACE_SECONDS = 10;

/** Names the one successor of each refresh token. @param secret of the tenant, the same at all gateways */
export function successors(secret: string): (token: string) => string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'successors of refresh tokens', 32));
  return (token) => createHmac('sha256', key).update(token).digest('base64url');
}

/**
 * Refresh tokens whose second use within the grace gives the same successor as the first. Both tabs then hold one token,
 * and a thief would hold the same one as the app: whoever comes after the grace, or with a token before the last,
 * still ends the grant (RFC 9700 §4.14.2).
 * @param tokens the rows as they are
 * @param now milliseconds since the epoch
 */
export function withRotationGrace(
  tokens: Adapter,
  successorOf: (token: string) => string,
  now: () => number,
): Adapter {
  /** Whether it was used just now, and its successor was not used yet. */
  const isRepeated = async (id: string, consumed: unknown): Promise<boolean> => {
    // Clocks of gateways differ a little, to either side.
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

/** Gives a refresh token that comes of a rotation the name of its predecessor's one successor. */
export function nameSuccessors(provider: Provider, successorOf: (token: string) => string): void {
  const { prototype } = provider.RefreshToken as unknown as { prototype: { generateTokenId(): string } };
  const random = prototype.generateTokenId;
  prototype.generateTokenId = function () {
    const rotated = Provider.ctx?.oidc.entities.RotatedRefreshToken;
    return rotated ? successorOf(rotated.jti) : random.call(this);
  };
}
