import { LRUCache } from 'lru-cache';
import { join } from 'node:path';
import { Fault } from '../../../schema/fault.ts';
import type { Tenant } from '../../../schema/tenant.ts';
import { notImplemented } from '../authorize.ts';
import type { ActiveToken } from '../introspect.ts';
import type { SmartConfiguration } from '../smart-configuration.ts';
import type { Outside } from '../upstream.ts';
import type { People } from './demonstration.ts';
import type { EhrBehind } from './delegation.ts';
import { delegation } from './delegation.ts';
import { demonstration } from './demonstration.ts';
import { isLoopback } from './loopback.ts';
import { InteractionSteps } from './interaction.ts';
import { tenantKeys } from './keys.ts';
import { ownConfiguration } from './own-configuration.ts';
import { describe } from './own-token.ts';
import type { TenantServer } from './provider.ts';
import type { ShareKeys } from './shared-keys.ts';
import type { State } from './state.ts';
import { sqliteState } from './state.ts';
import { throttle } from './throttle.ts';

export interface AuthorizationServerDeps {
  /** Public base, path prefix included. */
  baseUrl: string;
  dataDir: string;
  people: People;
  /** For the EHRs of independent tenants; without it these are answered 501. */
  outside?: Outside;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Told of what went wrong inside. */
  onError: (error: unknown, tenant: string) => void;
  /** A shared store in place of the SQLite file. */
  state?: State;
  /** Keys that several gateways share, in place of each one's own below `dataDir`. */
  shareKeys?: ShareKeys;
}

/** One tenant's server with what its routes need. */
export interface Served extends TenantServer {
  steps: InteractionSteps;
  callback: ReturnType<TenantServer['provider']['callback']>;
  /** Of an independent tenant. */
  ehr?: EhrBehind;
  /** False when too much was begun lately by people whom nobody knows. */
  admits: () => boolean;
}

/** Our own SMART App Launch 2.2 authorization server, one issuer for each `embedded` and each independent tenant. */
export interface AuthorizationServer {
  /** @throws Error where the tenant's clients cannot be used */
  of(tenant: Tenant): Promise<Served>;
  /**
   * What one of our tokens is good for; no request is made.
   * @returns undefined where it is not active
   */
  verifyOwnToken(tenant: Tenant, token: string): Promise<(ActiveToken & { grantId?: string }) | undefined>;
  /** The EHR behind an independent tenant. */
  ehrOf(tenant: Tenant): Promise<EhrBehind | undefined>;
  /** The tenant's `.well-known/smart-configuration` before imaging's own capabilities (SM-1, SM-2). */
  smartConfiguration(tenant: Tenant): SmartConfiguration;
  readonly registration: boolean;
  readonly state: State;
  /** Begins all servers anew at their next use: the shared store came back, and may hold other keys. */
  renew(): void;
  close(): void;
}

const MOST_TENANTS = 200;

/**
 * A tenant in the address has no authorization server here: its keys would be files that anybody can have made, and its
 * path is longer than browsers take for a cookie's.
 */
function requireNamed({ dynamic }: Tenant): void {
  if (dynamic) {
    throw new Fault('not_implemented', 'A dynamic tenant cannot have an authorization server here.');
  }
}

export function authorizationServer(deps: AuthorizationServerDeps): AuthorizationServer {
  const { baseUrl, dataDir, now, onError } = deps;
  const directory = join(dataDir, 'oauth');
  const state = deps.state ?? sqliteState(join(directory, 'state.sqlite'), now);
  const demonstrated = demonstration(deps.people, now);
  const registration = isLoopback(baseUrl);
  const servers = new LRUCache<string, Promise<Served>>({ max: MOST_TENANTS });

  const keysOf = (tenant: string) => {
    const own = () => tenantKeys(directory, tenant);
    return deps.shareKeys ? deps.shareKeys(tenant, own) : own();
  };
  const start = async (tenant: Tenant): Promise<Served> => {
    const keys = await keysOf(tenant.key);
    const { authorization: config } = tenant;
    const told = (error: Error) => onError(error, tenant.key);
    if (config.type === 'smart-on-fhir-independent' && !deps.outside) throw notImplemented(config.type);
    const delegated =
      config.type === 'smart-on-fhir-independent' && deps.outside
        ? delegation({ outside: deps.outside, tenant, config, baseUrl, state, keys, onError: told })
        : undefined;
    const identify = delegated?.identify ?? demonstrated;
    // `oidc-provider` is loaded by who needs it: it is large, and warns of some versions of Node.
    const { tenantServer } = await import('./provider.ts');
    const server = tenantServer(tenant, {
      ...{ baseUrl, state, keys, identify, registration, onError: told },
    });
    return {
      ...server,
      ...(delegated && { ehr: delegated.ehr }),
      steps: new InteractionSteps(server, identify),
      callback: server.provider.callback(),
      admits: throttle(20, 200, now),
    };
  };
  const of = async (tenant: Tenant): Promise<Served> => {
    requireNamed(tenant);
    const running = servers.get(tenant.key);
    if (running) return running;
    const started = start(tenant);
    servers.set(tenant.key, started);
    started.catch(() => servers.delete(tenant.key));
    return started;
  };

  return {
    of,
    state,
    registration,
    async verifyOwnToken(tenant, token) {
      const server = await of(tenant);
      const found = await describe(server, token);
      const grantId =
        found && server.ehr ? (await server.provider.AccessToken.find(token))?.grantId : undefined;
      return found && { ...found, ...(grantId !== undefined && { grantId }) };
    },
    ehrOf: async (tenant) => (await of(tenant)).ehr,
    smartConfiguration(tenant) {
      requireNamed(tenant);
      return ownConfiguration(tenant, baseUrl, registration);
    },
    renew: () => servers.clear(),
    close: () => state.close(),
  };
}
