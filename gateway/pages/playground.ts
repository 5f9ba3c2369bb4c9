import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE_CONTROL } from '../../schema/http/cache-control.ts';
import { tenantBase } from '../../schema/http/request.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { redirectToCanonicalHost } from '../http/canonical-host.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { analystsOf, PLAYGROUND } from '../smart/server/sign-in/demonstration.ts';
import { isOwn } from '../smart/discovery/ehr-configuration.ts';
import { BUILT_FILES, sendBuiltPage } from './built-page.ts';
import { DEMO_CLIENT } from './first-request.ts';
import { smartIfKnown, withFacts } from './page-facts.ts';

/** The path of the playground's built files, below the base URL. Tenants cannot have this name. */
const FILES = '/app/playground';

/** Serves the built files of the playground: they are the same for all tenants. @param directory of the build */
export function playgroundFiles(directory: string): FastifyPluginAsync {
  return async (app) => {
    const assets = join(directory, 'assets');
    if (!existsSync(assets)) return;
    await app.register(fastifyStatic, {
      root: assets,
      prefix: `${FILES}/assets/`,
      ...BUILT_FILES,
      globIgnore: ['**/*.br', '**/*.gz'],
      setHeaders: (response) => {
        response.setHeader('cache-control', CACHE_CONTROL.immutable);
        response.setHeader('vary', 'accept-encoding');
      },
    });
  };
}

/** Serves the page to write and run GraphQL queries, at `/{tenant}/playground`. */
export function playground(
  directory: string,
  baseUrl: string,
  authorizer: Pick<Authorizer, 'smartConfiguration'>,
): FastifyPluginAsync {
  const gateway = `${baseUrl.replace(/\/+$/, '')}/`;
  const built = join(directory, 'playground.html');
  // Its files are beside it in the build, and elsewhere here.
  const html = existsSync(built)
    ? readFileSync(built, 'utf8').replaceAll(
        '"./assets/',
        `"${new URL(gateway).pathname}${FILES.slice(1)}/assets/`,
      )
    : undefined;
  return async (app) => {
    app.addHook('onRequest', redirectToCanonicalHost(baseUrl));
    app.get('/playground', { config: { open: true, api: 'page' } }, async (request, reply) => {
      const { tenant } = request;
      if (!html) throw new Fault('not_found', 'The playground is not built; `npm run build` builds it.');
      const smart = await smartIfKnown(tenant, authorizer, baseUrl);
      const page = withFacts(html, 'playground-facts', {
        tenant: tenant.key,
        base: tenantBase(baseUrl, tenant),
        gateway,
        access: accessTo(tenant),
        isDemonstration: hasClient(tenant, DEMO_CLIENT),
        analysis: tenant.analysis.enabled,
        explains: tenant.graphql.explain,
        // Tokens of our own server are for one patient, but for analysts; an EHR decides whom its users may see.
        severalPatients: !isOwn(tenant.authorization),
        ...analystFact(tenant, baseUrl),
        ...(smart && { smart }),
      });
      return sendBuiltPage(request, reply, page);
    });
  };
}

/** No token is needed, or by sign-in where the page is a registered app, or one that another program got. */
function accessTo(tenant: Tenant): 'none' | 'sign-in' | 'pasted' {
  if (tenant.authorization.type === 'mock') return 'none';
  return hasClient(tenant, PLAYGROUND) ? 'sign-in' : 'pasted';
}

/** The account that the page signs in as when the start page leads to it. */
function analystFact(tenant: Tenant, baseUrl: string): { analyst?: string } {
  const [analyst] = accessTo(tenant) === 'sign-in' ? analystsOf(tenant, baseUrl) : [];
  return analyst ? { analyst: analyst.account } : {};
}

const hasClient = ({ authorization }: Tenant, id: string): boolean =>
  authorization.type !== 'mock' && authorization.clients.some((client) => client.client_id === id);
