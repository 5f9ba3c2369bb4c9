import type { Grant } from '../../state/sign-in/smart-launch.ts';

/**
 * Returns a token that another program got, with what it says of itself if it is a JWT. (RFC 7519 §3; it is not verified:
 * that is the server's work.) One that does not say its end has none here: the server refuses it when it has ended.
 */
export function pastedGrant(text: string): Grant {
  const token = text.trim().replace(/^Bearer\s+/i, '');
  const { exp, scope, patient } = claimsOf(token);
  return {
    token,
    expires: typeof exp === 'number' ? exp * 1000 : Infinity,
    ...(typeof scope === 'string' && { scope }),
    ...(typeof patient === 'string' && { patient }),
  };
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const payload = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (one) => one.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
