import { Fault } from '../fault/fault.ts';
import { FHIR_JSON } from './fhir.ts';

const JSON_TYPES: ReadonlySet<string> = new Set([
  'application/json',
  FHIR_JSON,
  'application/json+fhir',
  'text/json',
]);

/**
 * Refuses a client that does not accept JSON, the only format here. `_format` wins over Accept (FHIR R4 §3.1.0.1.11).
 * @throws Fault `not_acceptable`
 */
export function requireFhirJson(accept: string | undefined, format: string | undefined): void {
  if (format ? isJson(format.replaceAll(' ', '+')) : acceptsJson(accept ?? '*/*')) return;
  throw new Fault(
    'not_acceptable',
    format
      ? `The only format is ${FHIR_JSON}. Leave _format out, or send _format=json.`
      : `Accept names no format of FHIR REST here: send Accept: ${FHIR_JSON}. GraphQL gives rows as text/csv and application/x-ndjson.`,
  );
}

function isJson(format: string): boolean {
  const [type = ''] = format.toLowerCase().split(';');
  return type === 'json' || JSON_TYPES.has(type.trim());
}

/** RFC 9110 §12.5.1: only the weight zero excludes a type; other weights give preferences. */
function acceptsJson(accept: string): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range
      .toLowerCase()
      .split(';')
      .map((part) => part.trim());
    const refused = parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter));
    return !refused && (type === '' || type === '*/*' || type === 'application/*' || isJson(type));
  });
}
