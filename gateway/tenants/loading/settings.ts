import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import type { AnalysisConfig, Tenant } from '../../../schema/tenant/tenant.ts';

export interface TenantSettings {
  /** Folder of the tenant files. */
  directory: string;
  /** Public base of the gateway: addresses of shared links have a largest length. */
  baseUrl?: string;
  /** Variables for `{ "$env": NAME }`. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The demonstration's data: a mock tenant with this data alone is harmless at any address (SM-11). */
  demo: { images: string; patients: string; population?: string };
  /** True when mock tenants may load with other data: `HOST` is loopback, or `ALLOW_MOCK=1`. */
  mockAllowed: boolean;
  /** True when `/dyn/{encoded}` is answered (SM-15). */
  dynamic: boolean;
  /** Private hosts (`name` or `name:port`) that a dynamic tenant may reach. */
  dynamicHosts: ReadonlySet<string>;
  /** Returns what is wrong with the tables and questions of a tenant, each with the path of its key. */
  analysisMistakes?(analysis: AnalysisConfig): { path: string; reason: string }[];
  /** Checks the paths of a dynamic tenant. */
  expressions: ExpressionPool;
}

export interface Tenants {
  /** Tenants that loaded, sorted by key. */
  readonly all: readonly Tenant[];
  /** Tenants whose files are valid but that were left out, and why. */
  readonly skipped: readonly { key: string; reason: string }[];
  /** Messages about secrets that are written in a file. */
  readonly warnings: readonly string[];
  /** Returns the tenant of a file. @throws Fault `not_found` */
  byKey(key: string): Tenant;
  /** Counts a request of a tenant that may be replaced. @returns the function that ends it */
  begin?: (tenant: Tenant) => () => void;
  /** Names of the files that are rejected; the tenants before them are served. */
  readonly rejected?: readonly string[];
  /**
   * Returns the tenant whose configuration is in the URL.
   * @throws Fault `not_found` when dynamic tenants are off or the configuration cannot be used, `not_implemented` for a
   *   private host that is not allowed, `unavailable` when too many are checked at the same time
   */
  dynamic(encoded: string): Promise<Tenant>;
}
