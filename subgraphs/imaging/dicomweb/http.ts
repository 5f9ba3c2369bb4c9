import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { once } from 'node:events';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { holds } from '../../../schema/http/entity-tag.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { imagesAreReadOnly } from '../../../schema/fault/refusals.ts';
import { asJson, faultHandler } from '../../../schema/http/fault-reply.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import type { ServingRoute } from '../../../schema/http/served.ts';
import { MAX_UIDS } from './qido.ts';
import { endIdleReader } from './reader-timeout.ts';
import type { Payload } from '../study/payload.ts';

/** What the two faces for images, DICOMweb and WADO-URI, have in common over HTTP. */

const READS = 'GET, HEAD, OPTIONS';

/** Faults as JSON with their status (DW-12), and nothing that is sent to us is read (DW-20): a refusal needs no parser. */
export function prepareRoutes(app: FastifyInstance, baseUrl: string, name: string): void {
  app.setErrorHandler(faultHandler({ baseUrl, render: asJson, message: name }));
  // One that is sent before the answer to the last is read waits for it (RFC 9112 §9.3.2). Until then its own answer has no
  // connection, and would not be told that the client has left: what was opened for it would stay open.
  app.addHook('onRequest', async (_request, { raw }) => {
    if (!raw.socket) await once(raw, 'socket');
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/**
 * OPTIONS says what there is; whatever would change something is 405 (DW-10, DW-20). Both before it is looked at whom a
 * request names: these addresses name nobody.
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
 * The query as it was sent: repeated parameters stay apart. Viewers ask for what they list by many UIDs.
 * @throws Fault `invalid_request` for too many parameters or values
 */
export function queryOf({ raw: { url = '' } }: FastifyRequest): URLSearchParams {
  const question = url.indexOf('?');
  return new URLSearchParams(readParameters([question < 0 ? '' : url.slice(question + 1)], MAX_UIDS));
}

/** Sends an answer, or 304 where the caller holds it; of one to HEAD the headers, and its body is left where it is. */
export function sendPayload(
  request: FastifyRequest,
  reply: FastifyReply,
  { status = 200, headers, body }: Payload,
): unknown {
  setCacheControl(reply, 'private');
  const { etag } = headers;
  const known = status === 304 || holds(request.headers['if-none-match'], etag);
  if (!known && request.method !== 'HEAD') {
    if (!(body instanceof Uint8Array)) {
      const { readerTimeout } = request.tenant.limits;
      endIdleReader(reply.raw, readerTimeout, () =>
        request.log.warn({ seconds: readerTimeout }, 'a client that took nothing of its images was ended'),
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
 * The answers are UTF-8, whatever `charset` asks for (PS3.18 §8.3.3.2).
 * @throws Fault `not_acceptable` where that is none of the sets that it names
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
