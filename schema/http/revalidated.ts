import type { FastifyReply, FastifyRequest } from 'fastify';
import { isHeldBy, tagOf } from './entity-tag.ts';

/** Sends a text, or one in UTF-8, with its entity tag, or 304 to a caller that has it. Cache-Control is set before. */
export function sendRevalidated(
  request: FastifyRequest,
  reply: FastifyReply,
  { text, type, tag = weakTag(text) }: { text: Uint8Array | string; type: string; tag?: string },
): FastifyReply {
  reply.header('etag', tag);
  if (isHeldBy(request.headers['if-none-match'], tag)) return reply.code(304).send();
  return reply.type(type).send(text);
}

/** Weak, because the text may be sent compressed. */
export function weakTag(text: Uint8Array | string): string {
  return `W/${tagOf(text)}`;
}
