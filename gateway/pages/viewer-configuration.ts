import type { Tenant } from '../../schema/tenant/tenant.ts';
import { fhirBase } from '../../schema/http/request.ts';
import type { Authorizer } from '../smart/authorize.ts';
import type { SmartConfiguration } from '../smart/discovery/ehr-configuration.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { smartIfKnown } from './page-facts.ts';

/**
 * Facts about this gateway in the page of the viewer: without them the viewer would have to ask before it signs in. All of
 * them can be read here without a token.
 */
export interface ViewerConfiguration {
  /** Public base URL of the gateway, with a slash at its end. */
  base: string;
  /** Keys of the tenants that can be chosen. Tenants whose configuration is in the URL are not among them. */
  tenants: string[];
  /** The tenant of an address without one. */
  defaultTenant?: string;
  /** True when people cannot add other servers. */
  onlyOwn?: true;
  /** SMART configuration of the tenant in the address; absent when it is not known at once. */
  smart?: { tenant: string; configuration: SmartConfiguration };
}

/** Returns a function from the query of an address to the configuration in its page. */
export function viewerConfiguration(
  tenants: Tenants,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
  { baseUrl, onlyOwn = false }: { baseUrl: string; onlyOwn?: boolean | undefined },
): (query: URLSearchParams) => Promise<ViewerConfiguration> {
  const keysOf = () => tenants.all.map(({ key }) => key);
  const defaultOf = (keys: readonly string[]) => (keys.includes('demo') ? 'demo' : keys[0]);
  /** Returns the tenant of a link, or of a launch by an EHR. */
  const tenantOf = (query: URLSearchParams): Tenant | undefined => {
    const [named, issuer] = [query.get('tenant'), query.get('iss')?.replace(/\/+$/, '')];
    if (named !== null) return tenants.all.find(({ key }) => key === named);
    if (issuer) return tenants.all.find((tenant) => issuer === fhirBase(baseUrl, tenant));
    return tenants.all.find(({ key }) => key === defaultOf(keysOf()));
  };
  return async (query) => {
    const tenant = tenantOf(query);
    const keys = keysOf();
    const defaultTenant = defaultOf(keys);
    const found = tenant && (await smartIfKnown(tenant, authorizer, baseUrl));
    return {
      base: `${baseUrl.replace(/\/+$/, '')}/`,
      tenants: keys,
      defaultTenant,
      ...(onlyOwn && { onlyOwn }),
      ...(tenant && found && { smart: { tenant: tenant.key, configuration: found } }),
    };
  };
}
