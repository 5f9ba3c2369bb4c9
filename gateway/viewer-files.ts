import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../schema/fault.ts';
import { underOneName } from './one-name.ts';

const YEAR_SECONDS = 31_536_000;

/** The viewer at `/app/`: built files for ever, the page itself never from a cache, every other path the page. */
export function viewerFiles(directory: string, baseUrl: string): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', underOneName(baseUrl));
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
        response.setHeader(
          'cache-control',
          hashed ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
        );
      },
    });
    app.get('/app/*', (request, reply) => {
      // A missing script answered with a page would only hide what is wrong.
      if (/\.\w+$/.test(request.url.split('?')[0]!)) throw new Fault('not_found', 'There is no such file.');
      return reply.header('cache-control', 'no-cache').sendFile('index.html');
    });
  };
}
