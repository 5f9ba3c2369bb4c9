import type { onRequestAsyncHookHandler } from 'fastify';
import { isLoopback } from '../smart/server/clients/loopback.ts';

/**
 * A browser signs in at `BASE_URL` and at no other address. Who opens a page by another name of this very machine
 * (`127.0.0.1` for `localhost`) goes on there, instead of being told later that the redirect URI is unknown.
 */
export function underCanonicalHost(baseUrl: string): onRequestAsyncHookHandler {
  const { origin, hostname, port } = new URL(baseUrl);
  return async ({ host, originalUrl }, reply) => {
    const asked = `http://${host}`;
    if (!isLoopback(baseUrl) || !URL.canParse(asked) || !isLoopback(asked)) return;
    const by = new URL(asked);
    if (by.port !== port || by.hostname === hostname) return;
    return reply.redirect(`${origin}${originalUrl}`, 307);
  };
}
