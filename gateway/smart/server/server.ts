import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boundedCache, keepPromise } from '../../../schema/cache/bounded-cache.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { notImplemented } from '../authorize.ts';
import type { ActiveToken } from '../token/introspect.ts';
import type { SmartConfiguration } from '../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import type { People } from './sign-in/demonstration.ts';
import type { PatientsOfStudy } from './sign-in/study-hint.ts';
import type { EhrBehind } from './ehr-login/ehr-parts.ts';
import { delegation } from './ehr-login/ehr-parts.ts';
import { demonstration } from './sign-in/demonstration.ts';
import { failures, networkOf, type Failures } from './state/failures.ts';
import { acceptsRegistrations } from './clients/registration.ts';
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
  /** Public base, with the path prefix. */
  baseUrl: string;
  dataDir: string;
  people: People;
  /** Finds the patients of a study that an app names; without it, names of studies are ignored. */
  patientsOfStudy?: PatientsOfStudy;
  /** For calls to the EHRs of independent tenants; without it these answer 501. */
  outside?: UpstreamDeps;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Called for internal errors. */
  onError: (error: unknown, tenant: string) => void;
  /** A shared store, instead of the SQLite file. */
  state?: State;
  /** Keys that several gateways share, instead of their own below `dataDir`. */
  shareKeys?: ShareKeys;
}

/** The server of one tenant, with the parts that its routes need. */
export interface Served extends TenantServer {
  steps: InteractionSteps;
  callback: ReturnType<TenantServer['provider']['callback']>;
  /** The EHR of an independent tenant. */
  ehr?: EhrBehind;
  /** Returns false when too many sign-ins were begun recently, from this address or in total. */
  admits: (address: string) => boolean;
  failures: Failures;
}

export type AuthorizationServer = ReturnType<typeof authorizationServer>;

const MOST_TENANTS = 200;
const SWEEP_SECONDS = 60;
/** Time for running revocations when the process stops; the next process does the rest. */
const CLOSE_MILLISECONDS = 3000;

/**
 * Refuses a dynamic tenant: anybody could have key files made for it, and its path is too long for cookies.
 * @throws Fault `not_implemented`
 */
function requireNamed({ dynamic }: Tenant): void {
  if (dynamic) {
    throw new Fault('not_implemented', 'A dynamic tenant cannot have an authorization server here.');
  }
}

/** Limits the sign-ins that are begun, since each leaves a row. One address alone cannot lock out the others. */
function admission(): (address: string) => boolean {
  const ofAddress = throttle(10, 100);
  const ofAll = throttle(100, 1000);
  return (address) => ofAddress(networkOf(address)) && ofAll('');
}

/** Returns our own SMART App Launch 2.2 authorization server, one issuer for each `embedded` and each independent tenant. */
export function authorizationServer(deps: AuthorizationServerDeps) {
  const { baseUrl, dataDir, now, onError } = deps;
  const directory = join(dataDir, 'oauth');
  const state = deps.state ?? sqliteState(join(directory, 'state.sqlite'), now);
  const demonstrated = demonstration(deps.people, now, baseUrl, deps.patientsOfStudy);
  const registration = acceptsRegistrations(baseUrl);
  const servers = boundedCache<Promise<Served>>({ entries: MOST_TENANTS });

  const keysOf = (tenant: string) => {
    const own = () => tenantKeys(directory, tenant);
    return deps.shareKeys ? deps.shareKeys(tenant, own) : own();
  };
  const start = async (tenant: Tenant): Promise<Served> => {
    const keys = await keysOf(tenant.key);
    const { authorization: config } = tenant;
    const report = (error: Error) => onError(error, tenant.key);
    if (config.type === 'smart-on-fhir-independent' && !deps.outside) throw notImplemented(config.type);
    const delegated =
      config.type === 'smart-on-fhir-independent' && deps.outside
        ? delegation({ outside: deps.outside, tenant, config, baseUrl, state, keys, onError: report })
        : undefined;
    const identify = delegated?.identify ?? demonstrated;
    // `oidc-provider` is loaded only when needed: it is large, and warns about some versions of Node.
    const { tenantServer } = await import('./provider.ts');
    const server = tenantServer(tenant, { baseUrl, state, keys, identify, now, onError: report });
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
    return servers.get(tenant.cacheKey) ?? keepPromise(servers, tenant.cacheKey, start(tenant));
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
    /** Returns the server of a tenant. @throws Error when the tenant's clients cannot be used */
    of,
    /** Revokes tokens of the EHRs of these tenants that are no longer needed. */
    sweep,
    /** Calls `sweep` now, and every minute until `close`. @param tenants returns those of now */
    keepSweeping(tenants: () => readonly Tenant[]): void {
      void sweep(tenants());
      // A slow EHR does not delay the others.
      timer = setInterval(() => void sweep(tenants()), SWEEP_SECONDS * 1000).unref();
    },
    /** Forgets the server of a tenant that was replaced. Sign-ins and tokens stay: they are in the state. */
    release: ({ cacheKey }: Tenant) => void servers.delete(cacheKey),
    state,
    registration,
    /**
     * Introspects one of our tokens without a request.
     * @returns undefined when it is not active
     */
    async verifyOwnToken(
      tenant: Tenant,
      token: string,
    ): Promise<(ActiveToken & { grantId?: string }) | undefined> {
      const server = await of(tenant);
      const found = await describe(server, token);
      const grantId =
        found && server.ehr ? (await server.provider.AccessToken.find(token))?.grantId : undefined;
      return found && { ...found, grantId };
    },
    /** Returns the EHR of an independent tenant. */
    ehrOf: async (tenant: Tenant) => (await of(tenant)).ehr,
    /** Returns the tenant's `.well-known/smart-configuration` without the capabilities of imaging (SM-1, SM-2). */
    smartConfiguration(tenant: Tenant): SmartConfiguration {
      requireNamed(tenant);
      return ownConfiguration(tenant, baseUrl, registration);
    },
    /** Restarts all servers at their next use: the shared store has come back, and may have other keys. */
    renew: () => servers.clear(),
    async close(): Promise<void> {
      clearInterval(timer);
      const started = await Promise.allSettled(servers.values());
      const idle = started.map((one) => one.status === 'fulfilled' && one.value.ehr?.held.idle());
      await Promise.race([Promise.all(idle), delay(CLOSE_MILLISECONDS, undefined, { ref: false })]);
      state.close();
    },
  };
}
