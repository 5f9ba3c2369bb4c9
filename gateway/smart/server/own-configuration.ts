import { tenantBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { clinicalScopes, type SmartConfiguration } from '../discovery/ehr-configuration.ts';
import { ID_TOKEN_ALGORITHMS } from '../../../schema/tenant/registered-client.ts';
import { CLIENT_ALGORITHMS, PATHS } from './endpoints.ts';

/**
 * Returns the configuration of our authorization server for a tenant: the only source of its SMART configuration (SMART App
 * Launch 2.2 §3, SM-1, SM-2), its RFC 8414 metadata and its OpenID Connect discovery. It lists only modes that are on
 * (IA-4). The capabilities of imaging are added elsewhere.
 */
export function ownConfiguration(tenant: Tenant, baseUrl: string, registration: boolean): SmartConfiguration {
  const issuer = `${tenantBase(baseUrl, tenant)}/oauth`;
  const { modes, type } = tenant.authorization;
  const launch = modes.includes('app-launch');
  const backend = modes.includes('backend-services');
  const confidential = ['private_key_jwt', 'client_secret_basic', 'client_secret_post'];
  const methods = [...(launch ? ['none'] : []), ...confidential];
  const algorithms = [...CLIENT_ALGORITHMS];
  // The EHR of an independent tenant launches its apps.
  const launchedHere = launch && type === 'embedded';
  return {
    issuer,
    jwks_uri: issuer + PATHS.jwks,
    ...(launch && appLaunch(issuer, registration)),
    token_endpoint: issuer + PATHS.token,
    token_endpoint_auth_methods_supported: methods,
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint: issuer + PATHS.introspection,
    introspection_endpoint_auth_methods_supported: [...methods, ...(backend ? ['Bearer'] : [])],
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint: issuer + PATHS.revocation,
    revocation_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    grant_types_supported: [
      ...(launch ? ['authorization_code', 'refresh_token'] : []),
      ...(backend ? ['client_credentials'] : []),
    ],
    response_types_supported: launch ? ['code'] : [],
    scopes_supported: [
      ...(launch
        ? ['openid', 'fhirUser', 'profile', 'launch/patient', 'offline_access', 'online_access']
        : []),
      ...(launchedHere ? ['launch'] : []),
      ...clinicalScopes(modes),
    ],
    code_challenge_methods_supported: ['S256'],
    capabilities: [
      ...(launch
        ? [
            'launch-standalone',
            'client-public',
            'sso-openid-connect',
            'context-standalone-patient',
            'context-banner',
            'context-style',
            'permission-offline',
            'permission-online',
          ]
        : []),
      ...(launchedHere ? ['launch-ehr', 'context-ehr-patient', 'context-ehr-encounter'] : []),
      'client-confidential-symmetric',
      'client-confidential-asymmetric',
      ...(launch ? ['permission-patient'] : []),
      'permission-v1',
      'permission-v2',
    ],
  };
}

/** Returns the part for tenants where users sign in (OpenID Connect Discovery §3). */
function appLaunch(issuer: string, registration: boolean): SmartConfiguration {
  return {
    authorization_endpoint: issuer + PATHS.authorization,
    authorization_response_iss_parameter_supported: true,
    userinfo_endpoint: issuer + PATHS.userinfo,
    ...(registration && { registration_endpoint: issuer + PATHS.registration }),
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...ID_TOKEN_ALGORITHMS],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nonce', 'fhirUser', 'name'],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  };
}
