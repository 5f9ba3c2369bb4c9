import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Authorizer } from '../authorize.ts';
import { introspectionEndpoint } from '../token/introspect.ts';
import { quirksOf } from '../token/quirks.ts';
import type { ExternalConfig, OwnConfig, SmartConfiguration } from './ehr-configuration.ts';
import { clinicalScopes, isExternal, isOwn } from './ehr-configuration.ts';

/** Capabilities of SMART Imaging Access (IA-1 to IA-3). */
const IMAGING = 'smart-imaging-access';
const APP_LAUNCH = 'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch';
const BACKEND_SERVICES = 'http://fhir.org/argonaut/smart-imaging/capabilities/backend-services';
/** Capability of dual launch (IA-28). */
const DUAL_LAUNCH = 'smart-imaging-access-dual-launch';

/**
 * Returns the tenant's `.well-known/smart-configuration` (SM-1, SM-2): the EHR's endpoints with our capabilities.
 * @throws Fault `not_implemented` for an authorization type that is not supported; the faults of `smartConfiguration`
 */
export async function smartConfigurationOf(
  tenant: Tenant,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
  baseUrl: string,
): Promise<SmartConfiguration> {
  const config = tenant.authorization;
  if (config.type === 'mock') return MOCK;
  if (isOwn(config)) {
    const document = withImaging(await authorizer.smartConfiguration(tenant, config), config);
    const { enabled, ...rules } = tenant.share;
    // Our own member (RFC 8414 §2): the viewer offers links only where there are some.
    return enabled ? { ...document, share: rules } : document;
  }
  const document = await authorizer.smartConfiguration(tenant, config);
  // A tenant that accepts no token does not advertise imaging.
  if (quirksOf(config).insecure && !config.allowInsecureQuirks) return document;
  const associated = {
    associated_endpoints: associatedEndpoints(document, config, tenantBase(baseUrl, tenant)),
  };
  return withImaging({ ...document, ...endpointsOf(document, config), ...associated }, config);
}

/** Configuration of a mock tenant: it needs no token, so it has no endpoints. */
const MOCK: SmartConfiguration = {
  capabilities: [IMAGING],
  grant_types_supported: [],
  scopes_supported: [],
  code_challenge_methods_supported: ['S256'],
};

/**
 * Returns the bases that the same tokens open (SMART App Launch 2.2 §3): the EHR's base with its capabilities, and other
 * bases that the EHR lists, without ours. The EHR's own document lists ours (IA-1).
 */
function associatedEndpoints(document: SmartConfiguration, config: ExternalConfig, base: string): object[] {
  const named = Array.isArray(document['associated_endpoints']) ? document['associated_endpoints'] : [];
  const others = named.filter((one: unknown): one is { url: string } => {
    const { url } = (one ?? {}) as { url?: unknown };
    const known = [base, `${base}/fhir`, config.fhirBaseUrl];
    return typeof url === 'string' && !known.includes(url.replace(/\/+$/, ''));
  });
  return [{ url: config.fhirBaseUrl, capabilities: listOf(document['capabilities']) }, ...others];
}

/** Returns the endpoints that the tenant, or its type, overrides in the EHR's document. */
function endpointsOf(document: SmartConfiguration, config: ExternalConfig): SmartConfiguration {
  const own = 'introspectionUrl' in config && config.introspectionUrl;
  const derived = quirksOf(config).introspectionEndpoint === 'beside-token-endpoint';
  return {
    ...(config.tokenUrl && { token_endpoint: config.tokenUrl }),
    ...((own || derived) && { introspection_endpoint: introspectionEndpoint(config, document) }),
  };
}

/** Adds our capabilities to a document. Only modes that are on are advertised (IA-4), whatever the EHR advertises. */
function withImaging(document: SmartConfiguration, config: ExternalConfig | OwnConfig): SmartConfiguration {
  const launch = config.modes.includes('app-launch');
  const backend = config.modes.includes('backend-services');
  const capabilities = listOf(document['capabilities']).filter(
    (name) => ![IMAGING, APP_LAUNCH, BACKEND_SERVICES, DUAL_LAUNCH].includes(name),
  );
  const extended = {
    ...document,
    capabilities: [
      ...capabilities,
      IMAGING,
      ...(launch ? [APP_LAUNCH] : []),
      ...(backend ? [BACKEND_SERVICES] : []),
      ...(launch && config.type === 'smart-on-fhir-independent' ? [DUAL_LAUNCH] : []),
    ],
    grant_types_supported: union(document['grant_types_supported'], [
      ...(launch ? ['authorization_code'] : []),
      ...(backend ? ['client_credentials'] : []),
    ]),
    scopes_supported: union(document['scopes_supported'], [
      ...(launch ? ['patient/ImagingStudy.rs'] : []),
      ...(backend ? ['system/ImagingStudy.rs'] : []),
    ]),
    // SM-2: never `plain`.
    code_challenge_methods_supported: ['S256'],
  };
  if (!backend) return extended;
  return {
    ...extended,
    token_endpoint_auth_methods_supported: union(document['token_endpoint_auth_methods_supported'], [
      'private_key_jwt',
    ]),
    token_endpoint_auth_signing_alg_values_supported: union(
      document['token_endpoint_auth_signing_alg_values_supported'],
      ['RS384', 'ES384'],
    ),
  };
}

/**
 * Returns the protected resource metadata (RFC 9728 §2). When the EHR does not answer, `fhirBaseUrl` stands for the issuer.
 * It throws no fault.
 * @param resource URL of the resource
 */
export async function protectedResource(
  tenant: Tenant,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
  resource: string,
): Promise<Record<string, unknown>> {
  const config = tenant.authorization;
  const known = isExternal(config) || isOwn(config);
  const issuer = known ? await issuerOf(tenant, authorizer, config) : undefined;
  return {
    resource,
    ...(issuer && { authorization_servers: [issuer] }),
    bearer_methods_supported: ['header'],
    scopes_supported: clinicalScopes(config.modes),
  };
}

async function issuerOf(
  tenant: Tenant,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
  config: ExternalConfig | OwnConfig,
): Promise<string | undefined> {
  const { issuer } = await unlessFault(authorizer.smartConfiguration(tenant, config), {});
  return typeof issuer === 'string' ? issuer : config.fhirBaseUrl;
}

/** Returns a value, or another one when there is a Fault in its place. */
export async function unlessFault<T>(value: Promise<T>, otherwise: T): Promise<T> {
  return value.catch((error: unknown) => {
    if (error instanceof Fault) return otherwise;
    throw error;
  });
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

function union(value: unknown, more: readonly string[]): string[] {
  return [...new Set([...listOf(value), ...more])];
}
