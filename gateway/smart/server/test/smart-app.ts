/** A SMART app for the tests: an unmodified oauth4webapi, and the user's clicks. */
import * as oauth from 'oauth4webapi';
import type { Page, Started } from './started.ts';
import { Browser, REDIRECT, SECRET, ticked } from './started.ts';

export interface Choices {
  client?: string;
  scope?: string;
  /** The account that signs in. */
  account?: string;
  /** The patient whom a clinician chooses. */
  patient?: string;
  /** Scopes that the user unticks. */
  without?: string[];
  parameters?: Record<string, string | undefined>;
  browser?: Browser;
}

export const PATIENT_SCOPE = 'openid fhirUser launch/patient patient/*.rs offline_access';
const insecure = { [oauth.allowInsecureRequests]: true } as const;
/** A running server: `base` is that of the tenant, `issuer` is below it. */
type Server = Pick<Started, 'base' | 'issuer' | 'keys'>;

export class SmartApp {
  readonly started: Server;
  readonly id: string;
  readonly verifier = oauth.generateRandomCodeVerifier();
  readonly state = oauth.generateRandomState();

  constructor(started: Server, id = 'public-app') {
    this.started = started;
    this.id = id;
  }

  get client(): oauth.Client {
    return { client_id: this.id };
  }

  async metadata(): Promise<oauth.AuthorizationServer> {
    const issuer = new URL(this.started.issuer);
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure });
    return oauth.processDiscoveryResponse(issuer, response);
  }

  get authentication(): oauth.ClientAuth {
    const { ES384, RS384 } = this.started.keys;
    if (this.id === 'secret-app' || this.id === 'limited-backend') return oauth.ClientSecretBasic(SECRET);
    if (this.id === 'confidential-rs')
      return oauth.PrivateKeyJwt({ key: RS384.privateKey, kid: 'key-RS384' });
    if (this.id === 'public-app' || this.id === 'playground') return oauth.None();
    return oauth.PrivateKeyJwt({ key: ES384.privateKey, kid: 'key-ES384' });
  }

  /** Returns the authorization URL; undefined parameters are left out. */
  async url(scope: string, parameters: Record<string, string | undefined> = {}): Promise<string> {
    const all = {
      client_id: this.id,
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope,
      state: this.state,
      aud: `${this.started.base}/fhir`,
      code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
      code_challenge_method: 'S256',
      ...parameters,
    };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return `${this.started.issuer}/authorize?${new URLSearchParams(given).toString()}`;
  }

  /** Signs in, chooses, allows. @returns the URL at the app where the browser ends */
  async launch(choices: Choices = {}): Promise<URL> {
    const { scope = PATIENT_SCOPE, account = 'Patient/p1', without = [], browser } = choices;
    const user = browser ?? new Browser(this.started.issuer);
    const signIn = await user.open(await this.url(scope, choices.parameters));
    let page: Page = await user.submit(signIn, [['account', account]]);
    if (page.html.includes('Choose a patient')) {
      page = await user.submit(page, [['patient', choices.patient ?? 'p2']]);
    }
    if (page.html === '') return new URL(page.url);
    const boxes = ticked(page).filter((box) => !without.includes(box));
    const done = await user.submit(page, [
      ...boxes.map((box): [string, string] => ['scope', box]),
      ['step', 'allow'],
    ]);
    return new URL(done.url);
  }

  /** Exchanges the code for tokens, with the checks of RFC 9207 and OpenID Connect. */
  async exchange(callback: URL): Promise<oauth.TokenEndpointResponse> {
    const metadata = await this.metadata();
    const parameters = oauth.validateAuthResponse(metadata, this.client, callback, this.state);
    const response = await oauth.authorizationCodeGrantRequest(
      ...([metadata, this.client, this.authentication, parameters, REDIRECT, this.verifier] as const),
      insecure,
    );
    return oauth.processAuthorizationCodeResponse(metadata, this.client, response);
  }

  async tokens(choices: Choices = {}): Promise<oauth.TokenEndpointResponse> {
    return this.exchange(await this.launch(choices));
  }

  async refresh(token: string): Promise<Response> {
    const metadata = await this.metadata();
    return oauth.refreshTokenGrantRequest(metadata, this.client, this.authentication, token, insecure);
  }

  async revoke(token: string): Promise<Response> {
    const metadata = await this.metadata();
    return oauth.revocationRequest(metadata, this.client, this.authentication, token, insecure);
  }

  async introspect(token: string): Promise<Record<string, unknown>> {
    const metadata = await this.metadata();
    const response = await oauth.introspectionRequest(
      ...([metadata, this.client, this.authentication, token] as const),
      insecure,
    );
    return (await response.json()) as Record<string, unknown>;
  }

  async backend(scope: string): Promise<Response> {
    const metadata = await this.metadata();
    const parameters = { scope };
    return oauth.clientCredentialsGrantRequest(
      ...([metadata, this.client, this.authentication, parameters] as const),
      insecure,
    );
  }
}
