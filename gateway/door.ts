import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../schema/access.ts';
import { toFault } from '../schema/fault.ts';
import type { Tenant } from '../schema/tenant.ts';
import { sendFault, styleOf } from './fault-reply.ts';
import type { Authorizer } from './smart/authorize.ts';
import { refuseFormToken } from './smart/bearer.ts';
import type { Tenants } from './tenants.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for routes that need no token: discovery, and pages without data. Everything else is behind the door. */
    open?: boolean;
  }
}

const ACCESS = Symbol('access');
type WithAccess = FastifyRequest & { [ACCESS]?: Access };

/** Declares `request.tenant` and `request.access`; reading an access that nobody established throws. */
export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('tenant', undefined as unknown as Tenant);
  app.decorateRequest('access', {
    getter(this: WithAccess): Access {
      const access = this[ACCESS];
      if (!access) throw new Error('This route has no Access: it is not behind the door.');
      return access;
    },
    setter(this: WithAccess, access: Access) {
      this[ACCESS] = access;
    },
  });
}

/**
 * The door of every route in this scope: which tenant, then who is calling and what they may see, once. A fault is
 * thrown, for the face to render; only an unknown tenant is answered here, because faces count on having one.
 */
export function addDoor(
  app: FastifyInstance,
  deps: { tenants: Tenants; authorizer: Authorizer; baseUrl: string },
): void {
  const { tenants, authorizer, baseUrl } = deps;
  app.addHook('onRequest', async (request, reply) => {
    const { tenant, encoded } = request.params as { tenant?: string; encoded?: string };
    try {
      request.tenant = encoded === undefined ? tenants.byKey(tenant ?? '') : tenants.dynamic(encoded);
    } catch (error) {
      return sendFault(baseUrl, styleOf(request.routeOptions.url ?? ''), toFault(error), request, reply);
    }
    if (request.routeOptions.config.open) return;
    request.access = await authorizer.authorize(request.tenant, request.raw);
  });
  app.addHook('preHandler', async (request) => {
    const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
    if (form && request.tenant.authorization.type !== 'mock') refuseFormToken(request.body);
    if (request.routeOptions.config.open) return;
    const { tenant, access, body, raw } = request;
    request.access = await authorizer.reach(tenant, access, raw.url ?? '', body);
  });
}
