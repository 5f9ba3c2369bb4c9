import { createHash } from 'node:crypto';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { Budget } from '../../../schema/expressions/budget.ts';
import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseJson } from '../../../schema/process/json-mistake.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { parseTenant, TenantError } from '../../../schema/tenant/tenant.ts';
import { isAllowedHost, isLocalHost, notAllowed } from '../../outbound/guarded-dispatcher.ts';
import { mockRefusal } from './mock-refusal.ts';
import type { Tenants, TenantSettings } from './settings.ts';

const LONGEST_CONFIGURATION = 8 * 1024;
const MOST_DYNAMIC = 1000;

/** Returns a function that reads tenants from `/dyn/{base64url(JSON)}` (SM-15), with the schema of tenant files. */
export function dynamicTenants(settings: TenantSettings): Tenants['dynamic'] {
  const parsed = boundedCache<Promise<Tenant>>({ entries: MOST_DYNAMIC });
  return async (encoded) => {
    if (!settings.dynamic || !/^[A-Za-z0-9_-]+={0,2}$/.test(encoded)) throw unknownTenant();
    if (Buffer.byteLength(encoded, 'base64url') > LONGEST_CONFIGURATION) throw unknownTenant();
    const key = `dyn:${createHash('sha256').update(encoded).digest('hex').slice(0, 32)}`;
    const known = parsed.get(key);
    if (known) return known;
    const parsing = parseDynamic(settings, encoded, key).catch((error: unknown) => {
      const fault = faultOf(error);
      // A refusal is cached too, but not that too many paths were checked at once.
      if (fault.code === 'unavailable' || fault.code === 'internal') parsed.delete(key);
      throw fault;
    });
    parsed.set(key, parsing);
    return parsing;
  };
}

async function parseDynamic(settings: TenantSettings, encoded: string, key: string): Promise<Tenant> {
  const json = parseJson(
    Buffer.from(encoded, 'base64url').toString(),
    (reason) => new TenantError([{ path: '', reason }]),
  );
  const origin = { key, path: `dyn/${encoded}`, dynamic: true, directory: '/', environment: {} };
  const { tenant } = parseTenant(json, origin);
  if (mockRefusal(tenant, settings)) throw unknownTenant();
  // The connection has the final check (`guardedDispatcher`); hosts that it would refuse for certain are refused here.
  const refused = hostsOf(tenant).some(
    (url) => !isAllowedHost(settings.dynamicHosts, url) && (url.protocol === 'dimse:' || isLocalHost(url)),
  );
  if (refused) throw notAllowed();
  await refuseCostlyPaths(settings.expressions, tenant);
  return tenant;
}

/** Checks the paths in `mrn` in a worker thread, because parsing them takes time (FG-23). */
async function refuseCostlyPaths(expressions: ExpressionPool, { images }: Tenant): Promise<void> {
  const limits = { subject: 'the path', budget: new Budget() };
  for (const [index, { mrn }] of images.entries()) {
    const source = images.length > 1 ? `images[${index}]` : 'images';
    for (const [position, expression] of mrn.entries()) {
      const task = () => ({ expression, rules: 'dynamicTenant', items: '[]' }) as const;
      await expressions.run('texts', task, limits).catch((error: unknown) => {
        if (!(error instanceof Fault) || error.code !== 'invalid_request') throw error;
        throw new TenantError([{ path: `${source}.mrn[${position}]`, reason: error.message }]);
      });
    }
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  // The caller wrote the configuration, and may see why it is wrong; the reasons quote keys, not values.
  return error instanceof TenantError
    ? new Fault('not_found', `This configuration cannot be used.\n${error.message}`)
    : unknownTenant();
}

/** Members whose URLs are never called: identifier systems, redirects of clients, our own names. */
const NO_HOSTS = new Set(['patient', 'clients', 'audience']);

/** Finds every URL in a configuration that the gateway may call. */
function hostsOf(value: unknown): URL[] {
  if (typeof value === 'string') {
    return /^(https?|dimse):\/\//.test(value) && URL.canParse(value) ? [new URL(value)] : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => (NO_HOSTS.has(name) ? [] : hostsOf(child)));
}

/**
 * Returns the Fault for an unknown tenant; it does not tell which tenants exist.
 * @param isDemo true where the demonstration is served, which everybody may know
 */
export function unknownTenant(isDemo = false): Fault {
  const how = 'A path begins with the key of a tenant, which its operator knows, as in /{tenant}/graphql.';
  const demo = isDemo ? ' That of the demonstration is demo.' : '';
  return new Fault('not_found', `There is no such tenant here. ${how}${demo}`);
}
