import { boundedCache } from '../cache/bounded-cache.ts';
import type { ServiceAuthentication } from '../tenant/tenant.ts';
import { basic, basicAuthentication, clientCredentialsToken } from './client-credentials.ts';
import { limitedText } from './limited-text.ts';

/** A token request to POST (RFC 6749 §4.4.2). */
export interface PostedForm {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface PostAnswer {
  status: number;
  headers: HeadersInit;
  body: AsyncIterable<Uint8Array> | null;
}

/** Authorization of the gateway at a service behind it: an image archive, an audit repository. */
export interface ServiceAuthorization {
  /**
   * Returns the headers for a request to the service.
   * @throws SignInError when its authorization server gives no token
   */
  headers(): Promise<Record<string, string>>;
  /** Forgets a token that the service refused. @returns true when a new token may help */
  refused(): boolean;
}

/** The authorization server of a service gave no token. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

/** A token is not used in its last seconds, because it must still be valid when it arrives. */
const MARGIN_SECONDS = 30;
const UNKNOWN_LIFETIME_SECONDS = 60;
const LARGEST_ANSWER = 1 << 20;

/** Key of the only entry of the token cache. */
const OWN = 'own';

/**
 * Authorizes requests as the tenant file says: not at all, by Basic, by a given bearer token, or by `client_credentials`,
 * whose token all requests share until shortly before it expires.
 * @param now seconds since the epoch
 * @param post sends a token request; `headers` throws its errors
 */
export function serviceAuthorization(
  authentication: ServiceAuthentication,
  now: () => number,
  post: (form: PostedForm) => Promise<PostAnswer>,
): ServiceAuthorization {
  const tokens = boundedCache<string, typeof OWN>({
    entries: 1,
    now: () => now() * 1000,
    fetch: async (_key, _stale, { options }) => {
      const { token, lifetime } = await fetchToken(authentication, now, post);
      options.ttl = Math.max(1, (lifetime ?? UNKNOWN_LIFETIME_SECONDS) - MARGIN_SECONDS) * 1000;
      return token;
    },
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

/** @throws SignInError when the answer has no token */
async function fetchToken(
  authentication: ServiceAuthentication,
  now: () => number,
  post: (form: PostedForm) => Promise<PostAnswer>,
): Promise<{ token: string; lifetime?: number }> {
  if (authentication.type !== 'oauth2') throw new SignInError('there is no token endpoint');
  const { tokenUrl, client_id: clientId, client_secret: secret, scope } = authentication;
  const { refusal, token, ...rest } = await clientCredentialsToken({
    tokenUrl,
    clientId,
    scope,
    now: () => now() * 1000,
    authentication: (_server, _client, _form, headers) =>
      headers.set('authorization', basicAuthentication(clientId, secret)),
    fetch: async (url, { headers, body }) => {
      const answer = await post({ url, headers, body: body.toString() });
      // An answer that is too long counts as an answer without a token.
      const text = await limitedText(answer.body, LARGEST_ANSWER).catch(() => '');
      return new Response(text || null, { status: answer.status, headers: answer.headers });
    },
  });
  if (token === undefined) throw new SignInError(`token endpoint answered ${refusal}`);
  return { token, ...rest };
}
