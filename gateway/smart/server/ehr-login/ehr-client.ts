import type { JWTPayload, JWTVerifyOptions } from 'jose';
import * as oauth from 'oauth4webapi';
import { Fault } from '../../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import { tenantBase } from '../../../../schema/http/request.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import type { Client } from '../../token/backend-token.ts';
import { clientAuthentication } from '../../token/backend-token.ts';
import { ALGORITHMS, issuerVerifier } from '../../token/issuer-keys.ts';
import type { IndependentConfig, SmartConfiguration } from '../../discovery/ehr-configuration.ts';
import { endpointOf, smartConfigurations } from '../../discovery/ehr-configuration.ts';
import { CLOCK_TOLERANCE_SECONDS } from '../../token/token-rules.ts';
import type { UpstreamDeps } from '../../token/upstream.ts';
import { limitedFetch } from '../../token/upstream.ts';
import type { SignInClaims } from './ehr-id-token.ts';
import { contradiction, signInClaims } from './ehr-id-token.ts';
import { believed, EhrRefusal } from './ehr-refusal.ts';
import type { Lasting } from './ehr-scope.ts';
import { scopeFor } from './ehr-scope.ts';
import type { EhrTokens, UnjudgedTokens } from './ehr-tokens.ts';
import { lifetimeOf, tokensIn, tokensOf } from './ehr-tokens.ts';
import type { LoginHint } from '../sign-in/login-hint.ts';
import { loginHint } from '../sign-in/login-hint.ts';

/** Values that bind an EHR's answer to our request; we keep them, and they are used once. */
export interface Question {
  state: string;
  nonce: string;
  verifier: string;
}

/** Answer of an EHR to a sign-in. */
export interface EhrAnswer {
  tokens: EhrTokens;
  /** Logical id at the EHR. */
  patient: string;
  /** `sub` of the EHR's id_token. */
  subject: string;
  signIn: SignInClaims;
  fhirUser?: string;
  name?: string;
}

export type EhrClient = ReturnType<typeof ehrClient>;

/** Called with the tokens of an answer before it is checked, so that they can be revoked whatever happens. */
export type OnTokens = (tokens: UnjudgedTokens) => Promise<void>;

/**
 * Returns the gateway's client at an independent tenant's EHR (IA-28): SMART App Launch 2.2 §2.1 with PKCE S256, `state`,
 * `nonce` and the `iss` of RFC 9207. Methods throw EhrRefusal when the EHR refuses or its answer is not valid, and Fault
 * `unavailable` or `bad_gateway` when it does not answer.
 * @param baseUrl our public base
 */
