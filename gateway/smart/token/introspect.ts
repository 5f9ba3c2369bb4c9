import * as oauth from 'oauth4webapi';
import { z } from 'zod';
import { Fault } from '../../../schema/fault/fault.ts';
import { refusalReason } from '../../../schema/outbound/oauth-refusal.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { BackendTokens, Client } from './backend-token.ts';
import { clientAuthentication } from './backend-token.ts';
import type { Ehr, ExternalConfig, SmartConfiguration } from '../discovery/ehr-configuration.ts';
import { quirksOf } from './quirks.ts';
import { endpointOf } from '../discovery/ehr-configuration.ts';
import { isAccessToken } from './token-kinds.ts';
import type { UpstreamDeps } from './upstream.ts';
import { jsonFetch, upstreamFault } from './upstream.ts';

/** Introspection answer for an active token (RFC 7662 §2.2, SMART App Launch 2.2 §7, SM-8). */
export const activeToken = z.object({
  active: z.literal(true),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  /** Seconds since the epoch. */
  exp: z.number().optional(),
  nbf: z.number().optional(),
  patient: z.string().optional(),
  encounter: z.string().optional(),
  fhirUser: z.string().optional(),
  iss: z.string().optional(),
  sub: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  /** Keys to which the token is bound (RFC 7800 §3.1), and its type: with either it may be no bearer token (SM-21). */
  cnf: z.unknown().optional(),
  token_type: z.unknown().optional(),
});

export type ActiveToken = z.infer<typeof activeToken>;

/**
 * Asks the tenant's authorization server about a token (RFC 7662 §2.1).
 * @returns undefined when it is not active, or no access token
 * @throws Fault `unavailable` or `bad_gateway` without a valid answer: the token is then neither refused nor accepted
 */
export async function introspect(
  { outside, tokens }: { outside: UpstreamDeps; tokens: BackendTokens },
  tenant: Tenant,
  { config, document }: Ehr,
  token: string,
): Promise<ActiveToken | undefined> {
  const endpoint = introspectionEndpoint(config, document);
  const us = ourClient(config);
  // The issuer is not compared, because answers are not JWTs (RFC 9701).
  const server = { issuer: endpoint, introspection_endpoint: endpoint };
  const client = { client_id: us.client_id };
  const authentication = introspectionProof({ outside, tokens }, tenant, { us, config, document });
  const ask = () =>
    oauth.introspectionRequest(server, client, authentication, token, {
      additionalParameters: { token_type_hint: 'access_token' },
      [oauth.customFetch]: jsonFetch(outside, tenant),
      // A tenant file may name an EHR on this machine.
      [oauth.allowInsecureRequests]: true,
    });
  const asked = outside.now();
  let answer = await ask();
  if (answer.status === 401) {
    // Our own token may have been revoked early: try once more with a new one.
    tokens.drop(tenant);
    answer = await ask();
  }
  if (answer.status !== 200) {
    const { status, headers } = answer;
    const json = (await answer.json().catch(() => undefined)) as unknown;
    const exchange = { asked, answered: outside.now() };
    throw upstreamFault(
      'does not let this gateway introspect tokens',
      new Error(`introspection answered ${refusalReason({ status, headers, json }, exchange, [token])}`),
    );
  }
  const said = await oauth.processIntrospectionResponse(server, client, answer).catch((cause: unknown) => {
    throw unintelligible(cause);
  });
  if (!said.active) return undefined;
  const known = withoutNulls(said);
  const parsed = activeToken.safeParse(known);
  if (!parsed.success) throw unintelligible(parsed.error);
  // `token_type_hint` is only a hint: servers also answer for refresh tokens (RFC 7662 §2.1).
  return isAccessToken(known) ? parsed.data : undefined;
}

function unintelligible(cause: unknown): Fault {
  return upstreamFault('gave a token description that is not valid', cause);
}

/**
 * Returns the introspection endpoint: that of the tenant's configuration, or as its type has it (SM-11).
 * @throws Fault `bad_gateway` when the discovery document does not give it
 */
export function introspectionEndpoint(config: ExternalConfig, document: SmartConfiguration): string {
  if ('introspectionUrl' in config && config.introspectionUrl) return config.introspectionUrl;
  if (quirksOf(config).introspectionEndpoint === 'discovered') {
    return endpointOf(document, 'introspection_endpoint');
  }
  const endpoint = config.tokenUrl ?? endpointOf(document, 'token_endpoint');
  if (!/\/token$/.test(endpoint))
    throw upstreamFault('has a token endpoint that names no introspection endpoint');
  return endpoint.replace(/token$/, 'introspect');
}

/** Returns the authentication of the introspection call (SM-7): a bearer token of ours, unless configured otherwise. */
function introspectionProof(
  { outside, tokens }: { outside: UpstreamDeps; tokens: BackendTokens },
  tenant: Tenant,
  { us, config, document }: { us: Client; config: ExternalConfig; document: SmartConfiguration },
): oauth.ClientAuth {
  const method = introspectionAuthentication(config, us);
  if (method === 'bearer') {
    return async (_server, _client, _form, headers) =>
      headers.set('authorization', `Bearer ${await tokens.get(tenant, us, config, document)}`);
  }
  const audience = config.tokenUrl ?? endpointOf(document, 'token_endpoint');
  return clientAuthentication(us, method, audience, outside.now);
}

/** @throws Fault `not_implemented` when the tenant has no client */
function ourClient({ client }: ExternalConfig): Client {
  if (client) return client;
  throw new Fault('not_implemented', 'This tenant has no client with which to check tokens yet.', {
    service: 'authorization',
  });
}

/** Returns the method of the tenant's configuration, or that of its type; by default a bearer token if there is a key (SM-7). */
export function introspectionAuthentication(config: ExternalConfig, client: Client) {
  const usual = client.jwkPrivate || !client.client_secret ? 'bearer' : 'client_secret_basic';
  return client.authentication ?? quirksOf(config).introspectionAuthentication ?? usual;
}

/** Removes null members, which some servers write for unknown values. */
function withoutNulls(json: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}
