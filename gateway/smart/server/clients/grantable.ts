import type { Permission, ScopeLevel } from '../../../../schema/access/scopes.ts';
import { parseScopes } from '../../../../schema/access/scopes.ts';

/** Scopes of SMART App Launch 2.2 §4 without data. Those in `NO_DATA` give nothing that a user could refuse. */
const LAUNCH = ['launch', 'launch/patient', 'launch/encounter'];
export const NO_DATA = ['openid', ...LAUNCH];
const OF_THE_USER = ['fhirUser', 'profile', 'offline_access', 'online_access'];

/**
 * Returns the requested scopes that can be granted. The others are left out without an error; the answer's `scope` shows it
 * (RFC 6749 §3.3).
 * @param levels of clinical scopes that the grant type may have
 * @param allowed scopes that the client is registered for; undefined: any
 */
export function grantable(
  requested: string,
  levels: readonly ScopeLevel[],
  allowed: string | undefined,
): string[] {
  const limits = allowed === undefined ? undefined : parseScopes(allowed);
  const scopes = [...new Set(requested.split(/\s+/).filter(Boolean))];
  return scopes.filter((scope) => {
    if (NO_DATA.includes(scope) || OF_THE_USER.includes(scope)) return !levels.includes('system');
    const [permission] = parseScopes(scope);
    if (!permission || !levels.includes(permission.level)) return false;
    return limits === undefined || limits.some((limit) => covers(limit, permission));
  });
}

/** Describes the scopes that `grantable` can grant, in the characters of RFC 6749 §5.2. */
export function grantableScopes(levels: readonly ScopeLevel[], allowed: string | undefined): string {
  const any = levels.map((level) => `${level}/*.rs`);
  const clinical = allowed === undefined ? any : grantable(allowed, levels, undefined);
  const app = levels.length === 0 || levels.includes('system') ? [] : [...NO_DATA, ...OF_THE_USER];
  return [...new Set([...app, ...clinical])].join(' ') || 'none';
}

/** Returns true when the registered scope includes the requested one. */
function covers(limit: Permission, asked: Permission): boolean {
  return (
    limit.level === asked.level &&
    (limit.type === '*' || limit.type === asked.type) &&
    [...asked.interactions].every((letter) => limit.interactions.includes(letter)) &&
    (limit.parameters === undefined || sameParameters(limit, asked))
  );
}

const sameParameters = (a: Permission, b: Permission) =>
  JSON.stringify(a.parameters) === JSON.stringify(b.parameters);

/** Returns true when these scopes need a patient in context. */
export function needsPatient(scopes: readonly string[]): boolean {
  return scopes.includes('launch/patient') || scopes.some((scope) => scope.startsWith('patient/'));
}

/** Returns true when a token with these scopes is useless: they give neither data nor the user's identity. */
export function opensNothing(scopes: readonly string[]): boolean {
  return !scopes.some((scope) => /^(fhirUser|profile)$|^(patient|user)\//.test(scope));
}
