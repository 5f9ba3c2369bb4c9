import { alters, header, status, type Body, type Row } from './row.ts';

/** Sets a member of the SMART configuration by its present value. */
const configured = (name: string, value: (now: Body) => unknown) => () =>
  alters(/smart-configuration$/, (body: Body) => void (body[name] = value(body[name])));

const CONFIGURATION = ['SM-1', 'SM-2', 'IA-1', 'IA-2', 'IA-3'];
const IMAGING = 'http://fhir.org/argonaut/smart-imaging/capabilities/';
const without =
  (...left: string[]) =>
  (list: string[]) =>
    list.filter((one) => !left.includes(one));

/** Faults of discovery. */
export const DISCOVERY: readonly Row[] = [
  {
    fault: 'the SMART configuration needs a token',
    only: ['SM-1/configuration-without-token'],
    found: ['SM-1/configuration-without-token'],
    plant: () => status(/smart-configuration$/, 401),
  },
  {
    fault: 'the SMART configuration is for one origin',
    only: CONFIGURATION,
    found: ['SM-1/configuration-any-origin'],
    plant: () => header(/smart-configuration$/, 'access-control-allow-origin', 'https://one.example'),
  },
  {
    fault: 'an address in the SMART configuration is relative',
    only: CONFIGURATION,
    found: ['SM-1/absolute-addresses'],
    plant: configured('token_endpoint', () => '/demo/oauth/token'),
  },
  {
    fault: 'the authorization endpoint is missing',
    only: CONFIGURATION,
    found: ['SM-2/required-fields'],
    plant: configured('authorization_endpoint', () => undefined),
  },
  {
    fault: 'PKCE with plain is offered',
    only: CONFIGURATION,
    found: ['SM-2/pkce'],
    plant: configured('code_challenge_methods_supported', (now: string[]) => [...now, 'plain']),
  },
  {
    fault: 'OpenID Connect without keys',
    only: CONFIGURATION,
    found: ['SM-2/openid'],
    plant: configured('jwks_uri', () => undefined),
  },
  {
    fault: 'the capability of imaging is missing',
    only: CONFIGURATION,
    found: ['IA-1/capability'],
    plant: configured('capabilities', without('smart-imaging-access')),
  },
  {
    fault: 'the grant of App Launch is missing',
    only: ['SM-2', 'IA-1', 'IA-2', 'IA-3'],
    found: ['IA-2/app-launch'],
    plant: configured('grant_types_supported', without('authorization_code')),
  },
  {
    fault: 'the capability of Backend Services is missing, its grant is there',
    only: ['SM-2', 'IA-1', 'IA-2', 'IA-3/backend-services'],
    found: ['IA-3/backend-services'],
    plant: configured('capabilities', without(`${IMAGING}backend-services`)),
  },
  {
    fault: 'the CapabilityStatement is plain JSON',
    only: ['SM-1', 'SM-4'],
    found: ['SM-1/metadata-without-token'],
    plant: () => header(/metadata$/, 'content-type', 'application/json'),
  },
  {
    fault: 'the CapabilityStatement is of another FHIR version',
    only: ['SM-1', 'SM-4'],
    found: ['SM-4/version-and-security'],
    plant: () => alters(/metadata$/, (body) => void (body.fhirVersion = '3.0.2')),
  },
  {
    fault: 'the CapabilityStatement does not list _lastUpdated',
    only: ['SM-1', 'SM-4'],
    found: ['SM-4/imaging-study-search'],
    plant: () =>
      alters(/metadata$/, (body) => {
        const study = body.rest[0].resource.find(({ type }: Body) => type === 'ImagingStudy');
        study.searchParam = study.searchParam.filter(({ name }: Body) => name !== '_lastUpdated');
      }),
  },
  {
    fault: 'the endpoint for introspection is missing',
    only: CONFIGURATION,
    found: ['SM-2/recommended-fields'],
    plant: configured('introspection_endpoint', () => undefined),
  },
  {
    fault: 'the scope of Backend Services is missing',
    only: CONFIGURATION,
    found: ['IA-3/system-scope'],
    plant: configured('scopes_supported', without('system/ImagingStudy.rs')),
  },
  {
    fault: 'the metadata of the protected resource are of another server',
    only: ['SM-3', 'SM-12'],
    found: ['SM-3/protected-resource'],
    plant: () => alters(/oauth-protected-resource/, (body) => void (body.resource = 'https://other.example')),
  },
  {
    fault: 'a page of another origin may not send its token to DICOMweb',
    only: ['SM-13'],
    found: ['SM-13/preflight'],
    plant: () => header(/\/dicomweb\//, 'access-control-allow-headers', 'Accept'),
  },
  {
    fault: 'a page of another origin cannot read the challenge',
    only: ['SM-13'],
    found: ['SM-13/exposed-headers'],
    plant: () => header(/\/ImagingStudy/, 'access-control-expose-headers', 'Retry-After'),
  },
];
