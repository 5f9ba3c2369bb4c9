import { LRUCache } from 'lru-cache';
import { join } from 'node:path';
import type { Tenant } from '../../../schema/tenant.ts';
import type { ActiveToken } from '../introspect.ts';
import type { SmartConfiguration } from '../smart-configuration.ts';
import type { People } from './demonstration.ts';
import { demonstration } from './demonstration.ts';
import { isLoopback } from './loopback.ts';
import type { Identify } from './identify.ts';
import { InteractionSteps } from './interaction.ts';
import { tenantKeys } from './keys.ts';
import { ownConfiguration } from './own-configuration.ts';
import { describe } from './own-token.ts';
import type { TenantServer } from './provider.ts';
import { tenantServer } from './provider.ts';
import type { State } from './state.ts';
import { sqliteState } from './state.ts';
import { throttle } from './throttle.ts';

export interface AuthorizationServerDeps {
  /** Public base, path prefix included. */
  baseUrl: string;
  dataDir: string;
  people: People;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Told of what went wrong inside. */
  onError: (error: unknown, tenant: string) => void;
  /** A shared store in place of the SQLite file. */
  state?: State;
}

/** One tenant's server with what its routes need. */
export interface Served extends TenantServer {
  steps: InteractionSteps;
  callback: ReturnType<TenantServer['provider']['callback']>;
  /** False when too much was begun lately by people whom nobody knows. */
  admits: () => boolean;
}

/** Our own SMART App Launch 2.2 authorization server, one issuer for each `embedded` tenant. */
export interface AuthorizationServer {
  /** Whether this tenant's tokens are ours. */
  serves(tenant: Tenant): boolean;
  /** @throws Error where the tenant's clients cannot be used */
  of(tenant: Tenant): Promise<Served>;
  /**
   * What one of our tokens is good for; no request is made.
   * @returns undefined where it is not active
   */
  verifyOwnToken(tenant: Tenant, token: string): Promise<ActiveToken | undefined>;
  /** The tenant's `.well-known/smart-configuration` before imaging's own capabilities (SM-1, SM-2). */
  smartConfiguration(tenant: Tenant): SmartConfiguration;
  readonly registration: boolean;
  readonly state: State;
  close(): void;
}

const MOST_TENANTS = 200;

export function authorizationServer(deps: AuthorizationServerDeps): AuthorizationServer {
  const { baseUrl, dataDir, now, onError } = deps;
  const directory = join(dataDir, 'oauth');
  const state = deps.state ?? sqliteState(join(directory, 'state.sqlite'), now);
  const identify: Identify = demonstration(deps.people, now);
  const registration = isLoopback(baseUrl);
  const servers = new LRUCache<string, Promise<Served>>({ max: MOST_TENANTS });

  const start = async (tenant: Tenant): Promise<Served> => {
    const server = tenantServer(tenant, {
      ...{ baseUrl, state, identify, registration },
      keys: await tenantKeys(directory, tenant.key),
      onError: (error) => onError(error, tenant.key),
    });
    return {
      ...server,
      steps: new InteractionSteps(server, identify),
      callback: server.provider.callback(),
      admits: throttle(20, 200, now),
    };
  };
  const of = (tenant: Tenant): Promise<Served> => {
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
    serves: ({ authorization }) => authorization.type === 'embedded',
    async verifyOwnToken(tenant, token) {
      return describe(await of(tenant), token);
    },
    smartConfiguration: (tenant) => ownConfiguration(tenant, baseUrl, registration),
    close: () => state.close(),
  };
}
