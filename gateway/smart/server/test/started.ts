/** Our authorization server with the authorization hook on a real port, and a browser for its pages. */
import { fastify, type FastifyInstance } from 'fastify';
import { exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../../../../schema/fault/fault.ts';
import { parseTenant, type Tenant } from '../../../../schema/tenant/tenant.ts';
import { addAuthorization, decorateRequests } from '../../../http/authorization-hook.ts';
import { faultHandler } from '../../../http/fault-reply.ts';
import { noStoreByDefault } from '../../../http/http-headers.ts';
import { freePort } from '../../../test/setup/free-port.ts';
import type { SharedState } from '../../../state/shared-state.ts';
import type { Authorizer } from '../../authorize.ts';
import type { Person } from '../sign-in/identify.ts';
import { oauthRoutes } from '../routes.ts';
import { authorizationServer, type AuthorizationServer, type AuthorizationServerDeps } from '../server.ts';

export const REDIRECT = 'http://127.0.0.1:9/callback?kept=1';
export const SECRET = 'a-secret-of-the-demonstration';

export const PEOPLE: Person[] = [
  { id: 'p1', reference: 'Patient/p1', name: 'Ann <b>One</b>', birthDate: '1970-01-01' },
  { id: 'p2', reference: 'Patient/p2', name: 'Bob Two', birthDate: '1980-02-02' },
  { id: 'd1', reference: 'Practitioner/d1', name: 'Dr. Three' },
];

export interface Started {
  app: FastifyInstance;
  server: AuthorizationServer;
  tenant: Tenant;
  port: number;
  dataDir: string;
  /** `http://127.0.0.1:port/prefix/demo`. */
  base: string;
  issuer: string;
  /** Errors that the server reported. */
  errors: unknown[];
  keys: Record<'ES384' | 'RS384', { privateKey: CryptoKey; jwk: JWK }>;
  close(): Promise<void>;
}

export interface StartOptions {
  host?: string;
  prefix?: string;
  /** Port of a proxy in front of the server. */
  publicPort?: number;
  /** Port of its own, and DATA_DIR, of a server that takes the place of another one. */
  port?: number;
  dataDir?: string;
  /** Keys of the clients; by default new ones. */
  keys?: Started['keys'];
  /** State that it shares with other servers. */
  shared?: Pick<SharedState, 'state' | 'shareKeys'>;
  /** People of the record; by default `PEOPLE`. */
  people?: readonly Person[];
  patientsOfStudy?: AuthorizationServerDeps['patientsOfStudy'];
  /** The wall clock, in milliseconds since the epoch. */
  now?: () => number;
}

/** Starts a server. @param authorization further keys of the tenant's `authorization` */
export async function startServer(authorization: object = {}, options: StartOptions = {}): Promise<Started> {
  const { host = '127.0.0.1', prefix = '/prefix' } = options;
  const port = options.port ?? (await freePort());
  const baseUrl = `http://${host}:${options.publicPort ?? port}${prefix}`;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'oauth-')));
  const keys = options.keys ?? { ES384: await keyPair('ES384'), RS384: await keyPair('RS384') };
  const clients = [
    { client_id: 'public-app', client_name: 'A <i>public</i> app', redirect_uris: [REDIRECT] },
    { client_id: 'confidential-es', redirect_uris: [REDIRECT], jwks: { keys: [keys.ES384.jwk] } },
    { client_id: 'confidential-rs', redirect_uris: [REDIRECT], jwks: { keys: [keys.RS384.jwk] } },
    { client_id: 'secret-app', redirect_uris: [REDIRECT], client_secret: SECRET },
    { client_id: 'native-app', redirect_uris: ['org.example.app:/done', REDIRECT] },
    { client_id: 'backend', jwks: { keys: [keys.ES384.jwk] } },
    { client_id: 'limited-backend', client_secret: SECRET, scope: 'system/ImagingStudy.rs' },
  ];
  const file = {
    authorization: { type: 'embedded', modes: ['app-launch', 'backend-services'], clients, ...authorization },
    images: { type: 'folder', path: '.', lookup: 'studies-by-mrn' },
  };
  const origin = { key: 'demo', path: 'demo', dynamic: false, directory: '/', environment: {} };
  const { tenant } = parseTenant(file, origin);
  const other = { ...tenant, key: 'other', cacheKey: 'other', path: 'other' };
  const errors: unknown[] = [];
  const server = authorizationServer({
    baseUrl,
    dataDir,
    people: async () => options.people ?? PEOPLE,
    ...(options.patientsOfStudy && { patientsOfStudy: options.patientsOfStudy }),
    now: options.now ?? Date.now,
    onError: (error) => errors.push(error),
    ...options.shared,
  });
  const app = fastify({
    rewriteUrl: ({ url = '/' }) => (url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : url),
  });
  decorateRequests(app);
  noStoreByDefault(app);
  app.setErrorHandler(faultHandler(baseUrl, 'json'));
  const tenants = {
    all: [tenant, other],
    skipped: [],
    warnings: [],
    byKey(key: string) {
      const found = [tenant, other].find((one) => one.key === key);
      if (!found) throw new Fault('not_found', 'none');
      return found;
    },
    dynamic: () => {
      throw new Fault('not_found', 'none');
    },
  };
  await app.register(
    async (scope) => {
      addAuthorization(scope, { tenants, authorizer: {} as Authorizer, baseUrl });
      await scope.register(oauthRoutes(server, baseUrl));
    },
    { prefix: '/:tenant' },
  );
  await app.listen({ host: '127.0.0.1', port });
  const base = `${baseUrl}/demo`;
  return {
    app,
    server,
    tenant,
    port,
    dataDir,
    base,
    errors,
    keys,
    issuer: `${base}/oauth`,
    async close() {
      await app.close();
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export async function keyPair(alg: 'ES384' | 'RS384') {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: `key-${alg}`, alg, use: 'sig' } };
}

