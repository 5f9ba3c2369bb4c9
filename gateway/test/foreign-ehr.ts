/** A foreign EHR: oidc-provider on a free port, and a small FHIR server with records of the demonstration. */
import type { Bundle, Patient, Resource } from 'fhir/r4.js';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type JWK,
  type JWTPayload,
} from 'jose';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { freePort } from './setup/free-port.ts';

/** A user who can sign in at the EHR, and the patient whose record is then open. */
export interface EhrAccount {
  name?: string;
  fhirUser: string;
  patient?: string;
}

export interface ForeignEhr {
  /** The port on which it listens. */
  port: number;
  issuer: string;
  fhirBaseUrl: string;
  /** Clients of the gateway at this EHR, for tenant files, by the method of client authentication. */
  clients: Record<'key' | 'secret' | 'post' | 'public', Record<string, unknown> & { client_id: string }>;
  accounts: Map<string, EhrAccount>;
  /** Its state; with `fhir-down` its authorization server works, with `keys-failing` everything but its keys. */
  mode: 'up' | 'down' | 'failing' | 'fhir-down' | 'keys-failing';
  /** Whether it checks an `id_token_hint`; oidc-provider then accepts only one of the same client. */
  hints: 'ignored' | 'own client';
  /** Lifetime of its access tokens in seconds. */
  lifetime: number;
  /** Changes the response of the token endpoint before it is sent. */
  tokenAnswer: ((body: Record<string, unknown>) => void | Promise<void>) | undefined;
  /** Method and path of every request, without its query. */
  seen: string[];
  /** Access and refresh tokens that it gave to the gateway for a user, as in its responses. */
  given: Set<string>;
  /** Tokens of all revocation requests, with repetitions (RFC 7009). */
  revoked: string[];
  /** Answers a request in its place. @returns false to let the EHR answer */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** The query of the last authorization request. */
  asked: URLSearchParams;
  /** Signs claims with the key of the EHR, or with another key. */
  sign(claims: JWTPayload, options?: { foreign?: boolean; typ?: string; kid?: string }): Promise<string>;
  provider: Provider;
  close(): Promise<void>;
}

/** Redirect URI of the EHR's own apps. */
export const PORTAL = 'http://127.0.0.1:9/portal';
const EHR_SECRET = 'the-gateway-s secret: at+this/EHR';
export const CLINICIAN = 'clinician-1';
const SCOPES = 'openid fhirUser profile offline_access launch/patient patient/*.read patient/*.rs';
const DATA_SCOPES = 'launch/patient patient/*.read patient/*.rs patient/ImagingStudy.rs system/Patient.read';

/**
 * Starts the EHR.
 * @param redirectUris redirect URIs of the gateway's tenants
 * @param records files of `gateway/demo/patients` without `.json`
 * @param behind the port of a proxy, where clients reach the EHR only through one
 */
