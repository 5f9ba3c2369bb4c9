import * as oauth from 'oauth4webapi';
import { Fault } from '../../../schema/fault.ts';
import { FHIR_ID } from '../../../schema/fhir.ts';
import { tenantBase } from '../../../schema/request.ts';
import type { Tenant } from '../../../schema/tenant.ts';
import type { Client } from '../backend-token.ts';
import { clientCredentials } from '../backend-token.ts';
import { ALGORITHMS, issuerVerifier } from '../issuer-keys.ts';
import type { IndependentConfig, SmartConfiguration } from '../smart-configuration.ts';
import { endpointOf, smartConfigurations } from '../smart-configuration.ts';
import type { Outside } from '../upstream.ts';
import { limitedFetch } from '../upstream.ts';
import { believed, EhrRefusal } from './ehr-refusal.ts';
import type { LoginHint } from './login-hint.ts';
import { loginHint } from './login-hint.ts';

/** Tokens of an EHR for one patient, which never leave this server but to that EHR. */
export interface EhrTokens {
  access: string;
  refresh?: string;
  /** Seconds since the epoch: when a new one is to be had, and when this one ends. */
  renewAt: number;
  expires: number;
}

/** What binds an EHR's answer to our question: held by us, one use. */
export interface Question {
  state: string;
  nonce: string;
  verifier: string;
}

/** What an EHR answered to a sign-in. */
export interface EhrAnswer {
  tokens: EhrTokens;
  /** Logical id at the EHR. */
  patient: string;
  /** Of the EHR's id_token. */
  subject: string;
  fhirUser?: string;
  name?: string;
}

export type EhrClient = ReturnType<typeof ehrClient>;

/** A token is not used in its last minute, or last half where it lives less: it has to arrive while it is good. */
const MARGIN_SECONDS = 60;
/** SMART App Launch 2.2 §4.1.6 wants `expires_in`; an EHR that leaves it out is believed this long. */
const UNKNOWN_LIFETIME_SECONDS = 300;

/**
 * We as an app of an independent tenant's EHR (IA-28): SMART App Launch 2.2 §2.1 with PKCE S256, `state`, `nonce` and
 * the `iss` of RFC 9207. Methods throw EhrRefusal where the EHR refuses or its answer is not to be believed, and Fault
 * `unavailable` or `bad_gateway` where it gives none.
 * @param baseUrl our public base
 */
