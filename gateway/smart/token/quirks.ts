import type { Permission } from '../../../schema/access/scopes.ts';
import type { EhrConfig } from '../discovery/ehr-configuration.ts';

/** Deviations of one type of authorization server from the standard (SM-11), as data for the rules. */
export interface Quirks {
  /** Check of a token: by asking the server (RFC 7662), or by its signature (RFC 9068). */
  check: 'introspection' | 'signature';
  /** Introspection endpoint: from discovery, or the token endpoint's URL with `introspect` in place of `token`. */
  introspectionEndpoint: 'discovered' | 'beside-token-endpoint';
  /** Default authentication of the introspection call (SM-7). */
  introspectionAuthentication?: 'client_secret_basic';
  /**
   * Patient of the token: its `patient`; the resource that `sub` names, below the clinical base; or the patient whom the
   * request names, if the caller's token can read them.
   */
  patientFrom: 'patient' | 'sub' | 'request';
  /** `patient/` scopes on this type count for ImagingStudy too. */
  imagingScopeOn?: string;
  /** Token that reads the patient's identity: ours, if the tenant has a client, or always the caller's. */
  patientReadWith: 'own' | 'caller';
  /** Reason why it is insecure; it then works only with `allowInsecureQuirks`. */
  insecure?: string;
}

const STANDARD: Quirks = {
  check: 'introspection',
  introspectionEndpoint: 'discovered',
  patientFrom: 'patient',
  patientReadWith: 'own',
};

const QUIRKS: Readonly<Record<EhrConfig['type'], Quirks>> = {
  'smart-on-fhir': STANDARD,
  'smart-on-fhir-independent': { ...STANDARD, patientReadWith: 'caller' },
  'smart-on-fhir-jwt': { ...STANDARD, check: 'signature' },
  'smart-on-fhir-with-epic-bugfixes': {
    ...STANDARD,
    introspectionEndpoint: 'beside-token-endpoint',
    patientFrom: 'sub',
    imagingScopeOn: 'DiagnosticReport',
  },
  'smart-on-fhir-with-meditech-bugfixes': {
    ...STANDARD,
    introspectionAuthentication: 'client_secret_basic',
    patientFrom: 'request',
    patientReadWith: 'caller',
    insecure: 'its introspection names no patient, so that the one in the request is believed',
  },
};

/** Returns the quirks of a tenant's type of authorization. */
export function quirksOf({ type }: EhrConfig): Quirks {
  return QUIRKS[type];
}

/** Adds the permissions on ImagingStudy that follow from scopes on another type. */
export function withImagingScopes(permissions: readonly Permission[], quirks: Quirks): readonly Permission[] {
  const standIns = permissions.filter(
    ({ level, type, parameters }) => level === 'patient' && type === quirks.imagingScopeOn && !parameters,
  );
  return [...permissions, ...standIns.map((permission) => ({ ...permission, type: 'ImagingStudy' }))];
}
