import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingHttpHeaders } from 'node:http';
import { pipeline, Transform } from 'node:stream';
import { recordedElsewhere } from '../audit/request-audit.ts';
import { clientLeft } from '../../schema/http/client-left.ts';
import { CONNECTION_HEADERS } from '../http/connection-headers.ts';
import type { SubgraphLink } from './link.ts';
import { EXPLAINS, RECORDS, SEAL_REFUSED, SEALED_ACCESS, WORK } from './wire.ts';

/** Headers of one connection, and those between the client and the gateway, or between the processes. */
const NOT_SENT = new Set<string>([
  ...CONNECTION_HEADERS,
  'te',
  'trailer',
  'transfer-encoding',
  SEALED_ACCESS,
  SEAL_REFUSED,
  EXPLAINS,
  RECORDS,
  WORK,
  'host',
  'content-length',
  'expect',
  'authorization',
  'cookie',
  'accept-encoding',
  'x-request-id',
]);
/** Of an answer: those of its connection, and those that the gateway sets on every answer. */
const NOT_RETURNED = new Set<string>([
  ...CONNECTION_HEADERS,
  'transfer-encoding',
  'trailer',
  'date',
  'x-request-id',
  'server-timing',
  RECORDS,
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
      if (request.method === 'GET' || request.method === 'HEAD') return done(null, payload);
      const chunks: Buffer[] = [];
      (request as WithBody)[BODY] = chunks;
      const kept = new Transform({
        transform(chunk: Buffer, _encoding, next) {
          chunks.push(chunk);
          next(null, chunk);
        },
      });
      done(
        null,
        pipeline(payload, kept, () => undefined),
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
    const { method, raw, access, id, routeOptions } = request;
    const signal = clientLeft(reply);
    const body = request[BODY]?.length ? Buffer.concat(request[BODY]) : undefined;
    const answer = await link.send({
      method,
      path: raw.url!,
      access,
      body,
      signal,
      // All others only read, also those that are sent by POST. An export would begin twice.
      isRepeatable: routeOptions.config.stateIn !== 'process',
      headers: { ...kept(request.headers, NOT_SENT), 'x-request-id': id },
    });
    if (answer.headers[RECORDS] !== undefined) recordedElsewhere(request);
    const length = Number(answer.headers['content-length'] ?? Infinity);
    // Of a HEAD there is only the length.
    const isSmall = method !== 'HEAD' && length <= SMALL;
    const payload = isSmall ? await link.read(answer, signal) : answer.body;
    reply.code(answer.statusCode).headers(kept(answer.headers, NOT_RETURNED));
    // An empty body would get a type.
    return reply.send(length === 0 ? undefined : payload);
  };
}

function kept(headers: IncomingHttpHeaders, left: ReadonlySet<string>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !left.has(entry[0]),
    ),
  );
}
