/** The OHIF viewer from npm, unmodified, with a configuration of ours. */
import fastifyStatic from '@fastify/static';
import Fastify from 'fastify';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OHIF = '@ohif/app@3.13.2';

export interface OhifApp {
  /** Without a slash at the end. */
  url: string;
  stop(): Promise<void>;
}

/** Starts a server of the app on a free port. @param token sent with every request, if there is one */
export async function startOhif(dicomweb: string, token?: string): Promise<OhifApp> {
  const dist = await unpacked();
  const server = Fastify();
  const index = await readFile(join(dist, 'index.html'), 'utf8');
  const script = configuration(dicomweb, token);
  server.get('/app-config.js', (_request, reply) => reply.type('text/javascript').send(script));
  // Its names hold a hash: a second visit finds them in the cache of the browser, as ours does.
  await server.register(fastifyStatic, { root: dist, index: false, immutable: true, maxAge: '1y' });
  for (const path of ['/', '/viewer']) {
    server.get(path, (_request, reply) => reply.type('text/html').send(index));
  }
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as { port: number };
  return { url: `http://localhost:${port}`, stop: () => server.close() };
}

/** Returns the app's `dist`, which is fetched from the registry once and kept beside the other packages. */
async function unpacked(): Promise<string> {
  const cache = join(import.meta.dirname, '../../../node_modules/.cache');
  const target = join(cache, OHIF.replaceAll(/[^a-z0-9.]+/g, '-'));
  if (existsSync(target)) return join(target, 'package/dist');
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'ohif-'));
  const { stdout } = await run('npm', ['pack', OHIF, '--silent', '--pack-destination', work]);
  await run('tar', ['xzf', join(work, stdout.trim()), '-C', work]);
  await rename(work, target);
  return join(target, 'package/dist');
}

function configuration(dicomweb: string, token?: string): string {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const source = {
    friendlyName: 'The gateway',
    name: 'gateway',
    qidoRoot: dicomweb,
    wadoRoot: dicomweb,
    wadoUriRoot: dicomweb,
    qidoSupportsIncludeField: true,
    imageRendering: 'wadors',
    thumbnailRendering: 'wadors',
    enableStudyLazyLoad: true,
    supportsFuzzyMatching: false,
    supportsWildcard: true,
    singlepart: 'bulkdata,video',
    bulkDataURI: { enabled: true },
    omitQuotationForMultipartRequest: true,
  };
  return `window.config = {
    routerBasename: null, extensions: [{ id: 'token', preRegistration: ({ servicesManager }) =>
      servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => (${JSON.stringify(headers)}) }) }],
    modes: [], customizationService: {}, showStudyList: true, maxNumberOfWebWorkers: 2,
    showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false, showLoadingIndicator: true,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 }, defaultDataSourceName: 'ohif',
    dataSources: [{ namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'ohif',
      configuration: ${JSON.stringify(source)} }],
  };`;
}
