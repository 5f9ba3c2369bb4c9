import type { Bundle, Resource } from 'fhir/r4.js';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { writeFhirJson } from '../../schema/decimal.ts';
import { Fault, faultHeaders, faultOutcome, toFault } from '../../schema/fault.ts';
import { FHIR_JSON } from '../../schema/fhir.ts';
import { tenantBase } from '../../schema/request.ts';
import { isResourceType } from '../../schema/tables.ts';
import type { Clinical } from './clinical.ts';
import { pageSize } from './clinical.ts';
import type { Page } from './page.ts';
import { pageOf } from './page.ts';
import type { SearchParams } from './sources/source.ts';

export interface FhirFaceOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  open(request: FastifyRequest, signal: AbortSignal): Clinical;
}

/** Parameters that shape the answer and choose nothing (R4 §3.1.1.5); `_include` and `_revinclude` are not served. */
const RESULT_PARAMETERS = new Set([
  ...['_count', '_offset', '_cursor', '_sort', '_summary', '_elements', '_total', '_format', '_pretty'],
]);
const DEFAULT_COUNT = 50;

interface Instance {
  Params: { type: string; id: string };
}

/** FHIR REST of the clinical record, read-only: read, search by GET and by POST (R4 §3.1.0). */
export function fhirFace({ baseUrl, open }: FhirFaceOptions): FastifyPluginAsync {
  return async (app) => {
    const base = (request: FastifyRequest): string => `${tenantBase(baseUrl, request.tenant)}/fhir`;
    app.setErrorHandler((error, request, reply) => {
      const fault = toFault(error);
      if (fault.status >= 500) request.log.error({ err: fault.details.cause ?? error }, fault.message);
      const headers = faultHeaders(fault, tenantBase(baseUrl, request.tenant));
      return reply
        .code(fault.status)
        .headers(headers)
        .type(FHIR_JSON)
        .send(JSON.stringify(faultOutcome(fault)));
    });
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, [...new URLSearchParams(body as string)]),
    );
    const search = async (
      request: FastifyRequest,
      reply: FastifyReply,
      type: string,
      params: SearchParams,
    ) => {
      requireJson(request, params);
      requireType(type);
      const options = readOptions(request, params);
      const clinical = open(request, abortedWith(reply));
      const page = await pageOf(clinical, type, options.search);
      const bundle = searchset(page, base(request), type, options);
      return send(reply, bundle, options.pretty);
    };
    app.get<Instance>('/fhir/:type', (request, reply) =>
      search(request, reply, request.params.type, queryOf(request)),
    );
    app.post<Instance>('/fhir/:type/_search', (request, reply) =>
      search(request, reply, request.params.type, [...queryOf(request), ...formOf(request)]),
    );
    app.get<Instance>('/fhir/:type/:id', async (request, reply) => {
      const params = queryOf(request);
      requireJson(request, params);
      const { type, id } = request.params;
      requireType(type);
      const resource = await open(request, abortedWith(reply)).read(type, id);
      const { elements, pretty } = readOptions(request, params);
      versionHeaders(reply, resource);
      return send(reply, elements ? subsetted(resource, elements) : resource, pretty);
    });
    refuseWrites(app);
  };
}

/** Everything else on these paths is 405 (R4 §3.1.0.1.4), before a body is read. */
function refuseWrites(app: FastifyInstance): void {
  const paths: readonly [string, string][] = [
    ['/fhir/:type', 'GET, HEAD'],
    ['/fhir/:type/:id', 'GET, HEAD'],
  ];
  for (const [url, allow] of paths) {
    app.route({
      url,
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      onRequest: async () => {
        throw new Fault('method_not_allowed', 'The record is read-only here.', { allow });
      },
      handler: async () => undefined,
    });
  }
}

/** The query as pairs: repeated parameters are AND, which a parsed object would lose. */
function queryOf({ url }: FastifyRequest): SearchParams {
  const at = url.indexOf('?');
  return at < 0 ? [] : [...new URLSearchParams(url.slice(at + 1))];
}

function formOf({ body }: FastifyRequest): SearchParams {
  if (body === undefined || body === null) return [];
  if (Array.isArray(body)) return body as SearchParams;
  throw new Fault('unsupported_media_type', 'A search is posted as application/x-www-form-urlencoded.');
}

function requireType(type: string): void {
  if (!isResourceType(type)) throw new Fault('not_found', 'There is no such resource type here.');
}

const JSON_FORMAT = /^(json|application\/(fhir\+)?json|text\/json)/;

