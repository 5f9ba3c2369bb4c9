import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { nothingAtPath } from '../../../schema/fault/refusals.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import { fhirBase, resourceOfApi, tenantBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Tenants } from '../../tenants/loading/settings.ts';
import type { Authorizer } from '../authorize.ts';
import { capabilityStatement, type StatementParts } from './capability-statement.ts';
import { MADO_OPERATION, madoOperation } from './mado-operation.ts';
import { SQL_OPERATIONS, sqlOperation, sqlOperationPath } from './sql-operations.ts';
import { protectedResource, smartConfigurationOf, unlessFault } from './smart-configuration.ts';
import { isOwn } from './ehr-configuration.ts';

type Discovery = Pick<Authorizer, 'smartConfiguration'>;

export interface DiscoveryOptions {
  authorizer: Discovery;
  /** Public base of the whole server. */
  baseUrl: string;
  /** Start of this server. */
  started: Date;
  /** Returns what the source of a tenant's record does: the same array until that changes. */
  claims(tenant: Tenant): Promise<StatementParts['record']>;
  /** True for a tenant whose patients can list who has looked. */
  listsAccesses?(tenant: Tenant): boolean;
}

/**
 * Returns the routes `/fhir/metadata` and `/fhir/.well-known/smart-configuration` (SM-1), and the definitions of our own
 * operations. They need no token.
 */
export function discoveryRoutes(options: DiscoveryOptions): FastifyPluginAsync {
  const { authorizer, baseUrl } = options;
  const statement = statements(options);
  return async (app) => {
    const config = { open: true, api: 'fhir' as const };
    app.get('/fhir/metadata', { config }, async ({ tenant, headers, query }, reply) => {
      const { _format: format, mode } = query as Record<string, string | string[] | undefined>;
      requireFhirJson(headers.accept, [format].flat().at(-1));
      requireStatement([mode].flat().at(-1));
      const text = await statement(tenant);
      discovered(reply, tenant).type(FHIR_JSON).header('vary', 'Accept');
      return text;
    });
    app.get(`/fhir/${MADO_OPERATION}`, { config }, async ({ tenant, headers }, reply) => {
      requireFhirJson(headers.accept, undefined);
      discovered(reply, tenant).type(FHIR_JSON).header('vary', 'Accept');
      return JSON.stringify(madoOperation(fhirBase(baseUrl, tenant)));
    });
    for (const code of SQL_OPERATIONS) {
      const isOffered = ({ analysis }: Tenant) => analysis.enabled;
      app.get(
        `/fhir/${sqlOperationPath(code)}`,
        { config: { ...config, isOffered } },
        async ({ tenant, headers }, reply) => {
          requireFhirJson(headers.accept, undefined);
          discovered(reply, tenant).type(FHIR_JSON).header('vary', 'Accept');
          return JSON.stringify(sqlOperation(code, fhirBase(baseUrl, tenant)));
        },
      );
    }
    app.get('/fhir/.well-known/smart-configuration', { config }, async ({ tenant }, reply) => {
      discovered(reply, tenant).type('application/json');
      return JSON.stringify(await smartConfigurationOf(tenant, authorizer, baseUrl));
    });
  };
}

/** Refuses a request for another statement than the CapabilityStatement (R4 §3.1.0.9). It has normative parts among others. */
function requireStatement(mode = 'full'): void {
  if (mode === 'full' || mode === 'normative') return;
  if (mode === 'terminology') {
    throw new Fault('not_implemented', 'There is no terminology service here: mode takes full or normative.');
  }
  throw new Fault('invalid_request', 'mode takes full or normative.');
}

/** Returns a function that writes the CapabilityStatement of a tenant; again only when one of its parts has changed. */
function statements({ authorizer, baseUrl, started, claims, listsAccesses }: DiscoveryOptions) {
  const written = new WeakMap<Tenant, { record: object; endpoints: string; text: string }>();
  return async (tenant: Tenant): Promise<string> => {
    // The statement is valid without what another server did not answer for.
    const [smart, record] = await Promise.all([
      unlessFault(smartConfigurationOf(tenant, authorizer, baseUrl), {}),
      claims(tenant),
    ]);
    const endpoints = JSON.stringify(smart);
    const last = written.get(tenant);
    if (last?.record === record && last.endpoints === endpoints) return last.text;
    const parts = { baseUrl, smart, record, started, accessList: listsAccesses?.(tenant) ?? false };
    const text = JSON.stringify(capabilityStatement(tenant, parts));
    written.set(tenant, { record, endpoints, text });
    return text;
  };
}

/**
 * Returns the metadata routes at the root of the host, where the well-known name comes before the path: of every tenant's
 * base, and of its address for assistants, as protected resources (SM-3, SM-20, RFC 9728 §3), and of our own authorization
 * servers (RFC 8414 §3.1), whose issuer is `{base}/oauth`.
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
        const [, path = '', api] = /^(.*?)(?:\/(mcp))?$/.exec(params['*']) ?? [];
        const tenant = await tenantAt(path);
        if (api === 'mcp' && !tenant.mcp.enabled) throw nothingAtPath();
        discovered(reply, tenant).type('application/json');
        const resource = resourceOfApi(tenantBase(baseUrl, tenant), api as 'mcp' | undefined);
        return JSON.stringify(await protectedResource(tenant, authorizer, resource));
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
