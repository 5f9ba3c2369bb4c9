import type { PatientIdentity } from '../../schema/access/access.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Client } from '../smart/token/backend-token.ts';
import { introspectionAuthentication, introspectionEndpoint } from '../smart/token/introspect.ts';
import { identityOf } from '../identity/patient-record.ts';
import { quirksOf } from '../smart/token/quirks.ts';
import type {
  ExternalConfig,
  IndependentConfig,
  SmartConfiguration,
} from '../smart/discovery/ehr-configuration.ts';
import { endpointOf } from '../smart/discovery/ehr-configuration.ts';
import type { Sent, UpstreamDeps } from '../smart/token/upstream.ts';
import { clockText } from '../../schema/outbound/oauth-refusal.ts';
import { Failing, NotTried } from './check.ts';
import { credentials, requirePair, tokenRefusal } from './client.ts';
import { probe, type Probed } from './probe.ts';

/** A token that no server can have issued. */
const MADE_UP = 'self-test-not-a-token';

/** The checks of one tenant whose tokens or users are an EHR's; each uses the results of those before it. */
export class EhrChecks {
  readonly #outside: UpstreamDeps;
  readonly #tenant: Tenant;
  readonly #config: ExternalConfig | IndependentConfig;
  #document: SmartConfiguration | undefined;
  #token: string | undefined;
  /** Endpoints that said what time it is, and the seconds by which their clocks differ from ours. */
  readonly #clocks: { endpoint: string; seconds: number }[] = [];
  /** The Patient that was read; never part of the report. */
  identity: PatientIdentity | undefined;

  constructor(outside: UpstreamDeps, tenant: Tenant, config: ExternalConfig | IndependentConfig) {
    this.#outside = outside;
    this.#tenant = tenant;
    this.#config = config;
  }

  /** Checks that the EHR's discovery document names the endpoints that the tenant needs. */
  async discovery(signal: AbortSignal): Promise<void> {
    const config = this.#config;
    if (config.type === 'smart-on-fhir-jwt' && config.issuer && config.jwksUri) {
      this.#document = {};
      throw new NotTried('the tenant file names issuer and jwksUri, so that discovery is not used');
    }
    const url = `${config.fhirBaseUrl}/.well-known/smart-configuration`;
    const { status, json } = await this.#probe('the discovery document', { url, signal });
    if (status !== 200) {
      throw new Failing(
        `${url} answered ${status}: authorization.fhirBaseUrl is not the base of a SMART server`,
      );
    }
    if (!json) throw new Failing(`${url} is not a JSON object`);
    const missing = neededOf(config).filter((name) => !isUrl(json[name]));
    if (missing.length > 0) throw new Failing(`the discovery document names no ${missing.join(', no ')}`);
    this.#document = json;
  }

