import type { Tenant } from '../../../schema/tenant/tenant.ts';

interface Prepared {
  prepare(tenant: Tenant): Promise<void>;
}

/** Parts of a gateway that have something to make before they are asked. */
export interface BeginningParts {
  clinical: Prepared;
  imaging: Prepared;
  analysis: { begin(tenants: readonly Tenant[]): void; prepare(tenant: Tenant): void };
  shares: { begin(): void };
}

/**
 * Returns what a gateway makes at the start, and for tenants that change.
 * @param isFirst true for the only process, and the first of several, which alone has tables and links
 */
export function beginnings({ clinical, imaging, analysis, shares }: BeginningParts, isFirst: boolean) {
  return {
    /** Makes what first requests would wait for. @returns for each tenant, when its images are read */
    begin(tenants: readonly Tenant[]): Promise<void>[] {
      if (isFirst) analysis.begin(tenants);
      if (isFirst && tenants.some(({ share }) => share.enabled)) shares.begin();
      return tenants.map((tenant) => imaging.prepare(tenant));
    },
    /** Makes the same for a tenant that is new or was changed. */
    async prepare(tenant: Tenant): Promise<void> {
      await Promise.all([clinical.prepare(tenant), imaging.prepare(tenant)]);
      if (isFirst) analysis.prepare(tenant);
    },
  };
}
