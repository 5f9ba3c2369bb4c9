import type { JWTPayload } from 'jose';

/** Pure rules for the kind of a token, from its claims or from introspection. */

/** Names of an access token: RFC 6749 §7.1, RFC 8693 §3, RFC 9068 §2.1, RFC 9449 §5, and those of vendors. `JWT` may be any kind. */
const ACCESS_TOKEN = new Set(['bearer', 'bearertoken', 'access', 'accesstoken', 'at+jwt', 'jwt', 'dpop']);
const ID_TOKEN = new Set(['id', 'idtoken', 'jwt']);

/** Normalizes names such as `application/at+jwt`, `urn:ietf:params:oauth:token-type:access_token` and `Bearer`. */
function plain(name: unknown): string {
  if (typeof name !== 'string') return '';
  return name
    .toLowerCase()
    .replace(/^(?:application\/|urn:ietf:params:oauth:token-type:)/, '')
    .replace(/[_-]/g, '');
}

/** Returns true when all members that name the kind name one of `kinds`. With `events` it is an event (RFC 8417 §2.2). */
function isOfKind(claims: Readonly<Record<string, unknown>>, kinds: ReadonlySet<string>): boolean {
  const names = [claims['token_type'], claims['token_use'], claims['typ']];
  return (
    claims['events'] === undefined && names.every((name) => name === undefined || kinds.has(plain(name)))
  );
}

/**
 * Returns true when claims, or an introspection answer (RFC 7662 §2.2), can be those of an access token: not of a refresh, id
 * or logout token.
 */
export function isAccessToken(claims: Readonly<Record<string, unknown>>): boolean {
  return isOfKind(claims, ACCESS_TOKEN);
}

/**
 * Returns true when a token is bound to a key by any `cnf` (RFC 7800 §3), or is said to be (RFC 9449 §5): it counts only with
 * a proof of possession (SM-21).
 */
export function isBoundToKey(claims: Readonly<Record<string, unknown>>): boolean {
  return claims['cnf'] !== undefined || plain(claims['token_type']) === 'dpop';
}

/** Returns true when `typ` in a JWT's header names another kind than an access token (RFC 8725 §3.11). */
export function isTypedOtherwise(typ: unknown): boolean {
  return plain(typ).endsWith('+jwt') && plain(typ) !== 'at+jwt';
}

/**
 * Returns true when a signed JWT is an id_token (OpenID Connect Core §2): for an app, about a user, without scopes. The same
 * keys also sign logout tokens, access tokens and client assertions.
 * @param typ of its header
 * @param servers audiences that are not an app: the token endpoint, the clinical base
 */
export function isIdToken(typ: unknown, claims: JWTPayload, servers: readonly string[]): boolean {
  const forServer = [claims.aud].flat().some((audience) => servers.includes(audience ?? ''));
  const forAccess = claims['scope'] !== undefined || claims['scp'] !== undefined;
  const selfIssued = claims.iss === claims.sub;
  const typed = typ !== undefined && plain(typ) !== 'jwt';
  return isOfKind(claims, ID_TOKEN) && !typed && !forServer && !forAccess && !selfIssued;
}

/** Claims that only id_tokens have (OpenID Connect Core §2, §3.3.2.11). */
const OF_ID_TOKENS = ['nonce', 'at_hash', 'c_hash'];

/**
 * Returns true when a JWT that a server calls active is an id_token: it has no scope, and its audience is the app that it
 * was issued to, or it has claims that only id_tokens have (OpenID Connect Core §2).
 * @param client the app, by the server's name
 */
export function isGivenToApp(typ: unknown, claims: JWTPayload, client: string | undefined): boolean {
  if (!isIdToken(typ, claims, [])) return false;
  const apps = [client, claims['azp']].filter((app) => typeof app === 'string');
  return (
    OF_ID_TOKENS.some((name) => claims[name] !== undefined) ||
    [claims.aud].flat().some((audience) => audience !== undefined && apps.includes(audience))
  );
}
