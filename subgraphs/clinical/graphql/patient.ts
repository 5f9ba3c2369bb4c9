import type { Patient } from 'fhir/r4.js';
import type { GraphQLFieldResolver } from 'graphql';
import { requirePatient } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { toGraphqlError } from '../../../schema/graphql/graphql-fault.ts';
import { fieldsOf } from '../../../schema/fhir/tables.ts';
import { orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { Clinical } from '../record/clinical.ts';

const FAULT = Symbol('fault');

/** A patient with only an id: the record cannot be reached, or the scopes do not cover it. */
interface UnreadablePatient {
  resourceType: 'Patient';
  id: string;
  [FAULT]: Fault;
}

/**
 * Reads a patient in reach. When the record cannot be read, it returns a patient with only the id, so that the fields below
 * still work: images while the EHR does not answer (FG-10), lists without `Patient.r` (SM-6).
 * @throws Fault `forbidden` for another patient, `not_found` when the record has no such patient
 */
export function patientOrId(clinical: Clinical, id: string): Awaitable<Patient | UnreadablePatient> {
  return orElse(
    () => clinical.readAtOnce('Patient', id) as Awaitable<Patient>,
    (error): UnreadablePatient => {
      requirePatient(clinical.access, id);
      if (!(error instanceof Fault) || error.code === 'not_found' || error.code === 'internal') throw error;
      return { resourceType: 'Patient', id, [FAULT]: error };
    },
  );
}

type Fields = Record<string, GraphQLFieldResolver<never, never, never>>;

/** Returns resolvers of Patient's own fields. For an unreadable patient they are null, with the reason as an error. */
export function resolversOfUnreadablePatient(existing: Fields): Fields {
  const fields: Fields = {};
  for (const { name, kind } of fieldsOf('Patient')) {
    if (name === 'id' || name === 'resourceType') continue;
    for (const field of kind === 'primitive' ? [name, `_${name}`] : [name]) {
      const resolve = existing[field];
      fields[field] = (source: Record<string, unknown> & { [FAULT]?: Fault }, args, context, info) => {
        if (source[FAULT]) throw toGraphqlError(source[FAULT]);
        // eslint-disable-next-line no-restricted-syntax -- resolvers of all types are in one table
        return resolve ? resolve(source as never, args, context, info) : source[field];
      };
    }
  }
  return fields;
}