export async function foreignEhr(
  redirectUris: readonly string[],
  records: readonly string[] = ['helen-castellanos', 'maria-alvarez', 'hospital'],
  behind?: number,
): Promise<ForeignEhr> {
  const port = await freePort();
  // Another host name than the 127.0.0.1 of the gateway: a real EHR is another site too.
  const issuer = `http://localhost:${behind ?? port}`;
  const fhirBaseUrl = `${issuer}/fhir`;
  const own = await generateKeyPair('RS256', { extractable: true });
  const foreign = await generateKeyPair('RS256', { extractable: true });
  const gateway = await generateKeyPair('ES384', { extractable: true });
  const jwk: JWK = { ...(await exportJWK(gateway.publicKey)), kid: 'gateway', alg: 'ES384', use: 'sig' };
  const jwkPrivate = { ...(await exportJWK(gateway.privateKey)), kid: 'gateway', alg: 'ES384' };
  const signing = { ...(await exportJWK(own.privateKey)), kid: 'ehr', use: 'sig' };
  const publicKeys = createLocalJWKSet({ keys: [{ ...(await exportJWK(own.publicKey)), kid: 'ehr' }] });
  const resources = records.flatMap((name) => {
    const text = readFileSync(join(import.meta.dirname, '../demo/patients', `${name}.json`), 'utf8');
    return ((JSON.parse(text) as Bundle).entry ?? []).map(({ resource }) => resource!);
  });
  const patients = resources.filter((one): one is Patient => one.resourceType === 'Patient');
  const accounts = new Map<string, EhrAccount>(
    patients.map(({ id }) => [`user-of-${id}`, { fhirUser: `Patient/${id}`, patient: id! }]),
  );
  accounts.set(CLINICIAN, { fhirUser: 'Practitioner/demo-dr-okafor', patient: patients[0]!.id! });

  const ours = {
    redirect_uris: [...redirectUris],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
    response_types: ['code' as const],
  };
  const app = {
    redirect_uris: [PORTAL],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code' as const],
    token_endpoint_auth_method: 'none' as const,
  };
  const provider: Provider = new Provider(issuer, {
    clients: [
      {
        ...ours,
        client_id: 'gateway-key',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwk] },
      } as never,
      { ...ours, client_id: 'gateway-secret', client_secret: EHR_SECRET },
      {
        ...ours,
        client_id: 'gateway-post',
        client_secret: EHR_SECRET,
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        ...ours,
        client_id: 'gateway-public',
        token_endpoint_auth_method: 'none',
        grant_types: app.grant_types,
      },
      { ...app, client_id: 'portal' },
      { ...app, client_id: 'jwt-portal' },
    ],
    jwks: { keys: [signing as never] },
    scopes: ['openid', 'offline_access'],
    claims: { openid: ['sub'], fhirUser: ['fhirUser'], profile: ['name'] },
    conformIdTokenClaims: false,
    enabledJWA: { clientAuthSigningAlgValues: ['ES384', 'RS384'] },
    pkce: { required: (_ctx, client) => client.grantTypeAllowed('authorization_code') },
    cookies: { keys: ['the EHR’s own'] },
    routes: {
      authorization: '/authorize',
      token: '/token',
      introspection: '/introspect',
      revocation: '/revoke',
      jwks: '/jwks',
    },
    ttl: {
      AccessToken: () => self.lifetime,
      Grant: 3600,
      IdToken: 600,
      Interaction: 600,
      Session: 3600,
      RefreshToken: 3600,
      ClientCredentials: 300,
    },
    extraParams: ['aud', 'launch'],
    // This EHR trusts its apps: it grants the scopes that they request.
    loadExistingGrant: async (ctx) => {
      const grant = new provider.Grant({
        accountId: ctx.oidc.session!.accountId!,
        clientId: ctx.oidc.client!.clientId,
      });
      grant.addOIDCScope(SCOPES);
      grant.addResourceScope(fhirBaseUrl, DATA_SCOPES);
      await grant.save();
      return grant;
    },
    // The provider alone would require `prompt=consent` for offline_access.
    issueRefreshToken: async (_ctx, client) =>
      client.grantTypeAllowed('refresh_token') && /\boffline_access\b/.test(self.asked.get('scope') ?? ''),
    findAccount: (_ctx, id) => {
      const account = accounts.get(id);
      if (!account) return undefined;
      const fhirUser = `${fhirBaseUrl}/${account.fhirUser}`;
      return {
        accountId: id,
        claims: () => ({ sub: id, fhirUser, ...(account.name && { name: account.name }) }),
      };
    },
    extraTokenClaims: (_ctx, token) => {
      const account = token.kind === 'AccessToken' ? accounts.get(token.accountId) : undefined;
      return account?.patient === undefined ? undefined : { patient: account.patient };
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client) => client.clientId.startsWith('gateway'),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => fhirBaseUrl,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, _resource, client) => ({
          scope: DATA_SCOPES,
          audience: fhirBaseUrl,
          accessTokenFormat: client.clientId === 'jwt-portal' ? 'jwt' : 'opaque',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  provider.use(async (ctx: KoaContextWithOIDC, next: () => Promise<void>) => {
    await next();
    if (ctx.status !== 200) return;
    if (ctx.path === '/revoke') self.revoked.push(String(ctx.oidc.params!['token']));
    if (ctx.path !== '/token') return;
    const body = ctx.body as Record<string, unknown>;
    const patient = accounts.get(ctx.oidc.entities.AccessToken?.accountId ?? '')?.patient;
    if (patient !== undefined) body['patient'] = patient;
    await self.tokenAnswer?.(body);
    if (!ctx.oidc.client!.clientId.startsWith('gateway') || !ctx.oidc.entities.AccessToken) return;
    for (const token of [body['access_token'], body['refresh_token']]) {
      if (typeof token === 'string') self.given.add(token);
    }
  });
  const oidc = provider.callback();

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    });
  });
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, issuer);
    self.seen.push(`${request.method} ${url.pathname}`);
    const fhir = url.pathname.startsWith('/fhir/');
    if (self.mode === 'down' || (self.mode === 'fhir-down' && fhir)) return void request.socket.destroy();
    if (self.mode === 'failing') return send(response, 503, {});
    if (self.instead?.(request, response)) return;
    if (self.mode === 'keys-failing' && url.pathname === '/jwks') return send(response, 500, {});
    if (url.pathname === '/fhir/.well-known/smart-configuration')
      return send(response, 200, configuration(issuer));
    if (fhir) return serve(request, url, response);
    if (url.pathname.startsWith('/interaction/')) return signIn(request, response);
    if (url.pathname === '/authorize') {
      self.asked = new URLSearchParams(url.searchParams);
      if (self.hints === 'ignored') url.searchParams.delete('id_token_hint');
      request.url = url.pathname + url.search;
    }
    await oidc(request, response);
  }

  /** The sign-in page of the EHR. */
  async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const buttons = [...accounts.keys()].map((id) => `<button name="account" value="${id}">${id}</button>`);
      response.writeHead(200, { 'content-type': 'text/html' });
      return void response.end(
        `<title>EHR</title><form method="post" action="${request.url}">${buttons.join('')}<button name="account" value="">No</button></form>`,
      );
    }
    const accountId = new URLSearchParams(await text(request)).get('account');
    const result = accountId
      ? { login: { accountId } }
      : { error: 'access_denied', error_description: 'The user said no.' };
    response.writeHead(303, { location: await provider.interactionResult(request, response, result) }).end();
  }

  async function serve(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '');
    const reach = await patientOf(token);
    if (reach === undefined) return send(response, 401, {});
    const visible = resources.filter((one) => !isOthers(one, reach));
    const [, type, id] = /^\/fhir\/([A-Za-z]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    const matches = visible.filter(
      (one) =>
        one.resourceType === type &&
        (id === undefined || one.id === id) &&
        url.searchParams.getAll('_id').every((ids) => ids.split(',').includes(one.id!)),
    );
    if (id !== undefined) return matches[0] ? send(response, 200, matches[0]) : send(response, 404, {});
    const entry = matches.map((resource) => ({ resource, search: { mode: 'match' } }));
    send(response, 200, { resourceType: 'Bundle', type: 'searchset', total: entry.length, entry });
  }

  /** Returns the patient of a token, `any` for a backend token; undefined for an invalid one. */
  async function patientOf(token: string): Promise<string | undefined> {
    if (await provider.ClientCredentials.find(token)) return 'any';
    const opaque = await provider.AccessToken.find(token);
    if (opaque?.isValid) return (opaque.extra as { patient?: string } | undefined)?.patient;
    const signed = await jwtVerify(token, publicKeys, { issuer }).catch(() => undefined);
    return signed?.payload['patient'] as string | undefined;
  }

  const self: ForeignEhr = {
    port,
    issuer,
    fhirBaseUrl,
    accounts,
    provider,
    clients: {
      key: { client_id: 'gateway-key', jwk, jwkPrivate },
      secret: { client_id: 'gateway-secret', client_secret: EHR_SECRET },
      post: { client_id: 'gateway-post', client_secret: EHR_SECRET, authentication: 'client_secret_post' },
      public: { client_id: 'gateway-public' },
    },
    mode: 'up',
    hints: 'ignored',
    lifetime: 3600,
    tokenAnswer: undefined,
    seen: [],
    given: new Set(),
    revoked: [],
    instead: undefined,
    asked: new URLSearchParams(),
    sign: (claims, { foreign: byAnother = false, typ = 'JWT', kid = 'ehr' } = {}) =>
      new SignJWT({ iss: issuer, iat: now(), exp: now() + 600, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid, typ })
        .sign((byAnother ? foreign : own).privateKey),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return self;
}

const now = () => Math.floor(Date.now() / 1000);

const configuration = (url: string) => ({
  issuer: url,
  jwks_uri: `${url}/jwks`,
  authorization_endpoint: `${url}/authorize`,
  token_endpoint: `${url}/token`,
  introspection_endpoint: `${url}/introspect`,
  revocation_endpoint: `${url}/revoke`,
  authorization_response_iss_parameter_supported: true,
  grant_types_supported: ['authorization_code', 'client_credentials'],
  scopes_supported: SCOPES.split(' '),
  code_challenge_methods_supported: ['S256'],
  capabilities: ['launch-standalone', 'client-public', 'sso-openid-connect', 'permission-offline'],
});

/** Tells whether a resource belongs to another patient. */
function isOthers(resource: Resource, patient: string): boolean {
  if (patient === 'any') return false;
  if (resource.resourceType === 'Patient') return resource.id !== patient;
  const { subject, patient: of } = resource as {
    subject?: { reference?: string };
    patient?: { reference?: string };
  };
  const reference = (subject ?? of)?.reference;
  return reference !== undefined && reference !== `Patient/${patient}`;
}

function send(response: ServerResponse, status: number, json: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
