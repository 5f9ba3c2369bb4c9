import type { FastifyPluginAsync } from 'fastify';
import { Fault } from '../../schema/fault.ts';
import { FHIR_JSON } from '../../schema/fhir.ts';
import { requireFhirJson } from '../../schema/fhir-format.ts';
import type { Tenants } from '../tenants.ts';
import type { Authorizer } from './authorize.ts';
import { capabilityStatement } from './capability-statement.ts';
import { protectedResource, smartConfigurationOf } from './discovery.ts';

type Door = Pick<Authorizer, 'smartConfiguration'>;

/** `/fhir/metadata` and `/fhir/.well-known/smart-configuration` of a tenant (SM-1). No token is needed. */
export function discoveryRoutes(door: Door, baseUrl: string, started: Date): FastifyPluginAsync {
  return async (app) => {
    const config = { open: true };
    app.get('/fhir/metadata', { config }, async ({ tenant, headers, query }, reply) => {
      const { _format: format } = query as { _format?: string | string[] };
      requireFhirJson(headers.accept, [format].flat().at(-1));
      const smart = await smartConfigurationOf(tenant, door).catch((error: unknown) => {
        // The statement is true without the EHR's addresses; a kind that is not built has none to tell.
        if (error instanceof Fault) return {};
        throw error;
      });
      reply.type(FHIR_JSON);
      return JSON.stringify(capabilityStatement(tenant, baseUrl, smart, started));
    });
    app.get('/fhir/.well-known/smart-configuration', { config }, async ({ tenant }, reply) => {
      reply.type('application/json');
      return JSON.stringify(await smartConfigurationOf(tenant, door));
    });
  };
}

/** RFC 9728 §3: the host's root, then the well-known name, then the path of the tenant's base (SM-3). */
export function protectedResourceRoutes(tenants: Tenants, door: Door, baseUrl: string): FastifyPluginAsync {
  const prefix = new URL(baseUrl).pathname.replace(/\/+$/, '');
  return async (app) => {
    app.get<{ Params: { '*': string } }>(
      '/.well-known/oauth-protected-resource/*',
      async (request, reply) => {
        const path = `/${request.params['*']}`;
        const within = path.startsWith(`${prefix}/`) ? path.slice(prefix.length + 1) : path.slice(1);
        const tenant = within.startsWith('dyn/')
          ? tenants.dynamic(within.slice('dyn/'.length))
          : tenants.byKey(within);
        reply.type('application/json');
        return JSON.stringify(await protectedResource(tenant, door, baseUrl));
      },
    );
  };
}
