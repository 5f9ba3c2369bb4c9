import type { Bundle, ImagingStudy, Resource } from 'fhir/r4.js';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { Fault, faultHeaders, faultOutcome, toFault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON, type SearchEntry } from '../../../schema/fhir/fhir.ts';
import { fhirJson } from '../../../schema/fhir/fhir-json.ts';
import { requireFhirJson } from '../../../schema/fhir/fhir-format.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { readParameters } from '../../../schema/http/request-bounds.ts';
import { resourceMetadataUrl, tenantBase } from '../../../schema/http/request.ts';
import { whileListening } from '../../../schema/http/while-listening.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { OpenImaging } from '../app.ts';
import { outcomeEntry, searchset } from './bundle.ts';
import { randomUUID } from 'node:crypto';
import { ENDPOINT_ID, endpointStyle, wadoEndpoint } from './endpoint.ts';
import { findStudies, readStudy, resourceOf, withInstances, type FaceOptions, type Found } from './find.ts';
import { noSuchResource } from '../study/not-found.ts';
import { parseSearch, type ImagingStudySearch } from './search.ts';
import type { Imaging } from '../study/studies.ts';
import { subset, wantsInstances } from '../dicomweb/subset.ts';
import { setWarnings, warningsOf } from '../dicomweb/warnings.ts';
import { capabilityEndpoint, readEndpoint as endpointOf } from '../dicomweb/wado-base.ts';

export interface ImagingFhirOptions extends FaceOptions {
  open: OpenImaging;
}

const FORM = 'application/x-www-form-urlencoded';
const READS = 'GET, HEAD';

/** The FHIR REST face of imaging (IA-13 to IA-20): ImagingStudy and Endpoint below `/fhir` of a tenant. */
export function imagingFhirRoutes(options: ImagingFhirOptions): FastifyPluginAsync {
  return async function routes(app: FastifyInstance): Promise<void> {
    app.setErrorHandler((error, request, reply) => {
      const fault = toFault(error);
      // A client that has left is no failure of ours.
      if (!reply.raw.destroyed) logFault(request.log, fault, {}, 'fhir');
      const base = tenantBase(options.baseUrl, request.tenant);
      void reply.code(fault.status).headers(faultHeaders(fault, base, resourceMetadataUrl(base)));
      return send(request, reply, faultOutcome(fault));
    });
    // Forms carry a search; nothing else that is sent is read, so that a refusal needs no parser.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) => done(null, body));
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    app.get('/fhir/ImagingStudy', (request, reply) => search(request, reply, options));
    app.post('/fhir/ImagingStudy/_search', (request, reply) => search(request, reply, options));
    app.get('/fhir/ImagingStudy/:id', (request, reply) => readImagingStudy(request, reply, options));
    for (const [method, url] of [
      ['GET', '/fhir/Endpoint'],
      ['POST', '/fhir/Endpoint/_search'],
    ] as const)
      app.route({ method, url, handler: unlisted });
    app.get('/fhir/Endpoint/:id', (request, reply) => readEndpoint(request, reply, options));

    refuse(app, '/fhir/ImagingStudy', ['POST', 'PUT', 'PATCH', 'DELETE'], READS);
    refuse(app, '/fhir/ImagingStudy/_search', ['GET', 'PUT', 'PATCH', 'DELETE'], 'POST');
    refuse(app, '/fhir/ImagingStudy/:id', ['POST', 'PUT', 'PATCH', 'DELETE'], READS);
    refuse(app, '/fhir/Endpoint/:id', ['POST', 'PUT', 'PATCH', 'DELETE'], READS);
  };
}

async function search(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  acceptable(request);
  if (request.method === 'POST' && request.headers['content-type'] && typeof request.body !== 'string') {
    throw new Fault('unsupported_media_type', `A search is posted as ${FORM}.`);
  }
  const { tenant } = request;
  const imaging = opened(request, reply, options);
  const parsed = parseSearch(parameters(request), {
    strict: /(^|[,;\s])handling\s*=\s*"?strict/i.test(String(request.headers['prefer'] ?? '')),
    patientBases: patientBases(tenant, options.baseUrl),
  });
  const found = await findStudies(imaging, parsed, options);
  const base = `${tenantBase(options.baseUrl, tenant)}/fhir`;
  const entries = parsed.summary === 'count' ? [] : await matchEntries(imaging, found, parsed, options);
  if (endpointStyle(tenant) === 'capability') {
    entries.push(...(await capabilityEntries(imaging, found, entries, options)));
  } else if (parsed.includeEndpoint && entries.length > 0) {
    entries.push({
      resource: wadoEndpoint({ address: `${tenantBase(options.baseUrl, tenant)}/dicomweb`, id: ENDPOINT_ID }),
      mode: 'include',
      fullUrl: `${base}/Endpoint/${ENDPOINT_ID}`,
    });
  }
  entries.push(...found.failed.map(outcomeEntry));
  return send(request, reply, searchset(`${base}/ImagingStudy`, parsed, found.total, entries));
}

