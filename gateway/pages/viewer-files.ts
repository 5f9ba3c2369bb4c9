import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_CONTROL, setCacheControl } from '../../schema/http/cache-control.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { redirectToCanonicalHost } from '../http/canonical-host.ts';
import { BUILT_FILES, sendBuiltPage } from './built-page.ts';
import { withFacts } from './page-facts.ts';
import type { ViewerConfiguration } from './viewer-configuration.ts';

/**
 * Serves the viewer at `/app/`, and leads from `/share`, the address of shared links, to it: built files are immutable and compressed by the build, the page is revalidated, every other
 * path gives the page.
 * @param configuration returns what the page says about this gateway, from the query of its address
 */
export function viewerFiles(
  directory: string,
  baseUrl: string,
  configuration: (query: URLSearchParams) => Promise<ViewerConfiguration>,
): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', redirectToCanonicalHost(baseUrl));
    app.get('/app', (_request, reply) => reply.redirect('/app/', 308));
    // What is after the "#" of a shared link, which browsers keep, stays with the browser.
    app.get('/share', (_request, reply) => setCacheControl(reply, 'noStore').redirect('app/shared', 302));
    if (!existsSync(join(directory, 'index.html'))) {
      app.get('/app/*', () => {
        throw new Fault('not_found', 'The viewer is not built; `npm run build` builds it.');
      });
      return;
    }
    await serveFiles(app, directory);
    const html = readFileSync(join(directory, 'index.html'), 'utf8');
    app.get('/app/*', async (request, reply) => {
      const [path = '', query] = request.url.split('?', 2);
      // Answering a missing script with the page would only hide the error.
      if (/\.\w+$/.test(path)) throw new Fault('not_found', 'There is no such file.');
      const facts = await configuration(new URLSearchParams(query));
      const page = withFacts(html, 'viewer-configuration', facts);
      return sendBuiltPage(request, reply, page);
    });
  };
}

async function serveFiles(app: FastifyInstance, directory: string): Promise<void> {
  const assets = join(directory, 'assets');
  await app.register(fastifyStatic, {
    root: directory,
    prefix: '/app/',
    ...BUILT_FILES,
    globIgnore: ['index.html', '**/*.br', '**/*.gz'],
    setHeaders: (response, path) => {
      const hashed = path.startsWith(assets);
      response.setHeader('cache-control', hashed ? CACHE_CONTROL.immutable : CACHE_CONTROL.revalidate);
      response.setHeader('vary', 'accept-encoding');
    },
  });
}
