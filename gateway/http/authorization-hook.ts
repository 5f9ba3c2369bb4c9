import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import { toFault } from '../../schema/fault/fault.ts';
import { requireFewParameters, requireShortHeaders } from '../../schema/http/request-bounds.ts';
import { askedRequest } from '../../schema/http/served.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { sendFault, styleOf } from './fault-reply.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { bearerToken, refuseFormToken } from '../smart/token/bearer.ts';
import { noLongerValid } from '../smart/capability/capability.ts';
import type { Capabilities } from '../smart/capability/capability-admission.ts';
import { namedIn, type DocumentRules } from '../smart/patient/named-patients.ts';
import type { Tenants } from '../tenants/loading/settings.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Returns true for a tenant that has the route. Without it, every tenant has it. */
    isOffered?(tenant: Tenant): boolean;
  }
}

const ACCESS = Symbol('access');
type WithAccess = FastifyRequest & { [ACCESS]?: Access };

/** Declares `request.tenant` and `request.access`; reading `access` before it is set throws. */
export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('tenant', undefined as unknown as Tenant);
  app.decorateRequest('access', {
    getter(this: WithAccess): Access {
      const access = this[ACCESS];
      if (!access) throw new Error('This route has no Access: the authorization hook did not run for it.');
      return access;
    },
    setter(this: WithAccess, access: Access) {
      this[ACCESS] = access;
    },
  });
}

/**
 * Finds the tenant of every request in this scope, then who is calling and what they may see, once. It throws faults, and
 * the route's API writes them. Only an unknown tenant is answered here, because the APIs rely on having one.
 */
export function addAuthorization(
  app: FastifyInstance,
  deps: {
    tenants: Tenants;
    authorizer: Authorizer;
    capabilities?: Capabilities;
    baseUrl: string;
    documents?: (tenant: Tenant) => DocumentRules;
  },
): void {
  const { tenants, authorizer, capabilities, baseUrl, documents } = deps;
  app.addHook('onRoute', ({ url, config }) => {
    if (!config?.open && !config?.serves) throw new Error(`The route ${url} does not say what it serves.`);
  });
  app.addHook('onRequest', async (request, reply) => {
    const { tenant, encoded, capability } = request.params as {
      tenant?: string;
      encoded?: string;
      capability?: string;
    };
    try {
      request.tenant = encoded === undefined ? tenants.byKey(tenant ?? '') : await tenants.dynamic(encoded);
    } catch (error) {
      return sendFault(baseUrl, styleOf(request), toFault(error), request, reply);
    }
    if (request.routeOptions.config.isOffered?.(request.tenant) === false) return reply.callNotFound();
    requireShortHeaders(request.headers);
    if (request.routeOptions.config.open) return;
    if (capability !== undefined) {
      if (!capabilities) throw noLongerValid();
      request.access = await capabilities.admit(request.tenant, request);
      return;
    }
    // A mock tenant ignores the token (SM-11).
    const token = request.tenant.authorization.type === 'mock' ? undefined : bearerToken(request.raw);
    const access = await authorizer.authorize(request.tenant, token);
    request.access = token === undefined ? access : { ...access, token };
  });
  app.addHook('preHandler', async (request) => {
    const form = /^\s*application\/x-www-form-urlencoded/i.test(request.headers['content-type'] ?? '');
    if (form && typeof request.body === 'string') requireFewParameters([request.body]);
    if (form && request.tenant.authorization.type !== 'mock') refuseFormToken(request.body);
    // A capability is for one patient: nothing in the request widens it (IA-23).
    const { capability } = request.params as { capability?: string };
    if (request.routeOptions.config.open || capability !== undefined) return;
    const named = () => namedIn(askedRequest(request), documents?.(request.tenant));
    request.access = await authorizer.reach(request.tenant, request.access, named);
  });
}
