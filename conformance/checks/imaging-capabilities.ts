import { expectNone } from '../expectations.ts';
import { objectsOf, textsOf } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';

const APP_LAUNCH = 'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch';
const BACKEND = 'http://fhir.org/argonaut/smart-imaging/capabilities/backend-services';

/** Says what of a list is missing. */
const missing = (list: unknown, wanted: string, name: string) =>
  textsOf(list).includes(wanted) ? [] : [`${name} lacks ${wanted}`];

/** Capabilities of SMART Imaging Access in the SMART configuration. */
export const IMAGING_CAPABILITIES: readonly Check[] = [
  {
    id: 'IA-1',
    name: 'capability',
    level: 'MUST',
    sentence:
      'A FHIR base that serves imaging lists the capability smart-imaging-access, or names the base that does.',
    expected: 'smart-imaging-access in capabilities, or in associated_endpoints beside a url',
    needs: ['base'],
    async run(subject) {
      const { capabilities, associated_endpoints: others } = await subject.configuration();
      if (textsOf(capabilities).includes('smart-imaging-access')) return 'in capabilities';
      const other = objectsOf(others).find((one) =>
        textsOf(one['capabilities']).includes('smart-imaging-access'),
      );
      if (typeof other?.['url'] !== 'string') throw new Deviation('the capability is not listed');
      return `at ${other['url']}`;
    },
  },
  {
    id: 'IA-2',
    name: 'app-launch',
    level: 'MUST',
    sentence: 'A server for App Launch lists that capability and the grant authorization_code.',
    expected: `${APP_LAUNCH} in capabilities, authorization_code in grant_types_supported`,
    needs: ['base'],
    async run(subject) {
      const { capabilities, grant_types_supported: grants } = await subject.configuration();
      const modes = [APP_LAUNCH, BACKEND].filter((mode) => textsOf(capabilities).includes(mode));
      if (modes.length === 0) throw new Deviation('neither App Launch nor Backend Services is listed');
      const launches = textsOf(capabilities).some((one) => one.startsWith('launch-'));
      if (!launches && !modes.includes(APP_LAUNCH)) throw new NotApplicable('there is no App Launch');
      expectNone([
        ...missing(capabilities, APP_LAUNCH, 'capabilities'),
        ...missing(grants, 'authorization_code', 'grant_types_supported'),
      ]);
      return 'both are listed';
    },
  },
  {
    id: 'IA-3',
    name: 'backend-services',
    level: 'MUST',
    sentence:
      'A server for Backend Services lists that capability, the grant client_credentials and asymmetric client authentication.',
    expected: `${BACKEND} in capabilities, client_credentials, private_key_jwt with its algorithms`,
    needs: ['base'],
    async run(subject) {
      const found = await subject.configuration();
      const { capabilities, grant_types_supported: grants } = found;
      const listed = textsOf(capabilities).includes(BACKEND);
      if (!listed && !textsOf(grants).includes('client_credentials'))
        throw new NotApplicable('there are no Backend Services');
      const algorithms = textsOf(found['token_endpoint_auth_signing_alg_values_supported']);
      expectNone([
        ...missing(capabilities, BACKEND, 'capabilities'),
        ...missing(grants, 'client_credentials', 'grant_types_supported'),
        ...missing(
          found['token_endpoint_auth_methods_supported'],
          'private_key_jwt',
          'token_endpoint_auth_methods_supported',
        ),
        ...(algorithms.some((one) => ['RS384', 'ES384'].includes(one))
          ? []
          : ['neither RS384 nor ES384 is listed']),
      ]);
      return algorithms.join(', ');
    },
  },
  {
    id: 'IA-3',
    name: 'system-scope',
    level: 'SHOULD',
    sentence: 'A server for Backend Services lists the scope system/ImagingStudy.rs.',
    expected: 'system/ImagingStudy.rs in scopes_supported',
    needs: ['base'],
    async run(subject) {
      const { capabilities, scopes_supported: scopes } = await subject.configuration();
      if (!textsOf(capabilities).includes(BACKEND)) throw new NotApplicable('there are no Backend Services');
      expectNone(missing(scopes, 'system/ImagingStudy.rs', 'scopes_supported'));
      return 'listed';
    },
  },
];
