import type { FastifyReply } from 'fastify';

/**
 * Values of `Cache-Control` (RFC 9111 §5.2.2), one for each kind of answer. An answer that sets none of them, and every
 * error, is `no-store`.
 */
export const CACHE_CONTROL = {
  /** Records, tokens, links, and what the server says of itself. */
  noStore: 'no-store',
  /** Images: kept by the caller alone, who asks each time whether they are still the same (DW-14). */
  private: 'private, no-cache',
  /** Discovery and schemas, which are the same for everybody and need no token. */
  public: 'public, max-age=300',
  /** Pages without data: each time it is asked whether they are still the same. */
  revalidate: 'no-cache',
  /** Files that are named after their content. */
  immutable: 'public, max-age=31536000, immutable',
} as const;

/** What a private answer depends on besides its address. */
const PRIVATE_VARY = 'Authorization, Accept, Accept-Encoding';

/** Sets `Cache-Control` of an answer, and `Vary` where it is for the caller alone. */
export function setCacheControl(reply: FastifyReply, kind: keyof typeof CACHE_CONTROL): FastifyReply {
  if (kind === 'private') {
    const vary = String(reply.getHeader('vary') ?? '');
    void reply.header('vary', [vary, PRIVATE_VARY].filter(Boolean).join(', '));
  }
  return reply.header('cache-control', CACHE_CONTROL[kind]);
}
