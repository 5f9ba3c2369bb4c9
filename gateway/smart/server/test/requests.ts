import { SignJWT, type CryptoKey } from 'jose';
import type { Started } from './started.ts';

/** Returns scopes as a set, for comparisons without order. */
export const set = (scope: unknown) => new Set(String(scope).split(' '));

/** Posts a form to an endpoint of the server. */
export const form = (
  { issuer }: Pick<Started, 'issuer'>,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
) => fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers });

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

export const json = async (response: Promise<Response> | Response) =>
  (await (await response).json()) as Record<string, unknown>;

/** Signs a client assertion of the backend service. @param claims replace the usual ones; undefined removes one */
export async function assertion(
  started: Started,
  claims: object = {},
  header: object = {},
  key: CryptoKey = started.keys.ES384.privateKey,
) {
  const all = {
    iss: 'backend',
    sub: 'backend',
    aud: `${started.issuer}/token`,
    jti: crypto.randomUUID(),
    exp: Math.floor(Date.now() / 1000) + 240,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg: 'ES384', kid: 'key-ES384', typ: 'JWT', ...header })
    .sign(key);
}
