import type { JWTPayload } from 'jose';

/** Pure rules: which kind of token a server's words describe. */

/** Names of an access token: RFC 6749 §7.1, RFC 8693 §3, RFC 9068 §2.1, and vendors' own. `JWT` says nothing of the kind. */
const ACCESS_TOKEN = new Set(['bearer', 'bearertoken', 'access', 'accesstoken', 'at+jwt', 'jwt']);
const ID_TOKEN = new Set(['id', 'idtoken', 'jwt']);

/** `application/at+jwt`, `urn:ietf:params:oauth:token-type:access_token` and `Bearer` in one spelling. */
function plain(name: unknown): string {
  if (typeof name !== 'string') return '';
  return name
    .toLowerCase()
    .replace(/^(?:application\/|urn:ietf:params:oauth:token-type:)/, '')
    .replace(/[_-]/g, '');
}

/** Whether every member that may name the kind of a token names one of these; `events` makes it an event (RFC 8417 §2.2). */
function isOfKind(claims: Readonly<Record<string, unknown>>, kinds: ReadonlySet<string>): boolean {
  const names = [claims['token_type'], claims['token_use'], claims['typ']];
  return (
    claims['events'] === undefined && names.every((name) => name === undefined || kinds.has(plain(name)))
  );
}

/**
 * Whether claims, or what introspection says (RFC 7662 §2.2), can be an access token's: none of a refresh, id or logout
 * token, and none that needs another proof than to be presented, as DPoP's do.
 */
export function isAccessToken(claims: Readonly<Record<string, unknown>>): boolean {
  return isOfKind(claims, ACCESS_TOKEN);
}

/** Whether the `typ` of a JWT's header says that it is something else than an access token (RFC 8725 §3.11). */
export function isTypedOtherwise(typ: unknown): boolean {
  return plain(typ).endsWith('+jwt') && plain(typ) !== 'at+jwt';
}

/**
 * Whether a signed JWT is an id_token (OpenID Connect Core §2): meant for an app, of a user, and without the scopes of an
 * access token. Logout tokens, access tokens and client assertions are signed by the same keys.
 * @param typ of its header
 * @param servers what an audience cannot be that is an app: the token endpoint, the clinical base
 */
export function isIdToken(typ: unknown, claims: JWTPayload, servers: readonly string[]): boolean {
  const forServer = [claims.aud].flat().some((audience) => servers.includes(audience ?? ''));
  const forAccess = claims['scope'] !== undefined || claims['scp'] !== undefined;
  const selfIssued = claims.iss === claims.sub;
  const typed = typ !== undefined && plain(typ) !== 'jwt';
  return isOfKind(claims, ID_TOKEN) && !typed && !forServer && !forAccess && !selfIssued;
}

/** Claims that id_tokens alone have (OpenID Connect Core §2, §3.3.2.11). */
const OF_ID_TOKENS = ['nonce', 'at_hash', 'c_hash'];

/**
 * Whether a JWT that a server calls active is an id_token all the same: it names no scope, and has the app that it was
 * given to as its audience, or claims that only id_tokens have (OpenID Connect Core §2).
 * @param client the app, as the server names it
 */
export function isGivenToApp(typ: unknown, claims: JWTPayload, client: string | undefined): boolean {
  if (!isIdToken(typ, claims, [])) return false;
  const apps = [client, claims['azp']].filter((app) => typeof app === 'string');
  return (
    OF_ID_TOKENS.some((name) => claims[name] !== undefined) ||
    [claims.aud].flat().some((audience) => audience !== undefined && apps.includes(audience))
  );
}
