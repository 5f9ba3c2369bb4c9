import type { Permission, ScopeLevel } from '../../../../schema/access/scopes.ts';
import { parseScopes } from '../../../../schema/access/scopes.ts';

/** Scopes of SMART App Launch 2.2 §4 that name no data. The first four give nothing that a user could refuse. */
const LAUNCH = ['launch', 'launch/patient', 'launch/encounter'];
export const NO_DATA = ['openid', ...LAUNCH];
const OF_THE_USER = ['fhirUser', 'profile', 'offline_access', 'online_access'];

/**
 * Of the scopes that were asked for, those that can be granted at all; the rest is left out without an error, and the
 * answer's `scope` says so (RFC 6749 §3.3).
 * @param levels of clinical scopes that this way of asking may have
 * @param allowed what the client is registered for; undefined: anything
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

/** Whether what is registered includes what is asked for. */
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

/** Whether these scopes need a patient in context. */
export function needsPatient(scopes: readonly string[]): boolean {
  return scopes.includes('launch/patient') || scopes.some((scope) => scope.startsWith('patient/'));
}

/** Whether these scopes give neither data nor who the user is: a token of them is good for nothing. */
export function opensNothing(scopes: readonly string[]): boolean {
  return !scopes.some((scope) => /^(fhirUser|profile)$|^(patient|user)\//.test(scope));
}
