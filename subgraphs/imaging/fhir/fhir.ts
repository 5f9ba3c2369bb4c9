import type { ImagingStudy } from 'fhir/r4.js';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { contentVersion, sendRead } from '../../../schema/fhir/conditional-read.ts';
import { faultHandler } from '../../../schema/http/fault-reply.ts';
import { readFormsAndJson, readOperationRequest } from '../../../schema/fhir/operation-request.ts';
import {
  asFhir,
  fhirRoute,
  readFhirRequest,
  readOnlyForms,
  refuseMethods,
  sendFhir,
} from '../../../schema/fhir/fhir-request.ts';
import { isOnlyPage, mapNeighbours, neighbours } from '../../../schema/fhir/search/paging.ts';
import type { Parameters } from '../../../schema/fhir/search/search-request.ts';
import {
  ignoredEntries,
  outcomeEntry,
  searchset,
  type Pages,
  type SearchEntry,
} from '../../../schema/fhir/search/searchset.ts';
import { throwIfLeft } from '../../../schema/http/client-left.ts';
import { belowShare, type ServingRoute } from '../../../schema/http/served.ts';
import { fhirBase, tenantBase } from '../../../schema/http/request.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { turns } from '../../../schema/process/event-loop.ts';
import { Derivation } from '../../../schema/process/derivation.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { AuthorizedStudies, OpenImaging } from '../study/authorized-studies.ts';
import { randomUUID } from 'node:crypto';
import { ENDPOINT_ID, endpointStyle, namesEndpoint, wadoEndpoint, withSharedEndpoint } from './endpoint.ts';
import { findStudies, readStudy, type Found, type FoundStudy, type ResourceOptions } from './find.ts';
import { withInstances } from './page-instances.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { madoManifest } from './mado.ts';
import { parseRead, parseSearch, type ImagingStudySearch } from './search.ts';
import { recordEntries, sharedAccessions } from './joins/record-entries.ts';
import { removeInstances } from './study-instances.ts';
import { subset, wantsInstances } from './study-subset.ts';
import { setWarnings } from '../../../schema/http/warning-header.ts';
import { warningsOf } from '../study/answer.ts';
import { capabilityEndpoint, readEndpoint as endpointOf } from './study-endpoint.ts';

export interface ImagingFhirOptions extends ResourceOptions {
  open: OpenImaging;
}

const READS = 'GET, HEAD';

const STUDIES = fhirRoute('search', 'ImagingStudy');
const STUDIES_OF_PATIENT = fhirRoute('search', 'ImagingStudy', { path: 'id' });
const STUDY = fhirRoute('read', 'ImagingStudy');
const SHARED_STUDY = '/shared/:capability/fhir/ImagingStudy/:id';
const ENDPOINTS = fhirRoute('search', 'Endpoint');
const ENDPOINT = fhirRoute('read', 'Endpoint');

/** Returns the FHIR REST routes of imaging (IA-13 to IA-20): ImagingStudy and Endpoint below `/fhir` of a tenant. */
export function imagingFhirRoutes(options: ImagingFhirOptions): FastifyPluginAsync {
  return async function routes(app: FastifyInstance): Promise<void> {
    app.setErrorHandler(faultHandler({ baseUrl: options.baseUrl, render: asFhir }));
    readOnlyForms(app);

    app.get('/fhir/ImagingStudy', STUDIES, (request, reply) => search(request, reply, options));
    app.post('/fhir/ImagingStudy/_search', STUDIES, (request, reply) => search(request, reply, options));
    for (const [method, url] of [
      ['GET', '/fhir/Patient/:id/ImagingStudy'],
      ['POST', '/fhir/Patient/:id/ImagingStudy/_search'],
    ] as const)
      app.route({
        method,
        url,
        ...STUDIES_OF_PATIENT,
        handler: (request, reply) => search(request, reply, options),
      });
    app.get('/fhir/ImagingStudy/:id', STUDY, (request, reply) => readImagingStudy(request, reply, options));
    await app.register(async (operations) => {
      readFormsAndJson(operations);
      operations.route({
        method: ['GET', 'POST'],
        url: '/fhir/ImagingStudy/:id/$mado',
        ...STUDY,
        handler: (request, reply) => answerMado(request, reply, options),
      });
    });
    for (const [method, url] of [
      ['GET', '/fhir/Endpoint'],
      ['POST', '/fhir/Endpoint/_search'],
    ] as const)
      app.route({ method, url, ...ENDPOINTS, handler: unlisted });
    app.get('/fhir/Endpoint/:id', ENDPOINT, (request, reply) => readEndpoint(request, reply, options));

    app.get(SHARED_STUDY, belowShare(STUDY), (request, reply) => readSharedStudy(request, reply, options));

    refuse(app, '/fhir/ImagingStudy', STUDIES, READS);
    refuse(app, SHARED_STUDY, belowShare(STUDY), READS);
    refuse(app, '/fhir/ImagingStudy/_search', STUDIES, 'POST');
    refuse(app, '/fhir/Patient/:id/ImagingStudy', STUDIES_OF_PATIENT, READS);
    refuse(app, '/fhir/ImagingStudy/:id', STUDY, READS);
    refuse(app, '/fhir/Endpoint/:id', ENDPOINT, READS);
    refuse(app, '/fhir/ImagingStudy/:id/$mado', STUDY, `${READS}, POST`);
  };
}

