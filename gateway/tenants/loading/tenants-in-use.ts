import type { Tenant } from '../../../schema/tenant/tenant.ts';

/**
 * Counts the requests of each tenant. A tenant whose file has changed is another object: those that began before go on with
 * the old one, which has to stay open until the last of them is over.
 */
export class TenantsInUse {
  readonly #requests = new Map<Tenant, number>();
  /** Tenants that were replaced or removed, and what is done after their last request. */
  readonly #replaced = new Map<Tenant, () => void>();

  /** Counts a request. @returns the function that ends it */
  begin(tenant: Tenant): () => void {
    this.#requests.set(tenant, (this.#requests.get(tenant) ?? 0) + 1);
    return () => {
      const left = this.#requests.get(tenant)! - 1;
      // A tenant without requests stays until it is replaced: V8 makes a new table when the last entry of a map is taken out.
      this.#requests.set(tenant, left);
      if (left === 0) this.#replaced.get(tenant)?.();
    };
  }

  /** Calls `release` when no request uses a tenant any more; new ones do not get it. */
  replaced(tenant: Tenant, release: () => void): void {
    const done = (): void => {
      this.#replaced.delete(tenant);
      this.#requests.delete(tenant);
      release();
    };
    this.#replaced.set(tenant, done);
    if (!this.#requests.get(tenant)) done();
  }

  /** Returns the tenants that were replaced and that requests still use. */
  get old(): readonly Tenant[] {
    return [...this.#replaced.keys()];
  }
}
