import type { Permission } from '../../../schema/access/scopes.ts';
import type { EhrConfig } from '../discovery/smart-configuration.ts';

/** How one kind of authorization server departs from the standard (SM-11): data, read by the rules. */
export interface Quirks {
  /** Who says what a token is good for: the server when asked (RFC 7662), or its signature (RFC 9068). */
  check: 'introspection' | 'signature';
  /** Where introspection is: what discovery names, or `introspect` in place of `token` in the token endpoint's URL. */
  introspectionEndpoint: 'discovered' | 'beside-token-endpoint';
  /** How the introspection call is authenticated where the tenant does not say (SM-7). */
  introspectionAuthentication?: 'client_secret_basic';
  /**
   * Which patient the token is for: its `patient`; the resource that `sub` names, below the clinical base; or whom the
   * request names, as far as the caller's own token can read them.
   */
  patientFrom: 'patient' | 'sub' | 'request';
  /** `patient/` scopes on this type stand for the same ones on ImagingStudy. */
  imagingScopeOn?: string;
  /** Whose token reads who a patient is: ours where the tenant has a client, or always the caller's. */
  patientReadWith: 'own' | 'caller';
  /** Why nobody should use it; it then works only where the tenant says `allowInsecureQuirks`. */
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

/** The quirks of a tenant's kind of authorization. */
export function quirksOf({ type }: EhrConfig): Quirks {
  return QUIRKS[type];
}

/** The permissions, with those on ImagingStudy that another type's stand for. */
export function withImagingScopes(permissions: readonly Permission[], quirks: Quirks): readonly Permission[] {
  const standIns = permissions.filter(
    ({ level, type, parameters }) => level === 'patient' && type === quirks.imagingScopeOn && !parameters,
  );
  return [...permissions, ...standIns.map((permission) => ({ ...permission, type: 'ImagingStudy' }))];
}