  /** Checks that the token endpoint accepts our client's key or secret (SM-7). */
  async clientAssertion(signal: AbortSignal): Promise<void> {
    const config = this.#external();
    const client = this.#client(config);
    requirePair(client);
    const used = introspectionMethod(config, client) === 'bearer' || readsWithOwn(config, client);
    if (!used)
      throw new NotTried(
        'each introspection carries the client’s own key or secret; the next check tries it',
      );
    const endpoint = this.#endpoint(config, 'token_endpoint');
    const method = client.jwkPrivate ? 'private_key_jwt' : 'client_secret_basic';
    const { fields, headers } = await credentials(client, method, endpoint, this.#outside.now());
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...fields });
    if (config.scope) body.set('scope', config.scope);
    const answer = await this.#probe('the token endpoint', {
      url: endpoint,
      method: 'POST',
      headers,
      body,
      signal,
    });
    const { access_token: token } = answer.json ?? {};
    if (answer.status !== 200 || typeof token !== 'string')
      throw new Failing(tokenRefusal(answer, method, config));
    this.#token = token;
  }

  /** Checks that the EHR answers about a token, and that a made-up one is not active; for JWTs, that it has keys. */
  async introspection(signal: AbortSignal): Promise<void> {
    const config = this.#external();
    if (config.type === 'smart-on-fhir-jwt') return this.#keySet(config, signal);
    const client = this.#client(config);
    const document = this.#documentOr('discovery did not work');
    const url = introspectionEndpoint(config, document);
    const method = introspectionAuthentication(config, client);
    const { fields, headers } =
      method === 'bearer'
        ? { fields: {}, headers: { authorization: `Bearer ${this.#ownToken()}` } }
        : await credentials(client, method, this.#endpoint(config, 'token_endpoint'), this.#outside.now());
    const body = new URLSearchParams({ token: MADE_UP, token_type_hint: 'access_token', ...fields });
    const { status, json, refusal } = await this.#probe('the introspection endpoint', {
      url,
      method: 'POST',
      headers,
      body,
      signal,
    });
    const answered = `the introspection endpoint answered ${refusal}`;
    if (status === 401 || status === 403) {
      throw new Failing(
        `${answered}: ${client.client_id} may not ask about tokens ${method === 'bearer' ? 'with its access token' : `by ${method}`}; have the EHR allow it, or set authorization.client.authentication`,
      );
    }
    if (status !== 200) throw new Failing(`${answered}; is it really at ${new URL(url).pathname}?`);
    if (typeof json?.['active'] !== 'boolean')
      throw new Failing(`${answered} without saying whether a token is active`);
    if (json['active']) throw new Failing(`${answered} and says that a made-up token is active`);
  }

  /** Checks that the clocks of the servers that answered agree with ours: tokens and assertions have times. */
  async clock(): Promise<void> {
    if (this.#clocks.length === 0) throw new NotTried('no answer said what time it is');
    const wrong = this.#clocks.find(({ seconds }) => seconds !== 0);
    if (!wrong) return;
    throw new Failing(
      `the clock of ${wrong.endpoint} is ${clockText(wrong.seconds)}: assertions and tokens then count as too old, or as not valid yet; set both by NTP`,
    );
  }

  /**
   * Checks that our own token reads a Patient.
   * @param patientId the Patient; when undefined, any one that a search finds
   */
  async patientRead(signal: AbortSignal, patientId: string | undefined): Promise<void> {
    const config = this.#external();
    const { client } = config;
    if (!client || !readsWithOwn(config, client)) {
      throw new NotTried('Patients are read with each caller’s own token');
    }
    const headers = { authorization: `Bearer ${this.#ownToken()}` };
    this.identity = await readPatient(
      { outside: this.#outside, tenant: this.#tenant, base: config.fhirBaseUrl },
      patientId,
      { headers, signal },
    );
  }

  async #keySet(
    config: Extract<ExternalConfig, { type: 'smart-on-fhir-jwt' }>,
    signal: AbortSignal,
  ): Promise<void> {
    const url = config.jwksUri ?? this.#endpoint(config, 'jwks_uri');
    const { status, json } = await this.#probe('the key set', { url, signal });
    const { keys } = json ?? {};
    if (status === 200 && Array.isArray(keys) && keys.length > 0) return;
    throw new Failing(`${url} answered ${status} and no keys: no token can be verified`);
  }

  #external(): ExternalConfig {
    const config = this.#config;
    if (config.type !== 'smart-on-fhir-independent') return config;
    throw new NotTried(
      'users sign in at the EHR and are read with their own tokens: only a person can try that',
    );
  }

  #client({ client, type }: ExternalConfig): Client {
    if (client) return client;
    if (type === 'smart-on-fhir-jwt')
      throw new NotTried('the tenant has no client of its own, and needs none');
    throw new Failing('authorization.client is missing: without it no token can be checked');
  }

  #documentOr(reason: string): SmartConfiguration {
    if (!this.#document) throw new NotTried(reason);
    return this.#document;
  }

  #endpoint(config: ExternalConfig, name: 'token_endpoint' | 'jwks_uri'): string {
    if (name === 'token_endpoint' && config.tokenUrl) return config.tokenUrl;
    return endpointOf(this.#documentOr('discovery did not work'), name);
  }

  #ownToken(): string {
    if (this.#token === undefined) throw new NotTried('we have no access token of our own');
    return this.#token;
  }

  async #probe(endpoint: string, sent: Omit<Sent, 'tls'>): Promise<Probed> {
    const answer = await probe({ outside: this.#outside, tenant: this.#tenant }, endpoint, sent);
    if (answer.clock !== undefined) this.#clocks.push({ endpoint, seconds: answer.clock });
    return answer;
  }
}

/**
 * Reads a Patient of a FHIR server.
 * @throws Failing when it cannot be read, NotTried when a search finds none and the operator has to name one
 */
export async function readPatient(
  { outside, tenant, base }: { outside: UpstreamDeps; tenant: Tenant; base: string },
  patientId: string | undefined,
  sent: Omit<Sent, 'url' | 'tls'>,
): Promise<PatientIdentity> {
  const url = patientId === undefined ? `${base}/Patient?_count=1` : `${base}/Patient/${patientId}`;
  const { status, json } = await probe({ outside, tenant }, 'the FHIR server', { ...sent, url });
  const answered = `${new URL(base).host} answered ${status}`;
  if (status === 401)
    throw new Failing(`${answered}: it does not take the access token that its token endpoint gave`);
  if (patientId === undefined) {
    const { entry } = (json ?? {}) as { entry?: { resource?: Record<string, unknown> }[] };
    const found = entry?.map(({ resource }) => resource).find((one) => one?.['resourceType'] === 'Patient');
    const identity = found && identityOf(found, String(found['id']));
    if (identity) return identity;
    const none = status === 200 ? 'found no Patient' : `answered ${status} to a search for Patients`;
    throw new NotTried(`the FHIR server ${none}; name one (--patient ID, or ?patient=ID)`);
  }
  if (status === 403) throw new Failing(`${answered}: our scopes (authorization.scope) do not cover Patient`);
  if (status === 404 || status === 410) throw new Failing(`${answered}: it has no such Patient`);
  const identity = status === 200 && json ? identityOf(json, patientId) : undefined;
  if (!identity) throw new Failing(`${answered}, and not the Patient that was asked for`);
  return identity;
}

function neededOf(config: ExternalConfig | IndependentConfig): string[] {
  if (config.type === 'smart-on-fhir-independent') return ['authorization_endpoint', 'token_endpoint'];
  if (config.type === 'smart-on-fhir-jwt') {
    return [...(config.issuer ? [] : ['issuer']), ...(config.jwksUri ? [] : ['jwks_uri'])];
  }
  const discovered = quirksOf(config).introspectionEndpoint === 'discovered' && !config.introspectionUrl;
  return [...(config.tokenUrl ? [] : ['token_endpoint']), ...(discovered ? ['introspection_endpoint'] : [])];
}

const isUrl = (value: unknown) =>
  typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);

const introspectionMethod = (config: ExternalConfig, client: Client) =>
  quirksOf(config).check === 'signature' ? undefined : introspectionAuthentication(config, client);

const readsWithOwn = (config: ExternalConfig, client: Client) =>
  quirksOf(config).patientReadWith === 'own' && Boolean(client.jwkPrivate ?? client.client_secret);
