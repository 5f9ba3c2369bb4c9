import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

export interface TenantSettings {
  /** Where the tenant files are. */
  directory: string;
  /** Where `{ "$env": NAME }` looks. */
  environment: Readonly<Record<string, string | undefined>>;
  /** The demonstration's own data: a mock tenant over nothing else is harmless anywhere (SM-11). */
  demo: { images: string; patients: string };
  /** Whether mock tenants over other data may load: `HOST` is loopback, or `ALLOW_MOCK=1`. */
  mockAllowed: boolean;
  /** Whether `/dyn/{encoded}` is answered (SM-15). */
  dynamic: boolean;
  /** Hosts (`name` or `name:port`) that a dynamic tenant may reach although they are private. */
  dynamicHosts: ReadonlySet<string>;
  /** Judges the paths of a dynamic tenant. */
  expressions: ExpressionPool;
}

export interface Tenants {
  /** Those that loaded, by key. */
  readonly all: readonly Tenant[];
  /** Files that parsed but were left out, and why. */
  readonly skipped: readonly { key: string; reason: string }[];
  /** Secrets that stand literally in a file. */
  readonly warnings: readonly string[];
  /** @throws Fault `not_found` */
  byKey(key: string): Tenant;
  /**
   * The tenant whose configuration is in the URL.
   * @throws Fault `not_found` where there is no such thing here or it cannot be used, `not_implemented` for a private
   *   host that nobody allowed, `unavailable` where too many are judged at the same time
   */
  dynamic(encoded: string): Promise<Tenant>;
}
