import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Served } from './server.ts';

/**
 * Adds the client id to a refresh by a public client that does not send it, as RFC 6749 §6 allows and fhirclient does. The
 * refresh token identifies the client. A confidential client still has to authenticate.
 * @returns the form, with the client's id if it was missing
 */
export async function withClientId({ provider }: Served, body: string): Promise<string> {
  const form = new URLSearchParams(body);
  const silent = !['client_id', 'client_assertion', 'client_secret'].some((name) => form.has(name));
  if (!silent || form.get('grant_type') !== 'refresh_token') return body;
  const token = await provider.RefreshToken.find(form.get('refresh_token') ?? '', { ignoreExpiration: true });
  const client = token?.clientId === undefined ? undefined : await provider.Client.find(token.clientId);
  if (client?.tokenEndpointAuthMethod !== 'none') return body;
  form.set('client_id', client.clientId);
  return form.toString();
}

/** Copies a request whose body has been read, with that body or another one to read. */
export function replayed(request: IncomingMessage, body: string): IncomingMessage {
  const bytes = Buffer.from(body);
  const { method, url, socket, httpVersion } = request;
  const headers = { ...request.headers, 'content-length': String(bytes.length) };
  delete headers['transfer-encoding'];
  const { originalUrl } = request as { originalUrl?: string };
  const copy = { method, url, socket, httpVersion, headers, originalUrl };
  // eslint-disable-next-line no-restricted-syntax -- the provider reads no more of a request
  return Object.assign(Readable.from([bytes], { objectMode: false }), copy) as unknown as IncomingMessage;
}
