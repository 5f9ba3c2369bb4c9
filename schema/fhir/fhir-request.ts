import type { Served, ServingRoute } from '../http/served.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Resource } from 'fhir/r4.js';
import { Fault, faultOutcome } from '../fault/fault.ts';
import type { FaultRenderer } from '../http/fault-reply.ts';
import { setCacheControl } from '../http/cache-control.ts';
import { readParameters } from '../http/request-bounds.ts';
import { writeFhirJson } from './decimal.ts';
import { fhirJson } from './fhir-json.ts';
import { requireFhirJson } from './fhir-format.ts';
import { FHIR_JSON } from './fhir.ts';
import { isStrict } from './prefer.ts';
import { lastValue, type Parameters } from './search/search-request.ts';

/** Requests of FHIR REST, and how their answers are sent (R4 §3.1.0). */

interface FhirRequest {
  /** Parameters of the URL, then those of the form of `_search` (R4 §3.1.1.2). */
  parameters: Parameters;
  /** `Prefer: handling=strict`. */
  strict: boolean;
}

const FORM = 'application/x-www-form-urlencoded';

/** Parsed once per request, for its handler and for the code that sends the answer. */
const PARAMETERS = Symbol('parameters');

/**
 * Reads the parameters and preferences of a request.
 * @throws Fault `invalid_request` for too many parameters, `not_acceptable` for a client that does not accept JSON,
 *   `unsupported_media_type` for a body that is not a form
 */
export function readFhirRequest(request: FastifyRequest): FhirRequest {
  const { body, headers, method } = request;
  const parameters = parametersOf(request);
  requireFhirJson(headers.accept, lastValue(parameters, '_format'));
  if (method === 'POST' && headers['content-type'] && typeof body !== 'string') {
    throw new Fault('unsupported_media_type', `Send the body of a search as ${FORM}.`);
  }
  return { parameters, strict: isStrict(headers.prefer) };
}

function parametersOf(request: FastifyRequest & { [PARAMETERS]?: Parameters }): Parameters {
  if (request[PARAMETERS]) return request[PARAMETERS];
  const { body, raw } = request;
  const [, query = ''] = /\?(.*)$/s.exec(raw.url ?? '') ?? [];
  return (request[PARAMETERS] = readParameters([query, typeof body === 'string' ? body : '']));
}

/** Renders a fault as a FHIR OperationOutcome; indented with `_pretty=true`. */
export const asFhir: FaultRenderer = (fault, request) => ({
  type: `${FHIR_JSON}; charset=utf-8`,
  body: JSON.stringify(faultOutcome(fault), null, isPretty(request) ? 2 : undefined),
});

/** Sends a resource as FHIR JSON; indented with `_pretty=true`. */
export function sendFhir(request: FastifyRequest, reply: FastifyReply, resource: Resource): FastifyReply {
  return setCacheControl(reply, 'noStore')
    .type(`${FHIR_JSON}; charset=utf-8`)
    .send(isPretty(request) ? writeFhirJson(resource, 2) : fhirJson(resource));
}

/** Also false when the parameters cannot be read: the answer being sent is then that refusal. */
function isPretty(request: FastifyRequest): boolean {
  try {
    return lastValue(parametersOf(request), '_pretty') === 'true';
  } catch {
    return false;
  }
}

/** Makes an app read forms, which carry a search, and no other body. A refusal then needs no parser. */
export function readOnlyForms(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/**
 * Declares what a route of FHIR REST serves. Reads of ImagingStudy and Endpoint name their study by id.
 * @param resource undefined where the path parameter `type` names it
 * @param patientFrom the path parameter with the patient of a compartment search
 */
export function fhirRoute(
  interaction: 'read' | 'search',
  resource?: string,
  patientFrom?: { path: string },
): ServingRoute {
  const namesStudy = interaction === 'read' && (resource === 'ImagingStudy' || resource === 'Endpoint');
  const serves: Served = {
    interaction,
    resource,
    patientFrom,
    studyFrom: namesStudy ? { path: 'id' } : undefined,
  };
  return { config: { api: 'fhir', serves } };
}

/**
 * Adds a route that refuses methods before a body is read (R4 §3.1.0.1.4).
 * @param refusal `allow` lists the methods that the path answers; `message` is for the client
 */
export function refuseMethods(
  app: FastifyInstance,
  { url, methods, route }: { url: string; methods: HTTPMethods[]; route: ServingRoute },
  { allow, message }: { allow: string; message: string },
): void {
  app.route({
    ...route,
    url,
    method: methods,
    onRequest: async () => {
      throw new Fault('method_not_allowed', message, { allow });
    },
    handler: async () => undefined,
  });
}