export interface Page {
  status: number;
  url: string;
  html: string;
  headers: Headers;
}

/** A browser with cookies, which follows redirects within the server. */
export class Browser {
  readonly #cookies = new Map<string, { value: string; path: string }>();
  readonly #origin: string;

  constructor(issuer: string) {
    this.#origin = new URL(issuer).origin;
  }

  /** Opens a page. @returns the last page; for a redirect to another server, `url` is its URL and `html` is empty */
  async open(url: string, init: RequestInit = {}): Promise<Page> {
    let at = url;
    let send: RequestInit = init;
    for (let hops = 0; hops < 10; hops++) {
      const cookie = this.cookiesFor(at);
      const headers = { accept: 'text/html', ...(send.headers as object), ...(cookie && { cookie }) };
      const response = await fetch(at, { ...send, headers, redirect: 'manual' });
      for (const set of response.headers.getSetCookie()) this.#store(set);
      const location = response.headers.get('location');
      if (!location) {
        return { status: response.status, url: at, html: await response.text(), headers: response.headers };
      }
      await response.arrayBuffer();
      at = new URL(location, at).href;
      if (new URL(at).origin !== this.#origin)
        return { status: response.status, url: at, html: '', headers: response.headers };
      send = {};
    }
    throw new Error('too many redirects');
  }

  /** Submits the form of a page. @param fields in addition to the hidden fields */
  submit(page: Page, fields: [string, string][], headers: Record<string, string> = {}): Promise<Page> {
    const [, action] = /<form method="post" action="([^"]+)"/.exec(page.html) ?? [];
    if (!action) throw new Error(`no form: ${page.html}`);
    const hidden = [...page.html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const body = new URLSearchParams([
      ...hidden.map(([, name, value]): [string, string] => [name!, unescape(value!)]),
      ...fields,
    ]);
    const own = { origin: this.#origin, 'sec-fetch-site': 'same-origin', ...headers };
    return this.open(new URL(action, page.url).href, { method: 'POST', body, headers: own });
  }

  cookiesFor(url: string): string {
    const { pathname } = new URL(url);
    return [...this.#cookies]
      .filter(
        ([, { path }]) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(([key, { value }]) => `${key.split(';')[0]}=${value}`)
      .join('; ');
  }

  #store(set: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
    const path = /path=([^;]+)/i.exec(set)?.[1] ?? '/';
    const key = `${name};${path}`;
    if (/expires=Thu, 01 Jan 1970/i.test(set)) this.#cookies.delete(key);
    else this.#cookies.set(key, { value: value!, path });
  }
}

/** Returns the values of the ticked boxes of a consent page. */
export function ticked({ html }: Page): string[] {
  return [...html.matchAll(/name="scope" value="([^"]*)" checked/g)].map(([, value]) => unescape(value!));
}

export function unescape(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}
