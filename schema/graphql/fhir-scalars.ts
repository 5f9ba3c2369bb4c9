import { isScalarType, type GraphQLSchema } from 'graphql';
import { isDecimal } from '../fhir/decimal.ts';
import { Fault } from '../fault/fault.ts';

const isText = (value: unknown): boolean => typeof value === 'string';

/** The FHIR types that are scalars of the graph, with the test of their values in JSON. */
const SCALARS: Readonly<Record<string, (value: unknown) => boolean>> = {
  code: isText,
  date: isText,
  dateTime: isText,
  instant: isText,
  time: isText,
  decimal: isDecimal,
};

/**
 * Makes the FHIR scalars of a schema refuse values of another JSON type: a client that expects a date gets null and an
 * error for it, never an object.
 */
export function strictScalars(schema: GraphQLSchema): void {
  for (const [name, isValue] of Object.entries(SCALARS)) {
    const type = schema.getType(name);
    if (!isScalarType(type)) continue;
    type.serialize = (value) => {
      if (isValue(value)) return value;
      throw new Fault('bad_gateway', `The record has a value here that is not a FHIR ${name}.`);
    };
  }
}
