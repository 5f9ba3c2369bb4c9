import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  FastifyContextConfig,
} from 'fastify';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { Fault, faultHeaders, faultOutcome, toFault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
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

const SEARCH: FastifyContextConfig = { api: 'fhir', serves: { interaction: 'search' } };
const READ: FastifyContextConfig = { api: 'fhir', serves: { interaction: 'read' } };

/** FHIR REST of the clinical record, read-only: read, search by GET and by POST (R4 §3.1.0). */
export function fhirFace({ baseUrl, open }: FhirFaceOptions): FastifyPluginAsync {
  return async (app) => {
    const base = (request: FastifyRequest): string => `${tenantBase(baseUrl, request.tenant)}/fhir`;
    app.setErrorHandler((error, request, reply) => {
      const fault = toFault(error);
      // A client that has left is no failure of ours.
      if (!reply.raw.destroyed) logFault(request.log, fault, {}, 'fhir');
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
      const clinical = open(request, abortedWith(reply));
      const page = await pageOf(clinical, type, options.search);
      const bundle = searchset(page, base(request), type, options);
      return send(reply, bundle, options.pretty);
    };
    app.get<Instance>('/fhir/:type', { config: SEARCH }, (request, reply) =>
      search(request, reply, request.params.type, queryOf(request)),
    );
    app.post<Instance>('/fhir/:type/_search', { config: SEARCH }, (request, reply) =>
      search(request, reply, request.params.type, queryOf(request, formOf(request))),
    );
    app.get<Instance>('/fhir/:type/:id', { config: READ }, async (request, reply) => {
      const params = queryOf(request);
      requireJson(request, params);
      const { type, id } = request.params;
      requireType(type);
      const resource = await open(request, abortedWith(reply)).read(type, id);
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
  const paths = [
    ['/fhir/:type', 'GET, HEAD', SEARCH],
    ['/fhir/:type/:id', 'GET, HEAD', READ],
  ] as const;
  for (const [url, allow, config] of paths) {
    app.route({
      url,
      config,
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

/** Ends what is under way upstream when the client goes away. */
function abortedWith({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}
