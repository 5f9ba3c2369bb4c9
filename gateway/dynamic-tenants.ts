import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Fault } from '../schema/fault.ts';
import type { Tenant } from '../schema/tenant.ts';
import { parseTenant, TenantError } from '../schema/tenant.ts';
import { isAllowedHost, isLocalHost, notAllowed } from './guarded-dispatcher.ts';
import { mockRefusal } from './mock-refusal.ts';
import type { Tenants, TenantSettings } from './tenants.ts';

const LONGEST_CONFIGURATION = 8 * 1024;
const MOST_DYNAMIC = 1000;

/** SM-15: `/dyn/{base64url(JSON)}`, parsed by the same schema, remembered by its text in a bounded cache. */
export function dynamicTenants(settings: TenantSettings): Tenants['dynamic'] {
  const parsed = new LRUCache<string, { tenant: Tenant } | { fault: Fault }>({ max: MOST_DYNAMIC });
  return (encoded) => {
    if (!settings.dynamic || !/^[A-Za-z0-9_-]+={0,2}$/.test(encoded)) throw unknownTenant();
    if (Buffer.byteLength(encoded, 'base64url') > LONGEST_CONFIGURATION) throw unknownTenant();
    const key = `dyn:${createHash('sha256').update(encoded).digest('hex').slice(0, 32)}`;
    const kept = parsed.get(key) ?? attempt(() => parseDynamic(settings, encoded, key));
    parsed.set(key, kept);
    if ('fault' in kept) throw kept.fault;
    return kept.tenant;
  };
}

function parseDynamic(settings: TenantSettings, encoded: string, key: string): Tenant {
  const json = JSON.parse(Buffer.from(encoded, 'base64url').toString()) as unknown;
  const origin = { key, path: `dyn/${encoded}`, dynamic: true, directory: '/', environment: {} };
  const { tenant } = parseTenant(json, origin);
  if (mockRefusal(tenant, settings)) throw unknownTenant();
  // The connection decides (`guardedDispatcher`); what is certain before is said before.
  const refused = hostsOf(tenant).some(
    (url) => !isAllowedHost(settings.dynamicHosts, url) && (url.protocol === 'dimse:' || isLocalHost(url)),
  );
  if (refused) throw notAllowed();
  return tenant;
}

function attempt(parse: () => Tenant): { tenant: Tenant } | { fault: Fault } {
  try {
    return { tenant: parse() };
  } catch (error) {
    if (error instanceof Fault) return { fault: error };
    if (error instanceof TenantError) {
      // The configuration is the caller's own; its reasons quote keys, not values.
      return { fault: new Fault('not_found', `This configuration cannot be used.\n${error.message}`) };
    }
    return { fault: unknownTenant() };
  }
}

/** What names no host to call, though it may look like one: identifier systems, redirects of others, names of ours. */
const NO_HOSTS = new Set(['patient', 'clients', 'audience']);

/** Every host that a configuration may have us call, wherever it stands. */
function hostsOf(value: unknown): URL[] {
  if (typeof value === 'string') {
    return /^(https?|dimse):\/\//.test(value) && URL.canParse(value) ? [new URL(value)] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => (NO_HOSTS.has(name) ? [] : hostsOf(child)));
}

/** No hint at which tenants there are. */
export const unknownTenant = () => new Fault('not_found', 'There is no such tenant here.');
