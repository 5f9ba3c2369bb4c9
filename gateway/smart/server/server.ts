import { LRUCache } from 'lru-cache';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { notImplemented } from '../authorize.ts';
import type { ActiveToken } from '../token/introspect.ts';
import type { SmartConfiguration } from '../discovery/smart-configuration.ts';
import type { Outside } from '../token/upstream.ts';
import type { People } from './sign-in/demonstration.ts';
import type { EhrBehind } from './ehr-login/delegation.ts';
import { delegation } from './ehr-login/delegation.ts';
import { demonstration } from './sign-in/demonstration.ts';
import { failures, networkOf, type Failures } from './state/failures.ts';
import { isLoopback } from './clients/loopback.ts';
import { InteractionSteps } from './sign-in/interaction.ts';
import { tenantKeys } from './state/keys.ts';
import { ownConfiguration } from './own-configuration.ts';
import { describe } from './own-token.ts';
import type { TenantServer } from './tenant-server.ts';
import type { ShareKeys } from './state/shared-keys.ts';
import type { State } from './state/state.ts';
import { sqliteState } from './state/state.ts';
import { throttle } from './state/throttle.ts';

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
  /** False when too much was begun lately by people whom nobody knows, at this address or everywhere. */
  admits: (address: string) => boolean;
  failures: Failures;
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
  /** Revokes at the EHRs of these tenants what they gave and nobody needs any more. */
  sweep(tenants: readonly Tenant[]): Promise<void>;
  /** Does so now, and every minute until `close`. */
  keepSweeping(tenants: readonly Tenant[]): void;
  close(): Promise<void>;
}

const MOST_TENANTS = 200;
const SWEEP_SECONDS = 60;
/** What is being revoked when the process stops may end in this time; the rest is taken by the next process. */
const CLOSE_MILLISECONDS = 3000;

/**
 * A tenant in the address has no authorization server here: its keys would be files that anybody can have made, and its
 * path is longer than browsers take for a cookie's.
 */
function requireNamed({ dynamic }: Tenant): void {
  if (dynamic) {
    throw new Fault('not_implemented', 'A dynamic tenant cannot have an authorization server here.');
  }
}

/** What is begun leaves a row behind. One address alone cannot keep the others out. */
function admission(): (address: string) => boolean {
  const ofAddress = throttle(10, 100);
  const ofAll = throttle(100, 1000);
  return (address) => ofAddress(networkOf(address)) && ofAll('');
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
      ...{ baseUrl, state, keys, identify, now, onError: told },
    });
    return {
      ...server,
      ...(delegated && { ehr: delegated.ehr }),
      steps: new InteractionSteps(server, identify),
      callback: server.provider.callback(),
      admits: admission(),
      failures: failures(),
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

  const sweep = async (tenants: readonly Tenant[]): Promise<void> => {
    const swept = async (tenant: Tenant) => {
      if (tenant.authorization.type !== 'smart-on-fhir-independent') return;
      if ((await state.deadlines(tenant.key).waiting()) > 0) await (await of(tenant)).ehr?.held.sweep();
    };
    await Promise.all(
      tenants.map((tenant) => swept(tenant).catch((error: unknown) => onError(error, tenant.key))),
    );
  };
  let timer: NodeJS.Timeout | undefined;

  return {
    of,
    sweep,
    keepSweeping(tenants) {
      void sweep(tenants);
      // One slow EHR does not keep the others waiting.
      timer = setInterval(() => void sweep(tenants), SWEEP_SECONDS * 1000).unref();
    },
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
    async close() {
      clearInterval(timer);
      const started = await Promise.allSettled(servers.values());
      const idle = started.map((one) => one.status === 'fulfilled' && one.value.ehr?.held.idle());
      await Promise.race([Promise.all(idle), delay(CLOSE_MILLISECONDS, undefined, { ref: false })]);
      state.close();
    },
  };
}
