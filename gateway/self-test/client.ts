import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { Client } from '../smart/token/backend-token.ts';
import { clientCredentials } from '../smart/token/backend-token.ts';
import type { ExternalConfig } from '../smart/discovery/ehr-configuration.ts';
import { Failing } from './check.ts';
import type { Probed } from './probe.ts';

/**
 * Returns the form fields and headers that authenticate our client at an EHR.
 * @throws Failing for a key that cannot sign, or a client without the key or secret that the method needs
 */
export async function credentials(
  client: Client,
  method: Parameters<typeof clientCredentials>[1],
  audience: string,
  now: number,
) {
  const missing = method === 'private_key_jwt' ? 'jwkPrivate' : 'client_secret';
  if (!client[missing])
    throw new Failing(`authorization.client.${missing} is missing, and ${method} needs it`);
  return clientCredentials(client, method, audience, now).catch(() => {
    throw new Failing('authorization.client.jwkPrivate is not a private key that can sign ES384 or RS384');
  });
}

/** Compares the public and the private key of the client. @throws Failing when they are not a pair */
export function requirePair({ jwk, jwkPrivate }: Client): void {
  if (!jwk?.['kty'] || !jwkPrivate) return;
  const thumb = (key: object) => {
    try {
      return createPublicKey({ key: key as JsonWebKey, format: 'jwk' }).export({
        format: 'der',
        type: 'spki',
      });
    } catch {
      return undefined;
    }
  };
  const [given, own] = [thumb(jwk), thumb(jwkPrivate)];
  if (given && own && !given.equals(own)) {
    throw new Failing('authorization.client.jwk is not the public half of authorization.client.jwkPrivate');
  }
}

/** Explains why a token endpoint refused (RFC 6749 §5.2). */
export function tokenRefusal(
  { status, json, error, refusal }: Probed,
  method: string,
  { client, scope }: ExternalConfig,
): string {
  const answered = `the token endpoint answered ${refusal}`;
  if (error === 'invalid_client' || (error === undefined && status === 401)) {
    return method === 'private_key_jwt'
      ? `${answered}: it does not know client_id ${client!.client_id}, or the public key registered there is not the one in client.jwk`
      : `${answered}: it does not know client_id ${client!.client_id}, or client_secret is not the one registered there`;
  }
  if (error === 'invalid_scope')
    return `${answered}: this client may not have the scope ${scope ?? '(none is set)'}`;
  if (error === 'unauthorized_client' || error === 'unsupported_grant_type') {
    return `${answered}: client_credentials is not allowed for this client`;
  }
  if (status === 200) return `${answered} without an access_token`;
  return json ? answered : `${answered} and no JSON; is it really a token endpoint?`;
}
