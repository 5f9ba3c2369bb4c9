import type { FastifyReply, FastifyRequest } from 'fastify';
import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { sendRead, storedVersion } from '../../../schema/fhir/conditional-read.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { readFhirRequest, sendFhir } from '../../../schema/fhir/fhir-request.ts';
import type { Parameters } from '../../../schema/fhir/search/search-request.ts';
import { nearestName, quotedName } from '../../../schema/fhir/nearest-name.ts';
import { clinicalResources, isResourceType } from '../../../schema/fhir/tables.ts';
import { endOf } from '../../../schema/http/client-left.ts';
import { fhirBase } from '../../../schema/http/request.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { Clinical } from '../record/clinical.ts';
import { readIncludes, type IncludeRules } from '../record/include-rules.ts';
import { includesOf } from '../record/includes.ts';
import { pageOf } from '../record/page.ts';
import { bindingParameter } from '../search/reach.ts';
import { historyBundle, parseHistory } from './history.ts';
import { parseRead, parseSearch } from './search.ts';
import { bundleOf } from './searchset.ts';
import { observationPage } from './study-measurements.ts';

/** Handlers of the interactions of FHIR REST (R4 §3.1.0). */

export interface FhirRoutesOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  /** Opens the record for a request. @param access the request's own, or a narrower one */
  open(request: FastifyRequest, over: Abortable, access?: Access): Clinical;
}

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

/**
 * Narrows an Access to the compartment of one patient, for a compartment search (R4 §3.1.1.2). The compartment is the one of
 * authorization: a resource that names somebody else as its subject is not in it.
 * @throws Fault `forbidden` for a patient out of reach (IA-7), `not_found` for a malformed id and for a type whose resources
 * are in no patient's compartment
 */
function accessWithin(access: Access, patientId: string, type: string): Access {
  const grant = requirePatient(access, patientId);
  if (!FHIR_ID.test(patientId)) throw noSuchResource();
  if (!bindingParameter(type)) {
    throw new Fault('not_found', `${type} resources are not in the compartment of a patient.`);
  }
  return { ...access, patients: [grant] };
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
  if (!isResourceType(type)) throw noSuchType(type);
}

/** Refuses also the types of images, whose routes are the imaging subgraph's: it has these interactions not. */
function requireTypeOfRecord(type: string): void {
  if (!clinicalResources.includes(type)) throw noSuchType(type);
}

function noSuchType(type: string): Fault {
  if (isResourceType(type)) return new Fault('not_found', `${type} has no such interaction here.`);
  const nearest = nearestName(type, clinicalResources);
  return new Fault(
    'not_found',
    `There is no resource type ${quotedName(type)} here. The nearest is "${nearest}".`,
  );
}
