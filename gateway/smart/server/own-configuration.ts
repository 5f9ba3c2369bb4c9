import { tenantBase } from '../../../schema/request.ts';
import type { Tenant } from '../../../schema/tenant.ts';
import type { SmartConfiguration } from '../smart-configuration.ts';
import { PATHS } from './settings.ts';

/**
 * What our authorization server can do for a tenant, SMART App Launch 2.2 §3 (SM-1, SM-2). Only modes that are on are
 * named (IA-4); imaging's own capabilities come from elsewhere.
 */
export function ownConfiguration(tenant: Tenant, baseUrl: string, registration: boolean): SmartConfiguration {
  const issuer = `${tenantBase(baseUrl, tenant)}/oauth`;
  const { modes } = tenant.authorization;
  const launch = modes.includes('app-launch');
  // Apps of an independent tenant are launched by its EHR.
  const launchedHere = launch && tenant.authorization.type === 'embedded';
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
        ? ['openid', 'fhirUser', 'profile', 'launch/patient', 'offline_access', 'online_access']
        : []),
      ...(launchedHere ? ['launch'] : []),
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
            ...['launch-standalone', 'client-public', 'sso-openid-connect', 'context-standalone-patient'],
            ...['context-banner', 'context-style', 'permission-offline', 'permission-online'],
          ]
        : []),
      ...(launchedHere ? ['launch-ehr', 'context-ehr-patient', 'context-ehr-encounter'] : []),
      ...['client-confidential-symmetric', 'client-confidential-asymmetric'],
      ...(launch ? ['permission-patient'] : []),
      ...['permission-v1', 'permission-v2'],
    ],
  };
}
