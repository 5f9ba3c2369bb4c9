import { randomBytes } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { z } from 'zod';
import { Fault } from '../../../../schema/fault/fault.ts';
import {
  CLIENT_AUTHENTICATION,
  ID_TOKEN_ALGORITHMS,
  shownName,
} from '../../../../schema/tenant/registered-client.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { applicationType, isLoopback } from './loopback.ts';
import type { TenantServer } from '../tenant-server.ts';
import { refuseCrossSite } from '../request.ts';
import type { State } from '../state/state.ts';

/** Tells whether an answer to this address stays on this machine or is encrypted: nobody may read the code (RFC 9700 §2.6). */
const isEncrypted = (uri: string) => !/^http:/i.test(uri) || (URL.canParse(uri) && isLoopback(uri));
const PLAIN = 'http is only for localhost, 127.0.0.1 and [::1]; register https for another address.';

/** Metadata of an app (RFC 7591 §2). Unknown fields are ignored. No field makes the server fetch a URL. */
const metadata = z.object({
  client_name: shownName.max(100).optional(),
  redirect_uris: z.array(z.string().max(500).refine(isEncrypted, PLAIN)).min(1).max(10),
  token_endpoint_auth_method: z.enum(CLIENT_AUTHENTICATION).default('client_secret_basic'),
  jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(10) }).optional(),
  id_token_signed_response_alg: z.enum(ID_TOKEN_ALGORITHMS).optional(),
});

const MOST_CLIENTS = 1000;
/** Lifetime of a registration after its last use: as long as a refresh token. */
const REGISTERED_SECONDS = 30 * 86_400;
/** A client in use is renewed once a day. */
const RENEWAL_SECONDS = 86_400;

export type Registered = { status: 201; body: Record<string, unknown> } | Refused;
interface Refused {
  status: 400 | 429;
  body: { error: string; error_description: string; error_uri?: string };
}

/** Returns whether apps may register at all: only at a server on the developer's own machine. */
export function acceptsRegistrations(baseUrl: string): boolean {
  return isLoopback(baseUrl);
}

/**
 * Refuses a registration where apps may not register, or the tenant has no app launch.
 * @throws Fault `not_found`
 */
export function requireRegistration(accepts: boolean, { authorization }: Tenant): void {
  if (accepts && authorization.modes.includes('app-launch')) return;
  throw new Fault('not_found', 'This tenant has no registration: its clients are listed in its file.');
}

const INSTEAD = ' An app registers itself from its page at localhost, or by a command such as curl.';

/**
 * Returns the origin of an app's page on the developer's own machine; undefined for a page of ours, and for a program.
 * @param origin of this server
 * @throws Fault `cross_site`
 */
export function localPage(request: FastifyRequest, origin: string): string | undefined {
  const from = request.headers.origin ?? '';
  if (from !== origin && URL.canParse(from) && isLoopback(from)) return from;
  refuseCrossSite(request, origin, INSTEAD);
  return undefined;
}

/**
 * Registers an app dynamically (RFC 7591 §3), only for authorization codes. Backend services are registered in the tenant
 * file.
 * @param asked the parsed body, and the page that sends it: its app can only return to the origin of the page
 * @param now seconds since the epoch
 */
export async function register(
  server: TenantServer,
  state: State,
  asked: { body: unknown; page: string | undefined },
  now: number,
): Promise<Registered> {
  const parsed = metadata.safeParse(asked.body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const wrong = issue!.path[0] === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata';
    return refused(400, wrong, `${issue!.path.join('.')}: ${issue!.message}`);
  }
  const { page } = asked;
  if (page !== undefined && !parsed.data.redirect_uris.every((uri) => isOf(page, uri))) {
    return refused(
      400,
      'invalid_redirect_uri',
      `A page at ${page} registers only addresses that begin with it.`,
    );
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
    ...(secret === undefined
      ? {}
      : { client_secret: secret, client_secret_expires_at: now + REGISTERED_SECONDS }),
    application_type: applicationType(redirectUris),
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const clients = state.model(tenant.key, 'Client');
  await clients.upsert(client.client_id, client as AdapterPayload, REGISTERED_SECONDS);
  try {
    // Loading it applies the rules of the provider.
    await provider.Client.find(client.client_id);
  } catch (error) {
    await clients.destroy(client.client_id);
    const { errors } = await import('oidc-provider');
    if (!(error instanceof errors.OIDCProviderError)) throw error;
    return refused(400, error.error, error.error_description ?? 'the metadata cannot be used');
  }
  return { status: 201, body: client };
}

/**
 * Renews the registration of a client that got a token. Clients of the tenant file have none.
 * @param now seconds since the epoch
 */
export async function renewRegistration(clients: Adapter, id: string, now: number): Promise<void> {
  const client = (await clients.find(id)) as Registration | undefined;
  if (!client || now - (client.renewed_at ?? client.client_id_issued_at) < RENEWAL_SECONDS) return;
  const renewed = {
    ...client,
    renewed_at: now,
    ...(client.client_secret && { client_secret_expires_at: now + REGISTERED_SECONDS }),
  };
  await clients.upsert(id, renewed as AdapterPayload, REGISTERED_SECONDS);
}

interface Registration {
  client_id_issued_at: number;
  client_secret?: string;
  renewed_at?: number;
}

const isOf = (origin: string, uri: string) => URL.canParse(uri) && new URL(uri).origin === origin;

const refused = (status: 400 | 429, error: string, description: string): Refused => ({
  status,
  body: { error, error_description: description },
});
