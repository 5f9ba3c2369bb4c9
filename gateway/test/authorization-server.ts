import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose';

/** The answer to an introspection of a token (RFC 7662); a token that is not listed is not active. */
export type TokenRecord = Record<string, unknown>;

/** A call to a slow server; times in milliseconds of `performance.now()`. */
export interface DelayedCall {
  path: string;
  begun: number;
  /** Infinity until it is answered. */
  ended: number;
}

export interface AuthorizationServer {
  url: string;
  fhirBaseUrl: string;
  issuer: string;
  /** The gateway's client at this server: put it into the tenant file. */
  client: { client_id: string; jwk: object; jwkPrivate: object };
  tokens: Map<string, TokenRecord>;
  patients: Map<string, Record<string, unknown>>;
  /** Calls so far by path: `introspect`, `token`, `configuration`, `patient`. */
  calls: Record<string, number>;
  /** Every assertion it accepted. */
  assertions: string[];
  /** `down` closes connections, `failing` answers 500, `nonsense` answers HTML. */
  mode: 'up' | 'down' | 'failing' | 'nonsense';
  /** Status and body that replace the normal answer of a path. */
  instead: Map<string, [status: number, json: object]>;
  /** Paths whose requests are accepted and never answered, as long as they are listed here. */
  hanging: Set<string>;
  /** The paths of all requests that were never answered. */
  hung: string[];
  /** The header `traceparent` of the last request to each path. */
  traceparents: Map<string, string | undefined>;
  /** Milliseconds that each answer takes. */
  delay: number;
  /** All calls while answers took time, in the order in which they came. */
  delayed: DelayedCall[];
  /** The mode of Patient reads alone. */
  patientMode: 'up' | 'down';
  /** Headers of every answer. */
  headers: Record<string, string>;
  /** The clock of the server, in milliseconds. */
  now: () => number;
  /** Forgets the access tokens that it gave to the gateway's client. */
  revokeBackendTokens(): void;
  close(): Promise<void>;
}

/**
 * Starts a small authorization server and EHR on a free loopback port: discovery, `client_credentials` with a
 * verified `private_key_jwt`, introspection for callers with its backend token, Patient reads with any of its tokens,
 * and searches with backend tokens.
 * @param tls makes it an HTTPS server
 */
