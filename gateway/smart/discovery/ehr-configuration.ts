import type { AuthorizationConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import { call, upstreamFault } from '../token/upstream.ts';

/** Tenants with tokens of our own authorization server. */
export type OwnConfig = Extract<AuthorizationConfig, { type: 'embedded' | 'smart-on-fhir-independent' }>;

/** Tenants with tokens of an EHR. */
export type ExternalConfig = Exclude<AuthorizationConfig, OwnConfig | { type: 'mock' }>;

/** Tenants of our own authorization server whose users sign in at an EHR (IA-28). */
export type IndependentConfig = Extract<OwnConfig, { type: 'smart-on-fhir-independent' }>;

/** Tenants with an EHR. */
export type EhrConfig = ExternalConfig | IndependentConfig;

/** Returns true when an EHR issues the tokens. */
export function isExternal(config: AuthorizationConfig): config is ExternalConfig {
  return config.type !== 'mock' && !isOwn(config);
}

/** Returns true when our own authorization server issues the tokens. */
export function isOwn(config: AuthorizationConfig): config is OwnConfig {
  return config.type === 'embedded' || config.type === 'smart-on-fhir-independent';
}

/** Returns the scopes that our documents list for the modes that are on. */
export function clinicalScopes(modes: AuthorizationConfig['modes']): string[] {
  return [
    ...(modes.includes('app-launch') ? ['patient/ImagingStudy.rs', 'patient/*.rs'] : []),
    ...(modes.includes('backend-services') ? ['system/ImagingStudy.rs', 'system/*.rs'] : []),
  ];
}

/** Discovery document of an EHR (SMART App Launch 2.2 §3). It is only checked to be an object. */
export type SmartConfiguration = Readonly<Record<string, unknown>>;

/** The EHR of a tenant: what the tenant's file says of it, and what it says itself. */
export interface Ehr {
  config: ExternalConfig;
  document: SmartConfiguration;
}

export type SmartConfigurations = ReturnType<typeof smartConfigurations>;

const KEEP_SECONDS = 300;

/**
 * Reads the `.well-known/smart-configuration` of EHRs, each at most every five minutes.
 * @throws Fault like `call`; `bad_gateway` when the EHR has no such document
 */
export function smartConfigurations(outside: UpstreamDeps) {
  const documents = expiringCache<SmartConfiguration>(1000, outside.now);
  return async (tenant: Tenant, config: EhrConfig) =>
    documents.get(tenant.cacheKey, async () => {
      const answer = await call(outside, tenant, `${config.fhirBaseUrl}/.well-known/smart-configuration`);
      if (answer.status !== 200) throw upstreamFault('has no SMART configuration', status(answer.status));
      return { value: answer.json, seconds: KEEP_SECONDS };
    });
}

/**
 * Returns an endpoint by its name in the discovery document.
 * @throws Fault `bad_gateway` when it is missing or not a URL
 */
export function endpointOf(document: SmartConfiguration, name: string): string {
  const url = document[name];
  if (typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw upstreamFault(`names no ${name}`);
}

const status = (code: number) => new Error(`answered ${code}`);
