import type {} from 'fastify';
import type { Tenant } from '../tenant/tenant.ts';

/** The APIs of the gateway. Each writes its errors in its own form. */
export type Api = 'fhir' | 'graphql' | 'fhir-graphql' | 'dicomweb' | 'mcp' | 'oauth' | 'page';

/**
 * Declares what a route serves. It is given where the route is registered, and authorization and audit read it: they never
 * match patterns on the URL.
 */
export interface Served {
  /**
   * `retrieve` returns images; `graphql` runs a document; `operation` concerns no single resource type; `batch` only passes
   * on requests that are authorized one by one.
   */
  interaction: 'read' | 'search' | 'retrieve' | 'graphql' | 'operation' | 'batch';
  /** FHIR resource type; undefined: the path parameter `type` names it. */
  resource?: string;
  /** Place of the study's UID in a request: a path parameter, a query parameter, or a member of a JSON body. */
  studyFrom?: { path: string } | { query: string } | { body: string };
  /** Path parameter with the id of the patient in whose compartment a search looks. */
  patientFrom?: { path: string } | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for routes that need no token: discovery, and pages without data. */
    open?: boolean;
    /** Undefined for pages outside of a tenant. */
    api?: Api;
    /** Required for every route of a tenant that is not open: the gateway does not start without it. */
    serves?: Served;
    /** True for routes below the capability of a shared link (IA-36), and not below that of a token. */
    shared?: boolean;
    /** The place of the route's state: one process, or one process unless a store is shared (REDIS_URL). */
    stateIn?: StateIn;
    /** Returns true for a tenant that has the route. Without it, every tenant has it. */
    isOffered?(tenant: Tenant): boolean;
  }
}

type StateIn = 'process' | 'store';

/** Route options that declare what a route serves. */
export interface ServingRoute {
  config: { api: Api; serves: Served; stateIn?: StateIn; shared?: boolean };
}

/** Returns the same route below the capability of a shared link (IA-36). */
export const belowShare = ({ config }: ServingRoute): ServingRoute => ({
  config: { ...config, shared: true },
});

/** Declares what a route of DICOMweb or WADO-URI serves. */
export function imagesRoute(
  interaction: 'search' | 'retrieve',
  studyFrom: Served['studyFrom'] = { path: 'studyUid' },
): ServingRoute {
  return { config: { api: 'dicomweb', serves: { interaction, resource: 'ImagingStudy', studyFrom } } };
}

/** The parts of a request that name what it asks for, as the router and the body parser read them. */
export interface AskedRequest {
  serves: Served;
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  /** A form as text or pairs, JSON as its value. */
  body: unknown;
}

/** Returns the resource type that a request asks for; undefined when it names none. */
export function resourceOf({ serves, params }: Pick<AskedRequest, 'serves' | 'params'>): string | undefined {
  return serves.resource ?? params['type'];
}

/** Returns the id of the patient whose compartment a request names, unchecked; undefined when it names none. */
export function compartmentNamed({
  serves: { patientFrom },
  params,
}: Pick<AskedRequest, 'serves' | 'params'>): string | undefined {
  return patientFrom && params[patientFrom.path];
}

/** Returns the study UID that a request names, unchecked; undefined when it names none. */
export function studyNamed({ serves, params, query, body }: AskedRequest): string | undefined {
  const { studyFrom } = serves;
  if (studyFrom === undefined) return undefined;
  if ('path' in studyFrom) return params[studyFrom.path];
  if ('query' in studyFrom) return query.get(studyFrom.query) ?? undefined;
  const named = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const value = named[studyFrom.body];
  return typeof value === 'string' ? value : undefined;
}

/** Reads what a request asks for. @param request of Fastify; `body` is undefined until it is parsed */
export function askedRequest(request: {
  routeOptions: { config: { serves?: Served } };
  raw: { url?: string | undefined };
  params: unknown;
  body?: unknown;
}): AskedRequest {
  const { routeOptions, raw, params, body } = request;
  const { serves = { interaction: 'operation' } } = routeOptions.config;
  const [, ...rest] = (raw.url ?? '').split('?');
  const query = new URLSearchParams(rest.join('?'));
  return { serves, params: params as AskedRequest['params'], query, body };
}
