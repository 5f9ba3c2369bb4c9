import type { IndependentConfig, SmartConfiguration } from '../../discovery/ehr-configuration.ts';

/** Scopes for access that outlives the token (SMART App Launch 2.2 §4.6). */
export type Lasting = 'offline_access' | 'online_access';

/** Returns the lasting access that an app requests; offline access includes online access. */
export function lastingOf(scopes: readonly string[]): Lasting | undefined {
  const lasting: readonly Lasting[] = ['offline_access', 'online_access'];
  return lasting.find((scope) => scopes.includes(scope));
}

/**
 * Returns the scope to request from an EHR: the scopes for users in the tenant's `scope` (`system/` is for our backend
 * token), or else those that imaging needs. Lasting access is added if the app requests it, and the EHR or the tenant's
 * file lists it. An EHR that only has offline access is asked for it instead of online access; its tokens are revoked when
 * our grant ends.
 */
export function scopeFor(
  { scope }: IndependentConfig,
  document: SmartConfiguration,
  lasting: Lasting | undefined,
): string {
  const configured = (scope ?? '').split(/\s+/).filter((one) => one && !one.startsWith('system/'));
  const clinical = configured.filter((one) => one !== 'offline_access' && one !== 'online_access');
  const wanted = clinical.length > 0 ? clinical : ['openid', 'fhirUser', 'launch/patient', 'patient/*.read'];
  const lists = [document['scopes_supported'], document['capabilities'], configured];
  const known = new Set(lists.flatMap((list) => (Array.isArray(list) ? list : [])));
  const possible: Record<Lasting, boolean> = {
    offline_access: known.has('offline_access') || known.has('permission-offline'),
    online_access: known.has('online_access') || known.has('permission-online'),
  };
  const ways: Lasting[] =
    lasting === 'online_access' ? ['online_access', 'offline_access'] : ['offline_access'];
  const asked = lasting && ways.find((way) => possible[way]);
  return [...new Set(['openid', ...wanted, ...(asked ? [asked] : [])])].join(' ');
}
