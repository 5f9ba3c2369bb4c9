import type { AuthorizationConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import type { Outside } from '../token/upstream.ts';
import { call, nonsense } from '../token/upstream.ts';

/** The tenants whose tokens are an EHR's. */
export type ExternalConfig = Extract<
  AuthorizationConfig,
  {
    type:
      | 'smart-on-fhir'
      | 'smart-on-fhir-jwt'
      | 'smart-on-fhir-with-epic-bugfixes'
      | 'smart-on-fhir-with-meditech-bugfixes';
  }
>;

/** The tenants whose tokens are our own authorization server's. */
export type OwnConfig = Extract<AuthorizationConfig, { type: 'embedded' | 'smart-on-fhir-independent' }>;

/** The tenants whose authorization server is ours and whose users sign in at an EHR (IA-28). */
export type IndependentConfig = Extract<OwnConfig, { type: 'smart-on-fhir-independent' }>;

/** The tenants that have an EHR. */
export type EhrConfig = ExternalConfig | IndependentConfig;

const EXTERNAL: ReadonlySet<string> = new Set<ExternalConfig['type']>([
  'smart-on-fhir',
  'smart-on-fhir-jwt',
  'smart-on-fhir-with-epic-bugfixes',
  'smart-on-fhir-with-meditech-bugfixes',
]);

/** Whether this kind of authorization is an EHR's own. */
export function isExternal(config: AuthorizationConfig): config is ExternalConfig {
  return EXTERNAL.has(config.type);
}

/** Whether tokens are our own authorization server's. */
export function isOwn(config: AuthorizationConfig): config is OwnConfig {
  return config.type === 'embedded' || config.type === 'smart-on-fhir-independent';
}

/** Scopes that our documents name for the modes that are on. */
export function clinicalScopes(modes: AuthorizationConfig['modes']): string[] {
  return [
    ...(modes.includes('app-launch') ? ['patient/ImagingStudy.rs', 'patient/*.rs'] : []),
    ...(modes.includes('backend-services') ? ['system/ImagingStudy.rs', 'system/*.rs'] : []),
  ];
}

/** An EHR's own discovery document, SMART App Launch 2.2 §3. Unchecked but for being an object. */
export type SmartConfiguration = Readonly<Record<string, unknown>>;

const KEEP_SECONDS = 300;

/**
 * Reads EHRs' `.well-known/smart-configuration`, each at most every five minutes.
 * @throws Fault as `call` does; `bad_gateway` where the EHR has no such document
 */
export function smartConfigurations(
  outside: Outside,
): (tenant: Tenant, config: EhrConfig) => Promise<SmartConfiguration> {
  const documents = expiringCache<SmartConfiguration>(1000, outside.now);
  return (tenant, config) =>
    documents.get(tenant.key, async () => {
      const answer = await call(outside, tenant, `${config.fhirBaseUrl}/.well-known/smart-configuration`);
      if (answer.status !== 200) throw nonsense('has no SMART configuration', status(answer.status));
      return { value: answer.json, seconds: KEEP_SECONDS };
    });
}

/**
 * An endpoint by its name in the discovery document.
 * @throws Fault `bad_gateway` where it is not named, or not a URL
 */
export function endpointOf(document: SmartConfiguration, name: string): string {
  const url = document[name];
  if (typeof url === 'string' && /^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw nonsense(`names no ${name}`);
}

const status = (code: number) => new Error(`answered ${code}`);
