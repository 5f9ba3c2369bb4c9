import type { onRequestAsyncHookHandler } from 'fastify';
import { isLoopback } from '../smart/server/clients/loopback.ts';

/**
 * Redirects a browser to `BASE_URL` when it opens a page by another name of the local machine (`127.0.0.1` for
 * `localhost`). Sign-in works only at `BASE_URL`: elsewhere it would fail later with an unknown redirect URI.
 */
export function redirectToCanonicalHost(baseUrl: string): onRequestAsyncHookHandler {
  const { origin, hostname, port } = new URL(baseUrl);
  return async ({ host, originalUrl }, reply) => {
    const asked = `http://${host}`;
    if (!isLoopback(baseUrl) || !URL.canParse(asked) || !isLoopback(asked)) return;
    const by = new URL(asked);
    if (by.port !== port || by.hostname === hostname) return;
    return reply.redirect(`${origin}${originalUrl}`, 307);
  };
}
