import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { sendRead, storedVersion } from '../../../schema/fhir/conditional-read.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { readFhirRequest, sendFhir } from '../../../schema/fhir/fhir-request.ts';
import type { Parameters } from '../../../schema/fhir/search/search-request.ts';
import { clinicalResources, isResourceType } from '../../../schema/fhir/tables.ts';
import { endOf } from '../../../schema/http/client-left.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import type { Clinical } from '../record/clinical.ts';
import { accessWithin } from '../record/compartment-access.ts';
import { readIncludes, type IncludeRules } from '../record/include-rules.ts';
import { includesOf } from '../record/includes.ts';
import { pageOf } from '../record/page.ts';
import type { FhirRoutesOptions } from './fhir-routes-options.ts';
import { historyBundle, parseHistory } from './history.ts';
import { parseRead, parseSearch } from './search.ts';
import { bundleOf } from './searchset.ts';
import { observationPage } from './study-measurements.ts';

/** Handlers of the interactions of FHIR REST (R4 §3.1.0). */

type Request<Names extends string> = FastifyRequest<{ Params: Record<Names, string> }>;

/** Answers a search of a type. */
export async function search(
  options: FhirRoutesOptions,
  request: Request<'type'>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type } = request.params;
  requireType(type);
  return answerSearch(options, { request, reply }, { type, path: type });
}

/** Answers a search in the compartment of a patient: `Patient/1/Condition` (R4 §3.1.1.2). */
export async function searchCompartment(
  options: FhirRoutesOptions,
  request: Request<'type' | 'id'>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, id: patient } = request.params;
  if (type === '*') {
    throw new Fault(
      'not_implemented',
      'Name one resource type: Patient/{id}/Condition. All types together are not searched.',
    );
  }
  requireTypeOfRecord(type);
  const open: FhirRoutesOptions['open'] = (opened, over) =>
    options.open(opened, over, accessWithin(request.access, patient, type));
  const path = `Patient/${patient}/${type}`;
  return answerSearch({ ...options, open }, { request, reply }, { type, path });
}

async function answerSearch(
  { baseUrl, open }: FhirRoutesOptions,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  { type, path }: { type: string; path: string },
): Promise<FastifyReply> {
  const { parameters, strict } = readFhirRequest(request);
  const { search, results, includes, ignored } = parseSearch(type, parameters, strict);
  const clinical = open(request, endOf(reply));
  const rules = await rulesOf(clinical, includes, { type, strict });
  const base = fhirBase(baseUrl, request.tenant);
  const { page, made } =
    type === 'Observation'
      ? await observationPage(clinical, search, base)
      : { page: await pageOf(clinical, type, search) };
  const matches = results.summary === 'count' ? [] : page.resources;
  const { resources, incomplete } = await includesOf(clinical, matches, rules.rules);
  const bundle = bundleOf({
    base,
    path,
    page,
    results,
    made,
    included: { resources, applied: rules.applied },
    warnings: [...ignored, ...page.ignored, ...rules.ignored, ...incomplete],
  });
  return sendFhir(request, reply, bundle);
}

/** Reads `_include` and `_revinclude`; without them the source is not asked. */
async function rulesOf(
  clinical: Clinical,
  includes: Parameters,
  asked: { type: string; strict: boolean },
): Promise<IncludeRules> {
  if (includes.length === 0) return { rules: [], applied: [], ignored: [] };
  const { access } = clinical;
  return readIncludes(includes, { ...asked, source: await clinical.backend(), access });
}

/** Answers a read. */
export async function read(
  { open }: FhirRoutesOptions,
  request: Request<'type' | 'id'>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, id } = request.params;
  const { parameters, strict } = readFhirRequest(request);
  requireType(type);
  const results = parseRead(type, parameters, strict);
  const resource = await open(request, endOf(reply)).read(type, id);
  return sendRead(request, reply, { resource: partOf(resource, results), version: storedVersion(resource) });
}

/** Answers a read of one version (R4 §3.1.0.3). */
export async function vread(
  { open }: FhirRoutesOptions,
  request: Request<'type' | 'id' | 'version'>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, id, version } = request.params;
  const { parameters, strict } = readFhirRequest(request);
  requireTypeOfRecord(type);
  const results = parseRead(type, parameters, strict);
  const resource = await open(request, endOf(reply)).version(type, id, version);
  return sendRead(request, reply, { resource: partOf(resource, results), version: storedVersion(resource) });
}

/** Answers the history of a resource (R4 §3.1.0.4). */
export async function history(
  { baseUrl, open }: FhirRoutesOptions,
  request: Request<'type' | 'id'>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, id } = request.params;
  const { parameters } = readFhirRequest(request);
  requireTypeOfRecord(type);
  const parsed = parseHistory(parameters);
  const page = await open(request, endOf(reply)).history(type, id, parsed.search);
  const bundle = historyBundle(page, { base: fhirBase(baseUrl, request.tenant), type, id }, parsed);
  return sendFhir(request, reply, bundle);
}

function requireType(type: string): void {
  if (!isResourceType(type)) throw noSuchType();
}

/** Refuses also the types of images, whose routes are the imaging subgraph's: it has these interactions not. */
function requireTypeOfRecord(type: string): void {
  if (!clinicalResources.includes(type)) throw noSuchType();
}

const noSuchType = (): Fault => new Fault('not_found', 'There is no such resource type here.');
