import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../schema/access/access.ts';
import { Fault, toFault } from '../../schema/fault/fault.ts';
import { andThen, orElse, type Awaitable } from '../../schema/process/awaitable.ts';
import { requireFewParameters, requireShortHeaders } from '../../schema/http/request-bounds.ts';
import { askedRequest } from '../../schema/http/served.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { sendFault, styleOf } from './fault-reply.ts';
import type { LimitTenantLoad } from './load.ts';
import type { Authorizer } from '../smart/authorize.ts';
import { bearerToken, refuseFormToken } from '../smart/token/bearer.ts';
import { noLongerValid } from '../smart/capability/capability.ts';
import type { Capabilities } from '../smart/capability/capability-admission.ts';
import { namedIn, type DocumentRules } from '../smart/patient/named-patients.ts';
import { needsFirstProcess } from '../workers/pass-on.ts';
import type { Tenants } from '../tenants/loading/settings.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Public base of the whole server. */
    baseUrl: string;
  }
}

const ACCESS = Symbol('access');
type WithAccess = FastifyRequest & { [ACCESS]?: Access };

/** Passes requests on to the first process. */
export interface PassOn {
  /** @throws Fault `unavailable` while there is no first process */
  to(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** True if processes share a store (REDIS_URL). */
  isShared: boolean;
}

/** Declares `request.tenant` and `request.access`; reading `access` before it is set throws. */
export function decorateRequests(app: FastifyInstance): void {
  // eslint-disable-next-line no-restricted-syntax -- Fastify decorates with a value; the hook sets it before it is read
  app.decorateRequest('tenant', undefined as unknown as Tenant);
  app.decorateRequest('isPassedOn', false);
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

/** Sets the tenant of a request, which keeps it until its answer is over: also after the tenant was replaced. */
export function useTenant(
  { begin }: Pick<Tenants, 'begin'>,
  tenant: Tenant,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): void {
  request.tenant = tenant;
  if (begin && !tenant.dynamic) reply.raw.once('close', begin(tenant));
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
    /** Admits requests by the capability of a shared link (IA-36). */
    shares?: { admit(tenant: Tenant, request: FastifyRequest): Promise<Access> } | undefined;
    baseUrl: string;
    documents?: (tenant: Tenant) => DocumentRules;
    /** Passes requests on that another process has to answer. */
    passOn?: PassOn | undefined;
    /** Is told of each request of a tenant. @returns the refusal while its data are being made */
    visited?: ((tenant: Tenant) => Fault | undefined) | undefined;
    /** Refuses a request of a tenant that has too many. */
    limitTenantLoad?: LimitTenantLoad;
  },
): void {
  const { tenants, authorizer, capabilities, shares, baseUrl, documents, passOn } = deps;
  app.addHook('onRoute', ({ url, config }) => {
    if (!config?.open && !config?.serves) throw new Error(`The route ${url} does not say what it serves.`);
  });
  const access = (request: FastifyRequest, capability: string | undefined): Awaitable<Access> => {
    if (capability !== undefined) {
      const admission = request.routeOptions.config.shared ? shares : capabilities;
      if (!admission) throw noLongerValid();
      return admission.admit(request.tenant, request);
    }
    // A mock tenant ignores the token (SM-11).
    const token = request.tenant.authorization.type === 'mock' ? undefined : bearerToken(request.raw);
    return authorizer.authorize(request.tenant, token);
  };
  app.addHook('onRequest', (request, reply, done) => {
    const { tenant, encoded, capability } = request.params as {
      tenant?: string;
      encoded?: string;
      capability?: string;
    };
    const found = orElse(
      () => (encoded === undefined ? tenants.byKey(tenant ?? '') : tenants.dynamic(encoded)),
      toFault,
    );
    const work = (known: Tenant | Fault): Awaitable<boolean> => {
      if (known instanceof Fault) {
        sendFault(baseUrl, styleOf(request), known, { request, reply });
        return false;
      }
      useTenant(tenants, known, { request, reply });
      // Before the tenant's EHR is asked, which may be the slow one.
      deps.limitTenantLoad?.(request);
      if (request.routeOptions.config.isOffered?.(known) === false) {
        reply.callNotFound();
        return false;
      }
      requireShortHeaders(request.headers);
      if (passOn && needsFirstProcess(request, passOn.isShared))
        return passOn.to(request, reply).then(() => false);
      const missing = deps.visited?.(known);
      if (request.routeOptions.config.open) return true;
      if (missing) throw missing;
      return andThen(access(request, capability), (authorized) => {
        request.access = authorized;
        return true;
      });
    };
    runHook(() => andThen(found, work), done);
  });
  app.addHook('preHandler', (request, _reply, done) => {
    const work = (): Awaitable<boolean> => {
      const form = /^\s*application\/x-www-form-urlencoded/i.test(request.headers['content-type'] ?? '');
      if (form && typeof request.body === 'string') requireFewParameters([request.body]);
      if (form && request.tenant.authorization.type !== 'mock') refuseFormToken(request.body);
      // A capability is for one patient: nothing in the request widens it (IA-23).
      const { capability } = request.params as { capability?: string };
      if (request.routeOptions.config.open || capability !== undefined) return true;
      const named = () => namedIn(askedRequest(request), documents?.(request.tenant));
      return andThen(authorizer.reach(request.tenant, request.access, named), (reached) => {
        request.access = reached;
        return true;
      });
    };
    runHook(work, done);
  });
}

/** Does the work of a hook, and goes on: at once where nothing is awaited. @param work returns false when it has answered */
function runHook(work: () => Awaitable<boolean>, done: (error?: Error) => void): void {
  const end = (goesOn: boolean): void => {
    if (goesOn) done();
  };
  const result = orElse(work, (error) => {
    done(error as Error);
    return false;
  });
  if (result instanceof Promise) void result.then(end);
  else end(result);
}
