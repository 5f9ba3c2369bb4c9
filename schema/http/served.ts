import type {} from 'fastify';

/** The interfaces of the gateway; each writes its errors in its own form. */
export type Api = 'fhir' | 'graphql' | 'dicomweb' | 'oauth' | 'page';

/**
 * What a route gives to a caller. Authorization and audit read this, and never a pattern on the address: it stands where
 * the route is registered.
 */
export interface Served {
  /** `retrieve` gives images; `graphql` runs a document; `operation` is about no resource of one type. */
  interaction: 'read' | 'search' | 'retrieve' | 'graphql' | 'operation';
  /** FHIR resource type; where it is absent, the path parameter `type` has it. */
  resource?: string;
  /** Where the request names its study: in a path parameter, a query parameter, or a member of a JSON body. */
  studyFrom?: { path: string } | { query: string } | { body: string };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for routes that need no token: discovery, and pages without data. */
    open?: boolean;
    /** Absent for routes of the host's own pages. */
    api?: Api;
    /** Below a tenant every route that is not open says what it serves; the gateway refuses to start otherwise. */
    serves?: Served;
  }
}

/** What a route declares. */
export interface ServingRoute {
  config: { api: Api; serves: Served };
}

/** What a route of images declares, by DICOMweb or WADO-URI. */
export function imagesRoute(
  interaction: 'search' | 'retrieve',
  studyFrom: Served['studyFrom'] = { path: 'studyUid' },
): ServingRoute {
  return { config: { api: 'dicomweb', serves: { interaction, resource: 'ImagingStudy', studyFrom } } };
}

/** What a request to a route asks for, as the router and the body parser read it. */
export interface AskedRequest {
  serves: Served;
  params: Readonly<Record<string, string | undefined>>;
  query: URLSearchParams;
  /** A form as text or pairs, JSON as its value. */
  body: unknown;
}

/** The resource type that a request is about; undefined where it is about none. */
export function resourceOf({ serves, params }: Pick<AskedRequest, 'serves' | 'params'>): string | undefined {
  return serves.resource ?? params['type'];
}

/** The study that a request names, as it stands there; undefined where it names none. */
export function studyNamed({ serves, params, query, body }: AskedRequest): string | undefined {
  const { studyFrom } = serves;
  if (studyFrom === undefined) return undefined;
  if ('path' in studyFrom) return params[studyFrom.path];
  if ('query' in studyFrom) return query.get(studyFrom.query) ?? undefined;
  const named = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const value = named[studyFrom.body];
  return typeof value === 'string' ? value : undefined;
}

/** @param request as Fastify has it; `body` is absent until it is parsed */
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