/** An Endpoint of its own for every study of the page, which then names it by its `urn:uuid:` (IA-18). */
function capabilityEntries(
  imaging: Imaging,
  { page }: Found,
  entries: readonly SearchEntry[],
  options: ImagingFhirOptions,
): Promise<SearchEntry[]> {
  const patients = new Map(page.map(({ study, record }) => [study.id, record.patientId]));
  // A study of which not all elements are shown may name none.
  const naming = entries.flatMap(({ resource }) =>
    (resource as ImagingStudy).endpoint ? [resource as ImagingStudy] : [],
  );
  return Promise.all(
    naming.map(async (study): Promise<SearchEntry> => {
      const fullUrl = `urn:uuid:${randomUUID()}`;
      const patientId = patients.get(study.id);
      study.endpoint = [{ reference: fullUrl, type: 'Endpoint' }];
      const addressed = { uid: study.id!, ...(patientId !== undefined && { patientId }) };
      return { resource: await capabilityEndpoint(imaging, addressed, options), mode: 'include', fullUrl };
    }),
  );
}

/** The studies of a page, with their instances where these belong in the answer. */
async function matchEntries(
  imaging: Imaging,
  found: Found,
  parsed: ImagingStudySearch,
  options: ImagingFhirOptions,
): Promise<SearchEntry[]> {
  const { tenant } = imaging;
  const instances = found.page.reduce((sum, { study }) => sum + (study.numberOfInstances ?? 0), 0);
  const whole = wantsInstances(parsed, instances);
  const page = whole ? await withInstances(imaging, found) : found.page;
  // An Endpoint that comes as an entry of its own (IA-14) is referred to as such.
  const own = endpointStyle(tenant);
  const style = parsed.includeEndpoint && own === 'contained' ? 'included' : own;
  return page.map(({ record: { instances, ...rows }, memory, study }) => ({
    resource: subset(
      resourceOf(tenant, whole && instances ? { ...rows, instances } : rows, memory, style, options),
      parsed,
      whole,
    ),
    mode: 'match',
    fullUrl: `${tenantBase(options.baseUrl, tenant)}/fhir/ImagingStudy/${study.id}`,
  }));
}

async function readImagingStudy(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  acceptable(request);
  const { id } = request.params as { id: string };
  const imaging = opened(request, reply, options);
  const parsed = parseSearch(parameters(request), { strict: false, patientBases: [] });
  const whole = wantsInstances(parsed, 0);
  const found = await readStudy(imaging, id, whole ? 'instance' : 'series', options);
  if (!found) throw noSuchResource();
  setWarnings(reply, tenantBase(options.baseUrl, request.tenant), warningsOf(imaging.unanswered));
  return send(request, reply, subset(found.study, parsed, whole));
}

async function readEndpoint(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  acceptable(request);
  const { id } = request.params as { id: string };
  return send(request, reply, await endpointOf(opened(request, reply, options), id, options));
}

function opened(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions): Imaging {
  return options.open(request.tenant, request.access, whileListening(reply), request.audit);
}

/** Of the address and, for `_search`, of the form, in this order (FHIR R4 §3.1.1.2). */
function parameters(request: FastifyRequest): [string, string][] {
  const url = request.raw.url ?? '';
  const question = url.indexOf('?');
  const form = typeof request.body === 'string' ? request.body : '';
  return readParameters([question < 0 ? '' : url.slice(question + 1), form]);
}

/** FHIR bases whose `Patient/{id}` are the tenant's patients. */
function patientBases(tenant: Tenant, baseUrl: string): string[] {
  const { authorization, clinical } = tenant;
  return [
    `${tenantBase(baseUrl, tenant)}/fhir`,
    ...(authorization.fhirBaseUrl ? [authorization.fhirBaseUrl] : []),
    ...(clinical.type === 'fhir' ? [clinical.baseUrl] : []),
  ].map((base) => base.replace(/\/+$/, ''));
}

function acceptable(request: FastifyRequest): void {
  const format = parameters(request).findLast(([name]) => name === '_format')?.[1];
  requireFhirJson(request.headers.accept, format);
}

function send(request: FastifyRequest, reply: FastifyReply, resource: Resource | Bundle): FastifyReply {
  const pretty = parameters(request).findLast(([name]) => name === '_pretty')?.[1] === 'true';
  return setCacheControl(reply, 'noStore')
    .type(`${FHIR_JSON}; charset=utf-8`)
    .send(pretty ? JSON.stringify(resource, null, 2) : fhirJson(resource));
}

/** Endpoints are the studies' own: a list of them would be of nobody's. */
async function unlisted(): Promise<never> {
  throw new Fault(
    'method_not_allowed',
    'Endpoints are not searched here. They come with their studies: ImagingStudy?_include=ImagingStudy:endpoint.',
    { allow: 'OPTIONS' },
  );
}

function refuse(app: FastifyInstance, url: string, method: HTTPMethods[], allow: string): void {
  app.route({
    method,
    url,
    handler: () =>
      Promise.reject(
        new Fault('method_not_allowed', 'Images are read here, not stored or changed.', { allow }),
      ),
  });
}
