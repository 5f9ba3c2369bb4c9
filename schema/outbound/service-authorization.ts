import { limitedText } from './limited-text.ts';
import type { ServiceAuthentication } from '../tenant/tenant.ts';

/** A token request, RFC 6749 §4.4.2, as it is to be POSTed. */
export interface TokenRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface TokenAnswer {
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

interface Token {
  value: string;
  expires: number;
}

/**
 * Signs in as the tenant file says: nothing, Basic, a given bearer token, or `client_credentials`, whose token all
 * requests share until shortly before it ends.
 * @param now seconds since the epoch
 * @param post sends a token request; what it throws goes to whoever asked for headers
 */
export function serviceAuthorization(
  authentication: ServiceAuthentication,
  now: () => number,
  post: (request: TokenRequest) => Promise<TokenAnswer>,
): ServiceAuthorization {
  let held: Promise<Token> | undefined;

  const fetchToken = async (): Promise<Token> => {
    const { status, body } = await post(tokenRequest(authentication));
    const { access_token: value, expires_in: lifetime } = await membersOf(body);
    if (status !== 200 || typeof value !== 'string') {
      throw new SignInError(`token endpoint answered ${status}`);
    }
    const seconds = typeof lifetime === 'number' ? lifetime : UNKNOWN_LIFETIME_SECONDS;
    return { value, expires: now() + Math.max(1, seconds - MARGIN_SECONDS) };
  };

  /** The token at hand, or a new one that all who wait for it share. */
  const accessToken = async (): Promise<string> => {
    const before = held;
    const token = await before;
    if (token && token.expires > now()) return token.value;
    if (held === before) held = fetchToken();
    const renewal = held!;
    try {
      return (await renewal).value;
    } catch (error) {
      if (held === renewal) held = undefined;
      throw error;
    }
  };

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
          return { authorization: `Bearer ${await accessToken()}` };
      }
    },
    refused() {
      held = undefined;
      return authentication.type === 'oauth2';
    },
  };
}

/** Reads the members of a JSON object; empty where the body is something else, or too long. */
async function membersOf(body: TokenAnswer['body']): Promise<Record<string, unknown>> {
  try {
    return (JSON.parse(await limitedText(body, LARGEST_ANSWER)) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Client credentials grant, RFC 6749 §4.4; the client's name and secret are form-encoded first (§2.3.1). */
function tokenRequest(authentication: ServiceAuthentication): TokenRequest {
  if (authentication.type !== 'oauth2') throw new SignInError('there is no token endpoint');
  const { tokenUrl, client_id, client_secret, scope } = authentication;
  const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) });
  return {
    url: tokenUrl,
    headers: {
      accept: 'application/json',
      authorization: basic(encodeURIComponent(client_id), encodeURIComponent(client_secret)),
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: form.toString(),
  };
}

function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`;
}