export async function authorizationServer(
  host = '127.0.0.1',
  tls?: ServerOptions,
): Promise<AuthorizationServer> {
  const pair = await generateKeyPair('ES384', { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'test-key', alg: 'ES384' };
  const jwkPrivate = { ...(await exportJWK(pair.privateKey)), kid: 'test-key', alg: 'ES384' };
  const backend = new Set<string>();
  const jtis = new Set<string>();
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, response).catch(() => response.destroy());
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((done) => server.listen(0, host, done));
  const { family, port } = server.address() as AddressInfo;
  const url = `${tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${host}]` : host}:${port}`;
  const self: AuthorizationServer = {
    url,
    fhirBaseUrl: `${url}/fhir`,
    issuer: url,
    client: { client_id: 'imaging-gateway', jwk, jwkPrivate },
    tokens: new Map(),
    patients: new Map(),
    calls: { configuration: 0, token: 0, introspect: 0, patient: 0 },
    assertions: [],
    mode: 'up',
    instead: new Map(),
    hanging: new Set(),
    hung: [],
    traceparents: new Map(),
    delay: 0,
    delayed: [],
    patientMode: 'up',
    headers: {},
    now: Date.now,
    revokeBackendTokens: () => backend.clear(),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url!, url).pathname;
    self.traceparents.set(path, request.headers['traceparent'] as string | undefined);
    const form = new URLSearchParams(await text(request));
    for (const [name, value] of Object.entries(self.headers)) response.setHeader(name, value);
    if (self.delay > 0) {
      const call = { path, begun: performance.now(), ended: Infinity };
      self.delayed.push(call);
      await sleep(self.delay);
      call.ended = performance.now();
    }
    if (self.hanging.has(path)) return void self.hung.push(path);
    if (self.mode === 'down') return void response.destroy();
    if (self.mode === 'failing') return send(response, 500, { error: 'server_error' });
    if (self.mode === 'nonsense') return void response.end('<html>');
    const other = self.instead.get(path);
    if (other) return send(response, ...other);
    if (path === '/fhir/Patient') {
      if (!backend.has(bearer(request))) return send(response, 401, {});
      return send(response, 200, found(new URL(request.url!, url).searchParams.get('identifier')));
    }
    if (path === '/fhir/.well-known/smart-configuration') {
      self.calls['configuration']!++;
      return send(response, 200, configuration(url));
    }
    if (path === '/token') {
      self.calls['token']!++;
      return token(form, response);
    }
    if (path === '/introspect') {
      self.calls['introspect']!++;
      if (!backend.has(bearer(request))) return send(response, 401, { error: 'invalid_token' });
      const record = self.tokens.get(form.get('token') ?? '');
      return send(response, 200, record ? { active: true, ...record } : { active: false });
    }
    if (path.startsWith('/fhir/Patient/')) {
      self.calls['patient']!++;
      if (self.patientMode === 'down') return void response.destroy();
      if (!backend.has(bearer(request)) && !self.tokens.has(bearer(request))) {
        return send(response, 401, {});
      }
      const patient = self.patients.get(path.slice('/fhir/Patient/'.length));
      return patient ? send(response, 200, patient) : send(response, 404, {});
    }
    send(response, 404, {});
  }

  /** Returns the patients with one of these values; without values the first patient. */
  function found(identifier: string | null): object {
    const values = identifier?.split(',');
    const has = ({ identifier = [] }: { identifier?: { value?: string }[] }) =>
      identifier.some(({ value }) => values?.includes(value ?? ''));
    const all = [...self.patients.values()];
    const entry = (values ? all.filter(has) : all.slice(0, 1)).map((resource) => ({ resource }));
    return { resourceType: 'Bundle', entry };
  }

  async function token(form: URLSearchParams, response: ServerResponse): Promise<void> {
    try {
      const assertion = form.get('client_assertion') ?? '';
      const { payload, protectedHeader } = await jwtVerify(assertion, await importJWK(jwk, 'ES384'), {
        issuer: self.client.client_id,
        subject: self.client.client_id,
        audience: `${url}/token`,
        algorithms: ['ES384'],
        typ: 'JWT',
        requiredClaims: ['exp', 'jti'],
        maxTokenAge: '5 minutes',
        currentDate: new Date(self.now()),
      });
      if (payload.exp! - payload.iat! > 300 || protectedHeader.kid !== 'test-key' || jtis.has(payload.jti!)) {
        throw new Error('assertion');
      }
      if (form.get('grant_type') !== 'client_credentials') throw new Error('grant');
      jtis.add(payload.jti!);
      self.assertions.push(assertion);
    } catch {
      return send(response, 400, { error: 'invalid_client' });
    }
    const made = `backend-${self.calls['token']}`;
    backend.add(made);
    send(response, 200, {
      access_token: made,
      token_type: 'bearer',
      expires_in: 300,
      scope: form.get('scope'),
    });
  }

  return self;
}

const configuration = (url: string) => ({
  issuer: url,
  jwks_uri: `${url}/jwks`,
  authorization_endpoint: `${url}/authorize`,
  token_endpoint: `${url}/token`,
  introspection_endpoint: `${url}/introspect`,
  revocation_endpoint: `${url}/revoke`,
  registration_endpoint: `${url}/register`,
  management_endpoint: `${url}/manage`,
  // The gateway, as an EHR lists it, and another base.
  associated_endpoints: [
    { url: 'http://localhost/smart/fhir', capabilities: ['smart-imaging-access'] },
    { url: `${url}/other`, capabilities: ['permission-v2'] },
  ],
  grant_types_supported: ['authorization_code'],
  scopes_supported: ['openid', 'launch/patient', 'patient/*.rs'],
  code_challenge_methods_supported: ['S256'],
  capabilities: ['launch-standalone', 'client-public', 'permission-v2', 'sso-openid-connect'],
});

function send(response: ServerResponse, status: number, json: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}

const bearer = (request: IncomingMessage) => (request.headers.authorization ?? '').replace(/^Bearer /, '');

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
