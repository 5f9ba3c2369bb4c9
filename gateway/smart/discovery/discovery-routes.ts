import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Tenants } from '../../tenants/loading/settings.ts';
import type { Authorizer } from '../authorize.ts';
import { capabilityStatement } from './capability-statement.ts';
import { protectedResource, smartConfigurationOf } from './discovery.ts';
import { isOwn } from './smart-configuration.ts';

type Discovery = Pick<Authorizer, 'smartConfiguration'>;

/** Returns the routes `/fhir/metadata` and `/fhir/.well-known/smart-configuration` (SM-1). They need no token. */
export function discoveryRoutes(authorizer: Discovery, baseUrl: string, started: Date): FastifyPluginAsync {
  return async (app) => {
    const config = { open: true, api: 'fhir' as const };
    app.get('/fhir/metadata', { config }, async ({ tenant, headers, query }, reply) => {
      const { _format: format } = query as { _format?: string | string[] };
      requireFhirJson(headers.accept, [format].flat().at(-1));
      const smart = await smartConfigurationOf(tenant, authorizer, baseUrl).catch((error: unknown) => {
        // The statement is valid without the EHR's endpoints; an authorization type that is not supported has none.
        if (error instanceof Fault) return {};
        throw error;
      });
      discovered(reply, tenant).type(FHIR_JSON).header('vary', 'Accept');
      return JSON.stringify(capabilityStatement(tenant, baseUrl, smart, started));
    });
    app.get('/fhir/.well-known/smart-configuration', { config }, async ({ tenant }, reply) => {
      discovered(reply, tenant).type('application/json');
      return JSON.stringify(await smartConfigurationOf(tenant, authorizer, baseUrl));
    });
  };
}

/**
 * Returns the metadata routes at the root of the host, where the well-known name comes before the path: of every tenant's
 * base as a protected resource (SM-3, RFC 9728 §3), and of our own authorization servers (RFC 8414 §3.1), whose issuer is
 * `{base}/oauth`.
 */
export function rootMetadataRoutes(
  tenants: Tenants,
  authorizer: Discovery,
  baseUrl: string,
): FastifyPluginAsync {
  const prefix = new URL(baseUrl).pathname.replace(/\/+$/, '');
  /** Returns the tenant at a path of the host, with or without the public prefix. */
  const tenantAt = async (path: string): Promise<Tenant> => {
    const within = `/${path}`.startsWith(`${prefix}/`) ? `/${path}`.slice(prefix.length + 1) : path;
    return within.startsWith('dyn/') ? tenants.dynamic(within.slice('dyn/'.length)) : tenants.byKey(within);
  };
  return async (app) => {
    app.get<{ Params: { '*': string } }>(
      '/.well-known/oauth-protected-resource/*',
      async ({ params }, reply) => {
        const tenant = await tenantAt(params['*']);
        discovered(reply, tenant).type('application/json');
        return JSON.stringify(await protectedResource(tenant, authorizer, baseUrl));
      },
    );
    app.get<{ Params: { '*': string } }>(
      '/.well-known/oauth-authorization-server/*',
      async ({ params }, reply) => {
        const [, path] = /^(.+)\/oauth$/.exec(params['*']) ?? [];
        const tenant = path === undefined ? undefined : await tenantAt(path);
        if (!tenant || !isOwn(tenant.authorization)) {
          throw new Fault('not_found', 'There is no authorization server at this path.');
        }
        discovered(reply, tenant).type('application/json');
        return JSON.stringify(await authorizer.smartConfiguration(tenant, tenant.authorization));
      },
    );
  };
}

/** The URL of a dynamic tenant may contain secrets, which a shared cache would store. */
const discovered = (reply: FastifyReply, { dynamic }: Tenant) =>
  setCacheControl(reply, dynamic ? 'noStore' : 'public');