export function ehrClient(outside: UpstreamDeps, tenant: Tenant, config: IndependentConfig, baseUrl: string) {
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
    [oauth.clockTolerance]: CLOCK_TOLERANCE_SECONDS,
  });
  const authentication: oauth.ClientAuth = (server, ...rest) => {
    const method = methodOf(us());
    const proof = method
      ? clientAuthentication(us(), method, server.token_endpoint!, outside.now)
      : oauth.None();
    return proof(server, ...rest);
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

  /** Calls `onTokens` with the tokens in an answer. */
  const received = async (response: Response, onTokens: OnTokens): Promise<void> => {
    if (!response.ok) return;
    const tokens = tokensIn(await response.clone().text());
    if (Object.keys(tokens).length > 0) await onTokens(tokens);
  };

  /**
   * Adds checks to those of the library: the token is a bearer token, because we send no DPoP proofs, and `expires_in` is a
   * whole number of seconds.
   */
  const judged = async (response: Response, judge: () => Promise<oauth.TokenEndpointResponse>) => {
    const said = response.clone();
    const answer = await believed(judge);
    if (answer.token_type !== 'bearer') throw new EhrRefusal('the token is no bearer token');
    const { expires_in: lifetime } = (await said.json()) as Record<string, unknown>;
    return { answer, lifetime: lifetimeOf(lifetime) };
  };

  /** Verifies an id_token. @throws EhrRefusal when the EHR's keys did not sign it, Fault when they cannot be fetched */
  const signedClaims = async (server: oauth.AuthorizationServer, idToken: string): Promise<JWTPayload> => {
    const claims = await verified(tenant, server.jwks_uri!, idToken, {
      algorithms: ALGORITHMS,
      issuer: server.issuer,
      audience: us().client_id,
      requiredClaims: ['sub', 'exp', 'iat'],
      currentDate: new Date(outside.now()),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    if (!claims?.sub) throw new EhrRefusal('the id_token is not signed by the EHR');
    return claims;
  };

  return {
    /** Reads the app's hint who is signed in at the EHR. @throws EhrRefusal when it is not an id_token of this EHR */
    async hint(text: string): Promise<LoginHint> {
      const { server } = await metadata();
      const ehr = {
        issuer: server.issuer,
        servers: [server.token_endpoint!, config.fhirBaseUrl],
        verify: (token: string, options: JWTVerifyOptions) =>
          verified(tenant, server.jwks_uri!, token, options),
      };
      const hint = await loginHint(text, ehr, outside.now());
      if (!hint) throw new EhrRefusal('the login_hint is not an id_token of this EHR');
      return hint;
    },

    /**
     * Returns the URL at the EHR to which the browser is sent.
     * @param how `silent` asks the EHR to show no page (`prompt=none`); `lasting` is access beyond the token
     */
    async authorizationUrl(
      question: Question,
      { idToken, silent, lasting }: { idToken?: string; silent: boolean; lasting?: Lasting },
    ): Promise<string> {
      const { server, document } = await metadata();
      const url = new URL(server.authorization_endpoint!);
      const parameters = {
        response_type: 'code',
        client_id: us().client_id,
        redirect_uri: redirectUri,
        scope: scopeFor(config, document, lasting),
        aud: config.fhirBaseUrl,
        state: question.state,
        nonce: question.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(question.verifier),
        code_challenge_method: 'S256',
        ...(idToken === undefined ? {} : { id_token_hint: idToken }),
        ...(silent && { prompt: 'none' }),
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return url.href;
    },

    /** Exchanges the code of the EHR's redirect for tokens. @param callback its query */
    async redeem(callback: URLSearchParams, question: Question, onTokens: OnTokens): Promise<EhrAnswer> {
      const { server } = await metadata();
      const response = await believed(async () => {
        const parameters = oauth.validateAuthResponse(server, client(), callback, question.state);
        return oauth.authorizationCodeGrantRequest(
          ...([server, client(), authentication, parameters, redirectUri, question.verifier] as const),
          http,
        );
      });
      await received(response, onTokens);
      const { answer, lifetime } = await judged(response, () =>
        oauth.processAuthorizationCodeResponse(server, client(), response, {
          expectedNonce: question.nonce,
          requireIdToken: true,
        }),
      );
      const claims = await signedClaims(server, answer.id_token!);
      const { patient } = answer;
      if (typeof patient !== 'string' || !FHIR_ID.test(patient)) {
        throw new EhrRefusal('the token answer names no patient');
      }
      const { fhirUser, name } = claims;
      return {
        tokens: tokensOf(answer, lifetime, seconds()),
        patient,
        subject: claims.sub!,
        signIn: signInClaims(claims),
        ...(typeof fhirUser === 'string' && { fhirUser }),
        ...(typeof name === 'string' && { name }),
      };
    },

    /**
     * Gets new tokens for the same patient and the same sign-in.
     * @throws EhrRefusal `invalid_grant` also when the EHR gave tokens for another patient or sign-in
     */
    async refresh(
      refreshToken: string,
      { patient, signIn }: { patient: string; signIn: SignInClaims },
      onTokens: OnTokens,
    ): Promise<EhrTokens> {
      const { server } = await metadata();
      const response = await believed(() =>
        oauth.refreshTokenGrantRequest(...([server, client(), authentication, refreshToken] as const), http),
      );
      let given = false;
      await received(response, (tokens) => {
        given = true;
        return onTokens(tokens);
      });
      try {
        const { answer, lifetime } = await judged(response, () =>
          oauth.processRefreshTokenResponse(server, client(), response),
        );
        if (answer['patient'] !== undefined && answer['patient'] !== patient) {
          throw new EhrRefusal('the refreshed token is for another patient');
        }
        if (answer.id_token !== undefined) {
          const claim = contradiction(await signedClaims(server, answer.id_token), signIn, seconds());
          if (claim) throw new EhrRefusal(`the refreshed id_token is of another sign-in: ${claim}`);
        }
        return tokensOf(answer, lifetime, seconds(), refreshToken);
      } catch (error) {
        throw given && error instanceof EhrRefusal ? new EhrRefusal(error.message, 'invalid_grant') : error;
      }
    },

    /**
     * Revokes tokens that are no longer needed (RFC 7009), if the EHR has a revocation endpoint.
     * @throws EhrRefusal or Fault when one of them could not be revoked
     */
    async revoke(tokens: readonly string[]): Promise<void> {
      const { server } = await metadata();
      if (!server.revocation_endpoint) return;
      let failed: unknown;
      for (const token of tokens) {
        await believed(async () => {
          const response = await oauth.revocationRequest(
            ...([server, client(), authentication, token] as const),
            http,
          );
          await oauth.processRevocationResponse(response);
        }).catch((error: unknown) => {
          // RFC 7009 §2.2.1: some EHRs cannot revoke access tokens.
          if ((error as EhrRefusal).error !== 'unsupported_token_type') failed = error;
        });
      }
      if (failed) throw failed as Error;
    },
  };
}

/** Path of the redirect URI that is registered at the EHR, below the issuer. */
export const EHR_CALLBACK = '/ehr-callback';

/** Returns our authentication method at the token endpoint; undefined for a public client. */
function methodOf({ jwkPrivate, client_secret: secret, authentication }: Client) {
  if (jwkPrivate) return 'private_key_jwt';
  if (!secret) return undefined;
  return authentication === 'client_secret_post' ? 'client_secret_post' : 'client_secret_basic';
}
