/** The steps of an app at a tenant over a foreign EHR (IA-28): sign-in at the EHR, then consent here. */
import { decodeJwt, type JWTPayload } from 'jose';
import type { ServerResponse } from 'node:http';
import * as oauth from 'oauth4webapi';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { Browser, ticked, type Page } from '../smart/server/test/started.ts';
import type { ForeignEhr } from './foreign-ehr.ts';
import { PORTAL } from './foreign-ehr.ts';

/** Redirect URI of the imaging app. */
export const APP = 'http://127.0.0.1:9/imaging-app';
const EVERYTHING = 'openid fhirUser launch/patient patient/*.rs offline_access';

/** Returns a tenant over a foreign EHR. @param client the gateway's client at the EHR */
export const independent = (ehr: ForeignEhr, client: object, images: object, more: object = {}) => ({
  authorization: {
    type: 'smart-on-fhir-independent',
    fhirBaseUrl: ehr.fhirBaseUrl,
    client,
    clients: [{ client_id: 'viewer', client_name: 'Imaging viewer', redirect_uris: [APP] }],
    ...more,
  },
  images,
});

/**
 * A browser with the cookies of the EHR and of the gateway. It follows redirects up to a page, an app, or `stopAt`.
 */
export class Journey {
  readonly #browsers: Map<string, Browser>;
  /** Every address that it was redirected to. */
  readonly trail: string[] = [];
  /** Stops before an address that contains this text. */
  stopAt: string | undefined;

  constructor(...bases: string[]) {
    this.#browsers = new Map(bases.map((base) => [new URL(base).origin, new Browser(base)]));
  }

  open(url: string): Promise<Page> {
    return this.#follow({ url, html: '', status: 0, headers: new Headers() });
  }

  async submit(page: Page, fields: [string, string][]): Promise<Page> {
    return this.#follow(await this.#browsers.get(new URL(page.url).origin)!.submit(page, fields));
  }

  cookiesFor(url: string): string {
    return this.#browsers.get(new URL(url).origin)!.cookiesFor(url);
  }

  async #follow(from: Page): Promise<Page> {
    let page = from;
    for (let hops = 0; hops < 10 && page.html === ''; hops++) {
      const browser = this.#browsers.get(new URL(page.url).origin);
      this.trail.push(page.url);
      if (!browser || (this.stopAt !== undefined && page.url.includes(this.stopAt))) break;
      page = await browser.open(page.url);
    }
    return page;
  }
}

const insecure = { [oauth.allowInsecureRequests]: true } as const;

/** An app with PKCE at any authorization server, configured by its SMART configuration. */
export class App {
  readonly #fhir: string;
  readonly client: oauth.Client;
  readonly #redirectUri: string;
  readonly #verifier = oauth.generateRandomCodeVerifier();

  constructor(fhir: string, clientId: string, redirectUri: string) {
    this.#fhir = fhir;
    this.client = { client_id: clientId };
    this.#redirectUri = redirectUri;
  }

  async server(): Promise<oauth.AuthorizationServer> {
    const answer = await fetch(`${this.#fhir}/.well-known/smart-configuration`);
    return (await answer.json()) as oauth.AuthorizationServer;
  }

