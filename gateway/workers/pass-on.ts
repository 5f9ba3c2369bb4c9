import { chmod, rm } from 'node:fs/promises';
import { Agent, createServer, request as send, type IncomingMessage, type Server } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pipeline } from 'node:stream';
import { Fault } from '../../schema/fault/fault.ts';
import type {} from '../../schema/http/served.ts';
import { CONNECTION_HEADERS } from '../http/connection-headers.ts';
import { isOwn } from '../smart/discovery/ehr-configuration.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** True for a request that another process answers, logs and records. */
    isPassedOn: boolean;
  }
}

/** Carries the client's address. Only the socket of the first process reads it. */
const CLIENT = 'x-passed-on-for';
/** `transfer-encoding` of a request is that of its body. */
const OF_CONNECTION = new Set<string>([...CONNECTION_HEADERS, CLIENT]);
const OF_ANSWER = new Set([...OF_CONNECTION, 'transfer-encoding']);

/**
 * Tells if a request needs state that only the first process has: exports, deliveries by DIMSE; without a store that
 * processes share, also sign-ins and tokens of our own authorization server, links that can be used once, and counts of
 * requests.
 */
export function needsFirstProcess(
  { tenant, routeOptions, params }: Pick<FastifyRequest, 'tenant' | 'routeOptions' | 'params'>,
  isShared: boolean,
): boolean {
  const { stateIn } = routeOptions.config;
  if (stateIn === 'process' || tenant.images.some(({ type }) => type === 'dicom-dimse')) return true;
  if (isShared) return false;
  const { requestsPerMinute, tenantRequestsPerMinute } = tenant.limits;
  const isCounted = requestsPerMinute !== null || tenantRequestsPerMinute !== null;
  const { capability } = (params ?? {}) as { capability?: string };
  return stateIn === 'store' || capability !== undefined || isCounted || isOwn(tenant.authorization);
}

/** Serves the requests that other processes pass on, at a socket that only this user's processes reach. */
export async function serveOthers(app: FastifyInstance, socket: string): Promise<Server> {
  const server = createServer((request, response) => {
    const { [CLIENT]: address } = request.headers;
    Object.defineProperty(request.socket, 'remoteAddress', { value: address, configurable: true });
    delete request.headers[CLIENT];
    app.routing(request, response);
  });
  // Of a process that was killed.
  await rm(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: socket, exclusive: true }, resolve);
  });
  await chmod(socket, 0o600);
  return server;
}

/** Passes a request on to the first process, and its answer back; rejects when there is none. */
export function passOnTo(socket: string): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const agent = new Agent({ keepAlive: true });
  return (request, reply) => {
    request.isPassedOn = true;
    const { raw } = request;
    const headers = [...kept(raw.rawHeaders, OF_CONNECTION), CLIENT, raw.socket.remoteAddress ?? ''];
    const { method, url: path } = raw;
    return new Promise((resolve, reject) => {
      const passed = send({ socketPath: socket, agent, method, path, headers: headers });
      passed.once('error', (cause) => {
        if (reply.raw.headersSent) return void reply.raw.destroy();
        // The rest of its body is read, or the connection could not take another request.
        raw.resume();
        const message = 'A part of this service is being started again; try again in a few seconds.';
        reject(new Fault('unavailable', message, { retryAfter: 2, cause }));
      });
      passed.once('response', (answer: IncomingMessage) => {
        reply.hijack();
        reply.raw.writeHead(answer.statusCode!, kept(answer.rawHeaders, OF_ANSWER));
        pipeline(answer, reply.raw, () => undefined);
        resolve();
      });
      reply.raw.once('close', () => {
        if (!reply.raw.writableFinished) passed.destroy();
      });
      raw.pipe(passed);
    });
  };
}

/** @param headers names and values in turn, as Node gives them */
function kept(headers: readonly string[], left: ReadonlySet<string>): string[] {
  const isKept = (index: number) => !left.has(headers[index - (index % 2)]!.toLowerCase());
  return headers.filter((_, index) => isKept(index));
}