/** `_format` wins over Accept (R4 §3.1.0.1.10); only JSON is spoken. */
function requireJson({ headers }: FastifyRequest, params: SearchParams): void {
  const format = valueOf(params, '_format')?.replaceAll(' ', '+');
  const accepted = (headers.accept ?? '*/*').split(',').map((part) => part.split(';')[0]!.trim());
  const acceptable =
    format === undefined
      ? accepted.some((type) => /^(\*\/\*|application\/\*|)$/.test(type) || JSON_FORMAT.test(type))
      : JSON_FORMAT.test(format);
  if (!acceptable) throw new Fault('not_acceptable', `The record is served as ${FHIR_JSON} only.`);
}

function readOptions({ headers }: FastifyRequest, params: SearchParams) {
  const strict = /\bhandling\s*=\s*strict\b/.test(String(headers.prefer ?? ''));
  const chosen = params.filter(([name]) => !RESULT_PARAMETERS.has(name));
  const summary = valueOf(params, '_summary');
  if (strict && summary !== undefined && !['count', 'false'].includes(summary)) {
    throw new Fault('unsupported_parameter', 'Of _summary only count and false are supported.');
  }
  const count = pageSize(naturalOf(params, '_count') ?? DEFAULT_COUNT);
  const countOnly = summary === 'count' || count === 0;
  const offset = naturalOf(params, '_offset');
  const sort = valueOf(params, '_sort');
  const cursor = valueOf(params, '_cursor');
  return {
    search: {
      ...{ params: chosen, count: countOnly ? 1 : count, total: true, strict },
      ...(offset !== undefined && { offset }),
      ...(sort !== undefined && { sort }),
      ...(cursor !== undefined && { cursor }),
    },
    sort,
    count,
    countOnly,
    elements: valueOf(params, '_elements')?.split(','),
    pretty: valueOf(params, '_pretty') === 'true',
  };
}

type Options = ReturnType<typeof readOptions>;

function naturalOf(params: SearchParams, name: string): number | undefined {
  const value = valueOf(params, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new Fault('invalid_request', `${name} must be a whole number.`);
  return Number(value);
}

function valueOf(params: SearchParams, name: string): string | undefined {
  return params.findLast(([key]) => key === name)?.[1];
}

/** R4 §3.1.1.4: links say what was applied, full URLs are absolute, every entry is a match. */
function searchset(page: Page, base: string, type: string, options: Options): Bundle {
  const { count: total, resources } = page;
  const link = (cursor?: string): string => {
    const query = new URLSearchParams(page.applied.map(([name, value]): [string, string] => [name, value]));
    if (options.sort) query.append('_sort', options.sort);
    if (options.elements) query.append('_elements', options.elements.join(','));
    if (options.countOnly) query.append('_summary', 'count');
    else query.append('_count', String(options.count));
    if (cursor !== undefined) query.append('_cursor', cursor);
    return `${base}/${type}?${query.toString()}`;
  };
  const pages = (['first', 'previous', 'next', 'last'] as const).flatMap((relation) => {
    const cursor = page[relation];
    return cursor === undefined ? [] : [{ relation, url: link(cursor) }];
  });
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(total !== undefined && { total }),
    link: [{ relation: 'self', url: link(options.search.cursor) }, ...(options.countOnly ? [] : pages)],
    ...(!options.countOnly && {
      entry: resources.map((resource) => ({
        fullUrl: `${base}/${type}/${resource.id}`,
        resource: (options.elements ? subsetted(resource, options.elements) : resource) as never,
        search: { mode: 'match' },
      })),
    }),
  };
}

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' };

/** `_elements`: what is named and what a resource cannot be without, marked as a part (R4 §3.1.1.5.9). */
function subsetted(resource: Resource, elements: readonly string[]): Resource {
  const kept = new Set(['resourceType', 'id', ...elements]);
  const entries = Object.entries(resource).filter(([name]) => kept.has(name.replace(/^_/, '')));
  const meta = { ...resource.meta, tag: [...(resource.meta?.tag ?? []), SUBSETTED] };
  return { ...Object.fromEntries(entries), meta } as Resource;
}

function versionHeaders(reply: FastifyReply, { meta }: Resource): void {
  if (meta?.versionId) reply.header('etag', `W/"${meta.versionId}"`);
  const updated = meta?.lastUpdated ? new Date(meta.lastUpdated) : undefined;
  if (updated && !Number.isNaN(updated.getTime())) reply.header('last-modified', updated.toUTCString());
}

function send(reply: FastifyReply, resource: object, pretty: boolean): FastifyReply {
  return reply
    .type(FHIR_JSON)
    .header('cache-control', 'private, no-store')
    .send(writeFhirJson(resource, pretty ? 2 : undefined));
}

/** Ends what is under way upstream when the client goes away. */
function abortedWith({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
