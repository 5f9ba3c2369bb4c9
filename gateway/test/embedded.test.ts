/** Our own authorization server with the records of the demonstration: backend services, revocation, discovery. */
import { fastify, type FastifyInstance } from 'fastify';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { addAuthorization, decorateRequests } from '../http/authorization-hook.ts';
import { faultHandler, nameResourceMetadata } from '../http/fault-reply.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizer } from '../smart/authorize.ts';
import { discoveryRoutes, rootMetadataRoutes } from '../smart/discovery/discovery-routes.ts';
import { ownAccess } from '../smart/server/own-access.ts';
import { peopleOfRecord } from '../smart/server/sign-in/people.ts';
import { oauthRoutes } from '../smart/server/routes.ts';
import { authorizationServer } from '../smart/server/server.ts';
import { tenantsOf } from './gateway-alone.ts';
import { freePort } from './setup/free-port.ts';

const REDIRECT = 'http://127.0.0.1:9/app';
const SECRET = 'a-secret-of-this-test';
const OTHER_PATIENT = 'demo-maria-alvarez';

let app: FastifyInstance;
let base: string;
let dataDir: string;
let close: () => Promise<void>;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'embedded-'));
  const baseUrl = `http://127.0.0.1:${await freePort()}`;
  base = `${baseUrl}/demo`;
  const tenants = tenantsOf({
    demo: {
      authorization: {
        type: 'embedded',
        modes: ['app-launch', 'backend-services'],
        clients: [
          { client_id: 'app', redirect_uris: [REDIRECT] },
          { client_id: 'analyst', client_secret: SECRET },
        ],
        policy: [{ client_id: 'analyst', patients: [DEMO_PATIENT] }],
      },
      clinical: { type: 'store', path: join(import.meta.dirname, '../demo/patients') },
      images: { type: 'folder', path: dataDir, lookup: 'studies-by-mrn' },
    },
  });
  const clinical = clinicalSubgraph({ dataDir, baseUrl, loadWait: 30_000 });
  const { people, identity } = peopleOfRecord((tenant, access) => clinical.open(tenant, access));
  const server = authorizationServer({ baseUrl, dataDir, people, now: Date.now, onError: console.error });
  const tenantAuthorizer = authorizer({
    dispatcher: () => undefined,
    now: Date.now,
    baseUrl,
    own: {
      authorize: ownAccess({ server, identity, now: Date.now }),
      smartConfiguration: server.smartConfiguration,
    },
  });
  app = fastify();
  decorateRequests(app);
  nameResourceMetadata(app, baseUrl);
  app.setErrorHandler(faultHandler(baseUrl, 'json'));
  await app.register(rootMetadataRoutes(tenants, tenantAuthorizer, baseUrl));
  await app.register(
    async (scope) => {
      addAuthorization(scope, { tenants, authorizer: tenantAuthorizer, baseUrl });
      const { claims } = clinical;
      await scope.register(
        discoveryRoutes({ authorizer: tenantAuthorizer, baseUrl, started: new Date(), claims }),
      );
      await scope.register(oauthRoutes(server, baseUrl));
      await scope.register(clinical.routes);
      // Shows the access that authorization has established.
      scope.get(
        '/access',
        { config: { serves: { interaction: 'operation' } } },
        async ({ access }) => access,
      );
    },
    { prefix: '/:tenant' },
  );
  await app.listen({ host: '127.0.0.1', port: Number(new URL(baseUrl).port) });
  close = async () => {
    await app.close();
    await server.close();
    await clinical.close();
  };
});
afterAll(async () => {
  await close();
  await rm(dataDir, { recursive: true, force: true });
});

const read = (path: string, token?: string) =>
  fetch(`${base}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });

const backendToken = async () => {
  const answer = await fetch(`${base}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`analyst:${SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
};

test('IA-8 a backend service reads the patients of its policy, with their identity, and no others', async () => {
  const token = await backendToken();
  expect(await (await read('/access', token)).json()).toMatchObject({
    tenant: 'demo',
    client: 'analyst',
    patients: [{ id: DEMO_PATIENT, identity: { id: DEMO_PATIENT, identifier: expect.any(Array) } }],
    permissions: [{ level: 'system', type: '*', interactions: 'rs' }],
  });
  expect((await read(`/fhir/Patient/${DEMO_PATIENT}`, token)).status).toBe(200);
  expect([403, 404]).toContain((await read(`/fhir/Patient/${OTHER_PATIENT}`, token)).status);
});

test('IA-5 a revoked token is refused at once', async () => {
  const token = await backendToken();
  expect((await read('/access', token)).status).toBe(200);
  await fetch(`${base}/oauth/revoke`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`analyst:${SECRET}`)}` },
    body: new URLSearchParams({ token }),
  });
  expect((await read('/access', token)).status).toBe(401);
});

test.each([
  ['missing', undefined, /^Bearer realm="[^"]+", resource_metadata=/],
  ['invented', 'made-up', /error="invalid_token"/],
])('SM-12 token %s: 401 with a challenge', async (_, token, challenge) => {
  const answer = await read('/access', token);
  expect(answer.status).toBe(401);
  expect(answer.headers.get('www-authenticate')).toMatch(challenge);
});

test('serves the metadata of our server at the address of its issuer (RFC 8414)', async () => {
  const { issuer, ...own } = (await (
    await fetch(`${base}/fhir/.well-known/smart-configuration`)
  ).json()) as Record<string, string>;
  const { pathname, origin } = new URL(issuer!);
  const response = await fetch(`${origin}/.well-known/oauth-authorization-server${pathname}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('application/json');
  const metadata = (await response.json()) as Record<string, unknown>;
  // RFC 8414 §3.3: the issuer has to be identical; clients reject any other.
  expect(metadata).toMatchObject({
    issuer,
    authorization_endpoint: own['authorization_endpoint'],
    token_endpoint: own['token_endpoint'],
    response_types_supported: ['code'],
  });
});

test('discovery names our server, with the capabilities of imaging (SM-1 to SM-3, IA-1 to IA-3)', async () => {
  const smart = (await (await read('/fhir/.well-known/smart-configuration')).json()) as Record<
    string,
    string[]
  >;
  expect(smart).toMatchObject({
    issuer: `${base}/oauth`,
    jwks_uri: `${base}/oauth/jwks`,
    authorization_endpoint: `${base}/oauth/authorize`,
    token_endpoint: `${base}/oauth/token`,
    registration_endpoint: `${base}/oauth/register`,
    code_challenge_methods_supported: ['S256'],
  });
  expect(smart['capabilities']).toEqual(
    expect.arrayContaining([
      'smart-imaging-access',
      'http://fhir.org/argonaut/smart-imaging/capabilities/app-launch',
      'http://fhir.org/argonaut/smart-imaging/capabilities/backend-services',
      'launch-standalone',
      'launch-ehr',
      'permission-v2',
    ]),
  );
  const metadata = await fetch(`${base.replace('/demo', '')}/.well-known/oauth-protected-resource/demo`);
  expect(await metadata.json()).toMatchObject({ authorization_servers: [`${base}/oauth`] });
  const statement = await (await read('/fhir/metadata')).text();
  expect(statement).toContain(`${base}/oauth/token`);
});
