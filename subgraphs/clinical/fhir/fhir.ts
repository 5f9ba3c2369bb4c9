import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import { asOutcome, faultHandler } from '../../../schema/http/fault-reply.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import type { Clinical } from '../record/clinical.ts';
import { isUnmodified, versionHeaders } from './conditional-read.ts';
import { subsetted } from './elements.ts';
import { pageOf } from '../record/page.ts';
import { readOptions, searchset, valueOf } from './searchset.ts';
import type { SearchParams } from '../sources/source.ts';

export interface FhirFaceOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  open(request: FastifyRequest, signal: AbortSignal): Clinical;
}

interface Instance {
  Params: { type: string; id: string };
}

/** FHIR REST of the clinical record, read-only: read, search by GET and by POST (R4 §3.1.0). */
export function fhirFace({ baseUrl, open }: FhirFaceOptions): FastifyPluginAsync {
  return async (app) => {
    const base = (request: FastifyRequest): string => `${tenantBase(baseUrl, request.tenant)}/fhir`;
    app.setErrorHandler(faultHandler({ baseUrl, render: asOutcome, message: 'fhir' }));
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      (_request, body, done) => done(null, body),
    );
    const search = async (
      request: FastifyRequest,
      reply: FastifyReply,
      type: string,
      params: SearchParams,
    ) => {
      requireJson(request, params);
      requireType(type);
      const options = readOptions(params, preferOf(request));
      const clinical = open(request, clientLeft(reply));
      const page = await pageOf(clinical, type, options.search);
      const bundle = searchset(page, base(request), type, options);
      return send(reply, bundle, options.pretty);
    };
    app.get<Instance>('/fhir/:type', (request, reply) =>
      search(request, reply, request.params.type, queryOf(request)),
    );
    app.post<Instance>('/fhir/:type/_search', (request, reply) =>
      search(request, reply, request.params.type, queryOf(request, formOf(request))),
    );
    app.get<Instance>('/fhir/:type/:id', async (request, reply) => {
      const params = queryOf(request);
      requireJson(request, params);
      const { type, id } = request.params;
      requireType(type);
      const resource = await open(request, clientLeft(reply)).read(type, id);
      const { elements, pretty } = readOptions(params, preferOf(request));
      reply.headers(versionHeaders(resource));
      if (isUnmodified(request.headers, resource)) return setCacheControl(reply, 'noStore').code(304).send();
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

/** The query, and a form, as pairs: repeated parameters are AND, which a parsed object would lose. */
function queryOf({ url }: FastifyRequest, form = ''): SearchParams {
  const at = url.indexOf('?');
  return readParameters([at < 0 ? '' : url.slice(at + 1), form]);
}

function preferOf({ headers }: FastifyRequest): string | undefined {
  return headers.prefer === undefined ? undefined : String(headers.prefer);
}

function formOf({ body }: FastifyRequest): string {
  if (body === undefined || body === null) return '';
  if (typeof body === 'string') return body;
  throw new Fault('unsupported_media_type', 'A search is posted as application/x-www-form-urlencoded.');
}

function requireType(type: string): void {
  if (!isResourceType(type)) throw new Fault('not_found', 'There is no such resource type here.');
}

function requireJson({ headers }: FastifyRequest, params: SearchParams): void {
  requireFhirJson(headers.accept, valueOf(params, '_format'));
}

function send(reply: FastifyReply, resource: object, pretty: boolean): FastifyReply {
  return setCacheControl(reply, 'noStore')
    .type(FHIR_JSON)
    .send(writeFhirJson(resource, pretty ? 2 : undefined));
}
