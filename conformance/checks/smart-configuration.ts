import { describe, expectNone, expectObject, listed } from '../expectations.ts';
import { objectsOf, parsed, textsOf, type Json } from '../json.ts';
import { Deviation, NotApplicable } from '../outcome.ts';
import type { Check } from '../requirement.ts';

const addressesOf = (configuration: Json) => [
  ...Object.entries(configuration).filter(([name]) => /_endpoint$|^jwks_uri$|^issuer$/.test(name)),
  ...objectsOf(configuration['associated_endpoints']).map(
    ({ url }) => ['associated_endpoints', url] as const,
  ),
];

/** Discovery by `.well-known/smart-configuration`, SMART App Launch 2.2 §Conformance. */
export const SMART_CONFIGURATION: readonly Check[] = [
  {
    id: 'SM-1',
    name: 'configuration-without-token',
    level: 'MUST',
    sentence: 'The SMART configuration is JSON and can be read without a token.',
    expected: '200 application/json with an object',
    needs: ['base'],
    async run(subject) {
      const found = expectObject(await subject.readConfiguration(), 'application/json');
      return `${Object.keys(found).length} members`;
    },
  },
  {
    id: 'SM-1',
    name: 'configuration-any-origin',
    level: 'MUST',
    sentence: 'A page of any origin can read the SMART configuration of a server for apps in browsers.',
    expected: 'Access-Control-Allow-Origin: * (or the origin)',
    needs: ['base'],
    async run(subject) {
      const { grant_types_supported: grants } = await subject.configuration();
      if (!textsOf(grants).includes('authorization_code')) throw new NotApplicable('there is no App Launch');
      const headers = { origin: 'https://app.example' };
      const url = subject.fhir('.well-known/smart-configuration');
      const answer = await subject.get(url, { headers, credentials: 'none' });
      const [allowed = 'nothing'] = listed(answer.headers, 'access-control-allow-origin');
      if (allowed !== '*' && allowed !== headers.origin) throw new Deviation(`${allowed} is allowed`);
      return allowed;
    },
  },
  {
    id: 'SM-1',
    name: 'absolute-addresses',
    level: 'MUST',
    sentence: 'Each address in the SMART configuration is absolute.',
    expected: 'absolute http or https URLs',
    needs: ['base'],
    async run(subject) {
      const addresses = addressesOf(await subject.configuration());
      expectNone(
        addresses.flatMap(([name, url]) =>
          /^https?:\/\/./.test(String(url)) ? [] : [`${name} is ${String(url)}`],
        ),
      );
      return `${addresses.length} addresses`;
    },
  },
  {
    id: 'SM-2',
    name: 'required-fields',
    level: 'MUST',
    sentence:
      'The SMART configuration has the token endpoint, grant types and capabilities, and the authorization endpoint if apps can be launched.',
    expected: 'token_endpoint, grant_types_supported, capabilities, and authorization_endpoint for launches',
    needs: ['base'],
    async run(subject) {
      const found = await subject.configuration();
      const launches = textsOf(found['capabilities']).some((one) => one.startsWith('launch-'));
      const addresses = ['token_endpoint', ...(launches ? ['authorization_endpoint'] : [])];
      expectNone(
        [
          ...addresses.filter((name) => typeof found[name] !== 'string'),
          ...['grant_types_supported', 'capabilities'].filter((name) => textsOf(found[name]).length === 0),
        ].map((name) => `${name} is missing`),
      );
      return 'all are there';
    },
  },
  {
    id: 'SM-2',
    name: 'pkce',
    level: 'MUST',
    sentence: 'PKCE is offered with S256, and never with plain.',
    expected: 'code_challenge_methods_supported with S256 and without plain',
    needs: ['base'],
    async run(subject) {
      const methods = textsOf((await subject.configuration())['code_challenge_methods_supported']);
      if (!methods.includes('S256') || methods.includes('plain'))
        throw new Deviation(methods.join(', ') || 'no method');
      return methods.join(', ');
    },
  },
  {
    id: 'SM-2',
    name: 'openid',
    level: 'MUST',
    sentence: 'A server with OpenID Connect names its issuer and the address of its keys, which can be read.',
    expected: 'issuer, and jwks_uri that answers keys',
    needs: ['base'],
    async run(subject) {
      const { capabilities, issuer, jwks_uri: keys } = await subject.configuration();
      if (!textsOf(capabilities).includes('sso-openid-connect'))
        throw new NotApplicable('sso-openid-connect is not among the capabilities');
      if (typeof issuer !== 'string' || typeof keys !== 'string')
        throw new Deviation(`issuer ${String(issuer)}, jwks_uri ${String(keys)}`);
      const answer = await subject.get(keys, { credentials: 'none' });
      const found = objectsOf([parsed(answer)]).flatMap((set) => objectsOf(set['keys']));
      if (answer.status !== 200 || found.length === 0)
        throw new Deviation(`jwks_uri: ${describe(answer)}, ${found.length} keys`);
      return `${found.length} keys`;
    },
  },
  {
    id: 'SM-2',
    name: 'recommended-fields',
    level: 'SHOULD',
    sentence:
      'The SMART configuration has the supported scopes, and the endpoints for introspection and revocation.',
    expected: 'scopes_supported, introspection_endpoint, revocation_endpoint',
    needs: ['base'],
    async run(subject) {
      const found = await subject.configuration();
      const names = ['scopes_supported', 'introspection_endpoint', 'revocation_endpoint'];
      expectNone(names.filter((name) => !(name in found)).map((name) => `${name} is missing`));
      return 'all are there';
    },
  },
  {
    id: 'SM-3',
    name: 'protected-resource',
    level: 'SHOULD',
    sentence:
      'The challenge of a request without token names the metadata of the protected resource (RFC 9728).',
    expected: 'resource_metadata in WWW-Authenticate leads to JSON whose resource is the server',
    needs: ['base', 'patient'],
    async run(subject) {
      const { headers } = await subject.search(subject.patientQuery(), { credentials: 'none' });
      const url = /resource_metadata="([^"]+)"/.exec(headers.get('www-authenticate') ?? '')?.[1];
      if (url === undefined || !URL.canParse(url)) throw new Deviation('the challenge names no metadata');
      const answer = await subject.get(url, { accept: 'application/json', credentials: 'none' });
      const { resource } = expectObject(answer, 'application/json');
      if (typeof resource !== 'string' || !subject.options.base!.startsWith(resource))
        throw new Deviation(`the resource is ${String(resource)}`);
      return resource;
    },
  },
];
