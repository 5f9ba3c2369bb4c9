import { z } from 'zod';

/** Invisible characters: controls, direction marks, zero-width characters, fillers; spaces other than the common one. */
const UNSEEN = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/**
 * The name of an app that is shown to the user. Invisible characters and direction marks could make one name look like
 * another.
 */
export const shownName = z
  .string()
  .regex(/[^ ]/, 'must not be empty')
  .refine(
    (name) => !UNSEEN.test(name),
    'must not have control characters, direction marks or invisible characters',
  );

/** Algorithms of id_tokens, which a client may choose; RS256 by default (OpenID Connect Registration §2). */
export const ID_TOKEN_ALGORITHMS = ['RS256', 'RS384', 'ES384'] as const;

/** Ways in which a client authenticates at our own authorization server. */
export const CLIENT_AUTHENTICATION = [
  'none',
  'private_key_jwt',
  'client_secret_basic',
  'client_secret_post',
] as const;

/** RFC 6749 §3.1.2: absolute, and without a fragment. */
const redirectUri = z
  .string()
  .refine((uri) => URL.canParse(uri) && !uri.includes('#'), 'must be an absolute URL without a fragment');

/**
 * A client of our own authorization server, with the metadata of RFC 7591 §2. One with redirect URIs is an app, one without is
 * a backend service.
 */
export const registeredClient = z
  .strictObject({
    client_id: z.string().min(1),
    client_name: shownName.optional(),
    redirect_uris: z.array(redirectUri).default([]),
    /** Public keys, in the file or by URL, for `private_key_jwt`. */
    jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).optional(),
    jwks_uri: z.url().optional(),
    client_secret: z.string().min(16, 'must have 16 characters or more').optional(),
    token_endpoint_auth_method: z.enum(CLIENT_AUTHENTICATION).optional(),
    id_token_signed_response_alg: z.enum(ID_TOKEN_ALGORITHMS).optional(),
    /** Clinical scopes that the client may get; without it, any. */
    scope: z.string().optional(),
  })
  .refine((client) => !client.jwks || !client.jwks_uri, 'must not have both jwks and jwks_uri')
  .refine(
    (client) => client.redirect_uris.length > 0 || authenticationOf(client) !== 'none',
    'has neither redirect_uris nor a key: an app needs redirect_uris, a backend service needs jwks, jwks_uri or client_secret',
  )
  .refine(isComplete, 'lacks the jwks, jwks_uri or client_secret of its token_endpoint_auth_method');

interface Authentication {
  token_endpoint_auth_method?: (typeof CLIENT_AUTHENTICATION)[number] | undefined;
  jwks?: object | undefined;
  jwks_uri?: string | undefined;
  client_secret?: string | undefined;
}

/** Returns how a client authenticates: as it says, else by what it has. */
export function authenticationOf(client: Authentication): (typeof CLIENT_AUTHENTICATION)[number] {
  if (client.token_endpoint_auth_method) return client.token_endpoint_auth_method;
  if (client.jwks || client.jwks_uri) return 'private_key_jwt';
  return client.client_secret === undefined ? 'none' : 'client_secret_basic';
}

function isComplete(client: Authentication): boolean {
  const method = authenticationOf(client);
  if (method === 'private_key_jwt') return Boolean(client.jwks ?? client.jwks_uri);
  return method === 'none' || client.client_secret !== undefined;
}
