import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { sendRead, storedVersion } from '../../../schema/fhir/conditional-read.ts';
import { faultHandler } from '../../../schema/http/fault-reply.ts';
import {
  asFhir,
  fhirRoute,
  readFhirRequest,
  readOnlyForms,
  refuseMethods,
  sendFhir,
} from '../../../schema/fhir/fhir-request.ts';
import { clientLeft } from '../../../schema/http/client-left.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import type { Clinical } from '../record/clinical.ts';
import { pageOf } from '../record/page.ts';
import { bundleOf, parseSearch, partOf } from './search.ts';

export interface FhirRoutesOptions {
  /** Public base of the whole server. */
  baseUrl: string;
  open(request: FastifyRequest, signal: AbortSignal): Clinical;
}

interface Typed {
  Params: { type: string };
}

interface Instance {
  Params: { type: string; id: string };
}

const SEARCH = fhirRoute('search');
const READ = fhirRoute('read');

/** Returns the routes of FHIR REST for the clinical record: read, and search by GET and POST (R4 §3.1.0). */
export function fhirRoutes({ baseUrl, open }: FhirRoutesOptions): FastifyPluginAsync {
  return async (app) => {
    const base = (request: FastifyRequest): string => `${tenantBase(baseUrl, request.tenant)}/fhir`;
    app.setErrorHandler(faultHandler({ baseUrl, render: asFhir, message: 'fhir' }));
    readOnlyForms(app);
    const search = async (request: FastifyRequest<Typed>, reply: FastifyReply) => {
      const { parameters, strict } = readFhirRequest(request);
      const { type } = request.params;
      requireType(type);
      const { search, results } = parseSearch(parameters, strict);
      const page = await pageOf(open(request, clientLeft(reply)), type, search);
      return sendFhir(request, reply, bundleOf(page, { base: base(request), type }, results));
    };
    app.get<Typed>('/fhir/:type', SEARCH, search);
    app.post<Typed>('/fhir/:type/_search', SEARCH, search);
    app.get<Instance>('/fhir/:type/:id', READ, async (request, reply) => {
      const { parameters, strict } = readFhirRequest(request);
      const { type, id } = request.params;
      requireType(type);
      const { results } = parseSearch(parameters, strict);
      const resource = await open(request, clientLeft(reply)).read(type, id);
      return sendRead(request, reply, {
        resource: partOf(resource, results),
        version: storedVersion(resource),
      });
    });
    // All other methods at these paths answer 405.
    const refusal = { allow: 'GET, HEAD', message: 'The record is read-only here.' };
    for (const [url, route] of [
      ['/fhir/:type', SEARCH],
      ['/fhir/:type/:id', READ],
    ] as const)
      refuseMethods(app, { url, methods: ['POST', 'PUT', 'PATCH', 'DELETE'], route }, refusal);
  };
}

function requireType(type: string): void {
  if (!isResourceType(type)) throw new Fault('not_found', 'There is no such resource type here.');
}
