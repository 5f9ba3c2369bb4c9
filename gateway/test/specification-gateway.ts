import { recordGateway } from './record-gateway.ts';
import { PATIENT, RECORD } from './setup/specification-record.ts';

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

/** Starts a gateway over the record of the FHIR GraphQL specification before the tests of a file. @returns what asks it */
export function specificationGateway() {
  const post = recordGateway(RECORD);

  return async (path: string, query: string, more: object = {}) => {
    const { statusCode, body } = await post(`/t/${path}`, { query, ...more });
    return { statusCode, body, ...(JSON.parse(body) as Result) };
  };
}

/** Writes an instance query for `/graphql`, where nothing is in scope. */
export const atRoot = (at: string, query: string) => query.replace(/^\{/, `{ ${at}(id: "example") {`) + ' }';

/** The names of the patient as `name { text given family }` gives them. */
export const NAMES = PATIENT.name.map(({ given, family }) => ({ text: null, given, family: family ?? null }));
