import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import { Transform } from 'node:stream';
import { recordedElsewhere } from '../audit/request-audit.ts';
import { clientLeft } from '../../schema/http/client-left.ts';
import type { SubgraphLink } from './link.ts';

/** Headers of one connection (RFC 9110 §7.6.1), and what is only between the client and the gateway. */
const NOT_SENT = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['host', 'content-length', 'expect', 'authorization', 'cookie', 'accept-encoding', 'x-request-id'],
]);
/** Of an answer: those of its connection, and those that the gateway sets on every answer. */
const NOT_RETURNED = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'upgrade', 'date'],
  ...['x-request-id', 'server-timing'],
]);
/** Bytes up to which an answer is read before it is sent on, so that it is compressed as one of this process is. */
const SMALL = 64 * 1024;

const BODY = Symbol('body');
type WithBody = FastifyRequest & { [BODY]?: Buffer[] };

/**
 * Returns the routes of a subgraph whose requests are answered by its own process, after authorization. What a route
 * declares, and what it refuses before its handler, stays as it is. A batch stays here: each of its entries is a request.
 */
export function forwarded(routes: FastifyPluginAsync, link: SubgraphLink): FastifyPluginAsync {
  const forward = forwardTo(link);
  return async (app) => {
    app.addHook('preParsing', (...[request, , payload, done]) => {
      const chunks: Buffer[] = [];
      (request as WithBody)[BODY] = chunks;
      done(
        null,
        payload.pipe(
          new Transform({
            transform(chunk: Buffer, _encoding, next) {
              chunks.push(chunk);
              next(null, chunk);
            },
          }),
        ),
      );
    });
    app.addHook('onRoute', (route) => {
      if (route.config?.serves?.interaction !== 'batch') route.handler = forward;
    });
    await app.register(routes);
  };
}

function forwardTo(link: SubgraphLink) {
  return async (request: WithBody, reply: FastifyReply): Promise<FastifyReply> => {
    const { method, raw, access, id } = request;
    const body = request[BODY]?.length ? Buffer.concat(request[BODY]) : undefined;
    const answer = await link.send({
      ...{ method, path: raw.url!, access, body, signal: clientLeft(reply) },
      headers: { ...kept(request.headers, NOT_SENT), 'x-request-id': id },
    });
    recordedElsewhere(request);
    void reply.code(answer.statusCode).headers(kept(answer.headers, NOT_RETURNED));
    const length = Number(answer.headers['content-length'] ?? Infinity);
    // Of a HEAD there is only the length.
    return reply.send(
      method !== 'HEAD' && length <= SMALL ? Buffer.from(await answer.body.arrayBuffer()) : answer.body,
    );
  };
}

function kept(headers: IncomingHttpHeaders, left: ReadonlySet<string>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !left.has(entry[0]),
    ),
  );
}
