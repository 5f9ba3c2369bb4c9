import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { once } from 'node:events';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { isHeldBy } from '../../../schema/http/entity-tag.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { imagesAreReadOnly } from '../../../schema/fault/refusals.ts';
import { asJson, faultHandler } from '../../../schema/http/fault-reply.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import type { ServingRoute } from '../../../schema/http/served.ts';
import { giveBack } from '../multipart/buffer-pool.ts';
import { MAX_UIDS } from './qido.ts';
import { endIdleReader } from '../../../schema/http/reader-timeout.ts';
import type { Payload } from '../study/answer.ts';

/** HTTP handling that DICOMweb and WADO-URI share. */

/** Maximum bytes of a body in memory that a client may leave unread. */
const MAX_UNWATCHED = 64 * 1024;

const READS = 'GET, HEAD, OPTIONS';

/**
 * Renders Faults as JSON with their status (DW-12), and never reads a request body (DW-20): a refusal needs no parser.
 */
export function prepareRoutes(app: FastifyInstance, baseUrl: string): void {
  app.setErrorHandler(faultHandler({ baseUrl, render: asJson }));
  // A pipelined request waits for the answer before it (RFC 9112 §9.3.2). Until then its own answer has no socket, and
  // would not learn that the client has left: what was opened for it would stay open.
  app.addHook('onRequest', async (_request, { raw }) => {
    if (!raw.socket) await once(raw, 'socket');
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/**
 * Answers OPTIONS with the allowed methods, and 405 to every method that would change something (DW-10, DW-20). Both
 * come before the patient of a request is looked up: these routes name none.
 */
export function readsOnly(app: FastifyInstance, url: string, serves: ServingRoute): void {
  app.options(url, {
    ...serves,
    onRequest: async (_request, reply) => reply.code(204).header('allow', READS).send(),
    handler: async () => undefined,
  });
  app.route({
    method: ['POST', 'PUT', 'PATCH', 'DELETE'],
    url,
    ...serves,
    onRequest: () => Promise.reject(imagesAreReadOnly(READS)),
    handler: async () => undefined,
  });
}

/**
 * Returns the query as it was sent: repeated parameters stay separate. Viewers ask for what they list by many UIDs.
 * @throws Fault `invalid_request` for too many parameters or values
 */
export function queryOf({ raw: { url = '' } }: FastifyRequest): URLSearchParams {
  const question = url.indexOf('?');
  return new URLSearchParams(readParameters([question < 0 ? '' : url.slice(question + 1)], MAX_UIDS));
}

/** Returns the header Range if it applies. @param tag of the whole */
export function rangeOf({ headers, method }: FastifyRequest, tag: string | undefined): string | undefined {
  const { range, 'if-range': ifRange } = headers;
  // RFC 9110 §13.1.5: if the data have changed, or that cannot be known, everything is given.
  const current = ifRange === undefined || ifRange === tag;
  // §14.2: a range applies only to GET.
  return current && method === 'GET' ? range : undefined;
}

/** Sends an answer; 304 if the caller already has it; for HEAD only the headers, without reading the body. */
export function sendPayload(
  request: FastifyRequest,
  reply: FastifyReply,
  { status = 200, headers, body }: Payload,
): unknown {
  setCacheControl(reply, 'private');
  const { etag } = headers;
  const known = status === 304 || isHeldBy(request.headers['if-none-match'], etag);
  if (!known && request.method !== 'HEAD') {
    if (body instanceof Uint8Array) reply.raw.once('finish', () => giveBack(body));
    if (!(body instanceof Uint8Array) || body.length > MAX_UNWATCHED) {
      const { key, limits } = request.tenant;
      const { readerTimeout } = limits;
      endIdleReader(reply.raw, readerTimeout, () =>
        request.log.warn(
          { tenant: key, seconds: readerTimeout },
          'a client that did not read its images was disconnected',
        ),
      );
    }
    return reply.code(status).headers(headers).send(body);
  }
  if (!(body instanceof Uint8Array)) body.on('error', () => undefined).destroy();
  if (known)
    return reply
      .code(304)
      .headers(etag === undefined ? {} : { etag })
      .send();
  if (body instanceof Uint8Array) reply.header('content-length', String(body.length));
  return reply.code(status).headers(headers).send();
}

/**
 * Checks `charset`: answers are always UTF-8 (PS3.18 §8.3.3.2).
 * @throws Fault `not_acceptable` if UTF-8 is not among the named sets
 */
export function requireUtf8(query: URLSearchParams): void {
  const asked = query.getAll('charset').flatMap((value) => value.split(','));
  const named = asked
    .filter((value) => !/;\s*q=0(\.0*)?\s*$/i.test(value))
    .map((value) =>
      value
        .split(';')[0]!
        .trim()
        .replace(/^"(.*)"$/, '$1')
        .toLowerCase(),
    );
  if (asked.length > 0 && !named.some((name) => ['', 'utf-8', 'utf8', '*'].includes(name))) {
    throw new Fault('not_acceptable', 'Text is given as UTF-8: leave charset out.');
  }
}
