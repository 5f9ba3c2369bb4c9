import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_CONTROL, setCacheControl } from '../../schema/http/cache-control.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { redirectToCanonicalHost } from '../http/canonical-host.ts';

/** Serves the viewer at `/app/`: built files are immutable, the page is revalidated, every other path gives the page. */
export function viewerFiles(directory: string, baseUrl: string): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', redirectToCanonicalHost(baseUrl));
    app.get('/app', (_request, reply) => reply.redirect('/app/', 308));
    if (!existsSync(join(directory, 'index.html'))) {
      app.get('/app/*', () => {
        throw new Fault('not_found', 'The viewer is not built; `npm run build` builds it.');
      });
      return;
    }
    await app.register(fastifyStatic, {
      root: directory,
      prefix: '/app/',
      decorateReply: true,
      wildcard: false,
      cacheControl: false,
      setHeaders: (response, path) => {
        const hashed = path.includes(join(directory, 'assets'));
        response.setHeader('cache-control', hashed ? CACHE_CONTROL.immutable : CACHE_CONTROL.revalidate);
      },
    });
    app.get('/app/*', (request, reply) => {
      // Answering a missing script with the page would only hide the error.
      if (/\.\w+$/.test(request.url.split('?')[0]!)) throw new Fault('not_found', 'There is no such file.');
      return setCacheControl(reply, 'revalidate').sendFile('index.html');
    });
  };
}
