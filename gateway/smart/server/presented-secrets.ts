import { isRegistered } from './clients/loopback.ts';
import { describe } from './own-token.ts';
import type { TenantServer } from './tenant-server.ts';
import { PATHS } from './endpoints.ts';

/**
 * Returns true when a request presents a valid value of ours that cannot be guessed: a code or refresh token without a
 * secret, or an access token. Such a request is not refused for failures of others at the same address in the name of the
 * same public app (SM-19).
 * @param path of the endpoint, below the issuer
 */
export async function presentsOurs(
  server: TenantServer,
  path: string,
  authorization: string | undefined,
  form: URLSearchParams,
): Promise<boolean> {
  const bearer = /^\s*bearer\s+(\S+)\s*$/i.exec(authorization ?? '')?.[1];
  if (path === PATHS.introspection && bearer !== undefined) {
    return (await describe(server, bearer)) !== undefined;
  }
  const provesItself = authorization !== undefined || SECRETS.some((name) => form.has(name));
  if (path !== PATHS.token || provesItself) return false;
  const { AuthorizationCode, RefreshToken } = server.provider;
  const code = form.get('code');
  const token = form.get('refresh_token');
  const found = (code && (await AuthorizationCode.find(code))) || (token && (await RefreshToken.find(token)));
  return Boolean(found);
}

/** Fields with a secret, which may be a guess whatever else is sent. */
const SECRETS = ['client_secret', 'client_assertion'];

/** Returns true when an authorization request names an app and one of its redirect URIs, and so is no guess (SM-19). */
export async function namesApp({ provider }: TenantServer, query: URLSearchParams): Promise<boolean> {
  const client = await provider.Client.find(query.get('client_id') ?? '');
  return client !== undefined && isRegistered(query.get('redirect_uri') ?? '', client.redirectUris ?? []);
}
