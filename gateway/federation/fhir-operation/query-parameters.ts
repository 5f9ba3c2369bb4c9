import { Fault } from '../../../schema/fault/fault.ts';

/**
 * Returns the GraphQL request in the body of an operation (FHIR R4 §3.2.0): the parameter `query` of a Parameters
 * resource. Other JSON is returned as it is.
 * @throws Fault `invalid_request` for text that is not JSON
 */
export function queryOfParameters(text: string): unknown {
  const body = parsed(text);
  if (body?.resourceType !== 'Parameters') return body;
  const query = listed(body.parameter).find((one) => one?.name === 'query');
  return { query: query?.valueString };
}

interface Body {
  resourceType?: unknown;
  parameter?: unknown;
}

function parsed(text: string): Body | null {
  try {
    return JSON.parse(text) as Body | null;
  } catch (error) {
    throw new Fault('invalid_request', 'The body is not JSON.', { cause: error });
  }
}

const listed = (value: unknown) =>
  (Array.isArray(value) ? value : []) as ({ name?: unknown; valueString?: unknown } | null)[];