  async url(parameters: Record<string, string> = {}): Promise<string> {
    const url = new URL((await this.server()).authorization_endpoint!);
    const all = {
      response_type: 'code',
      client_id: this.client.client_id,
      redirect_uri: this.#redirectUri,
      scope: EVERYTHING,
      state: 'of-the-app',
      aud: this.#fhir,
      code_challenge: await oauth.calculatePKCECodeChallenge(this.#verifier),
      code_challenge_method: 'S256',
      ...parameters,
    };
    for (const [name, value] of Object.entries(all)) url.searchParams.set(name, value);
    return url.href;
  }

  async tokens(callback: string): Promise<oauth.TokenEndpointResponse> {
    const server = await this.server();
    const parameters = oauth.validateAuthResponse(server, this.client, new URL(callback), 'of-the-app');
    const response = await oauth.authorizationCodeGrantRequest(
      ...([server, this.client, oauth.None(), parameters, this.#redirectUri, this.#verifier] as const),
      insecure,
    );
    return oauth.processAuthorizationCodeResponse(server, this.client, response);
  }

  async refresh(token: string): Promise<oauth.TokenEndpointResponse> {
    const server = await this.server();
    const response = await oauth.refreshTokenGrantRequest(
      ...([server, this.client, oauth.None(), token] as const),
      insecure,
    );
    return oauth.processRefreshTokenResponse(server, this.client, response);
  }

  async revoke(token: string): Promise<number> {
    const server = await this.server();
    const request = oauth.revocationRequest(server, this.client, oauth.None(), token, insecure);
    return (await request).status;
  }
}

/**
 * Signs in at the portal of the EHR. @returns the tokens of the portal's app: an id_token, and an access token of the
 * EHR
 */
export async function portal(
  ehr: ForeignEhr,
  journey: Journey,
  account: string,
  client = 'portal',
): Promise<oauth.TokenEndpointResponse> {
  const app = new App(ehr.fhirBaseUrl, client, PORTAL);
  const page = await journey.open(await app.url());
  const done = page.html === '' ? page : await journey.submit(page, [['account', account]]);
  return app.tokens(done.url);
}

/** Presses Allow. @param without scopes to untick */
export function allow(journey: Journey, consent: Page, without: string[] = []): Promise<Page> {
  const boxes = ticked(consent).filter((scope) => !without.includes(scope));
  return journey.submit(consent, [
    ...boxes.map((scope): [string, string] => ['scope', scope]),
    ['step', 'allow'],
  ]);
}

/** Presses Allow without moving the browser on; may be called again. */
export function pressAllow(journey: Journey, consent: Page): Promise<Response> {
  const url = new URL(/<form method="post" action="([^"]+)"/.exec(consent.html)![1]!, consent.url);
  return fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie: journey.cookiesFor(url.href), origin: url.origin },
    body: new URLSearchParams({ step: 'allow', patient: DEMO_PATIENT, scope: 'patient/*.rs' }),
  });
}

/** For `expect.poll` of effects that follow at once: a loaded machine needs time. */
export const SOON = { timeout: 10_000 };

/** An answer that replaces that of the EHR: a status, an HTML page, or a function that writes it. */
export type Reply = number | string | ((response: ServerResponse) => void);

/** Replaces answers of the EHR. @param replies by method and path */
export function replying(ehr: ForeignEhr, replies: Record<string, Reply>): void {
  ehr.instead = ({ method, url = '' }, response) => {
    const reply = replies[`${method} ${url}`];
    if (reply === undefined) return false;
    if (typeof reply === 'function') reply(response);
    else if (typeof reply === 'string') response.writeHead(200, { 'content-type': 'text/html' }).end(reply);
    else response.writeHead(reply, { 'content-type': 'application/json' }).end('{}');
    return true;
  };
}

/** Changes claims of the id_token in the next token response of the EHR. @param options signs it with another key */
export const idToken =
  (change: JWTPayload, options?: { foreign: boolean }) =>
  async (ehr: ForeignEhr, body: Record<string, unknown>): Promise<void> => {
    body['id_token'] = await ehr.sign({ ...decodeJwt(body['id_token'] as string), ...change }, options);
  };

/** Changes members of a token response; undefined ones are left out. */
export const answers =
  (change: Record<string, unknown>) =>
  (_ehr: ForeignEhr, body: Record<string, unknown>): void =>
    void Object.assign(body, change);

/** Moves the id_token of a response to another clock than that of the EHR. @param ahead milliseconds */
export async function byClock(ehr: ForeignEhr, body: Record<string, unknown>, ahead: number): Promise<void> {
  const iat = Math.floor((Date.now() + ahead) / 1000);
  await idToken({ iat, exp: iat + 600 })(ehr, body);
}
