import { LRUCache } from 'lru-cache';
import type { ServiceAuthentication } from '../tenant/tenant.ts';
import { basic, basicAuthentication, clientCredentialsToken } from './client-credentials.ts';
import { limitedText } from './limited-text.ts';

/** A token request, RFC 6749 §4.4.2, as it is to be POSTed. */
export interface PostedForm {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface PostAnswer {
  status: number;
  body: AsyncIterable<Uint8Array> | null;
}

/** How we sign in at a service behind us: an image archive, an audit repository. */
export interface ServiceAuthorization {
  /**
   * Headers of a request to the service.
   * @throws SignInError where its authorization server gives no token
   */
  headers(): Promise<Record<string, string>>;
  /** Forgets a token that the service did not take; whether a new one could help. */
  refused(): boolean;
}

/** The authorization server of a service gave no token. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

/** A token is not used in its last seconds: it has to arrive while it is still good. */
const MARGIN_SECONDS = 30;
const UNKNOWN_LIFETIME_SECONDS = 60;
const LARGEST_ANSWER = 1 << 20;

/** The one entry of a cache. */
const OWN = 'own';

/**
 * Signs in as the tenant file says: nothing, Basic, a given bearer token, or `client_credentials`, whose token all
 * requests share until shortly before it ends.
 * @param now seconds since the epoch
 * @param post sends a token request; what it throws goes to whoever asked for headers
 */
export function serviceAuthorization(
  authentication: ServiceAuthentication,
  now: () => number,
  post: (form: PostedForm) => Promise<PostAnswer>,
): ServiceAuthorization {
  const tokens = new LRUCache<typeof OWN, string>({
    ...{ max: 1, perf: { now: () => now() * 1000 }, ttlResolution: 0 },
    fetchMethod: async (_key, _stale, { options }) => {
      const { token, lifetime } = await fetchToken(authentication, post);
      options.ttl = Math.max(1, (lifetime ?? UNKNOWN_LIFETIME_SECONDS) - MARGIN_SECONDS) * 1000;
      return token;
    },
    // Those who wait for a token that is forgotten meanwhile still get it.
    ignoreFetchAbort: true,
  });

  return {
    async headers(): Promise<Record<string, string>> {
      switch (authentication.type) {
        case 'open':
          return {};
        case 'http-basic':
          return { authorization: basic(authentication.username, authentication.password) };
        case 'bearer':
          return { authorization: `Bearer ${authentication.token}` };
        case 'oauth2':
          return { authorization: `Bearer ${await tokens.forceFetch(OWN)}` };
      }
    },
    refused() {
      tokens.delete(OWN);
      return authentication.type === 'oauth2';
    },
  };
}

/** @throws SignInError where the answer has no token */
async function fetchToken(
  authentication: ServiceAuthentication,
  post: (form: PostedForm) => Promise<PostAnswer>,
): Promise<{ token: string; lifetime?: number }> {
  if (authentication.type !== 'oauth2') throw new SignInError('there is no token endpoint');
  const { tokenUrl, client_id: clientId, client_secret: secret, scope } = authentication;
  const { status, token, ...rest } = await clientCredentialsToken({
    ...{ tokenUrl, clientId, scope },
    authentication: (_server, _client, _form, headers) =>
      headers.set('authorization', basicAuthentication(clientId, secret)),
    fetch: async (url, { headers, body }) => {
      const answer = await post({ url, headers, body: body.toString() });
      // One that is too long holds no token.
      const text = await limitedText(answer.body, LARGEST_ANSWER).catch(() => '');
      return new Response(text || null, { status: answer.status });
    },
  });
  if (token === undefined) throw new SignInError(`token endpoint answered ${status}`);
  return { token, ...rest };
}
