import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { TenantServer } from './provider.ts';
import type { State } from './state.ts';

/** What an app may say of itself, RFC 7591 §2. Unknown fields are ignored; nothing here has us fetch a URL. */
const metadata = z.object({
  client_name: z.string().max(100).optional(),
  redirect_uris: z.array(z.string().max(500)).min(1).max(10),
  token_endpoint_auth_method: z
    .enum(['none', 'private_key_jwt', 'client_secret_basic', 'client_secret_post'])
    .default('client_secret_basic'),
  jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(10) }).optional(),
});

const MOST_CLIENTS = 1000;

export type Registered = { status: 201; body: Record<string, unknown> } | Refused;
interface Refused {
  status: 400 | 429;
  body: { error: string; error_description: string };
}

/**
 * Dynamic registration of an app, RFC 7591 §3: authorization codes only, exact redirect URIs. Backend services are
 * registered in the tenant file.
 * @param json the parsed body
 * @param now seconds since the epoch
 */
export async function register(
  server: TenantServer,
  state: State,
  json: unknown,
  now: number,
): Promise<Registered> {
  const parsed = metadata.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const wrong = issue!.path[0] === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata';
    return refused(400, wrong, `${issue!.path.join('.')}: ${issue!.message}`);
  }
  const { tenant, provider } = server;
  if ((await state.count(tenant.key, 'Client')) >= MOST_CLIENTS) {
    return refused(429, 'temporarily_unavailable', 'There are too many registered clients.');
  }
  const { redirect_uris: redirectUris, token_endpoint_auth_method: method } = parsed.data;
  const secret = method.startsWith('client_secret') ? randomBytes(32).toString('base64url') : undefined;
  const client = {
    ...parsed.data,
    client_id: randomBytes(16).toString('base64url'),
    client_id_issued_at: now,
    ...(secret !== undefined && { client_secret: secret, client_secret_expires_at: 0 }),
    application_type: redirectUris.every((uri) => /^https?:\/\//.test(uri)) ? 'web' : 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const clients = state.model(tenant.key, 'Client');
  await clients.upsert(
    client.client_id,
    client as unknown as Parameters<typeof clients.upsert>[1],
    undefined as unknown as number,
  );
  try {
    // Loading it applies the provider's own rules.
    await provider.Client.find(client.client_id);
  } catch (error) {
    await clients.destroy(client.client_id);
    const { errors } = await import('oidc-provider');
    if (!(error instanceof errors.OIDCProviderError)) throw error;
    return refused(400, error.error, error.error_description ?? 'the metadata cannot be used');
  }
  return { status: 201, body: client };
}

const refused = (status: 400 | 429, error: string, description: string): Refused => ({
  status,
  body: { error, error_description: description },
});
