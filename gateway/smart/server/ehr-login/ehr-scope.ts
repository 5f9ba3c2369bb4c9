import type { IndependentConfig, SmartConfiguration } from '../../discovery/smart-configuration.ts';

/** Access that outlives the token, as an app asks for it (SMART App Launch 2.2 §4.6). */
export type Lasting = 'offline_access' | 'online_access';

/** The lasting access that an app asks for; offline access includes online access. */
export function lastingOf(scopes: readonly string[]): Lasting | undefined {
  const lasting: readonly Lasting[] = ['offline_access', 'online_access'];
  return lasting.find((scope) => scopes.includes(scope));
}

/**
 * The scope to ask an EHR for: those of the tenant's `scope` that are for a person (`system/` is for our backend token),
 * or else those that imaging needs. Lasting access is asked for where the app asked for it, and the EHR or the tenant's
 * file names it. An EHR that knows offline access alone is asked for that in place of online access; it is given back
 * when our grant ends.
 */
export function scopeFor(
  { scope }: IndependentConfig,
  document: SmartConfiguration,
  lasting: Lasting | undefined,
): string {
  const told = (scope ?? '').split(/\s+/).filter((one) => one && !one.startsWith('system/'));
  const clinical = told.filter((one) => one !== 'offline_access' && one !== 'online_access');
  const wanted = clinical.length > 0 ? clinical : ['openid', 'fhirUser', 'launch/patient', 'patient/*.read'];
  const lists = [document['scopes_supported'], document['capabilities'], told];
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