function search(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ImagingFhirOptions,
): Awaitable<FastifyReply> {
  const { parameters: sent, strict } = readFhirRequest(request);
  const { tenant, audit, access } = request;
  // The compartment of a patient has the patient's studies (R4 §3.1.1.2).
  const { id: patient } = request.params as { id?: string };
  const parameters: Parameters = patient === undefined ? sent : [...sent, ['patient', `Patient/${patient}`]];
  const pause = turns(throwIfLeft(reply));
  const imaging = opened(request, options);
  const parsed = parseSearch(parameters, { strict, patientBases: patientBases(tenant, options.baseUrl) });
  const base = fhirBase(options.baseUrl, tenant);
  return andThen(findStudies(imaging, parsed, options), (found) =>
    andThen(pageOf({ imaging, found, parsed, options }), ({ matches, endpoints }) => {
      const studies = parsed.summary === 'count' ? [] : found.page;
      const asked = { studies, applied: parsed.applied, strict, base };
      return andThen(recordEntries(options.record, { tenant, access, audit }, asked), (joined) => {
        const more = [
          ...endpoints,
          ...(joined?.entries ?? []),
          ...found.failed.map(outcomeEntry),
          ...ignoredEntries(parsed.notApplied),
          ...(matches.length > 0 ? sharedAccessions(found.page) : []),
        ];
        const bundle = searchset({
          url: `${base}/ImagingStudy`,
          applied: joined?.applied ?? parsed.applied,
          entries: more.length > 0 ? [...matches, ...more] : matches,
          total: parsed.total ? found.total : undefined,
          pages: pagesOf(parsed, found.total),
        });
        return andThen(pause(), () => sendFhir(request, reply, bundle));
      });
    }),
  );
}

/** A search that has run. */
interface RanSearch {
  imaging: AuthorizedStudies;
  parsed: ImagingStudySearch;
  found: Found;
  options: ImagingFhirOptions;
}

/** Returns the entries of a page: its studies, and their Endpoints where these are entries of their own (IA-18). */
function pageOf(
  ran: RanSearch,
): Awaitable<{ matches: readonly SearchEntry[]; endpoints: readonly SearchEntry[] }> {
  const { parsed, options } = ran;
  if (parsed.summary === 'count') return { matches: [], endpoints: [] };
  const { tenant } = ran.imaging;
  return andThen(matchEntries(ran), (matches) => {
    if (endpointStyle(tenant) === 'capability')
      return andThen(capabilityEntries(ran, matches), (endpoints) => ({ matches, endpoints }));
    if (!parsed.includeEndpoint || matches.length === 0) return { matches, endpoints: [] };
    const address = `${tenantBase(options.baseUrl, tenant)}/dicomweb`;
    const endpoint: SearchEntry = {
      resource: wadoEndpoint({ address, id: ENDPOINT_ID }),
      mode: 'include',
      fullUrl: `${fhirBase(options.baseUrl, tenant)}/Endpoint/${ENDPOINT_ID}`,
    };
    return { matches, endpoints: [endpoint] };
  });
}

function pagesOf({ count, offset, summary }: ImagingStudySearch, total: number): Pages | undefined {
  if (summary === 'count' || total === 0) return undefined;
  const around = neighbours({ offset, size: count, total });
  if (isOnlyPage({ offset, ...around })) return undefined;
  const places = mapNeighbours(around, (place): Parameters =>
    place > 0 ? [['_offset', String(place)]] : [],
  );
  return { count, places };
}

/** Makes an Endpoint for every study of the page; the study then refers to it by `urn:uuid:` (IA-18). */
function capabilityEntries(
  { imaging, found, options }: RanSearch,
  entries: readonly SearchEntry[],
): Promise<SearchEntry[]> {
  const patients = new Map(found.page.map(({ study, record }) => [study.id, record?.patientId]));
  // A study that is reduced to some elements may refer to no Endpoint.
  const naming = entries.map(({ resource }) => resource as ImagingStudy).filter(namesEndpoint);
  return Promise.all(
    naming.map(async (study): Promise<SearchEntry> => {
      const fullUrl = `urn:uuid:${randomUUID()}`;
      const patientId = patients.get(study.id);
      const endpoint = [{ reference: fullUrl, type: 'Endpoint' }];
      if (study.endpoint) study.endpoint = endpoint;
      // A series that only the record names has none.
      if (study.series?.some((one) => one.endpoint))
        study.series = study.series.map((one) => (one.endpoint ? { ...one, endpoint } : one));
      const addressed = { uid: study.id!, patientId };
      return { resource: await capabilityEndpoint(imaging, addressed, options), mode: 'include', fullUrl };
    }),
  );
}

