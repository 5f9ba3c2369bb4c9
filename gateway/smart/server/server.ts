import { LRUCache } from 'lru-cache';
import { join } from 'node:path';
import { tenantBase } from '../../../schema/request.ts';
import type { Tenant } from '../../../schema/tenant.ts';
import type { ActiveToken } from '../introspect.ts';
import type { SmartConfiguration } from '../smart-configuration.ts';
import type { People } from './demonstration.ts';
import { demonstration } from './demonstration.ts';
import { isLoopback } from './loopback.ts';
import type { Identify } from './identify.ts';
import { InteractionSteps } from './interaction.ts';
import { tenantKeys } from './keys.ts';
import { describe } from './own-token.ts';
import type { TenantServer } from './provider.ts';
import { PATHS, tenantServer } from './provider.ts';
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
    smartConfiguration: (tenant) => smartConfiguration(tenant, baseUrl, registration),
    close: () => state.close(),
  };
}

/** SMART App Launch 2.2 §3. Only modes that are on are named (IA-4). */
function smartConfiguration(tenant: Tenant, baseUrl: string, registration: boolean): SmartConfiguration {
  const issuer = `${tenantBase(baseUrl, tenant)}/oauth`;
  const { modes } = tenant.authorization;
  const launch = modes.includes('app-launch');
  const backend = modes.includes('backend-services');
  return {
    issuer,
    jwks_uri: issuer + PATHS.jwks,
    ...(launch && { authorization_endpoint: issuer + PATHS.authorization }),
    token_endpoint: issuer + PATHS.token,
    introspection_endpoint: issuer + PATHS.introspection,
    revocation_endpoint: issuer + PATHS.revocation,
    ...(launch && { userinfo_endpoint: issuer + PATHS.userinfo }),
    ...(launch && registration && { registration_endpoint: issuer + PATHS.registration }),
    grant_types_supported: [
      ...(launch ? ['authorization_code', 'refresh_token'] : []),
      ...(backend ? ['client_credentials'] : []),
    ],
    response_types_supported: launch ? ['code'] : [],
    scopes_supported: [
      ...(launch
        ? ['openid', 'fhirUser', 'profile', 'launch', 'launch/patient', 'offline_access', 'online_access']
        : []),
      ...(launch ? ['patient/*.rs', 'patient/ImagingStudy.rs'] : []),
      ...(backend ? ['system/*.rs', 'system/ImagingStudy.rs'] : []),
    ],
    token_endpoint_auth_methods_supported: [
      ...(launch ? ['none'] : []),
      ...['private_key_jwt', 'client_secret_basic', 'client_secret_post'],
    ],
    token_endpoint_auth_signing_alg_values_supported: ['ES384', 'RS384'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    capabilities: [
      ...(launch
        ? [
            ...['launch-standalone', 'launch-ehr', 'client-public', 'sso-openid-connect'],
            ...['context-standalone-patient', 'context-ehr-patient', 'context-ehr-encounter'],
            ...['context-banner', 'context-style', 'permission-offline', 'permission-online'],
          ]
        : []),
      ...['client-confidential-symmetric', 'client-confidential-asymmetric'],
      ...(launch ? ['permission-patient'] : []),
      ...['permission-v1', 'permission-v2'],
    ],
  };
}
