import type { FastifyReply } from 'fastify';

/**
 * Values of `Cache-Control` (RFC 9111 §5.2.2), one for each kind of answer. Errors, and answers that set none of them, are
 * `no-store`.
 */
export const CACHE_CONTROL = {
  /** Records, tokens, links, and information about the server. */
  noStore: 'no-store',
  /** Images: only the caller may keep them, and must validate them each time (DW-14). */
  private: 'private, no-cache',
  /** Discovery and schemas, which are the same for everybody and need no token. */
  public: 'public, max-age=300',
  /** Pages without data: a cache must validate them each time. */
  revalidate: 'no-cache',
  /** Files with a digest of their content in the name. */
  immutable: 'public, max-age=31536000, immutable',
} as const;

/** Request headers on which a private answer depends. */
const PRIVATE_VARY = 'Authorization, Accept, Accept-Encoding';

/** Sets `Cache-Control` of an answer, and `Vary` when only the caller may keep it. */
export function setCacheControl(reply: FastifyReply, kind: keyof typeof CACHE_CONTROL): FastifyReply {
  if (kind === 'private') {
    const vary = String(reply.getHeader('vary') ?? '');
    void reply.header('vary', [vary, PRIVATE_VARY].filter(Boolean).join(', '));
  }
  return reply.header('cache-control', CACHE_CONTROL[kind]);
}
