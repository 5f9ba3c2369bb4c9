import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { Fault } from '../../../schema/fault/fault.ts';

const LONGEST_BODY = 16 * 1024;

/**
 * Reads the body of a request as text. The rest of one that is too large is read without being kept: the connection could not
 * take another request before (RFC 9112 §9.3).
 * @throws Fault `too_large` above 16 KiB
 */
export async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > LONGEST_BODY) break;
    chunks.push(chunk as Buffer);
  }
  if (length <= LONGEST_BODY) return Buffer.concat(chunks).toString();
  request.resume();
  throw new Fault('too_large', `The body has more than ${LONGEST_BODY} bytes.`);
}

/**
 * Reads a body that has to be `application/json`: a page of any site can send `text/plain` without CORS preflight.
 * @throws Fault `too_large`, `unsupported_media_type`, `invalid_request`
 */
export async function json({ raw, headers }: FastifyRequest): Promise<unknown> {
  const body = await text(raw);
  if (!/^\s*application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
    throw new Fault('unsupported_media_type', 'Send the body as application/json.');
  }
  try {
    return JSON.parse(body) as unknown;
  } catch {
    throw new Fault('invalid_request', 'The body is not JSON.');
  }
}

/**
 * Refuses a request from a page of another site, by its `Origin` and `Sec-Fetch-Site`. Programs send neither.
 * @param origin of this server
 * @param instead what the error says that the caller can do
 * @throws Fault `cross_site`
 */
export function refuseCrossSite({ headers }: FastifyRequest, origin: string, instead = ''): void {
  const from = headers.origin;
  const site = headers['sec-fetch-site'];
  const foreign =
    (from !== undefined && from !== origin) || (site !== undefined && !SAME_SITE.includes(String(site)));
  if (foreign)
    throw new Fault(
      'cross_site',
      `The request comes from a page of another site, which is not allowed.${instead}`,
    );
}

const SAME_SITE = ['same-origin', 'none'];

/** Returns the query parameters as they were sent. */
export const queryOf = ({ raw }: FastifyRequest): URLSearchParams =>
  new URLSearchParams(/\?(.*)$/.exec(raw.url ?? '')?.[1] ?? '');