export function ehrClient(outside: Outside, tenant: Tenant, config: IndependentConfig, baseUrl: string) {
  const documents = smartConfigurations(outside);
  const verified = issuerVerifier(outside);
  const redirectUri = `${tenantBase(baseUrl, tenant)}/oauth${EHR_CALLBACK}`;
  const seconds = () => outside.now() / 1000;
  const http = {
    [oauth.customFetch]: limitedFetch(outside, tenant),
    // A tenant file may name an EHR on this machine.
    [oauth.allowInsecureRequests]: true,
  };
  const us = (): Client => {
    if (config.client) return config.client;
    throw new Fault('not_implemented', 'This tenant has no client at its EHR yet.', {
      service: 'authorization',
    });
  };
  const client = (): oauth.Client => ({
    client_id: us().client_id,
    [oauth.clockSkew]: Math.round((outside.now() - Date.now()) / 1000),
    [oauth.clockTolerance]: 5,
  });
  const authentication: oauth.ClientAuth = async ({ token_endpoint: audience }, _client, body, headers) => {
    const method = methodOf(us());
    if (!method) return void body.set('client_id', us().client_id);
    const proof = await clientCredentials(us(), method, audience!, outside.now());
    for (const [name, value] of Object.entries(proof.fields)) body.set(name, value);
    for (const [name, value] of Object.entries(proof.headers)) headers.set(name, value);
  };

  const metadata = async (): Promise<{ server: oauth.AuthorizationServer; document: SmartConfiguration }> => {
    const document = await documents(tenant, config);
    const revocation = document['revocation_endpoint'];
    const server = {
      issuer: endpointOf(document, 'issuer'),
      authorization_endpoint: endpointOf(document, 'authorization_endpoint'),
      token_endpoint: config.tokenUrl ?? endpointOf(document, 'token_endpoint'),
      jwks_uri: endpointOf(document, 'jwks_uri'),
      ...(typeof revocation === 'string' && { revocation_endpoint: revocation }),
      authorization_response_iss_parameter_supported:
        document['authorization_response_iss_parameter_supported'] === true,
      id_token_signing_alg_values_supported: ALGORITHMS,
    };
    return { server, document };
  };

  const tokensOf = (answer: oauth.TokenEndpointResponse, before?: string): EhrTokens => {
    const lifetime = answer.expires_in ?? UNKNOWN_LIFETIME_SECONDS;
    const refresh = answer.refresh_token ?? before;
    return {
      access: answer.access_token,
      ...(refresh !== undefined && { refresh }),
      renewAt: seconds() + Math.max(lifetime - MARGIN_SECONDS, lifetime / 2),
      expires: seconds() + lifetime,
    };
  };

  return {
    /** The app's hint who is signed in at the EHR. @throws EhrRefusal for one that is not this EHR's id_token */
    async hint(text: string): Promise<LoginHint> {
      const { server } = await metadata();
      const hint = await loginHint(text, server.issuer, outside.now(), (token, options) =>
        verified(tenant, server.jwks_uri!, token, options),
      );
      if (!hint) throw new EhrRefusal('the login_hint is not an id_token of this EHR');
      return hint;
    },

    /** Where the browser is sent. @param silent asks the EHR to show nothing (`prompt=none`) */
    async authorizationUrl(
      question: Question,
      idToken: string | undefined,
      silent: boolean,
    ): Promise<string> {
      const { server, document } = await metadata();
      const url = new URL(server.authorization_endpoint!);
      const parameters = {
        response_type: 'code',
        client_id: us().client_id,
        redirect_uri: redirectUri,
        scope: scopeFor(config, document),
        aud: config.fhirBaseUrl,
        state: question.state,
        nonce: question.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(question.verifier),
        code_challenge_method: 'S256',
        ...(idToken !== undefined && { id_token_hint: idToken }),
        ...(silent && { prompt: 'none' }),
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return url.href;
    },

    /** What the EHR's redirect is worth. @param callback the query it came with */
    async redeem(callback: URLSearchParams, question: Question): Promise<EhrAnswer> {
      const { server } = await metadata();
      const answer = await believed(async () => {
        const parameters = oauth.validateAuthResponse(server, client(), callback, question.state);
        const response = await oauth.authorizationCodeGrantRequest(
          ...([server, client(), authentication, parameters, redirectUri, question.verifier] as const),
          http,
        );
        return oauth.processAuthorizationCodeResponse(server, client(), response, {
          expectedNonce: question.nonce,
          requireIdToken: true,
        });
      });
      // The claims were checked above; the signature is, too, although the token came straight from the EHR.
      const signed = await verified(tenant, server.jwks_uri!, answer.id_token!, {
        algorithms: ALGORITHMS,
        currentDate: new Date(outside.now()),
        clockTolerance: 5,
      });
      if (!signed?.sub) throw new EhrRefusal('the id_token is not signed by the EHR');
      const { patient } = answer;
      if (typeof patient !== 'string' || !FHIR_ID.test(patient)) {
        throw new EhrRefusal('the token answer names no patient');
      }
      const { fhirUser, name } = signed;
      return {
        ...{ tokens: tokensOf(answer), patient, subject: signed.sub },
        ...(typeof fhirUser === 'string' && { fhirUser }),
        ...(typeof name === 'string' && { name }),
      };
    },

    /** New tokens for the same patient. */
    async refresh(refreshToken: string, patient: string): Promise<EhrTokens> {
      const { server } = await metadata();
      const answer = await believed(async () => {
        const response = await oauth.refreshTokenGrantRequest(
          ...([server, client(), authentication, refreshToken] as const),
          http,
        );
        return oauth.processRefreshTokenResponse(server, client(), response);
      });
      if (answer['patient'] !== undefined && answer['patient'] !== patient) {
        throw new EhrRefusal('the refreshed token is for another patient', 'invalid_grant');
      }
      return tokensOf(answer, refreshToken);
    },

    /** Tells the EHR that its tokens are not needed any more (RFC 7009), where it wants to know. */
    async revoke({ refresh, access }: EhrTokens): Promise<void> {
      const { server } = await metadata();
      if (!server.revocation_endpoint) return;
      for (const token of refresh === undefined ? [access] : [refresh, access]) {
        await believed(async () => {
          const response = await oauth.revocationRequest(
            ...([server, client(), authentication, token] as const),
            http,
          );
          await oauth.processRevocationResponse(response);
        });
      }
    },
  };
}

/** Where the EHR sends the browser back to, below the issuer: what is registered at the EHR. */
export const EHR_CALLBACK = '/ehr-callback';

/** How we prove who we are at the token endpoint; undefined for a public client. */
function methodOf({ jwkPrivate, client_secret: secret, authentication }: Client) {
  if (jwkPrivate) return 'private_key_jwt';
  if (!secret) return undefined;
  return authentication === 'client_secret_post' ? 'client_secret_post' : 'client_secret_basic';
}

/** What of the tenant's `scope` is for a person (`system/` is for our backend token), or what imaging needs. */
function scopeFor({ scope }: IndependentConfig, document: SmartConfiguration): string {
  const told = (scope ?? '').split(/\s+/).filter((one) => one && !one.startsWith('system/'));
  const wanted = told.length > 0 ? told : ['openid', 'fhirUser', 'launch/patient', 'patient/*.read'];
  const lists = [document['scopes_supported'], document['capabilities']].map((list) =>
    Array.isArray(list) ? list : [],
  );
  const offline = lists[0]!.includes('offline_access') || lists[1]!.includes('permission-offline');
  return [...new Set(['openid', ...wanted, ...(offline ? ['offline_access'] : [])])].join(' ');
}
