import type { FastifyStaticOptions } from '@fastify/static';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { sendRevalidated } from '../../schema/http/revalidated.ts';

/** Options to serve files of a build: each has its compressed forms beside it. */
export const BUILT_FILES = {
  decorateReply: false,
  wildcard: false,
  cacheControl: false,
  preCompressed: true,
} satisfies Partial<FastifyStaticOptions>;

/** Sends a page of a build, which browsers ask for anew each time. */
export function sendBuiltPage(request: FastifyRequest, reply: FastifyReply, text: string): FastifyReply {
  void setCacheControl(reply, 'revalidate').header('vary', 'accept-encoding');
  return sendRevalidated(request, reply, { text, type: 'text/html; charset=utf-8' });
}
