import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Fault } from '../fault/fault.ts';
import { readParameters } from '../http/request-bounds.ts';
import { requireFhirJson } from './fhir-format.ts';
import { handlingOf } from './prefer.ts';
import { lastValue, type Parameter, type Parameters } from './search/search-request.ts';

/** Requests of operations: parameters in the URL, in a form, or in a Parameters resource (R4 §3.2.0). */

interface OperationRequest {
  parameters: Parameters;
  /** `Prefer: handling`; undefined when the client does not say. */
  handling: 'strict' | 'lenient' | undefined;
}

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPES = ['application/fhir+json', 'application/json'];
/** Parameters in a Parameters resource. */
const MOST = 200;

/** Makes an app read forms as text, and JSON objects. Another body is refused by the handler, not parsed. */
export function readFormsAndJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'string' }, (_request, body, done) => {
    const parsed = parsedObject(String(body));
    if (parsed) done(null, parsed);
    else done(new Fault('invalid_request', 'The body is no JSON object.'));
  });
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

function parsedObject(text: string): object | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads the parameters of an operation.
 * @throws Fault `invalid_request` for a body that is no Parameters resource, and for too many parameters;
 *   `not_acceptable` for a client that does not accept JSON; `unsupported_media_type` for another kind of body
 */
export function readOperationRequest(request: FastifyRequest): OperationRequest {
  const { body, headers, raw } = request;
  if (request.method === 'POST' && headers['content-type'] && typeof body !== 'string' && !isObject(body)) {
    throw new Fault(
      'unsupported_media_type',
      `Send the parameters in the URL, as ${FORM}, or as a Parameters resource in ${JSON_TYPES[0]}.`,
    );
  }
  const [, query = ''] = /\?(.*)$/s.exec(raw.url ?? '') ?? [];
  const pairs = readParameters([query, typeof body === 'string' ? body : '']);
  const parameters = [...pairs, ...(isObject(body) ? resourceParameters(body) : [])];
  requireFhirJson(headers.accept, lastValue(parameters, '_format'));
  return { parameters, handling: handlingOf(headers.prefer) };
}

/** Returns the values of a Parameters resource as text (R4 §2.43). */
function resourceParameters(body: Record<string, unknown>): Parameter[] {
  if (body['resourceType'] !== 'Parameters') {
    throw new Fault('invalid_request', 'The body of an operation is a Parameters resource.');
  }
  const listed = body['parameter'] ?? [];
  if (!Array.isArray(listed) || listed.length > MOST) {
    throw new Fault('invalid_request', `Parameters.parameter is a list of at most ${MOST}.`);
  }
  return listed.map((item: unknown): Parameter => {
    const { name, ...rest } = isObject(item) ? item : {};
    const [, value] = Object.entries(rest).find(([key]) => key.startsWith('value')) ?? [];
    const text = isObject(value) ? value['reference'] : value;
    if (typeof name === 'string' && ['string', 'number', 'boolean'].includes(typeof text)) {
      return [name, String(text as string | number | boolean)];
    }
    throw new Fault('invalid_request', 'Each parameter needs a name, and a simple value or a reference.');
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