/** Returns the studies of a page, with their instances if these belong in the answer. */
function matchEntries({ imaging, found, parsed, options }: RanSearch): Awaitable<readonly SearchEntry[]> {
  const base = `${fhirBase(options.baseUrl, imaging.tenant)}/ImagingStudy`;
  const instances = found.page.reduce((sum, { study }) => sum + (study.numberOfInstances ?? 0), 0);
  const whole = wantsInstances(parsed, instances);
  return andThen(whole ? withInstances(imaging, found, 'resources') : found.page, (page) => {
    const entry = ({ study }: FoundStudy): SearchEntry => ({
      resource: subset(whole ? study : removeInstances(study), parsed, whole),
      mode: 'match',
      fullUrl: `${base}/${study.id}`,
    });
    const { elements, summary } = parsed;
    if (elements || summary || !whole) return page.map(entry);
    return wholeEntries.of(page, [base], () => Object.freeze(page.map(entry)));
  });
}

const wholeEntries = new Derivation<readonly FoundStudy[], readonly SearchEntry[]>();

async function readImagingStudy(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ImagingFhirOptions,
  addressed = (study: ImagingStudy): ImagingStudy => study,
) {
  const { parameters } = readFhirRequest(request);
  const { id } = request.params as { id: string };
  const pause = turns(throwIfLeft(reply));
  const imaging = opened(request, options);
  const parts = parseRead(parameters);
  const whole = wantsInstances(parts, 0);
  const found = await readStudy(imaging, id, whole ? 'instance' : 'series', options);
  if (!found) throw noSuchResource();
  setWarnings(reply, tenantBase(options.baseUrl, request.tenant), warningsOf(imaging.sourceFaults));
  await pause();
  const resource = subset(addressed(found.study), parts, whole);
  const version = contentVersion(resource);
  await pause();
  return sendRead(request, reply, { resource, version });
}

/** Reads a study by the capability of a shared link, by which its images are retrieved too (IA-36). */
function readSharedStudy(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  const { capability } = request.params as { capability: string };
  const address = `${tenantBase(options.baseUrl, request.tenant)}/shared/${capability}/dicom-web`;
  return readImagingStudy(request, reply, options, (study) => withSharedEndpoint(study, address));
}

/** Answers `$mado` (IA-47). */
async function answerMado(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  readOperationRequest(request);
  const { id } = request.params as { id: string };
  const pause = turns(throwIfLeft(reply));
  const imaging = opened(request, options);
  const manifest = await madoManifest(imaging, id, options, request.audit);
  setWarnings(reply, tenantBase(options.baseUrl, request.tenant), warningsOf(imaging.sourceFaults));
  await pause();
  return sendFhir(request, reply, manifest);
}

async function readEndpoint(request: FastifyRequest, reply: FastifyReply, options: ImagingFhirOptions) {
  readFhirRequest(request);
  const { id } = request.params as { id: string };
  const resource = await endpointOf(opened(request, options), id, options);
  return sendRead(request, reply, { resource, version: contentVersion(resource) });
}

/** Opens the core. A question to a source does not end with its client: others may wait for the same answer (IA-19). */
function opened(request: FastifyRequest, options: ImagingFhirOptions): AuthorizedStudies {
  return options.open(request.tenant, request.access, undefined, request.audit);
}

/** Returns the FHIR bases whose `Patient/{id}` are the tenant's patients. */
function patientBases(tenant: Tenant, baseUrl: string): string[] {
  const { authorization, clinical } = tenant;
  return [
    fhirBase(baseUrl, tenant),
    ...(authorization.fhirBaseUrl ? [authorization.fhirBaseUrl] : []),
    ...(clinical.type === 'fhir' ? [clinical.baseUrl] : []),
  ].map((base) => base.replace(/\/+$/, ''));
}

/** Refuses to search Endpoints: they belong to single studies. */
async function unlisted(): Promise<never> {
  throw new Fault(
    'method_not_allowed',
    'Endpoint cannot be searched. Ask for endpoints with their studies: ImagingStudy?_include=ImagingStudy:endpoint.',
    { allow: 'OPTIONS' },
  );
}

function refuse(app: FastifyInstance, url: string, route: ServingRoute, allow: string): void {
  const others: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const methods = others.filter((method) => !allow.split(', ').includes(method));
  refuseMethods(
    app,
    { url, methods, route },
    { allow, message: 'Images can only be read here, not stored or changed.' },
  );
}
